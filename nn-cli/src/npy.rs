//! Writes NumPy's file format for arrays, version 1.0, as far as heat maps need it.

use nn_core::Tensor;

/// Encodes a tensor so that `np.load` reads it as a float32 array with the same shape.
pub fn encode(tensor: &Tensor) -> Vec<u8> {
    let dims: String = tensor.dims().iter().map(|len| format!("{len}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({dims}), }}");
    // The data begin at a multiple of 64 bytes; 10 bytes precede the header.
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(tensor.as_slice().iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_laid_out_as_numpy_says() {
        for (dims, shape) in
            [(&[2, 3][..], "(2, 3, )"), (&[1; 1], "(1, )"), (&[60, 600], "(60, 600, )")]
        {
            let tensor = Tensor::from_fn(dims, |i| i as f32 - 0.5);
            let bytes = encode(&tensor);
            assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
            let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            assert!((10 + header).is_multiple_of(64));
            let text = std::str::from_utf8(&bytes[10..10 + header]).unwrap();
            assert!(
                text.contains(shape) && text.contains("'<f4'") && text.ends_with('\n'),
                "{text}"
            );
            let numbers = bytes[10 + header..].chunks_exact(4);
            let numbers: Vec<f32> =
                numbers.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            assert_eq!(numbers, tensor.as_slice());
        }
    }
}
