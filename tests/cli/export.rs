//! `model export`: what is written is opened again without options, and answers the same.

use super::beside::{answers, with_picture};
use super::support::Sandbox;
use serde_json::Value;

/// Whether two lists agree to five digits.
#[track_caller]
fn assert_near(ours: &[f64], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    assert!(
        ours.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5),
        "{ours:?}, not {expected:?}"
    );
}

#[test]
fn an_onnx_file_becomes_one_that_needs_no_options() {
    let sandbox = with_picture();
    sandbox.write("names.txt", "0\n1\n2\n3\n4\n");
    for options in [
        "--preset imagenet",
        "--preset caffe --resize crop --interpolation bicubic --crop-pct 0.9",
        "--preset lite --resize letterbox",
    ] {
        let (expected, _) = answers(&sandbox, "model.onnx", options);
        let to = ["--onnx", "a.onnx", "--safetensors", "a.safetensors", "--classes", "names.txt"];
        let ask = [&["model", "export", "model.onnx", "--overwrite"], &to[..]].concat();
        let ask: Vec<&str> = ask.into_iter().chain(options.split(' ')).collect();
        sandbox
            .run(&ask)
            .ok()
            .says(&[], &["network input: ", "written to a.onnx", "written to a.safetensors"]);
        for written in ["a.onnx", "a.safetensors"] {
            assert_near(&answers(&sandbox, written, "").0, &expected);
        }
        let ask = [
            "model",
            "export",
            "model.onnx",
            "--onnx",
            "b.onnx",
            "--with-preprocessing",
            "--overwrite",
        ];
        let ask: Vec<&str> = ask.into_iter().chain(options.split(' ')).collect();
        sandbox.run(&ask).ok();
        let (found, told) = answers(&sandbox, "b.onnx", "");
        assert_near(&found, &expected);
        assert!(told.contains("network input: pixel (its metadata)"), "{told}");
    }
}

#[test]
fn a_run_is_exported_with_its_classes() {
    let sandbox = Sandbox::with_run();
    let predict = |model: &str| {
        let found: Value = sandbox.run(["predict", "--model", model, "set/test", "--json"]).json();
        let of = |class: &str| {
            let answers = found.as_array().unwrap().iter();
            answers.map(|one| one["probabilities"][class].as_f64().unwrap()).collect::<Vec<_>>()
        };
        [of("dark"), of("light")].concat()
    };
    let expected = predict("run");
    let export = ["model", "export", "run", "--onnx", "run.onnx"];
    sandbox.run([&export[..], &["--safetensors", "again.safetensors"]].concat()).ok();
    assert_near(&predict("run.onnx"), &expected);
    assert_eq!(predict("again.safetensors"), expected);
    assert_eq!(sandbox.bytes("again.safetensors"), sandbox.bytes("run/model.safetensors"));
    sandbox.refuses(export, 2, &["run.onnx", "exists already", "--overwrite"]);
    sandbox.run([&export[..], &["--overwrite", "--with-preprocessing"]].concat()).ok();
    assert_near(&predict("run.onnx"), &expected);
}

#[test]
fn what_pixels_become_is_asked_for_where_it_is_needed() {
    let sandbox = with_picture();
    let export = ["model", "export", "model.onnx"];
    sandbox.refuses(export, 2, &["--onnx", "--safetensors"]);
    sandbox.refuses(
        [&export[..], &["--safetensors", "a.safetensors"]].concat(),
        2,
        &["does not say", "--preset"],
    );
    let silent = [&export[..], &["--onnx", "a.onnx"]].concat();
    sandbox
        .run(silent)
        .ok()
        .says(&[], &["warning: the file will not say", "without names of classes"]);
    let tf = answers(&sandbox, "model.onnx", "--preset tf").0;
    assert_near(&answers(&sandbox, "a.onnx", "--preset tf").0, &tf);
}
