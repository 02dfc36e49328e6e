//! Archives, as `data fetch` unpacks them: what is handed on keeps to the limits and stays inside.

use nn_cli::strangers;

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
    let _ = strangers::archive(data, FILE_BYTES, UNPACKED_BYTES, &mut check);
}
