//! The files of epochs: `history.csv`, and event files, which TensorBoard itself reads where it is installed.

use super::support::Sandbox;
use serde_json::Value;
use std::process::Command;

/// The Python with TensorBoard: `NN_PYTHON`, or `python3`. Without it the test says so and passes, unless
/// `NN_REQUIRE_TENSORBOARD` is set.
fn python() -> Option<String> {
    let python = std::env::var("NN_PYTHON").unwrap_or("python3".into());
    let output = Command::new(&python).args(["-c", "import tensorboard"]).output();
    let is_there = output.is_ok_and(|output| output.status.success());
    let is_required = std::env::var_os("NN_REQUIRE_TENSORBOARD").is_some();
    assert!(is_there || !is_required, "NN_REQUIRE_TENSORBOARD: {python} has no tensorboard");
    if !is_there {
        println!("{python} has no tensorboard: event files are not read");
    }
    is_there.then_some(python)
}

const READ: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]).Reload()
scalars = lambda tag: [[e.step, e.value] for e in events.Scalars(tag)]
print(json.dumps({tag: scalars(tag) for tag in events.Tags()['scalars']}))
";

#[test]
fn epochs_are_written_as_tables_and_events() {
    let sandbox = Sandbox::with_set();
    let args = ["train", "--data", "set", "--image-size", "22", "--epochs", "3", "--out", "run"];
    sandbox.run([&args[..], &["--tensorboard"]].concat()).ok();
    let metrics: Value = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    let history = metrics["history"].as_array().unwrap();
    let mut table = csv::Reader::from_path(sandbox.path("run/history.csv")).unwrap();
    let header: Vec<String> = table.headers().unwrap().iter().map(String::from).collect();
    assert_eq!(header, ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]);
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    for (row, epoch) in rows.iter().zip(history) {
        for (name, cell) in header.iter().zip(row) {
            assert_eq!(cell.parse::<f64>().unwrap(), epoch[name].as_f64().unwrap(), "{name}");
        }
    }
    sandbox.run([&args[..], &["--overwrite"]].concat()).ok();
    assert!(!sandbox.path("run/tensorboard").exists());
    sandbox.run([&args[..], &["--overwrite", "--tensorboard"]].concat()).ok();

    let Some(python) = python() else { return };
    let metrics: Value = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    for (folder, names) in
        [("train", ["loss", "accuracy"]), ("validation", ["val_loss", "val_accuracy"])]
    {
        let path = sandbox.path(format!("run/tensorboard/{folder}"));
        let output = Command::new(&python).args(["-c", READ]).arg(path).output().unwrap();
        let read: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        for (tag, name) in ["epoch_loss", "epoch_accuracy"].into_iter().zip(names) {
            let scalars = read[tag].as_array().unwrap();
            assert_eq!(scalars.len(), 3, "{tag}");
            for (i, (scalar, epoch)) in
                scalars.iter().zip(metrics["history"].as_array().unwrap()).enumerate()
            {
                assert_eq!(scalar[0], i);
                let (read, written) = (scalar[1].as_f64().unwrap(), epoch[name].as_f64().unwrap());
                assert!((read - written).abs() <= 1e-6 * written.abs(), "{tag}: {read}, {written}");
            }
        }
    }
}
