//! `--architecture`: networks by name and from files, through a run's whole life; and run folders that were
//! written before there was a choice.

use super::support::{Sandbox, assert_same_run};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// Two branches that meet, with names, sizes and usual settings left out.
const TWO: &str = r#"name = "two-branches"

[[layers]]
kind = "Rescaling"
scale = 0.00392156862745098

[[layers]]
name = "stem"
kind = "Conv2D"
filters = 4
kernel_size = 3
padding = "same"
activation = "relu"

[[layers]]
kind = "Conv2D"
filters = 4
kernel_size = [3, 3]
padding = 1

[[layers]]
kind = "BatchNormalization"

[[layers]]
kind = "Add"
inputs = ["stem", "bn1"]

[[layers]]
kind = "GlobalAveragePool2D"

[[layers]]
kind = "Dense"
units = "classes"
"#;

fn with_two(sandbox: Sandbox) -> Sandbox {
    sandbox.write("two.toml", TWO);
    sandbox
}

#[test]
fn a_network_of_a_file_is_trained_resumed_repeated_and_looked_into() {
    let sandbox = with_two(Sandbox::with_set());
    let train = |args: &[&str]| sandbox.run([&["train", "--data", "set"], args].concat());
    let two = ["--architecture", "two.toml", "--image-size", "16"];
    train(&[&two[..], &["--epochs", "2", "--out", "whole"]].concat()).ok();
    train(&[&two[..], &["--epochs", "1", "--out", "part"]].concat()).ok();
    // The run knows what the file said.
    std::fs::rename(sandbox.path("two.toml"), sandbox.path("moved.toml")).unwrap();
    let resume = ["train", "--resume", "--epochs", "2", "--out", "part"];
    sandbox.run(resume).ok();
    assert_same_run(&sandbox, "whole", "part");
    let again = ["train", "--config", "whole/config.toml", "--out", "again"];
    sandbox.run(again).ok();
    assert_same_run(&sandbox, "whole", "again");
    // Another network cannot go on with it; the same one can be named again.
    let other = ["train", "--resume", "--epochs", "3", "--out", "part", "--architecture", "lenet"];
    sandbox.refuses(other, 2, &["--architecture", "began with the network two-branches", "lenet"]);
    let same = ["train", "--resume", "--epochs", "2", "--out", "part", "--architecture"];
    sandbox.run([&same[..], &["moved.toml"]].concat()).ok().says(&[], &["the run is finished"]);

    let report = sandbox.run(["evaluate", "--model", "whole", "--json"]).json();
    assert_eq!(report["n"], 4);
    sandbox.run(["predict", "--model", "whole", "set/test"]).ok().says(&["dark", "light"], &[]);
    let gradcam = ["gradcam", "--model", "whole", "set/test/dark/0.png", "--json", "--out"];
    let heat = |more: &[&str]| sandbox.run([&gradcam[..], more].concat()).json();
    assert_eq!(heat(&["heat"])[0]["layer"], "add1");
    assert_eq!(heat(&["heat2", "--layer", "stem"])[0]["layer"], "stem");
    let wrong = [&gradcam[..], &["heat3", "--layer", "conv3"]].concat();
    sandbox.refuses(wrong, 2, &["--layer conv3 is no layer", "stem", "conv1", "add1"]);
    let page = sandbox.text("whole/report.html");
    for part in ["add1", "BatchNormalization", "last feature"] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("conv3"));
}

#[test]
fn a_models_file_builds_the_same_network() {
    let sandbox = with_two(Sandbox::with_set());
    let train = ["train", "--data", "set", "--epochs", "1", "--image-size", "16"];
    let first = ["--architecture", "two.toml", "--out", "one"];
    sandbox.run([&train[..], &first].concat()).ok();
    let printed = sandbox.run(["summary", "--model", "one", "--toml"]).ok();
    assert!(printed.out.contains("input = [16, 16, 3]"), "{}", printed.out);
    sandbox.write("printed.toml", printed.out);
    let train = ["train", "--data", "set", "--epochs", "1"];
    let second = ["--architecture", "printed.toml", "--out", "two"];
    sandbox.run([&train[..], &second].concat()).ok();
    let read = |run: &str| sandbox.bytes(&format!("{run}/model.safetensors"));
    assert!(read("one") == read("two"));
    // The file says for which images it is.
    let wrong = [&train[..], &["--architecture", "printed.toml", "--image-size", "32"]].concat();
    sandbox.refuses(wrong, 2, &["--image-size 32", "16x16", "two-branches"]);
}

#[test]
fn the_summary_tells_connections_and_sizes_and_draws_the_graph() {
    let sandbox = with_two(Sandbox::new());
    let summary = ["summary", "--architecture", "two.toml", "--image-size", "16"];
    let args = [&summary[..], &["--classes", "3", "--svg", "two.svg"]].concat();
    let says = ["Connected to", "stem, ", "Multiply-adds: ", "in training", "(None, 3)"];
    sandbox.run(args).ok().says(&says, &["drawn in two.svg"]);
    let drawn = sandbox.text("two.svg");
    assert!(drawn.starts_with("<svg") && drawn.contains("add1"), "{drawn}");
    let result = sandbox.run([&summary[..], &["--json"]].concat()).json();
    assert_eq!(result["layers"][4]["connected_to"][0], "stem");
    // 256 pixels: 4 * 3 * 9 and 4 * 4 * 9 products each; 4 * 2 at the end.
    assert_eq!(result["multiply_adds"], 256 * (108 + 144) + 8);
    let help = sandbox.run(["summary", "--help"]).ok().out;
    for (name, _) in nn_core::model::networks::NAMES {
        assert!(help.contains(name), "{name} in {help}");
        let args = ["summary", "--architecture", name, "--image-size", "64", "--classes", "5"];
        sandbox.run(args).ok().says(&["(None, 5)", "Multiply-adds: "], &[]);
    }
    sandbox.refuses(["summary", "--architecture", "two.toml", "--model", "x"], 2, &["no model x"]);
}

#[test]
fn a_file_that_is_wrong_is_told_with_line_and_key() {
    let sandbox = with_two(Sandbox::with_set());
    let wrong = |from: &str, to: &str, says: &[&str]| {
        sandbox.write("wrong.toml", TWO.replacen(from, to, 1));
        let says = [&["wrong.toml"], says].concat();
        sandbox.refuses(["summary", "--architecture", "wrong.toml"], 1, &says);
        let train = ["train", "--data", "set", "--out", "run", "--architecture", "wrong.toml"];
        sandbox.refuses(train, 1, &says);
    };
    wrong("filters", "filter", &["line 10", "unknown key filter", "did you mean filters?"]);
    wrong("filters = 4", "filters = 0.5", &["line 10", "filters", "whole number", "0.5"]);
    wrong("kind = \"Add\"", "kind = \"Sum\"", &["line 25", "no kind \"Sum\"", "Add"]);
    wrong("\"stem\", ", "\"stam\", ", &["line 26", "no layer stam", "did you mean stem?"]);
    wrong("[[layers]]", "[[layers]", &["line 3", "is not TOML"]);
    sandbox.write("big.toml", "#".repeat((1 << 20) + 1));
    sandbox.refuses(["summary", "--architecture", "big.toml"], 1, &["big.toml", "1"]);
    let says = ["--architecture resnet19", "is no file", "lenet", "did you mean resnet1"];
    sandbox.refuses(["summary", "--architecture", "resnet19"], 2, &says);

    // What does not fit is seen when the network is built for the images.
    let name = "wrong.toml";
    sandbox.write(name, TWO.replacen("padding = 1", "stride = 2", 1));
    let train = ["train", "--data", "set", "--out", "run", "--architecture", name];
    sandbox.refuses(train, 1, &["line "]);
    sandbox.write("seven.toml", TWO.replace("\"classes\"", "7"));
    let train = ["train", "--data", "set", "--out", "run", "--architecture", "seven.toml"];
    sandbox.refuses(train, 1, &["seven.toml", "line "]);
}

#[test]
fn the_speed_of_any_network() {
    let sandbox = with_two(Sandbox::new());
    let bench = ["bench", "--image-size", "16", "--batch-size", "2", "--steps", "2"];
    let args = [&bench[..], &["--architecture", "two.toml", "--json"]].concat();
    let result = sandbox.run(args).json();
    for times in ["step_ms", "forward_ms"] {
        let of = |what: &str| result[times][what].as_f64().unwrap();
        assert!(0.0 < of("min") && of("min") <= of("median"), "{result}");
    }
    assert_eq!(result["architecture"], "two-branches");
    let layers: Vec<_> =
        result["layers"].as_array().unwrap().iter().map(|l| (&l["name"], &l["pass"])).collect();
    // The first layer computes no gradient of the pixels.
    assert_eq!(layers.len(), 8, "{layers:?}");
    assert_eq!(layers[0], (&json!("stem"), &json!("forward")));
    assert_eq!(layers[1], (&json!("stem"), &json!("weight gradient")));
    let args = [&bench[..], &["--architecture", "lenet", "--image-size", "32"]].concat();
    let args: Vec<&str> = args.into_iter().filter(|arg| *arg != "16").collect();
    let at = args.iter().position(|arg| *arg == "--image-size").unwrap();
    let args = [&args[..at], &args[at + 1..]].concat();
    sandbox.run(args).ok().says(&["network lenet, batch 2, 32x32 pixels"], &[]);
}

#[test]
fn an_experiment_with_another_network() {
    let sandbox = with_two(Sandbox::with_sets());
    let args = ["experiment", "--architecture", "two.toml", "--image-size", "16", "--epochs", "1"];
    sandbox.run([&args[..], &["--out", "experiment"]].concat()).ok();
    let page = sandbox.text("experiment/report.html");
    assert!(page.contains("--architecture two.toml") && page.contains("add1"), "no network");
    let config = sandbox.text("experiment/runs/leaky-27/config.toml");
    assert!(config.contains("two-branches"), "{config}");
}

#[test]
fn a_run_folder_of_the_first_version_is_read() {
    let sandbox = Sandbox::with_set();
    let fixture = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/released");
        std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
    };
    for name in ["config.toml", "metrics.json", "split.csv"] {
        sandbox.write(format!("old/{name}"), fixture(name));
    }
    let released: Value = serde_json::from_str(&fixture("model.json")).unwrap();
    let metadata: HashMap<String, String> =
        serde_json::from_value(released["metadata"].clone()).unwrap();
    let shapes: BTreeMap<String, Vec<usize>> =
        serde_json::from_value(released["tensors"].clone()).unwrap();
    let numbers: Vec<(&String, &Vec<usize>, Vec<u8>)> = shapes
        .iter()
        .map(|(name, shape)| {
            let numbers = (0..shape.iter().product()).map(|i: usize| (i % 7) as f32 * 0.01);
            (name, shape, numbers.flat_map(f32::to_le_bytes).collect())
        })
        .collect();
    let views = numbers.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    sandbox.write("old/model.safetensors", serialize(views, Some(metadata)).unwrap());
    let runs = sandbox.run(["runs", "old", "--json"]).ok();
    assert!(runs.out.contains("finished"), "{}", runs.out);
    sandbox.run(["summary", "--model", "old"]).ok().says(&["conv3", "(None, 2)"], &[]);
    let predicted = sandbox.run(["predict", "--model", "old", "set/test", "--json"]).json();
    assert!(predicted[0]["probabilities"]["husky"].is_number(), "{predicted}");
    let heat = ["gradcam", "--model", "old", "set/test/dark/0.png", "--out", "heat", "--json"];
    assert_eq!(sandbox.run(heat).json()[0]["layer"], "conv3");
    // Its settings are those of a new run on other images.
    let again = ["train", "--config", "old/config.toml", "--data", "set", "--out", "new"];
    sandbox.run(again).ok();
    assert!(!sandbox.text("new/config.toml").contains("architecture"));
}

#[test]
fn plain_outputs_are_evaluated_by_the_loss_that_trained_them() {
    let sandbox = Sandbox::with_set();
    sandbox.write("linear.toml", format!("output = \"linear\"\n{TWO}"));
    let network = ["--architecture", "linear.toml", "--image-size", "16", "--epochs", "1"];
    sandbox.run([&["train", "--data", "set", "--out", "run"], &network[..]].concat()).ok();
    let trained: Value = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    let told = sandbox.run(["evaluate", "--model", "run", "--json"]).json();
    assert_eq!(trained["test"]["loss"], told["loss"], "{told}");
}

#[test]
fn networks_without_feature_maps_and_with_two_heads_come_to_their_results() {
    let sandbox = Sandbox::with_set();
    let train = |name: &str, layers: &str| {
        sandbox.write("net.toml", layers);
        let train =
            ["train", "--data", "set", "--epochs", "1", "--image-size", "16", "--out", name];
        sandbox.run([&train[..], &["--architecture", "net.toml"]].concat()).ok();
        sandbox.text(&format!("{name}/report.html"))
    };
    let dense =
        "[[layers]]\nkind = \"Flatten\"\n[[layers]]\nkind = \"Dense\"\nunits = \"classes\"\n";
    let page = train("flat", dense);
    assert!(page.contains("made by occlusion") && !page.contains("made by Grad-CAM"));
    let conv = |name: &str, inputs: &str| {
        format!(
            "[[layers]]\nkind = \"Conv2D\"\nname = \"{name}\"\nfilters = 2\nkernel_size = 3\ninputs = [\"{inputs}\"]\n"
        )
    };
    let pool = "[[layers]]\nkind = \"GlobalAveragePool2D\"\nname = \"pool\"\ninputs = [\"c\"]\n";
    let head =
        "[[layers]]\nkind = \"Dense\"\nname = \"d\"\nunits = \"classes\"\ninputs = [\"pool\"]\n";
    let two =
        format!("outputs = [\"d\", \"m\"]\n{}{pool}{head}{}", conv("c", "input"), conv("m", "c"));
    assert!(train("two", &two).contains("made by Grad-CAM"));
}

#[test]
fn a_schedule_that_spans_the_run_spans_a_longer_one() {
    let sandbox = Sandbox::with_set();
    sandbox.train(&["--data", "set", "--schedule", "cosine", "--out", "short"]).ok();
    let longer = ["train", "--config", "short/config.toml", "--epochs", "3", "--out", "longer"];
    sandbox.run(longer).ok();
    let config = sandbox.text("longer/config.toml");
    let schedule = config.split("[fit.schedule]").nth(1).expect("a schedule");
    assert!(schedule.contains("epochs = 3"), "{config}");
}
