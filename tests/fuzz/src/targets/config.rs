//! `config.toml`: an accepted input is written, and read again as equal.

use nn_cli::fuzz_entry;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(recorded) = fuzz_entry::config(text) {
        let again = fuzz_entry::config(&recorded).expect("what a run records can be read");
        assert_eq!(again, recorded);
    }
}
