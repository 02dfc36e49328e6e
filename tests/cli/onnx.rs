//! ONNX files wherever a model is taken: what their files do not say, and numbers for other programs.

use super::support::Sandbox;
use image::RgbImage;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of the small networks that exporters wrote.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/onnx").join(name)
}

/// A sandbox with the network `model.onnx` of 5 classes for images of 16 x 16.
pub fn with_model() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("model.onnx", fs::read(fixture("group_norm.onnx")).unwrap());
    sandbox
}

/// An array of a fixture, as a file of NumPy.
fn array(fixture_name: &str, name: &str) -> Vec<u8> {
    let file = fs::File::open(fixture(fixture_name)).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// The numbers of such a file.
fn numbers(npy: &[u8]) -> Vec<f64> {
    let header = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let (numbers, _) = npy[header..].as_chunks::<4>();
    numbers.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
}

/// A file of NumPy.
fn npy(shape: &str, values: impl Iterator<Item = f32>) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let values = values.flat_map(f32::to_le_bytes);
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes()]
        .concat()
        .into_iter()
        .chain(values)
        .collect()
}

fn values(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_near(ours: &[f64], expected: &[f64], most: f64) {
    assert_eq!(ours.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    for (a, b) in ours.iter().zip(expected) {
        assert!((a - b).abs() <= most * largest, "{ours:?}, not {expected:?}");
    }
}

/// The probabilities of classes 0, 1, ... of each answer.
pub fn probabilities(answers: &Value) -> Vec<f64> {
    let of = |answer: &Value| {
        let named = answer["probabilities"].as_object().unwrap().clone();
        (0..named.len()).map(move |class| named[&class.to_string()].as_f64().unwrap())
    };
    answers.as_array().unwrap().iter().flat_map(of).collect()
}

#[test]
fn logits_are_those_of_pytorch() {
    for name in ["group_norm", "group_norm_dynamo", "attention", "batch_norm_unfolded"] {
        let sandbox = Sandbox::new();
        let data = format!("{name}.npz");
        sandbox.write("x.npy", array(&data, "x"));
        let model = fixture(&format!("{name}.onnx")).display().to_string();
        let ask = ["predict", "--model", &model, "--tensor", "x.npy", "--logits", "--json"];
        let answers = sandbox.run(ask).json();
        let logits: Vec<f64> =
            answers.as_array().unwrap().iter().flat_map(|one| values(&one["logits"])).collect();
        assert_near(&logits, &numbers(&array(&data, "output")), 1e-4);
        assert_eq!((&answers[0]["index"], &answers[1]["index"]), (&json!(0), &json!(1)));
        assert!((probabilities(&answers).iter().sum::<f64>() - 2.0).abs() < 1e-5);
    }
}

#[test]
fn files_with_weights_beside_them_and_of_any_size_are_opened() {
    let sandbox = Sandbox::new();
    for (name, size, output) in
        [("shuffle_external", None, "logits"), ("softmax_any_size", Some("16"), "probabilities")]
    {
        let data = format!("{name}.npz");
        sandbox.write("x.npy", array(&data, "x"));
        let model = fixture(&format!("{name}.onnx")).display().to_string();
        let mut ask = vec!["predict", "--model", &model, "--tensor", "x.npy", "--logits", "--json"];
        if let Some(size) = size {
            sandbox.refuses(&ask, 1, &["images of any size", "--input-size"]);
            ask.extend(["--image-size", size]);
        }
        let answers = sandbox.run(ask).json();
        let ours = match output {
            "logits" => {
                answers.as_array().unwrap().iter().flat_map(|one| values(&one[output])).collect()
            }
            _ => probabilities(&answers),
        };
        assert_near(&ours, &numbers(&array(&data, "output")), 1e-4);
    }
}

#[test]
fn a_file_is_told_by_its_content_too() {
    let sandbox = Sandbox::new();
    sandbox.write("model", fs::read(fixture("group_norm.onnx")).unwrap());
    sandbox.write("x.npy", array("group_norm.npz", "x"));
    sandbox.run(["predict", "--model", "model", "--tensor", "x.npy"]).ok();
    sandbox.run(["summary", "--model", "model"]).ok().says(&["Dense", "14, 14, 8"], &["opset"]);
    sandbox.write("broken.onnx", "nothing of the kind");
    sandbox.refuses(["summary", "--model", "broken.onnx"], 1, &["broken.onnx", "ONNX"]);
    let named = ["summary", "--model", "model", "--architecture", "resnet18"];
    sandbox.refuses(named, 2, &["--architecture", "ONNX"]);
}

/// A picture of the network's size, and its pixels channel by channel.
fn picture(sandbox: &Sandbox) -> Vec<u8> {
    let image = RgbImage::from_fn(16, 16, |x, y| {
        image::Rgb([(16 * x) as u8, (255 - 14 * y) as u8, (x * y) as u8])
    });
    image.save(sandbox.path("a.png")).unwrap();
    (0..3).flat_map(|c| image.pixels().map(move |pixel| pixel.0[c]).collect::<Vec<_>>()).collect()
}

#[test]
fn pixels_are_never_guessed() {
    let sandbox = with_model();
    picture(&sandbox);
    let says = ["does not say", "--preset", "imagenet", "caffe", "0-1", "(pixel - 127) / 128"];
    sandbox.refuses(["predict", "--model", "model.onnx", "a.png"], 2, &says);
    let heat = ["gradcam", "--model", "model.onnx", "a.png", "--out", "heat"];
    sandbox.refuses(heat, 2, &says);
    let ask = ["predict", "--model", "model.onnx", "a.png"];
    for (args, says) in [
        (&["--preset", "lit"][..], &["imagenet, caffe", "did you mean lite?"][..]),
        (&["--preset", "lite", "--mean", "1"], &["cannot be used with"]),
        (&["--mean", "1,2"], &["--mean", "three"]),
        (&["--mean", "0"], &["--scale"]),
        (&["--std", "0"], &["std 0"]),
        (&["--scale", "0"], &["other than 0"]),
        (&["--resize", "stretch"], &["squash, crop, letterbox"]),
    ] {
        sandbox.refuses([&ask[..], args].concat(), 2, says);
    }
    let run = Sandbox::with_run();
    run.refuses(["predict", "--model", "run", "set/test", "--channels", "bgr"], 2, &["--preset"]);
}

#[test]
fn presets_give_what_their_formulas_give() {
    let sandbox = with_model();
    let planes = picture(&sandbox);
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let caffe = [103.939, 116.779, 123.68];
    let at = |plane: usize, i: usize| f32::from(planes[256 * plane + i % 256]);
    type Formula<'a> = &'a dyn Fn(usize) -> f32;
    let imagenet: Formula = &|i| (at(i / 256, i) / 255.0 - mean[i / 256]) / std[i / 256];
    let blue_first: Formula = &|i| at(2 - i / 256, i) - caffe[i / 256];
    let lite: Formula = &|i| (at(i / 256, i) - 127.0) / 128.0;
    let to_one: Formula = &|i| at(i / 256, i) / 255.0;
    for (options, formula) in [
        ("--preset imagenet --resize squash", imagenet),
        ("--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225", imagenet),
        ("--preset caffe", blue_first),
        ("--mean 123.68,116.779,103.939 --channels bgr", blue_first),
        ("--preset lite", lite),
        ("--mean 127 --std 128", lite),
        ("--preset 0-1", to_one),
        ("--scale 1/255", to_one),
    ] {
        sandbox.write("x.npy", npy("1, 3, 16, 16", (0..768).map(formula)));
        let ask = ["predict", "--model", "model.onnx", "--tensor", "x.npy", "--json"];
        let expected = probabilities(&sandbox.run(ask).json());
        let ask = ["predict", "--model", "model.onnx", "a.png", "--json"];
        let options: Vec<_> = options.split(' ').collect();
        let answers = sandbox.run([&ask[..], &options].concat());
        let answers = answers.says(&[], &["network input: ", "squashed to 16x16"]).json();
        assert_near(&probabilities(&answers), &expected, 1e-4);
    }
}

#[test]
fn images_are_resized_as_asked() {
    let sandbox = with_model();
    let wide = RgbImage::from_fn(40, 20, |x, y| image::Rgb([(6 * x) as u8, (12 * y) as u8, 90]));
    wide.save(sandbox.path("wide.png")).unwrap();
    let ask = |how: &str| {
        let ask = ["predict", "--model", "model.onnx", "--preset", "lite", "wide.png", "--json"];
        probabilities(&sandbox.run([&ask[..], &["--resize", how]].concat()).json())
    };
    assert!(ask("squash") != ask("crop") && ask("crop") != ask("letterbox"));
    // Where 18 rows are seen of 20, the picture of the heat map shows them.
    for how in ["crop", "letterbox"] {
        let heat = ["gradcam", "--model", "model.onnx", "--preset", "lite", "wide.png"];
        let heat = [&heat[..], &["--resize", how, "--out", how, "--raw", "--json"]].concat();
        let told = sandbox.run(heat).json();
        assert_eq!(told[0]["file"], "wide.png");
        assert!(sandbox.path(told[0]["overlay"].as_str().unwrap()).is_file());
    }
}

#[test]
fn classes_get_their_names() {
    let sandbox = with_model();
    for class in ["dark", "light"] {
        sandbox.images(format!("set/{class}"), 3);
    }
    let ask = ["evaluate", "--model", "model.onnx", "--preset", "0-1", "--data", "set", "--json"];
    sandbox.refuses(ask, 1, &["5 classes", "dark, light"]);
    sandbox.write("names.txt", "dark\nlight\ncrane\nfox\ncrane\n");
    let named = [&ask[..], &["--classes", "names.txt"]].concat();
    let report = sandbox.run(&named).json();
    assert_eq!(report["n"], 6);
    assert_eq!(report["classes"], json!(["dark", "light", "crane (2)", "fox", "crane (4)"]));
    sandbox.write("names.txt", "dark\nlight\n");
    sandbox.refuses(named, 1, &["names.txt", "2 lines", "5 classes"]);
}

#[test]
fn maps_of_tensors_are_written_for_each_class() {
    let sandbox = with_model();
    sandbox.write("x.npy", array("group_norm.npz", "x"));
    let ask = ["gradcam", "--model", "model.onnx", "--tensor", "x.npy", "--raw", "--json"];
    let told = sandbox.run([&ask[..], &["--class", "3,1", "--out", "a"]].concat()).json();
    assert_eq!(sandbox.names("a"), ["0.1.npy", "0.3.npy", "1.1.npy", "1.3.npy"]);
    assert_eq!(told.as_array().unwrap().len(), 4);
    assert_eq!((&told[0]["index"], &told[0]["class"]), (&json!(0), &json!("3")));
    let score =
        |index: usize, class: usize| numbers(&array("group_norm.npz", "output"))[5 * index + class];
    assert!((told[0]["score"].as_f64().unwrap() - score(0, 3)).abs() < 1e-4);
    assert!((told[3]["score"].as_f64().unwrap() - score(1, 1)).abs() < 1e-4);
    // The same by the name of the layer, and other maps at another one.
    let layer = told[0]["layer"].as_str().unwrap();
    let at = |layer: &str, out: &str| {
        let more = ["--class", "3,1", "--layer", layer, "--out", out];
        sandbox.run([&ask[..], &more].concat()).ok();
        sandbox.bytes(&format!("{out}/0.3.npy"))
    };
    assert_eq!(at(layer, "b"), sandbox.bytes("a/0.3.npy"));
    let first = onnx_value(&sandbox);
    assert_ne!(at(&first, "c"), sandbox.bytes("a/0.3.npy"));
    let wrong = [&ask[..], &["--layer", "nothing", "--out", "d"]].concat();
    sandbox.refuses(wrong, 2, &["--layer nothing", layer]);
    let wrong = [&ask[..], &["--class", "5", "--out", "d"]].concat();
    sandbox.refuses(wrong, 2, &["--class 5", "0, 1, 2, 3, 4"]);
}

/// The name of a value of the file that is no layer's name: what the first node gives.
fn onnx_value(sandbox: &Sandbox) -> String {
    let imported = nn_onnx::read(&sandbox.path("model.onnx")).unwrap();
    let names = |name: &&String| imported.model.layers().all(|(layer, _)| layer != *name);
    let first = imported.model.layers().next().unwrap().0.to_owned();
    let values = imported.layers.iter().filter(|(_, layer)| **layer == first);
    values.map(|(name, _)| name).find(names).unwrap().clone()
}

#[test]
fn tensors_of_another_shape_are_refused() {
    let sandbox = with_model();
    let ask = ["predict", "--model", "model.onnx", "--tensor", "x.npy"];
    for (shape, len) in [("1, 16, 16, 3", 768), ("3, 16, 16", 768), ("0, 3, 16, 16", 0)] {
        sandbox.write("x.npy", npy(shape, (0..len).map(|i| i as f32)));
        sandbox.refuses(ask, 1, &["x.npy", "[n, 3, 16, 16]"]);
    }
    sandbox.write("x.npy", "no array");
    sandbox.refuses(ask, 1, &["x.npy", "no array of NumPy", "numpy.save"]);
    let both = [&ask[..], &["a.png"]].concat();
    sandbox.refuses(both, 2, &["cannot be used with"]);
}

#[test]
fn tensors_go_in_behind_what_scales_pixels() {
    let sandbox = Sandbox::with_run();
    let planes = |scale: f32| npy("1, 3, 22, 22", (0..1452).map(move |i| scale * (i % 256) as f32));
    sandbox.write("x.npy", planes(1.0 / 255.0));
    let ask = ["predict", "--model", "run", "--tensor", "x.npy", "--json", "--logits"];
    let told = sandbox.run(ask).says(&[], &["behind rescaling1"]).json();
    let probabilities = told[0]["probabilities"].as_object().unwrap();
    assert_eq!(probabilities.keys().collect::<Vec<_>>(), ["dark", "light"]);
    let logits = values(&told[0]["logits"]);
    let dark = 1.0 / (1.0 + (logits[1] - logits[0]).exp());
    assert!((probabilities["dark"].as_f64().unwrap() - dark).abs() < 1e-5);
}

#[test]
fn opening_and_predictions_are_timed() {
    let sandbox = with_model();
    let ask = ["bench", "--model", "model.onnx", "--batch-size", "3", "--steps", "2"];
    let report = sandbox.run([&ask[..], &["--json"]].concat()).json();
    assert_eq!((&report["batch_size"], &report["image_size"]), (&json!(3), &json!([16, 16])));
    for times in ["open_ms", "forward_ms"] {
        let [min, median] = ["min", "median"].map(|name| report[times][name].as_f64().unwrap());
        assert!(0.0 < min && min <= median, "{report}");
    }
    sandbox.run(ask).ok().says(&["opening", "forward"], &[]);
}
