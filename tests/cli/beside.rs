//! What says how images are brought to a model: options, a file beside it, its metadata; and what our files remember.

use super::onnx::{fixture, probabilities, with_model};
use super::support::Sandbox;
use image::RgbImage;
use nn_core::model::{self, Preprocessing};
use std::fs;

/// [`with_model`], and a picture that is not of the network's size.
pub fn with_picture() -> Sandbox {
    let sandbox = with_model();
    let wide = RgbImage::from_fn(40, 20, |x, y| image::Rgb([(6 * x) as u8, (12 * y) as u8, 90]));
    wide.save(sandbox.path("wide.png")).unwrap();
    sandbox
}

/// The probabilities with these options, and what was said.
pub fn answers(sandbox: &Sandbox, model: &str, options: &str) -> (Vec<f64>, String) {
    let ask = ["predict", "--model", model, "wide.png", "--json"];
    let ended = sandbox.run(ask.into_iter().chain(options.split_whitespace()).collect::<Vec<_>>());
    let ended = ended.ok();
    (probabilities(&serde_json::from_str(&ended.out).unwrap()), ended.err)
}

#[test]
fn a_file_beside_the_model_stands_for_options() {
    let sandbox = with_picture();
    let number = 1.0 / 3.0;
    for (name, text, options) in [
        ("model.toml", "preset = \"lite\"".to_string(), "--preset lite"),
        (
            "model.toml",
            "preset = 'imagenet'\nresize = 'squash'\ninterpolation = 'bicubic'\ninput_size = 16".into(),
            "--preset imagenet --resize squash --interpolation bicubic",
        ),
        (
            "model.json",
            "{\"mean\": [1, 2, 3], \"std\": 2, \"channels\": \"bgr\", \"resize\": \"crop\", \"crop_pct\": 0.5}".into(),
            "--mean 1,2,3 --std 2 --channels bgr --resize crop --crop-pct 0.5",
        ),
        ("model.json", format!("{{\"scale\": {number}, \"input_size\": [16, 16]}}"), "--scale 1/3"),
        ("model.toml", "scale = \"1/255\"\nresize = \"letterbox\"".into(), "--scale 1/255 --resize letterbox"),
    ] {
        let (expected, _) = answers(&sandbox, "model.onnx", options);
        sandbox.write(name, text);
        let (found, told) = answers(&sandbox, "model.onnx", "");
        assert_eq!(found, expected, "{name}: {options}");
        assert_eq!(told.matches("network input: ").count(), 1, "{told}");
        assert!(told.contains(&format!("({name})")), "{told}");
        // Options win.
        let (found, told) = answers(&sandbox, "model.onnx", &format!("--preset tf {}", "--resize squash --interpolation plain --channels rgb"));
        fs::remove_file(sandbox.path(name)).unwrap();
        assert_eq!(found, answers(&sandbox, "model.onnx", "--preset tf").0);
        assert!(told.contains("(--preset tf"), "{told}");
    }
}

#[test]
fn classes_are_named_beside_the_model() {
    let sandbox = with_picture();
    sandbox.write("model.toml", "preset = \"lite\"\nclasses = [\"a\", \"b\", \"c\", \"d\", \"e\"]");
    let ask = ["predict", "--model", "model.onnx", "wide.png", "--json"];
    let named = |answers: serde_json::Value| {
        answers[0]["probabilities"].as_object().unwrap().keys().cloned().collect::<String>()
    };
    assert_eq!(
        named(sandbox.run(ask).says(&[], &["classes: as model.toml names them"]).json()),
        "abcde"
    );
    // A path is seen from the file.
    fs::create_dir(sandbox.path("sub")).unwrap();
    fs::copy(sandbox.path("model.onnx"), sandbox.path("sub/model.onnx")).unwrap();
    sandbox.write("sub/model.json", "{\"preset\": \"lite\", \"classes\": \"names.txt\"}");
    sandbox.write("sub/names.txt", "v\nw\nx\ny\nz\n");
    let below = ["predict", "--model", "sub/model.onnx", "wide.png", "--json"];
    assert_eq!(named(sandbox.run(below).json()), "vwxyz");
    sandbox.write("model.toml", "preset = \"lite\"\nclasses = [\"a\"]");
    sandbox.refuses(ask, 2, &["model.toml names 1 classes", "5"]);
}

#[test]
fn what_is_misspelt_is_answered() {
    let sandbox = with_picture();
    let ask = ["predict", "--model", "model.onnx", "wide.png"];
    for (text, says) in [
        ("prest = 'lite'", &["model.toml", "unknown key prest", "did you mean preset?"][..]),
        ("preset = 'imagnet'", &["imagnet", "did you mean imagenet?"]),
        ("preset = 'lite'\nmean = 3", &["leave one away"]),
        ("preset = 3", &["preset must be a text"]),
        ("mean = [1, 2]", &["mean", "[red, green, blue]"]),
        ("std = 1", &["add a scale"]),
        ("scale = 0", &["other than 0"]),
        ("preset = 'lite'\nchannels = 'gbr'", &["rgb or bgr"]),
        ("preset = 'lite'\nresize = 'stretch'", &["squash, crop, letterbox"]),
        ("preset = 'lite'\ninterpolation = 'nearest'", &["plain, bilinear, bicubic"]),
        ("preset = 'lite'\nresize = 'crop'\ncrop_pct = 7", &["0.1 to 1"]),
        ("preset = 'lite'\ninput_size = [1, 2, 3]", &["[height, width]"]),
        ("preset = 'lite'\nclasses = 3", &["classes must be"]),
        ("a = ", &["line 1"]),
    ] {
        sandbox.write("model.toml", text);
        let ended = sandbox.run(ask);
        assert!(ended.status == 1 || ended.status == 2, "{text}: {ended:?}");
        says.iter().for_each(|says| assert!(ended.err.contains(says), "{text}: {}", ended.err));
    }
    sandbox.write("model.json", "{}");
    sandbox.refuses(ask, 1, &["model.toml", "model.json", "remove one"]);
    let crop = [&ask[..], &["--preset", "lite", "--crop-pct", "0.9"]].concat();
    fs::remove_file(sandbox.path("model.toml")).unwrap();
    sandbox.refuses(crop, 2, &["--crop-pct", "--resize crop"]);
}

/// An entry of a model's metadata: messages of protobuf that are written one behind the other are one.
fn metadata(key: &str, value: &str) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| {
        let len = u8::try_from(bytes.len()).unwrap();
        // The length, in groups of seven bits.
        let len = if len < 128 { vec![len] } else { vec![len, 1] };
        [&[tag][..], &len, bytes].concat()
    };
    field(0x72, &[field(0x0a, key.as_bytes()), field(0x12, value.as_bytes())].concat())
}

#[test]
fn a_file_beside_wins_over_metadata() {
    let sandbox = with_picture();
    let [lite, tf, crop] = ["lite", "tf", "tf --resize crop --interpolation bicubic"]
        .map(|options| answers(&sandbox, "model.onnx", &format!("--preset {options}")).0);
    let bytes = fs::read(fixture("group_norm.onnx")).unwrap();
    let pixels = ("nn.preprocessing", r#"{"scale":0.00784313725490196,"mean":[1.0],"std":[1.0]}"#);
    let says = |more: &[(&str, &str)]| {
        let entries = std::iter::once(&pixels).chain(more);
        let entries = entries.flat_map(|(key, value)| metadata(key, value));
        bytes.iter().copied().chain(entries).collect::<Vec<_>>()
    };
    sandbox.write("model.onnx", says(&[]));
    let (found, told) = answers(&sandbox, "model.onnx", "");
    assert!(found == tf && told.contains("(its metadata)"), "{told}");
    sandbox.write("model.onnx", says(&[("nn.resize", "crop bicubic")]));
    assert_eq!(answers(&sandbox, "model.onnx", "").0, crop);
    sandbox
        .write("model.toml", "preset = \"lite\"\nresize = \"squash\"\ninterpolation = \"plain\"");
    assert_eq!(answers(&sandbox, "model.onnx", "").0, lite);
}

#[test]
fn files_of_hugging_face_and_timm_are_read() {
    let sandbox = with_picture();
    let [crop, squash] = [
        "--mean 0.5,0.25,0.5 --std 0.5,0.25,0.25 --resize crop --interpolation bicubic --crop-pct 0.95",
        "--preset imagenet --resize squash",
    ]
    .map(|options| answers(&sandbox, "model.onnx", options).0);
    sandbox.write(
        "config.json",
        "{\"architecture\": \"x\", \"pretrained_cfg\": {\"mean\": [0.5, 0.25, 0.5], \"std\": [0.5, 0.25, 0.25], \
         \"input_size\": [3, 224, 224], \"interpolation\": \"bicubic\", \"crop_pct\": 0.95}}",
    );
    let (found, told) = answers(&sandbox, "model.onnx", "");
    assert!(found == crop && told.contains("(config.json)"), "{told}");
    sandbox.write(
        "preprocessor_config.json",
        "{\"do_resize\": true, \"size\": {\"height\": 16, \"width\": 16}, \"resample\": 2, \"do_normalize\": true, \
         \"image_mean\": [0.485, 0.456, 0.406], \"image_std\": [0.229, 0.224, 0.225]}",
    );
    assert_eq!(answers(&sandbox, "model.onnx", "--resize squash").0, squash);
}

#[test]
fn sizes_are_said_where_the_file_takes_any() {
    let sandbox = with_picture();
    sandbox.write("any.onnx", fs::read(fixture("softmax_any_size.onnx")).unwrap());
    let size = |options: &[&str]| {
        let ask =
            [&["predict", "--model", "any.onnx", "--preset", "lite", "wide.png"], options].concat();
        sandbox.run(ask).ok().err
    };
    assert!(size(&["--input-size", "24x32"]).contains("to 24x32"));
    sandbox.write("any.toml", "input_size = [32, 24]");
    assert!(size(&[]).contains("to 32x24"));
    assert!(size(&["--image-size", "16"]).contains("to 16x16"));
    sandbox.run(["summary", "--model", "any.onnx"]).ok().says(&["30, 22, 8"], &[]);
    sandbox
        .run(["summary", "--model", "any.onnx", "--input-size", "20"])
        .ok()
        .says(&["18, 18, 8"], &[]);
    fs::remove_file(sandbox.path("any.toml")).unwrap();
    sandbox.write("config.json", "{\"pretrained_cfg\": {\"input_size\": [3, 24, 24]}}");
    assert!(size(&[]).contains("to 24x24"));
    // What is fixed stays.
    let fixed =
        ["predict", "--model", "model.onnx", "--preset", "lite", "wide.png", "--input-size", "20"];
    sandbox.refuses(fixed, 1, &["16x16", "20x20"]);
}

#[test]
fn our_own_file_remembers_it() {
    let sandbox = with_picture();
    let options =
        "--preset imagenet --channels bgr --resize crop --interpolation bicubic --crop-pct 0.9";
    let (expected, _) = answers(&sandbox, "model.onnx", options);
    let bare = nn_onnx::read(&sandbox.path("model.onnx")).unwrap().model;
    let imagenet = Preprocessing { bgr: true, ..Preprocessing::preset("imagenet").unwrap() };
    let ours = imagenet.in_front_of(bare).unwrap();
    let notes = [("nn.resize".to_string(), "crop bicubic 0.9".to_string())].into();
    let names = ["0", "1", "2", "3", "4"].map(String::from);
    model::save_with(&sandbox.path("ours.safetensors"), &ours, Some(&names), &notes).unwrap();
    let (found, told) = answers(&sandbox, "ours.safetensors", "");
    assert_eq!(found, expected);
    assert!(!told.contains("images "), "{told}");
    sandbox.write("ours.toml", "preset = \"lite\"\ncrop_pct = 0.875");
    let (found, told) = answers(&sandbox, "ours.safetensors", "");
    assert_eq!(found, answers(&sandbox, "model.onnx", "--preset lite").0);
    assert!(told.contains("(ours.toml)"), "{told}");
}
