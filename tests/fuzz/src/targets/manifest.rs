//! Manifests of published files, in the format of `sha256sum`.

use nn_cli::strangers;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(files) = strangers::manifest(text) {
        assert!((1..=text.lines().count()).contains(&files));
    }
}
