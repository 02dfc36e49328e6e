//! Replays the fuzzing corpora and past crashes (`tests/fuzz`) without a sanitizer: detects panics,
//! wrong results, and timeouts.

#[path = "fuzz/src/targets/mod.rs"]
mod targets;

use std::path::{Path, PathBuf};

/// One test for each target.
macro_rules! targets {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                replay(stringify!($target), targets::$target::run);
            }
        )*

        #[test]
        fn every_input_has_its_target() {
            let known = [$(stringify!($target)),*];
            for folder in FOLDERS.map(folder).iter().flat_map(|folder| entries(folder)) {
                let name = folder.file_name().unwrap().to_str().unwrap();
                assert!(known.contains(&name), "{} is replayed by nobody", folder.display());
            }
        }
    };
}

targets! { architecture archive audit beside checkpoint config image kernels labels manifest metadata model npy onnx split tensor }

/// The seed corpus of each target, and inputs that once failed.
const FOLDERS: [&str; 2] = ["seeds", "reproducers"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz").join(name)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing =
        std::fs::read_dir(folder).map(|listing| listing.map(|entry| entry.unwrap().path()));
    let mut entries: Vec<_> = listing.into_iter().flatten().collect();
    entries.sort();
    entries
}

/// The inputs of a target. The seeds of `onnx` are the files that the tests of its reader have.
fn inputs(name: &str) -> Vec<PathBuf> {
    let mut inputs: Vec<_> =
        FOLDERS.iter().flat_map(|kind| entries(&folder(kind).join(name))).collect();
    if name == "onnx" {
        let files = entries(&folder("../fixtures/onnx")).into_iter();
        inputs.extend(files.filter(|file| file.extension().is_some_and(|ending| ending == "onnx")));
    }
    inputs
}

fn replay(name: &str, run: fn(&[u8])) {
    let inputs = inputs(name);
    assert!(!inputs.is_empty(), "{name} has no seed");
    for input in inputs {
        // The test shows this only if it fails.
        println!("{}", input.display());
        run(&std::fs::read(input).unwrap());
    }
}
