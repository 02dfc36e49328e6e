//! The remarks on a run: that it learned nothing, what its scores were measured on, how to repeat it.

use super::support::{Sandbox, png};
use serde_json::Value;

/// Class folders with ten images each.
fn bare() -> Sandbox {
    let sandbox = Sandbox::new();
    for class in ["dark", "light"] {
        sandbox.images(format!("set/{class}"), 10);
    }
    sandbox
}

fn metrics(sandbox: &Sandbox, run: &str) -> Value {
    serde_json::from_str(&sandbox.text(&format!("{run}/metrics.json"))).unwrap()
}

#[test]
fn a_network_that_learned_nothing_is_told_of() {
    let sandbox = bare();
    let args = ["--data", "set", "--out", "run", "--learning-rate", "0.5", "--epochs", "3"];
    let ended = sandbox.run([&["train", "--image-size", "22"], &args[..]].concat()).ok();
    let says =
        ["the training diverged", "for all 4 test images", "lower --learning-rate, which was 0.5"];
    ended.says(&[], &says);
    let metrics = metrics(&sandbox, "run");
    assert_eq!(metrics["warnings"][0]["kind"], "diverged");
    let page = sandbox.text("run/report.html");
    assert!(page.contains("The network did not learn, as the training diverged"), "{page}");

    // Dark and light are easy to classify: there is no remark.
    let args = ["--data", "set", "--out", "good", "--epochs", "12"];
    let ended = sandbox.run([&["train", "--image-size", "22"], &args[..]].concat()).ok();
    assert_eq!(self::metrics(&sandbox, "good")["test"]["accuracy"], 1.0);
    assert!(!ended.err.contains("diverged"), "{}", ended.err);
}

#[test]
fn images_of_the_training_are_known_again() {
    let sandbox = bare();
    sandbox.train(&["--data", "set", "--out", "run", "--seed", "5"]).ok();
    let evaluate = |data: &str, more: &[&str]| {
        let args = [&["evaluate", "--model", "run", "--data", data, "--json"], more].concat();
        sandbox.run(args).ok()
    };
    let tested = metrics(&sandbox, "run")["test"].clone();
    let says = ["14 of these images trained run and 2 validated it; measured on the other 4"];
    let found = evaluate("set", &[]).says(&[], &says).json();
    for name in ["loss", "n", "correct", "confusion"] {
        assert_eq!(found[name], tested[name], "{name}");
    }
    assert_eq!(found["split"], "test");
    // Whatever seed drew it.
    assert_eq!(evaluate("set", &["--split", "test"]).json()["loss"], tested["loss"]);
    assert_eq!(evaluate("set", &["--split", "train"]).json()["n"], 14);

    let says = ["14 of these 20 images were in the training of run"];
    let ended = evaluate("set", &["--split", "all"]);
    let ended = ended.says(&[], &[says[0], "all images, 14 of them seen in training", "others"]);
    let found = ended.json();
    assert_eq!((&found["n"], &found["by_seen"]["train"]["n"]), (&20.into(), &14.into()));
    assert_eq!(found["by_seen"]["others"]["n"], 4);
    // By content, not by name: a copy of the folder, with two more that are new.
    for class in ["dark", "light"] {
        for i in 0..10 {
            let image = sandbox.bytes(&format!("set/{class}/{i}.png"));
            sandbox.write(format!("copy/{class}/other {i}.png"), image);
        }
        for folder in ["copy", "new"] {
            sandbox.write(format!("{folder}/{class}/new.png"), png(class, 10));
        }
    }
    let found = evaluate("copy", &[]).json();
    assert_eq!((&found["split"], &found["n"]), (&"unseen".into(), &6.into()));
    // Where all were in the training, the number is called what it is.
    let table = sandbox.text("run/split.csv");
    for row in table.lines().filter(|row| row.ends_with(",train")) {
        let file = row.split(',').next().unwrap();
        sandbox.write(format!("taught/{file}"), sandbox.bytes(&format!("set/{file}")));
    }
    let ended = evaluate("taught", &[]);
    ended.says(&[], &["all images, all of them seen in training", "14 of these 14 images"]);
    // And nothing of it for new ones.
    let ended = evaluate("new", &[]);
    assert!(!ended.err.contains("seen in training"), "{ended:?}");
    assert_eq!(ended.json()["split"], "all");
}

#[test]
fn the_share_for_validation_is_that_of_class_folders_too() {
    let sandbox = bare();
    for (share, split, counts) in [
        ("0.125", "70/10/20 by seed 27\n", [14, 2, 4]),
        ("0.5", "40/40/20 by seed 27 and --validation-split 0.5\n", [8, 8, 4]),
        ("0", "80/0/20 by seed 27 and --validation-split 0\n", [16, 0, 4]),
    ] {
        let args = ["--data", "set", "--out", "run", "--overwrite", "--validation-split", share];
        sandbox.train(&args).ok().says(&[], &[split]);
        let dataset = &metrics(&sandbox, "run")["dataset"];
        let found = ["train", "validation", "test"].map(|part| dataset[part].as_u64().unwrap());
        assert_eq!(found, counts, "{share}");
    }
}

#[test]
fn what_is_written_is_named_after_what_was_asked() {
    let sandbox = bare();
    sandbox.train(&["--data", "set"]).ok().says(&[], &["written to runs/set"]);
    sandbox.train(&["--data", "./set/../set/"]).ok().says(&[], &["written to runs/set-2"]);
}

#[test]
fn the_kernels_are_noted_and_others_warned_about() {
    let sandbox = bare();
    let train = |args: &[&str]| sandbox.train(&[&["--kernel", "portable"], args].concat()).ok();
    train(&["--data", "set", "--out", "run"]);
    assert!(sandbox.text("run/config.toml").contains("kernel = \"portable\""));
    let ended = train(&["--config", "run/config.toml", "--out", "again"]);
    assert!(!ended.err.contains("kernel"), "{}", ended.err);
    // As if it came from another machine.
    let config = sandbox.text("run/config.toml").replace("\"portable\"", "\"riscv\"");
    sandbox.write("config.toml", config);
    let ended = train(&["--config", "config.toml", "--out", "other"]);
    ended.says(&[], &["made with riscv kernels", "computes with portable", "--kernel riscv"]);
    assert!(sandbox.text("other/config.toml").contains("kernel = \"portable\""));
}

#[test]
fn a_batch_larger_than_the_training_set_takes_all_of_it() {
    let sandbox = bare();
    let train = |batch: &str, out: &str| {
        sandbox.train(&["--data", "set", "--batch-size", batch, "--out", out]).ok()
    };
    let says = "a batch of 15 is more than the 14 training images, so each step takes all of them";
    let ended = train("15", "more").says(&[], &[says]);
    assert_eq!(ended.err.matches("a batch of").count(), 1);
    assert!(!train("14", "all").err.contains("a batch of"));
    assert!(sandbox.bytes("more/model.safetensors") == sandbox.bytes("all/model.safetensors"));
}
