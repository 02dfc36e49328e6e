//! The usual families of image classifiers, as both exporters of PyTorch write them, against PyTorch: logits, the
//! gradient of the input, the last feature map with its gradient, and Grad-CAM.
//!
//! The files are not kept here. They are read from `NN_MODELS`, or `shared/models` beside the repository, where
//! `make.py` says what the arrays are; without them the test says so and passes. Narrow networks that are kept here
//! are in `onnx_files.rs`.

#[path = "onnx/arrays.rs"]
mod arrays;

use arrays::{Arrays, channels_first, largest_difference};
use nn_core::model::{Model, Pass};
use nn_core::{Tape, Tensor};
use nn_onnx::Imported;
use std::path::PathBuf;

/// The networks, and the classes whose logits the gradients are of.
const FAMILIES: [&str; 9] = [
    "resnet",
    "mobilenetv2",
    "mobilenetv3",
    "efficientnet",
    "vgg_bn",
    "densenet",
    "squeezenet",
    "convnext",
    "shufflenet",
];
const CLASSES: [usize; 2] = [3, 7];

/// The folder of the files, if it is there.
fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    let folder = std::env::var_os("NN_MODELS").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        println!("no models in {}: nothing is compared", folder.display());
        return None;
    }
    Some(folder)
}

struct Differences {
    logits: f64,
    dx: f64,
    feature: f64,
    dfeature: f64,
    cam: f64,
}

/// `relu(sum over channels of the mean gradient times the feature)` at each place.
fn grad_cam(feature: &Tensor, gradient: &Tensor) -> Vec<f32> {
    let &[batch, height, width, channels] = feature.dims() else { panic!("{:?}", feature.dims()) };
    let places = height * width;
    let mut map = Vec::new();
    for sample in 0..batch {
        let rows = |tensor: &Tensor| {
            tensor.as_slice()[sample * places * channels..][..places * channels].to_vec()
        };
        let (values, gradients) = (rows(feature), rows(gradient));
        let mean = |c: usize| {
            (0..places).map(|p| f64::from(gradients[p * channels + c])).sum::<f64>() / places as f64
        };
        let weights: Vec<f64> = (0..channels).map(mean).collect();
        let at = |p: usize| {
            (0..channels).map(|c| weights[c] * f64::from(values[p * channels + c])).sum::<f64>()
        };
        map.extend((0..places).map(|p| at(p).max(0.0) as f32));
    }
    map
}

fn compare(model: &Model, layer: &str, expected: &Arrays) -> Differences {
    let mut tape = Tape::<f32>::new();
    let x = tape.leaf(expected.image("x"));
    let watch = [layer];
    let pass = model.forward(&tape, x.clone(), Pass::inference().frozen().watch(&watch)).unwrap();
    let logits = pass.output.value().as_slice().to_vec();
    let classes = model.classes();
    let chosen: Vec<_> = CLASSES.iter().enumerate().map(|(i, class)| i * classes + class).collect();
    let gradient = Tensor::from_fn([2, classes], |i| f32::from(u8::from(chosen.contains(&i))));
    let feature = pass.watched[0].1.clone();
    tape.backward_from(&pass.output, gradient).unwrap();
    let (dx, dfeature) = (tape.grad(&x).unwrap(), tape.grad(&feature).unwrap());
    let of = |name: &str, ours: &[f32]| largest_difference(ours, expected.values(name));
    Differences {
        logits: of("logits", &logits),
        dx: of("dx", &channels_first(dx)),
        feature: of("feature", &channels_first(feature.value())),
        dfeature: of("dfeature", &channels_first(dfeature)),
        cam: of("cam", &grad_cam(feature.value(), dfeature)),
    }
}

/// The layer whose value is the file's feature map. It is Grad-CAM's default but for three: what PyTorch calls the
/// features of a VGG goes on to the last pooling, where the default is the finer map before it; those of a DenseNet end
/// before the last ReLU, where the default is what the classifier sees, behind it; and those of a SqueezeNet before
/// its last convolution, whose maps, one for each class, are the default.
fn feature_layer<'a>(family: &str, model: &'a Model) -> &'a str {
    let last = |kind: &str| model.layers().rfind(|layer| layer.1 == kind).unwrap().0;
    match family {
        "vgg_bn" => last("MaxPool2D"),
        "squeezenet" => last("Concatenate"),
        "densenet" => last("BatchNormalization"),
        _ => model.last_feature_map().unwrap(),
    }
}

#[test]
fn families_agree_with_pytorch() {
    let Some(folder) = folder() else { return };
    let (mut wrong, mut without_transposes) = (Vec::new(), 0);
    println!(
        "file                   logits     dx  feature dfeature    cam  transposes, layers, layer"
    );
    for family in FAMILIES {
        let expected = Arrays::read(&folder.join(format!("{family}.npz")));
        let mut transposes = 0;
        for exporter in ["ts", "dynamo"] {
            let file = format!("{family}.{exporter}.onnx");
            let Imported { model, report, .. } = match nn_onnx::read(&folder.join(&file)) {
                Ok(imported) => imported,
                Err(error) => {
                    wrong.push(format!("{file}: {error}"));
                    continue;
                }
            };
            transposes += report.transposes;
            let layer = feature_layer(family, &model).to_owned();
            let found = compare(&model, &layer, &expected);
            println!(
                "{file:20} {:8.1e} {:8.1e} {:8.1e} {:8.1e} {:8.1e}  {}, {}, {layer}",
                found.logits,
                found.dx,
                found.feature,
                found.dfeature,
                found.cam,
                report.transposes,
                model.layers().count()
            );
            let bounds = [
                ("logits", found.logits, 1e-4),
                ("dx", found.dx, 1e-4),
                ("feature", found.feature, 1e-4),
                ("dfeature", found.dfeature, 1e-4),
                ("cam", found.cam, 1e-3),
            ];
            let above = bounds
                .iter()
                .filter(|(_, difference, bound)| difference.is_nan() || difference > bound);
            wrong.extend(
                above.map(|(what, difference, _)| {
                    format!("{file}: {what} differs by {difference:e}")
                }),
            );
        }
        without_transposes += usize::from(transposes == 0);
    }
    println!("{without_transposes} of {} families without a transpose", FAMILIES.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(without_transposes >= 7, "{without_transposes}");
}

/// EfficientNet-Lite0 with its published weights.
#[test]
fn lite0_agrees_with_pytorch() {
    let Some(folder) = folder() else { return };
    let expected = Arrays::read(&folder.join("lite0.npz"));
    let imported = nn_onnx::read(&folder.join("lite0.onnx")).unwrap();
    let x = expected.image("x");
    let tape = Tape::inference(Default::default());
    let logits = imported.model.infer(&tape, x).unwrap();
    let difference = largest_difference(logits.value().as_slice(), expected.values("logits"));
    println!("logits differ by {difference:e}; {:?}", imported.notes());
    assert!(difference < 1e-4, "{difference:e}");
    assert_eq!(imported.report.transposes, 0);
}
