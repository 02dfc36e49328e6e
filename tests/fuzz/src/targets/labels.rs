//! A table of labels: every image occurs once, with or without a class, or is skipped.

use nn_cli::fuzz_entry;
use std::collections::HashSet;

/// File names, to be looked up in all their spellings.
const FILES: [&str; 6] = ["1.png", "2.jpg", "more/2.jpg", "more/a, b.png", "\".png", "ü.v2.png"];

pub fn run(data: &[u8]) {
    let Ok(folder) = fuzz_entry::labels(data, &FILES) else { return };
    let distinct: HashSet<_> = folder.images.iter().map(|image| &image.path).collect();
    assert_eq!(distinct.len(), folder.images.len());
    let labelled = folder.images.iter().filter_map(|image| image.label);
    let used: HashSet<usize> = labelled.collect();
    assert!(used.iter().all(|&label| label < folder.classes.len()));
    assert!(folder.images.len() + folder.passed_over.len() >= FILES.len());
    if let Ok(split) = folder.split(0.125, 27) {
        let all = || split.train.iter().chain(&split.validation).chain(&split.test);
        let distinct: HashSet<_> = all().map(|sample| &sample.path).collect();
        assert_eq!(distinct.len(), all().count());
        assert!(!split.train.is_empty());
    }
}
