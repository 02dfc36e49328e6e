//! What the crate's documentation promises of all of it, held by the compiler or by a look at the
//! source.

use nn_core::audit::{Listing, Report};
use nn_core::autograd::Gradient;
use nn_core::data::{Dataset, ImageFolder, Mask, Rgb8, Split};
use nn_core::explain::{Cam, Explanation, GradCam, Occlusion};
use nn_core::layers::LayerConfig;
use nn_core::model::tensor_file::TensorFile;
use nn_core::model::{ModelFile, Sequential, SequentialBuilder, Summary};
use nn_core::optim::{Gradients, Optimizer, OptimizerConfig};
use nn_core::rng::Rng;
use nn_core::tensor::Pool;
use nn_core::train::{FitOptions, Trainer};
use nn_core::{Error, Shape, Tape, Tensor, Var};
use std::path::{Path, PathBuf};

const fn can_move<T: Send>() {}
const fn can_be_shared<T: Send + Sync>() {}

const _: () = {
    can_be_shared::<Tensor>();
    can_be_shared::<Tensor<f64>>();
    can_be_shared::<Shape>();
    can_be_shared::<Pool<f32>>();
    can_be_shared::<Var>();
    can_be_shared::<Gradient>();
    can_be_shared::<Gradients<f32>>();
    can_be_shared::<Error>();
    can_be_shared::<Rng>();
    can_be_shared::<LayerConfig>();
    can_be_shared::<Sequential>();
    can_be_shared::<SequentialBuilder>();
    can_be_shared::<ModelFile>();
    can_be_shared::<Summary>();
    can_be_shared::<TensorFile>();
    can_be_shared::<OptimizerConfig>();
    can_be_shared::<FitOptions>();
    can_be_shared::<ImageFolder>();
    can_be_shared::<Split>();
    can_be_shared::<Dataset>();
    can_be_shared::<Rgb8>();
    can_be_shared::<Mask>();
    can_be_shared::<Listing>();
    can_be_shared::<Report>();
    can_be_shared::<Cam<GradCam>>();
    can_be_shared::<Explanation<f32>>();
    // One thread at a time: these change as they are used, or hold a caller's closure.
    can_move::<Tape>();
    can_move::<Box<dyn Optimizer<f32>>>();
    can_move::<Trainer>();
    can_move::<Occlusion>();
};

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn unsafe_code_is_allowed_in_the_kernels_alone() {
    // The lint is denied for the workspace; this is where it may be lifted, and nn-cli forbids that.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lifted: Vec<_> = ["nn-core/src", "nn-cli/src"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            ["allow(unsafe_code", "expect(unsafe_code", "warn(unsafe_code"]
                .iter()
                .any(|lift| text.contains(lift))
        })
        .collect();
    assert_eq!(lifted, [root.join("nn-core/src/kernels/mod.rs")]);
}

#[test]
fn nothing_is_built_by_a_script() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in ["nn-core", "nn-cli"] {
        assert!(!root.join(package).join("build.rs").exists());
        let manifest = std::fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap();
        assert!(!manifest.lines().any(|line| line.starts_with("build")), "{package}");
    }
}
