//! The options of training, as a user meets them.

use super::support::{Ended, Sandbox, assert_same_run, png};
use serde_json::Value;

/// A set whose validation images are of the other class than they are said to be: what is learned makes the
/// validation worse.
fn contradicting() -> Sandbox {
    let sandbox = Sandbox::with_set();
    for (said, shown) in [("dark", "light"), ("light", "dark")] {
        for i in 0..2 {
            let image = png(format!("set/train/{shown}"), 10 + i);
            sandbox.write(format!("set/val/{said}/{i}.png"), image);
        }
    }
    sandbox
}

fn train(sandbox: &Sandbox, args: &[&str]) -> Ended {
    sandbox.run([&["train", "--data", "set", "--image-size", "22"], args].concat())
}

fn metrics(sandbox: &Sandbox, run: &str) -> Value {
    serde_json::from_str(&sandbox.text(&format!("{run}/metrics.json"))).unwrap()
}

#[test]
fn training_stops_early_and_keeps_the_best_epoch() {
    let sandbox = contradicting();
    let early = ["--early-stopping", "2", "--epochs", "30", "--learning-rate", "0.003"];
    let says = ["stopped early, after epoch", "the weights of epoch"];
    train(&sandbox, &[&early[..], &["--out", "run"]].concat()).ok().says(&[], &says);
    let found = metrics(&sandbox, "run");
    let history = found["history"].as_array().unwrap();
    let best = found["kept"]["epoch"].as_u64().unwrap() as usize;
    assert!(history.len() < 30 && history.len() == best + 2, "{found}");
    let loss = |epoch: &Value| epoch["val_loss"].as_f64().unwrap();
    assert!(history.iter().all(|epoch| loss(epoch) >= loss(&history[best - 1])));
    assert_eq!(
        (&found["kept"]["by"], &found["kept"]["stopped_early"]),
        (&"val_loss".into(), &true.into())
    );
    assert!(sandbox.text("run/report.html").contains("Stopped early, after epoch"));
    // The model is that of a run that ended at the best epoch.
    let epochs = best.to_string();
    let rate = ["--learning-rate", "0.003", "--epochs", &epochs];
    train(&sandbox, &[&rate[..], &["--out", "short"]].concat()).ok();
    assert!(sandbox.bytes("run/model.safetensors") == sandbox.bytes("short/model.safetensors"));
    assert_eq!(metrics(&sandbox, "short")["kept"]["by"], "last");
    let listed = sandbox.run(["runs", "."]).ok().out;
    assert!(listed.contains("short"), "{listed}");

    // It is finished, whatever number of epochs is asked for; with more patience it goes on from its last weights.
    let before = sandbox.bytes("run/metrics.json");
    for more in [&[][..], &["--epochs", "40"]] {
        let resume = [&["train", "--resume", "--out", "run"], more].concat();
        sandbox.run(resume).ok().says(&[], &["the run stopped early", "--early-stopping"]);
        assert!(sandbox.bytes("run/metrics.json") == before);
    }
    let patient = ["--early-stopping", "9", "--epochs", "8"];
    let resume = [&["train", "--resume", "--out", "run"], &patient[..]].concat();
    sandbox.run(resume).ok().says(&[], &["going on after epoch"]);
    let args = [&["--learning-rate", "0.003", "--out", "patient"], &patient[..]].concat();
    train(&sandbox, &args).ok();
    assert_same_run(&sandbox, "run", "patient");
}

#[test]
fn a_run_without_validation_images_cannot_stop_early() {
    let sandbox = Sandbox::with_set();
    let args = ["train", "--data", "set", "--image-size", "22", "--validation-split", "0"];
    for option in [&["--early-stopping", "2"], &["--keep", "best"]] {
        let args = [&args[..], option, &["--out", "run"]].concat();
        sandbox.refuses(args, 1, &["the validation set", "keep some samples"]);
    }
    sandbox.refuses(["train", "--data", "set", "--early-stopping", "0"], 2, &["1", "5"]);
    // What is kept is decided when the run begins.
    train(&sandbox, &["--epochs", "1", "--out", "run"]).ok();
    let resume = ["train", "--resume", "--out", "run", "--epochs", "2", "--keep", "best"];
    sandbox.refuses(resume, 2, &["--keep", "began with last"]);
}

/// Every option of training but early stopping.
const OPTIONS: [&str; 22] = [
    "--keep",
    "best",
    "--warmup",
    "0.5",
    "--schedule",
    "plateau",
    "--schedule-epochs",
    "1",
    "--schedule-factor",
    "0.5",
    "--optimizer",
    "adamw",
    "--weight-decay",
    "0.05",
    "--clip-norm",
    "1",
    "--label-smoothing",
    "0.1",
    "--ema",
    "0.9",
    "--accumulate",
    "2",
];

#[test]
fn options_of_training_are_recorded_repeated_and_gone_on_with() {
    let sandbox = contradicting();
    // Three dark images for each light one.
    sandbox.images("set/train/dark", 12);
    let options = [&OPTIONS[..], &["--batch-size", "2", "--class-weights", "balanced"]].concat();
    train(&sandbox, &[&options[..], &["--epochs", "3", "--out", "run"]].concat()).ok();
    let settings = sandbox.text("run/config.toml");
    for setting in [
        "class_weights = \"balanced\"",
        "warmup = 0.5",
        "accumulate = 2",
        "keep = \"best\"",
        "label_smoothing = 0.1",
        "clip_norm = 1.0",
        "ema = 0.9",
        "kind = \"plateau\"",
        "weight_decay = 0.05",
        "decayed = \"weights\"",
    ] {
        assert!(settings.contains(setting), "{setting} in {settings}");
    }
    sandbox.run(["train", "--config", "run/config.toml", "--out", "again"]).ok();
    assert_same_run(&sandbox, "run", "again");
    sandbox.run(["train", "--resume", "--out", "run", "--epochs", "5"]).ok();
    train(&sandbox, &[&options[..], &["--epochs", "5", "--out", "longer"]].concat()).ok();
    assert_same_run(&sandbox, "run", "longer");
    for (option, value) in [
        ("--warmup", "1"),
        ("--schedule-epochs", "3"),
        ("--weight-decay", "0.5"),
        ("--clip-norm", "2"),
        ("--label-smoothing", "0.2"),
        ("--class-weights", "none"),
        ("--ema", "0.5"),
        ("--accumulate", "3"),
    ] {
        let resume = ["train", "--resume", "--out", "run", "--epochs", "6", option, value];
        sandbox.refuses(resume, 2, &["cannot become", "leave the option away"]);
    }
    // Without the options nothing of them is recorded.
    train(&sandbox, &["--epochs", "1", "--out", "plain"]).ok();
    let settings = sandbox.text("plain/config.toml");
    for setting in ["warmup", "accumulate", "keep", "regularization", "class_weights", "decay"] {
        assert!(!settings.contains(setting), "{setting} in {settings}");
    }
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let sandbox = Sandbox::with_set();
    for (args, says) in [
        (&["--weight-decay", "0.1"][..], "--optimizer adamw"),
        (&["--schedule-epochs", "3"], "--schedule step, cosine"),
        (&["--schedule", "cosine", "--schedule-factor", "0.5"], "cosine-restarts"),
        (&["--schedule", "cosine-restarts", "--schedule-factor", "1.5"], "whole number of times"),
        (&["--schedule", "plateau", "--schedule-factor", "2"], "below 1"),
        (&["--label-smoothing", "1"], "below 1"),
        (&["--ema", "0"], "above 0"),
        (&["--warmup", "5 epochs"], "such as 2 or 5%"),
        (&["--find-learning-rate", "--resume", "--out", "x"], "cannot be used with"),
    ] {
        sandbox.refuses([&["train", "--data", "set"], args].concat(), 2, &[says]);
    }
}

#[test]
fn a_learning_rate_is_found_without_training_anything() {
    let sandbox = Sandbox::with_set();
    let find = ["train", "--data", "set", "--image-size", "22", "--find-learning-rate"];
    let ended = sandbox.run([&find[..], &["--out", "rates", "--json"]].concat()).ok();
    let found = ended.json();
    let rate = found["suggestion"].as_f64().unwrap();
    assert!((1e-6..0.1).contains(&rate), "{rate}");
    let steps = found["steps"].as_array().unwrap();
    assert!((30..=100).contains(&steps.len()));
    assert_eq!(sandbox.names("rates"), ["learning-rate.png", "learning-rate.svg"]);
    assert!(sandbox.text("rates/learning-rate.svg").contains(&format!("suggested: {rate}")));
    sandbox.run(find).ok().says(&["suggested: --learning-rate"], &["nothing was trained"]);
    assert_eq!(sandbox.names("runs"), ["set-learning-rate"]);
    // A run's folder stays as it is.
    train(&sandbox, &["--epochs", "1", "--out", "run"]).ok();
    sandbox.refuses([&find[..], &["--out", "run"]].concat(), 1, &["run: exists already", "--out"]);
}

#[test]
fn the_short_help_leaves_out_what_few_need() {
    let sandbox = Sandbox::new();
    let (short, long) =
        (sandbox.run(["train", "-h"]).ok().out, sandbox.run(["train", "--help"]).ok().out);
    assert!(short.contains("Training:") && short.lines().count() <= 60, "{short}");
    for option in OPTIONS.iter().filter(|word| word.starts_with("--")) {
        assert!(long.contains(option), "{option} in {long}");
        let everyday = ["--epochs", "--early-stopping"].contains(option);
        let is_listed = |line: &str| line.trim_start().starts_with(&format!("{option} "));
        assert_eq!(short.lines().any(is_listed), everyday, "{option} in {short}");
    }
}
