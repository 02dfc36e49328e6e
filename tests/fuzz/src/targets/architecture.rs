//! Files of `--architecture`: an accepted input is written, and read again as equal.

use nn_cli::fuzz_entry;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(written) = fuzz_entry::architecture(text) {
        let again = fuzz_entry::architecture(&written).expect("what is printed can be read");
        assert_eq!(again, written);
    }
}
