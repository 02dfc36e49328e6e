//! `train --backbone` and `experiment --backbone`: networks that begin with the weights of another.

use super::support::{Sandbox, assert_same_run};
use nn_core::model::{self, Sequential};
use serde_json::{Value, json};

/// [`Sandbox::with_run`], and a folder `three` of three classes.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_run();
    for class in ["dark", "light", "other"] {
        sandbox.images(format!("three/train/{class}"), 4);
        sandbox.images(format!("three/test/{class}"), 2);
    }
    sandbox
}

fn model(sandbox: &Sandbox, run: &str) -> Sequential {
    model::load(&sandbox.path(format!("{run}/model.safetensors")), None).unwrap().model
}

fn metrics(sandbox: &Sandbox, run: &str) -> Value {
    serde_json::from_str(&sandbox.text(&format!("{run}/metrics.json"))).unwrap()
}

/// The names of the parameters that differ between two models.
fn differing(one: &Sequential, other: &Sequential) -> Vec<String> {
    let same = |name: &str| one.get(name).unwrap().value == other.get(name).unwrap().value;
    let names = one.parameters().iter().map(|parameter| parameter.name.clone());
    names.filter(|name| !same(name)).collect()
}

const NEW: [&str; 2] = ["dense2.weight", "dense2.bias"];

#[test]
fn the_last_layer_is_new_and_the_others_stay() {
    let sandbox = sandbox();
    let args = ["train", "--data", "three", "--backbone", "run", "--epochs", "3", "--out", "new"];
    let ended = sandbox.run(args).ok();
    ended.says(&["other"], &["layers up to dense1 are frozen", "epoch 3/3"]);
    let (old, new) = (model(&sandbox, "run"), model(&sandbox, "new"));
    assert_eq!(new.output_shape().dims(), [3]);
    assert_eq!(differing(&old, &new), NEW);
    let config = &metrics(&sandbox, "new")["config"];
    assert_eq!(config["image_size"], 22);
    assert_eq!(config["backbone"]["freeze"], "all");
    assert_eq!(config["backbone"]["input"], json!([22, 22, 3]));

    // It is repeated from its settings, is a model as any other, and goes out as ONNX.
    sandbox.run(["train", "--config", "new/config.toml", "--out", "again"]).ok();
    assert_same_run(&sandbox, "new", "again");
    sandbox.run(["model", "export", "new", "--onnx", "new.onnx"]).ok();
    let accuracy = |model: &str, preset: &[&str]| {
        let args = ["evaluate", "--model", model, "--data", "three", "--json"];
        sandbox.run([&args[..], preset].concat()).ok().json()["accuracy"].clone()
    };
    assert_eq!(accuracy("new", &[]), metrics(&sandbox, "new")["test"]["accuracy"]);
    assert_eq!(accuracy("new.onnx", &[]), accuracy("new", &[]));
    // An exported network is a backbone, too; its metadata say how pixels go in.
    let args = ["train", "--data", "set", "--backbone", "new.onnx", "--epochs", "1", "--out", "c"];
    sandbox.run(args).ok().says(&["accuracy"], &["epoch 1/1"]);
}

#[test]
fn layers_are_frozen_up_to_one_or_not_at_all() {
    let sandbox = sandbox();
    let train = |freeze: &str, out: &str| {
        let args = ["train", "--data", "set", "--backbone", "run", "--epochs", "1", "--freeze"];
        sandbox.run([&args[..], &[freeze, "--out", out]].concat()).ok();
        differing(&model(&sandbox, "run"), &model(&sandbox, out))
    };
    let some = train("conv2", "some");
    assert_eq!(some[..4], ["conv3.weight", "conv3.bias", "dense1.weight", "dense1.bias"]);
    assert_eq!(some[4..], NEW);
    assert_eq!(train("none", "none").len(), model(&sandbox, "run").parameters().len());
}

#[test]
fn both_parts_go_on_to_the_same_bits() {
    let sandbox = sandbox();
    let train = |epochs: &str, tuned: &str, out: &str| {
        let args =
            ["train", "--data", "three", "--backbone", "run", "--epochs", epochs, "--out", out];
        sandbox.run([&args[..], &["--fine-tune", tuned]].concat()).ok()
    };
    let resume =
        |args: &[&str]| sandbox.run([&["train", "--resume", "--out", "run2"], args].concat()).ok();
    train("2", "0", "run2");
    resume(&["--epochs", "3"]).says(&["accuracy"], &["going on after epoch 2", "epoch 3/3"]);
    train("3", "0", "unbroken");
    assert_same_run(&sandbox, "run2", "unbroken");
    resume(&["--fine-tune", "1"]).says(&["accuracy"], &["epoch 4/4"]);
    resume(&["--fine-tune", "3"]).says(&["accuracy"], &["going on after epoch 4", "epoch 6/6"]);
    train("3", "3", "tuned");
    assert_same_run(&sandbox, "run2", "tuned");
    let history = &metrics(&sandbox, "tuned")["history"];
    let epochs = history.as_array().unwrap().iter().map(|epoch| epoch["epoch"].as_u64().unwrap());
    assert!(epochs.eq(1..=6), "{history}");
    let changed = differing(&model(&sandbox, "unbroken"), &model(&sandbox, "tuned"));
    assert_eq!(changed.len(), model(&sandbox, "run").parameters().len());
    resume(&[]).says(&[], &["the run is finished, with 6 epochs"]);
    let refused = ["train", "--resume", "--out", "run2", "--epochs", "4"];
    sandbox.refuses(refused, 2, &["--epochs", "before the fine-tuning"]);
    let refused = ["train", "--resume", "--out", "run2", "--early-stopping", "4"];
    sandbox.refuses(refused, 2, &["--early-stopping", "before the fine-tuning"]);
    let refused = ["train", "--resume", "--out", "run2", "--freeze", "none"];
    sandbox.refuses(refused, 2, &["--fine-tune", "--freeze none"]);

    // The backbone is compared by its weights.
    sandbox
        .run([
            "train",
            "--data",
            "set",
            "--image-size",
            "22",
            "--seed",
            "1",
            "--out",
            "run",
            "--overwrite",
        ])
        .ok();
    let refused = ["train", "--config", "tuned/config.toml", "--out", "other"];
    sandbox.refuses(refused, 1, &["not the backbone that the run began with", "--backbone"]);
}

#[test]
fn the_best_epoch_of_both_parts_is_kept() {
    let sandbox = sandbox();
    // At this rate the second part can only do harm.
    let harm = ["--fine-tune-rate", "3"];
    let train = |tuned: &str, out: &str| {
        let args =
            ["train", "--data", "three", "--backbone", "run", "--epochs", "2", "--keep", "best"];
        let more = ["--validation-split", "0.5", "--fine-tune", tuned, "--out", out];
        sandbox.run([&args[..], &more, &harm].concat()).ok()
    };
    train("0", "head").says(&[], &["of 2 are kept"]);
    let said = train("1", "both").err;
    let kept = metrics(&sandbox, "both")["kept"].clone();
    let history = metrics(&sandbox, "both")["history"].clone();
    let losses: Vec<f64> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|epoch| epoch["val_loss"].as_f64().unwrap())
        .collect();
    assert!(losses.len() == 3 && losses[2] > losses[1].min(losses[0]), "{losses:?}");
    assert!(said.contains("of 3 are kept"), "{said}");
    assert_eq!(kept["epoch"], metrics(&sandbox, "head")["kept"]["epoch"]);
    assert!(sandbox.bytes("both/model.safetensors") == sandbox.bytes("head/model.safetensors"));
    // Also where only the second part's weights are in the checkpoint.
    sandbox.run(["train", "--resume", "--out", "both", "--fine-tune", "2"]).ok();
    assert!(sandbox.bytes("both/model.safetensors") == sandbox.bytes("head/model.safetensors"));
}

#[test]
fn a_backbone_need_not_be_square_and_says_its_network() {
    let sandbox = sandbox();
    let wide = "name = \"wide\"\ninput = [16, 24, 3]\n[[layers]]\nkind = \"Conv2D\"\nfilters = 4\n\
                kernel_size = 3\nactivation = \"relu\"\n[[layers]]\nkind = \"GlobalAveragePool2D\"\n\
                [[layers]]\nkind = \"Dense\"\nunits = \"classes\"\n";
    sandbox.write("wide.toml", wide);
    let args = ["train", "--data", "set", "--architecture", "wide.toml", "--epochs", "1", "--out"];
    sandbox.run([&args[..], &["w"]].concat()).ok();
    let args = ["train", "--data", "three", "--backbone", "w", "--epochs", "1", "--out"];
    sandbox.run([&args[..], &["new"]].concat()).ok();
    assert_eq!(metrics(&sandbox, "new")["config"]["backbone"]["input"], json!([16, 24, 3]));
    let more = ["--augment", "flip", "--fine-tune", "1"];
    sandbox.run([&args[..], &["augmented"], &more].concat()).ok();
    sandbox.refuses(
        [&args[..], &["x", "--architecture", "resnet18"]].concat(),
        2,
        &["--architecture resnet18", "says itself"],
    );
    sandbox.refuses(
        ["train", "--config", "new/config.toml", "--image-size", "64", "--out", "x"],
        2,
        &["64"],
    );
}

#[test]
fn what_is_missing_is_said() {
    let sandbox = sandbox();
    let refuses = |args: &[&str], says: &[&str]| {
        sandbox.refuses([&["train", "--data", "set", "--out", "x"], args].concat(), 2, says);
    };
    refuses(&["--freeze", "all"], &["--freeze", "--backbone"]);
    refuses(&["--fine-tune", "3"], &["--fine-tune", "--backbone"]);
    refuses(&["--backbone", "nothing"], &["there is no model nothing"]);
    refuses(&["--backbone", "set"], &["no model.safetensors in this folder"]);
    refuses(&["--backbone", "run", "--preset", "imagnet"], &["did you mean imagenet"]);
    refuses(&["--backbone", "run", "--image-size", "64"], &["22", "64"]);
    refuses(&["--backbone", "run", "--channels", "grey"], &["--channels grey", "3 channels"]);
    let layer = ["--backbone", "run", "--freeze", "conv9"];
    refuses(&layer, &["conv9"]);
    let layer = ["--backbone", "run", "--freeze", "dense2"];
    refuses(&layer, &["conv1", "dense1"]);
}

#[test]
fn an_experiment_compares_what_was_tried() {
    let sandbox = Sandbox::with_sets();
    let base = ["train", "--data", "data/same_backgrounds", "--image-size", "30", "--epochs", "1"];
    sandbox.run([&base[..], &["--seed", "4", "--out", "base"]].concat()).ok();
    let ended = sandbox.experiment(&["--backbone", "base", "--fine-tune", "1", "--json"]).ok();
    let ended = ended.says(&[], &["What was tried", "frozen backbone", "fine-tuned backbone"]);
    let summary = ended.json();
    let ways: Vec<_> = summary["tried"].as_array().unwrap().iter().collect();
    assert_eq!(ways.iter().map(|way| &way["way"]).collect::<Vec<_>>(), ["frozen", "fine-tuned"]);
    for way in &ways {
        for (part, arm) in [("leaky", "leaky"), ("swap", "leaky"), ("clean", "clean")] {
            let run = &way[part]["runs"][0];
            let folder = format!("runs/{}-{arm}-27", way["way"].as_str().unwrap());
            assert_eq!(run["run"], folder);
            let metrics = metrics(&sandbox, &format!("experiment/{folder}"));
            assert_eq!(metrics["config"]["image_size"], 30);
            if part != "swap" {
                assert_eq!(run["accuracy"], metrics["test"]["accuracy"]);
            }
        }
    }
    let plain = metrics(&sandbox, "experiment/runs/leaky-27");
    assert_eq!(
        (&plain["config"]["image_size"], &plain["config"]["backbone"]),
        (&json!(22), &Value::Null)
    );
    let lines = summary["conclusions"].to_string();
    assert!(lines.contains("frozen backbone") && lines.contains("fine-tuned backbone"), "{lines}");
    let page = sandbox.text("experiment/report.html");
    assert!(page.contains("What was tried against the leak") && page.contains("gallery-frozen"));
    let without = sandbox.run(["experiment", "--image-size", "22", "--epochs", "1", "--out", "o"]);
    without.ok();
    assert!(!sandbox.text("o/report.html").contains("What was tried"));
    assert!(!sandbox.text("o/experiment.json").contains("tried"));
}
