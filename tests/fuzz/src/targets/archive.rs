//! Archives, as `data fetch` unpacks them: extracted entries stay within the limits and inside the folder.

use nn_photographs::{Limits, read_archive};
use std::io::Cursor;
use std::path::Path;

const FILE_BYTES: u64 = 1 << 16;
const UNPACKED_BYTES: u64 = 1 << 20;

pub fn run(data: &[u8]) {
    let mut total = 0;
    let mut check = |name: &str, content: Vec<u8>| {
        assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."), "{name}");
        assert!(content.len() as u64 <= FILE_BYTES);
        total += content.len() as u64;
        assert!(total <= UNPACKED_BYTES);
        Ok(())
    };
    let limits =
        Limits { file_bytes: FILE_BYTES, unpacked_bytes: UNPACKED_BYTES, ..Limits::default() };
    let archive = Cursor::new(data);
    let _ = read_archive(archive, Path::new("archive"), &limits, &|_| true, &mut check);
}
