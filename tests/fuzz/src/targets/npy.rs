//! Arrays of NumPy. What can be read is written again, and is the same then.
//!
//! If the first byte is `{`, the input is a header, a line end, and numbers: what stands before them is made to fit,
//! and the numbers are as many as the shape says, which mutation alone rarely achieves.

use super::files::folder;
use nn_cli::fuzz_entry;

/// The most bytes of numbers that are made.
const MOST_BYTES: usize = 1 << 16;

pub fn run(data: &[u8]) {
    let folder = folder();
    let path = folder.path().join("array.npy");
    let made = made_to_fit(data);
    std::fs::write(&path, made.as_deref().unwrap_or(data)).expect("it can be written");
    let Ok(array) = fuzz_entry::npy(&path) else { return };
    // A longer header than this is written by nobody.
    if array.dims().len() <= 64 {
        std::fs::write(&path, fuzz_entry::npy_of(&array)).expect("it can be written");
        let again = fuzz_entry::npy(&path).expect("what was written can be read");
        assert_eq!(again.dims(), array.dims());
        let bits = |value: &f32| value.to_bits();
        assert!(again.as_slice().iter().map(bits).eq(array.as_slice().iter().map(bits)));
    }
}

/// A file with this header and as many numbers as its shape says, repeated from the input.
fn made_to_fit(data: &[u8]) -> Option<Vec<u8>> {
    data.strip_prefix(b"{")?;
    let end = data.iter().position(|&byte| byte == b'\n')?;
    let (header, numbers) = (&data[..=end], &data[end + 1..]);
    let text = std::str::from_utf8(header).ok()?;
    let (_, shape) = text.split_once("'shape'")?;
    let (dims, _) = shape.split_once('(')?.1.split_once(')')?;
    let dims = dims.split(',').filter_map(|dim| dim.trim().parse().ok());
    let bytes = dims.fold(4usize, usize::saturating_mul).min(MOST_BYTES);
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).ok()?.to_le_bytes());
    file.extend(header);
    let numbers = if numbers.is_empty() { &[0] } else { numbers };
    file.extend(numbers.iter().cycle().take(bytes));
    Some(file)
}
