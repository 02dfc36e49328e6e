//! `evaluate`, `predict` and `summary` on valid input.

use super::support::{Sandbox, png};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

#[test]
fn evaluation_finds_what_training_found() {
    let sandbox = Sandbox::with_run();
    let metrics: Value = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    for model in ["run", "run/model.safetensors"] {
        let args = ["evaluate", "--model", model, "--data", "set", "--json"];
        let report = sandbox.run(args).json();
        for name in ["loss", "accuracy", "n", "correct", "confusion"] {
            assert_eq!(report[name], metrics["test"][name], "{name}");
        }
        assert_eq!(report["classes"], json!(["dark", "light"]));
        assert_eq!((&report["kind"], &report["split"]), (&json!("folder"), &json!("test")));
    }
    let parts = ["train", "validation", "test", "all"];
    let counts = parts.map(|part| {
        let args = ["evaluate", "--model", "run", "--data", "set", "--split", part, "--json"];
        sandbox.run(args).json()["n"].as_u64().unwrap()
    });
    assert_eq!(counts, [7, 1, 4, 12]);
    let ended = sandbox.run(["evaluate", "--model", "run", "--data", "set"]).ok();
    ended.says(&["set (folder", "test images", "accuracy", "of 4; 95 % interval"], &[]);
    sandbox.is_clean();
}

#[test]
fn all_images_are_taken_where_there_is_no_test_folder() {
    let sandbox = Sandbox::with_run();
    for class in ["dark", "light"] {
        // None of those that the run knows.
        for i in 5..10 {
            sandbox.write(format!("more/{class}/{i}.png"), png(class, i));
        }
    }
    sandbox.write("more/light/x.png", "no image");
    let args = ["evaluate", "--model", "run", "--data", "more", "--json", "--skip-unreadable"];
    let report = sandbox.run(args).says(&[], &["skipped", "x.png"]).json();
    assert_eq!((&report["n"], &report["split"]), (&json!(10), &json!("all")));
    assert_eq!(report["skipped"], json!(["light/x.png"]));
}

#[test]
fn predictions_are_those_of_the_training_run() {
    let sandbox = Sandbox::with_run();
    let args = ["predict", "--model", "run", "set/test", "set/train/dark/1.png", "--json"];
    let predictions = sandbox.run(args).json();
    let files: Vec<_> = predictions.as_array().unwrap().iter().map(|p| p["file"].clone()).collect();
    let expected = ["test/dark/0", "test/dark/1", "test/light/0", "test/light/1", "train/dark/1"];
    assert_eq!(files, expected.map(|name| json!(format!("set/{name}.png"))));
    let mut rows = csv::Reader::from_path(sandbox.path("run/predictions.csv")).unwrap();
    for (row, prediction) in rows.records().zip(predictions.as_array().unwrap()) {
        let row = row.unwrap();
        assert_eq!(prediction["label"], row[2]);
        let dark = prediction["probabilities"]["dark"].as_f64().unwrap();
        let light = prediction["probabilities"]["light"].as_f64().unwrap();
        assert!((dark - row[3].parse::<f64>().unwrap()).abs() < 1e-5);
        assert!((dark + light - 1.0).abs() < 1e-5);
    }
    let keys: Vec<_> = predictions[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["file", "label", "probabilities"]);

    let ended = sandbox.run(["predict", "--model", "run/model.safetensors", "set/test"]).ok();
    ended.says(&["image", "class", "set/test/dark/0.png", " %"], &[]);
}

#[test]
fn folders_are_walked_and_other_files_passed_over() {
    let sandbox = Sandbox::with_run();
    sandbox.write("album/2024/b/z.PNG", png("light", 1));
    sandbox.write("album/notes.txt", "not an image");
    sandbox.write("album/broken.gif", "not an image");
    let args = ["predict", "--model", "run", "album", "--skip-unreadable", "--json"];
    let predictions = sandbox.run(args).says(&[], &["skipped", "broken.gif"]).json();
    assert_eq!(predictions.as_array().unwrap().len(), 1);
    assert_eq!(predictions[0]["file"], "album/2024/b/z.PNG");
}

/// Writes the built-in network for 22x22 images with the `safetensors` crate, as another program
/// would: no metadata, small values that differ from tensor to tensor.
fn write_foreign(sandbox: &Sandbox, name: &str, classes: usize) {
    let shapes: [(&str, Vec<usize>); 10] = [
        ("conv1.weight", vec![4, 3, 3, 3]),
        ("conv1.bias", vec![4]),
        ("conv2.weight", vec![5, 4, 3, 3]),
        ("conv2.bias", vec![5]),
        ("conv3.weight", vec![6, 5, 3, 3]),
        ("conv3.bias", vec![6]),
        ("dense1.weight", vec![7, 6]),
        ("dense1.bias", vec![7]),
        ("dense2.weight", vec![classes, 7]),
        ("dense2.bias", vec![classes]),
    ];
    let numbers: Vec<(&str, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let len = shape.iter().product::<usize>();
            let value = |i: usize| ((i * 7919 + len) % 13) as f32 / 13.0 - 0.4;
            (name, shape, (0..len).flat_map(|i| value(i).to_le_bytes()).collect())
        })
        .collect();
    let views = numbers.iter().map(|(name, shape, bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    sandbox.write(name, safetensors::serialize(views, None).unwrap());
}

#[test]
fn a_file_without_our_metadata_is_the_built_in_network() {
    let sandbox = Sandbox::with_set();
    write_foreign(&sandbox, "theirs.safetensors", 2);
    let model = ["--model", "theirs.safetensors", "--image-size", "22", "--json"];
    let predictions = sandbox.run([&["predict"], &model[..], &["set/test"]].concat()).json();
    let probabilities = predictions[0]["probabilities"].as_object().unwrap();
    assert_eq!(probabilities.keys().collect::<Vec<_>>(), ["0", "1"]);
    let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6);

    let report = sandbox.run([&["evaluate"], &model[..], &["--data", "set"]].concat()).json();
    assert_eq!((&report["n"], &report["classes"]), (&json!(4), &json!(["dark", "light"])));
    sandbox.run([&["summary"], &model[..]].concat()).says(&["conv3"], &[]).ok();

    // Files without metadata get the default size of 256 pixels, which does not fit this model.
    let args = ["predict", "--model", "theirs.safetensors", "set/test"];
    sandbox.refuses(args, 1, &["theirs.safetensors", "size 256", "from 22 to"]);
    write_foreign(&sandbox, "three.safetensors", 3);
    let args = ["evaluate", "--model", "three.safetensors", "--image-size", "22", "--data", "set"];
    sandbox.refuses(args, 1, &["three.safetensors", "3 classes", "dark, light"]);
}

#[test]
fn the_summary_is_keras_own() {
    let sandbox = Sandbox::with_run();
    let flagship = sandbox.run(["summary"]).ok();
    flagship.says(&["conv1", "(None, 254, 254, 64)", "7,596,226"], &[]);
    let summary = sandbox.run(["summary", "--json"]).json();
    assert!(summary.to_string().contains("7596226"), "{summary}");
    let args = ["summary", "--classes", "5", "--image-size", "32"];
    sandbox.run(args).ok().says(&["(None, 5)"], &[]);
    for model in ["run", "run/model.safetensors"] {
        sandbox.run(["summary", "--model", model]).ok().says(&["(None, 20, 20, 64)"], &[]);
    }
}

#[test]
fn weights_of_pytorch_are_a_model() {
    let sandbox = Sandbox::with_set();
    let (graph, logits) =
        nn_core::model::networks::graph::<f32>("efficientnet_lite0", [32, 32, 3], 2).unwrap();
    let model = graph.build(logits, 27).unwrap();
    let tensors = model.parameters().iter().map(|p| (p.name.as_str(), p.value.as_ref()));
    let path = sandbox.path("lite0.safetensors");
    nn_core::model::safetensors::write(&path, tensors, &Default::default()).unwrap();
    let weights = ["--model", "lite0.safetensors"];
    let named = [&weights[..], &["--architecture", "efficientnet_lite0"]].concat();
    // Names do not tell TensorFlow's padding.
    let told = ["efficientnet_lite0, tf_efficientnet_lite0", "say which"];
    sandbox.refuses([&["summary"], &weights[..]].concat(), 1, &told);
    let summary = sandbox.run([&["summary"], &named[..]].concat()).ok();
    summary.says(&["(None, 224, 224, 3)", "normalization", "(None, 2)"], &[]);
    let image = ["--image-size", "32", "--json", "set/test/dark/0.png"];
    let predictions = sandbox.run([&["predict"], &named[..], &image[..]].concat()).json();
    let sum: f64 =
        ["0", "1"].map(|c| predictions[0]["probabilities"][c].as_f64().unwrap()).iter().sum();
    assert!((sum - 1.0).abs() < 1e-5, "{predictions}");
    let evaluate = ["evaluate", "--data", "set", "--image-size", "32", "--json"];
    let report = sandbox.run([&evaluate[..], &named[..]].concat()).json();
    assert_eq!(report["classes"], json!(["dark", "light"]));
    let wrong = [&weights[..], &["--architecture", "resnet18"]].concat();
    let told = ["not those of resnet18", "missing: conv1.weight", "unexpected: blocks.0.0"];
    sandbox.refuses([&["summary"], &wrong[..]].concat(), 1, &told);
    sandbox.write("net.h5", b"\x89HDF\r\n\x1a\n");
    sandbox.refuses(
        ["predict", "--model", "net.h5", "set"],
        2,
        &["Keras", "model.export(\"net.onnx\""],
    );
}
