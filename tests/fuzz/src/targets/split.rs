//! `split.csv`: no image is used twice, and images that are left out are counted.

use nn_cli::fuzz_entry;
use nn_core::data::{ImageFolder, Sample};
use std::collections::HashSet;

/// File names: plain ones, and ones that need quotes.
const FILES: [&str; 6] =
    ["cat/1.png", "cat/2.png", "cat/a, b.png", "dog/1.png", "dog/\".png", "dog/ü.png"];

fn folder() -> ImageFolder {
    let root = std::path::Path::new("photos");
    let samples =
        FILES.iter().enumerate().map(|(i, file)| Sample { path: root.join(file), label: i / 3 });
    ImageFolder::bare(root, vec!["cat".into(), "dog".into()], samples.collect())
}

pub fn run(data: &[u8]) {
    let folder = folder();
    if let Ok((split, left)) = fuzz_entry::split(data, &folder) {
        assert!(!split.train.is_empty());
        assert!(!split.test.is_empty() || !split.validation.is_empty());
        let all = || split.train.iter().chain(&split.validation).chain(&split.test);
        let distinct: HashSet<_> = all().map(|sample| &sample.path).collect();
        assert_eq!(distinct.len(), all().count());
        assert_eq!(distinct.len() + left, FILES.len());
    }
}
