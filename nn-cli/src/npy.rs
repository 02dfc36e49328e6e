//! NumPy's file format for arrays, as far as heat maps and images need it: numbers of 32 bits, row by row.
//!
//! `\x93NUMPY`, two bytes of version, the length of a text (two bytes in version 1, four later), the text - a dictionary
//! of Python that says type, order and shape - and the numbers.

use nn_core::{Error, Result, Tensor};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What files begin with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest text that is read; NumPy writes 118 bytes.
const MOST_TEXT: usize = 1 << 16;

/// Reads an array.
///
/// # Errors
/// If it cannot be read, is no array of NumPy, or not of type `f32` in rows. No more is allocated than the file has.
pub fn read(path: &Path) -> Result<Tensor> {
    let remedy = "write it with numpy.save(file, numpy.ascontiguousarray(x, \"float32\"))";
    let refuse = |problem: String| Error::file(path, problem, remedy);
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let mut take = |most: usize| {
        let mut bytes = Vec::with_capacity(most.min(MOST_TEXT));
        let taken = (&mut file).take(most as u64).read_to_end(&mut bytes);
        taken.map(|_| bytes).map_err(Error::io("read", path))
    };
    let begin = take(MAGIC.len() + 2)?;
    let wide = match begin.strip_prefix(MAGIC) {
        Some([1, _]) => 2,
        Some([2 | 3, _]) => 4,
        _ => return Err(refuse("is no array of NumPy".into())),
    };
    let text = take(wide)?.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    if text > MOST_TEXT {
        return Err(refuse(format!("its header has {text} bytes, more than {MOST_TEXT}")));
    }
    let header = take(text)?;
    let header = String::from_utf8_lossy(&header);
    let shape = shape(&header)
        .ok_or_else(|| refuse(format!("expected an array of f32 in rows, received {header}")))?;
    let bytes = shape.iter().try_fold(size_of::<f32>(), |bytes, &len| bytes.checked_mul(len));
    let expected = bytes.and_then(|bytes| bytes.checked_add(MAGIC.len() + 2 + wide + text));
    if expected.is_none_or(|expected| expected as u64 != length) {
        return Err(refuse(format!("it has {length} bytes, which is not what {shape:?} takes")));
    }
    let numbers = take(bytes.unwrap_or(0))?;
    let (numbers, _) = numbers.as_chunks::<4>();
    Tensor::from_vec(shape, numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        .map_err(|error| refuse(error.to_string()))
}

/// The shape that a header says; `None` if it is not of `f32` in rows.
fn shape(header: &str) -> Option<Vec<usize>> {
    let value = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}'"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let is_f32 = value("descr")?.starts_with("'<f4'");
    if !is_f32 || !value("fortran_order")?.starts_with("False") {
        return None;
    }
    let (dims, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
    dims.split(',')
        .map(str::trim)
        .filter(|dim| !dim.is_empty())
        .map(|dim| dim.parse().ok())
        .collect()
}

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
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.npy");
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).unwrap(), tensor);
        }
    }

    #[test]
    fn what_is_no_array_of_f32_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let good = encode(&Tensor::from_fn([2, 3], |i| i as f32));
        let replaced = |from: &str, to: &str| {
            let at = good.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
            [&good[..at], to.as_bytes(), &good[at + from.len()..]].concat()
        };
        for (bytes, says) in [
            (good[..good.len() - 1].to_vec(), "bytes"),
            ([&good[..], b"x"].concat(), "bytes"),
            (replaced("<f4", "<f8"), "expected an array of f32"),
            (replaced("False", "True "), "in rows"),
            (replaced("(2, 3, )", "(99, 99)"), "[99, 99]"),
            (replaced("(2, 3, )", "(-1, 3 )"), "received"),
            (replaced("2, 3, ), }", "99999999999"), "received"),
            (replaced("(2, 3, )", "(2, 3,  "), "received"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "its header has"),
            (b"\x93NUMPY\x09\x00".to_vec(), "no array of NumPy"),
            (b"".to_vec(), "no array of NumPy"),
            (b"\x93NUMPY\x01\x00\x01".to_vec(), "received"),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains(says) && message.contains("numpy.save"), "{message}");
        }
    }
}
