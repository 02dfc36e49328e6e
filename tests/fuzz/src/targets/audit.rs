//! An image file among others in an audited folder: its headers are parsed, and its pixels compared.

use nn_core::audit::{AuditOptions, Divided, Item, Listing, Part, audit};
use nn_core::data::decode_bytes;
use std::path::Path;

/// Larger images would only cost time.
const MOST_PIXELS: usize = 1 << 14;

pub fn run(data: &[u8]) {
    match decode_bytes(data, Path::new("image")) {
        Ok(image) if image.height() * image.width() <= MOST_PIXELS => {}
        _ => return,
    }
    let folder = tempfile::tempdir().expect("a folder for two files");
    let mut listing = Listing {
        root: folder.path().into(),
        classes: vec!["a".into(), "b".into()],
        items: Vec::new(),
        divided: Divided::Folders,
        problem: None,
        folders: Vec::new(),
        arrangement: String::new(),
        remarks: Vec::new(),
        passed_over: Vec::new(),
    };
    for (label, part) in [(0, Part::Train), (1, Part::Test)] {
        let file = format!("{label}.png");
        let path = folder.path().join(&file);
        std::fs::write(&path, data).expect("it can be written");
        listing.items.push(Item { path, file, label: Some(label), part: Some(part) });
    }
    let report = audit(&listing, &AuditOptions::default(), |_, _, _| Ok(()));
    let report = report.expect("an audit tells what is wrong, and fails on nothing it is given");
    assert!(report.pairs.len() == 1, "the same file twice is found");
}
