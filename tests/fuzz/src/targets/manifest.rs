//! Manifests of published files, in the format of `sha256sum`.

use nn_photographs::Manifest;
use std::path::Path;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(manifest) = Manifest::parse(text, Path::new("MANIFEST.sha256")) {
        assert!((1..=text.lines().count()).contains(&manifest.entries().len()));
    }
}
