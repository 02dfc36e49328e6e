//! `bench`: its JSON document, its table, and the arguments it rejects. Times are only checked to
//! be present.

use super::support::Sandbox;
use serde_json::Value;

const QUICK: [&str; 7] = ["bench", "--image-size", "22", "--batch-size", "2", "--steps", "2"];

fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!(number > 0.0, "{number}");
    number
}

#[test]
fn every_pass_of_every_layer_is_timed() {
    let report = Sandbox::new().run([&QUICK[..], &["--json", "--threads", "1"]].concat()).json();
    assert_eq!(report["threads"], 1);
    assert!(["portable", "avx2", "avx512", "neon"].contains(&report["kernel"].as_str().unwrap()));
    assert!(positive(&report["step_ms"]["min"]) <= positive(&report["step_ms"]["median"]));
    positive(&report["forward_ms"]);
    positive(&report["peak_gflops"]);
    let layers: Vec<_> = report["layers"].as_array().unwrap().iter().collect();
    for layer in &layers {
        let is_convolution = layer["name"].as_str().unwrap().starts_with("conv");
        assert_eq!(layer["kernel"].is_string(), is_convolution, "{layer}");
        let operations = positive(&layer["gflops"]) * positive(&layer["ms"]) * 1e6;
        // Two per weight and output: conv1 has 20x20 outputs of 27 products in 64 channels.
        if layer["name"] == "conv1" {
            assert!((operations - 2.0 * 2.0 * 400.0 * 27.0 * 64.0).abs() < 1.0, "{operations}");
        }
    }
    let passes = |name: &str| {
        let of = layers.iter().filter(|layer| layer["name"] == name);
        of.map(|layer| layer["pass"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(passes("conv1"), ["forward", "weight gradient"]);
    for name in ["conv2", "conv3", "dense1", "dense2"] {
        assert_eq!(passes(name), ["forward", "input gradient", "weight gradient"], "{name}");
    }
}

#[test]
fn the_table_is_for_people_and_the_forced_kernels_are_named() {
    let ended = Sandbox::new().run([&QUICK[..], &["--kernel", "portable"]].concat()).ok();
    let parts = ["batch 2, 22x22 pixels, portable kernels", "training step", "conv3", "of best"];
    assert_eq!(ended.says(&parts, &[]).err, "");
}

#[test]
fn settings_without_sense_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.refuses(["bench", "--steps", "0"], 2, &["--steps", "'0'", "1 or more"]);
    sandbox.refuses(["bench", "--batch-size", "0"], 2, &["--batch-size", "'0'", "1 or more"]);
    sandbox.refuses(["bench", "--image-size", "10"], 2, &["--image-size", "'10'", "22"]);
}
