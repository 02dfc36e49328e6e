//! Guarantees in the crate's documentation, checked by the compiler or by parsing the source.

use nn_core::audit::{AuditOptions, Listing, Report, audit};
use nn_core::autograd::Gradient;
use nn_core::data::{Dataset, DatasetOptions, ImageFolder, Mask, Rgb8, Split};
use nn_core::explain::{Cam, Explanation, GradCam, Occlusion};
use nn_core::layers::{Dense, LayerConfig};
use nn_core::loss::Loss;
use nn_core::model::safetensors::TensorFile;
use nn_core::model::{ModelFile, Sequential, SequentialBuilder, Summary};
use nn_core::optim::{Gradients, Optimizer, OptimizerConfig};
use nn_core::rng::Rng;
use nn_core::tensor::BufferPool;
use nn_core::train::{
    Batch, Examples, FitOptions, Observer, Silent, StepDone, Stop, Trainer, evaluate,
};
use nn_core::{Error, Result, Shape, Tape, Tensor, Var};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const fn can_move<T: Send>() {}
const fn can_be_shared<T: Send + Sync>() {}

const _: () = {
    can_be_shared::<Tensor>();
    can_be_shared::<Tensor<f64>>();
    can_be_shared::<Shape>();
    can_be_shared::<BufferPool<f32>>();
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

/// The callback of an operation, which may interrupt it.
type Ask<'a> = dyn FnMut() -> Result<()> + 'a;

/// Checks that an operation stops at the first error of its callback, whichever call that is, and
/// makes no further call.
fn stops(work: impl Fn(&mut Ask) -> Result<()>) {
    let mut asked = 0;
    work(&mut || {
        asked += 1;
        Ok(())
    })
    .unwrap();
    assert!(asked > 0);
    for patience in 0..asked {
        let mut questions = 0;
        let stopped = work(&mut || {
            questions += 1;
            if questions > patience { Err(Error::Interrupted) } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        assert_eq!(questions, patience + 1);
    }
}

/// Points of two classes.
struct Points<'a, 'b>(RefCell<&'a mut Ask<'b>>);

impl Examples for Points<'_, '_> {
    fn len(&self) -> usize {
        10
    }

    fn batch(&self, indices: &[usize], _: &BufferPool<f32>) -> Result<Batch> {
        (self.0.borrow_mut())()?;
        let x = Tensor::from_fn([indices.len(), 3], |i| (indices[i / 3] * 3 + i % 3) as f32);
        let labels: Vec<usize> = indices.iter().map(|i| i % 2).collect();
        Ok((x, labels).into())
    }
}

struct Asking<'a, 'b>(&'a mut Ask<'b>);

impl Observer for Asking<'_, '_> {
    fn step_done(&mut self, _: &StepDone) -> ControlFlow<Stop> {
        match (self.0)() {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(Stop::Interrupt),
        }
    }
}

#[test]
fn training_and_evaluation_stop_when_told_to() {
    let model = || Sequential::builder([3]).layer(Dense::new(2)).build(27).unwrap();
    let trainer = || {
        let options = FitOptions { epochs: 2, ..FitOptions::default() };
        Trainer::new(model(), OptimizerConfig::adam().build().unwrap(), options).unwrap()
    };
    fn points<'a, 'b>(ask: &'a mut Ask<'b>) -> Points<'a, 'b> {
        Points(RefCell::new(ask))
    }
    stops(|ask| trainer().fit(&points(ask), None, &mut Silent));
    stops(|ask| trainer().fit(&points(&mut || Ok(())), None, &mut Asking(ask)));
    stops(|ask| {
        let mut go_on = || Ok(());
        let always = points(&mut go_on);
        trainer().fit(&always, Some(&points(ask)), &mut Silent)
    });
    let loss = Loss::CategoricalCrossentropy;
    stops(|ask| evaluate(&model(), loss, &points(ask), 4).map(drop));
}

#[test]
fn loading_and_audits_stop_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    for (class, base) in [("dark", 0), ("light", 100)] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for i in 0..70u8 {
            let pixel = |x: u32, y: u32| image::Rgb([base + i, (x * 9) as u8, (y * 7) as u8]);
            let path = folder.path().join(class).join(format!("{i}.png"));
            image::RgbImage::from_fn(24, 24, pixel).save(path).unwrap();
        }
    }
    let images = ImageFolder::scan(folder.path()).unwrap();
    let options = DatasetOptions { height: 8, width: 8, ..DatasetOptions::default() };
    stops(|ask| {
        let samples = images.split(0.125, 27)?.train;
        Dataset::load_with(samples, images.classes.clone(), &options, |_, _| ask()).map(drop)
    });
    let listing = Listing::scan(folder.path(), 0.125, 27).unwrap();
    stops(|ask| audit(&listing, &AuditOptions::default(), |_, _, _| ask()).map(drop));
}
