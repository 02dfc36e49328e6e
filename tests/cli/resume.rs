//! Stopped and resumed runs, as a user sees them.

use super::support::{Ended, SMALL, Sandbox, assert_same_run, interrupt};
use serde_json::Value;
use std::fs;

/// Trains on the smallest images.
fn train(sandbox: &Sandbox, args: &[&str]) -> Ended {
    sandbox.run([&["train", "--data", "set", "--image-size", "22"], args].concat())
}

fn resume(sandbox: &Sandbox, args: &[&str]) -> Ended {
    sandbox.run([&["train", "--resume", "--out", "run"], args].concat())
}

fn refuses(sandbox: &Sandbox, args: &[&str], status: i32, says: &[&str]) -> Ended {
    sandbox.refuses([&["train", "--resume", "--out"], args].concat(), status, says)
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_to_the_same_bits() {
    for signal in ["-INT", "-TERM"] {
        let sandbox = Sandbox::with_set();
        let args = ["--data", "set", "--out", "run", "--epochs", "1000000", "--image-size", "22"];
        let mut command = sandbox.command([&["train", "--batch-size", "2"], &args[..]].concat());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The first epoch's line says that training is under way.
        let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut lines = std::io::BufRead::lines(stderr).map(Result::unwrap);
        assert!(lines.by_ref().any(|line| line.starts_with("epoch")));
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
        let said = lines.find(|line| line.starts_with("error: interrupted ")).unwrap();
        assert!(said.ends_with("; to go on: nn-cli train --resume --out run"), "{said}");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let files = sandbox.names("run");
        let saved = ["checkpoint.previous.safetensors", "checkpoint.safetensors", "config.toml"];
        assert_eq!(files, saved);
        sandbox.is_clean();

        // `in epoch 7, after 2 steps` or `after epoch 7`.
        let mut numbers = said.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        let epochs = (numbers.next().unwrap().parse::<usize>().unwrap() + 2).to_string();
        let ended = resume(&sandbox, &["--epochs", &epochs]).ok();
        ended.says(&["accuracy"], &["going on", &format!("epoch {epochs}/{epochs}"), "written to"]);
        train(&sandbox, &["--out", "unbroken", "--batch-size", "2", "--epochs", &epochs]).ok();
        assert_same_run(&sandbox, "run", "unbroken");
    }
}

#[cfg(unix)]
#[test]
fn a_second_interruption_does_not_wait() {
    let sandbox = Sandbox::with_set();
    let args = ["train", "--data", "set", "--out", "run", "--image-size", "384"];
    let mut command = sandbox.command(args);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr).map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("training on")));
    // Sooner than a step and a checkpoint of 200 MB are done. Two signals of a kind that wait to be
    // delivered are one, so there are more than two.
    while child.try_wait().unwrap().is_none() {
        interrupt(&child);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(lines.all(|line| !line.contains("to go on")));
    assert!(!sandbox.path("run/checkpoint.safetensors").exists());
}

#[test]
fn a_finished_run_says_so_and_goes_on_for_more_epochs() {
    let sandbox = Sandbox::with_set();
    train(&sandbox, &["--out", "run", "--epochs", "2"]).ok();
    let before = sandbox.bytes("run/metrics.json");
    let ended = resume(&sandbox, &["--json"]);
    assert_eq!(ended.says(&[], &["run: the run is finished, with 2 epochs", "--epochs"]).json(), {
        serde_json::from_slice::<Value>(&before).unwrap()
    });
    resume(&sandbox, &["--data", "set", "--epochs", "2", "--seed", "27"]).ok();
    assert_eq!(sandbox.bytes("run/metrics.json"), before);

    resume(&sandbox, &["--epochs", "4"]).ok().says(&[], &["going on after epoch 2", "epoch 4/4"]);
    train(&sandbox, &["--out", "longer", "--epochs", "4"]).ok();
    assert_same_run(&sandbox, "run", "longer");
    refuses(&sandbox, &["run", "--epochs", "3"], 2, &["--epochs 3", "has made 4", "new run"]);
}

#[test]
fn what_contradicts_the_run_is_refused() {
    let sandbox = Sandbox::with_set();
    train(&sandbox, &["--out", "run", "--epochs", "1", "--schedule", "cosine"]).ok();
    for (option, value, says) in [
        ("--batch-size", "3", "began with 4"),
        ("--seed", "1", "began with 27"),
        ("--learning-rate", "0.1", "began with 0.001"),
        ("--image-size", "23", "began with 22"),
        ("--validation-split", "0.5", "began with 0.125"),
        ("--optimizer", "sgd", "began with adam"),
        ("--schedule", "step", "began with cosine"),
        ("--epochs", "2", "began with a learning rate that falls over 1 epoch"),
    ] {
        refuses(&sandbox, &["run", option, value], 2, &[option, "run", says, "new run"]);
    }
    refuses(&sandbox, &["run", "--overwrite"], 2, &["--resume", "--overwrite"]);
    sandbox.refuses(["train", "--resume"], 2, &["--out"]);
}

#[test]
fn other_images_are_refused_and_moved_ones_are_not() {
    let sandbox = Sandbox::with_set();
    train(&sandbox, &["--out", "run", "--epochs", "1"]).ok();
    let more = ["run", "--epochs", "2"];
    let moved = |from: &str, to: &str| fs::rename(sandbox.path(from), sandbox.path(to)).unwrap();
    // A name, a content, a number.
    moved("set/test/dark/1.png", "set/test/dark/2.png");
    let says = ["cannot go on", "test images have changed", "new run in another folder"];
    refuses(&sandbox, &more, 1, &says);
    moved("set/test/dark/2.png", "set/test/dark/1.png");
    let old = sandbox.bytes("set/train/light/0.png");
    sandbox.write("set/train/light/0.png", super::support::png("light", 9));
    let ended = refuses(&sandbox, &more, 1, &["images have changed"]);
    assert!(ended.err.contains("other contents"), "{ended:?}");
    sandbox.write("set/train/light/0.png", old);
    sandbox.write("set/train/light/9.png", super::support::png("light", 9));
    refuses(&sandbox, &more, 1, &["began with 7 training images, now there are 8"]);
    fs::remove_file(sandbox.path("set/train/light/9.png")).unwrap();

    moved("set", "elsewhere");
    refuses(&sandbox, &more, 2, &["there is no folder and no data set set"]);
    resume(&sandbox, &["--epochs", "2", "--data", "elsewhere"]).ok();
    assert!(sandbox.text("run/config.toml").contains("data = \"elsewhere\""));
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let sandbox = Sandbox::with_set();
    train(&sandbox, &["--out", "run", "--epochs", "3", "--keep-checkpoints", "2"]).ok();
    train(&sandbox, &["--out", "unbroken", "--epochs", "4"]).ok();
    let cut = |name: &str| {
        let path = format!("run/{name}");
        let bytes = sandbox.bytes(&path);
        sandbox.write(&path, &bytes[..bytes.len() - 7]);
    };
    cut("checkpoint.safetensors");
    let ended = resume(&sandbox, &["--epochs", "4", "--keep-checkpoints", "2"]).ok();
    let warning = "warning: run/checkpoint.safetensors: not a whole safetensors file";
    ended.says(&[], &[warning, "going on from the checkpoint before it", "going on after epoch 2"]);
    assert_same_run(&sandbox, "run", "unbroken");

    cut("checkpoint.safetensors");
    cut("checkpoint.previous.safetensors");
    let says = ["run/checkpoint.safetensors", "so is the one before it", "begin the run again"];
    refuses(&sandbox, &["run"], 1, &says);
    // A new run can always take the place.
    train(&sandbox, &["--out", "run", "--overwrite", "--epochs", "4"]).ok();
    assert_same_run(&sandbox, "run", "unbroken");
    assert!(!sandbox.path("run/checkpoint.previous.safetensors").exists());
    // An intact file that is no checkpoint.
    fs::copy(sandbox.path("run/model.safetensors"), sandbox.path("run/checkpoint.safetensors"))
        .unwrap();
    refuses(&sandbox, &["run"], 1, &["does not end in a checksum"]);
}

#[test]
fn where_there_is_no_run_to_go_on_with() {
    let sandbox = Sandbox::with_set();
    let says = ["there is no run to go on with", "--data"];
    refuses(&sandbox, &["nothing"], 1, &says);
    refuses(&sandbox, &["set"], 1, &["there is no run in this folder"]);
    sandbox.write("file", "x");
    refuses(&sandbox, &["file"], 1, &["file: is not a folder"]);
    // With --data it begins, so that a script can always say --resume.
    let always = ["train", "--data", "set", "--out", "run", "--resume"];
    sandbox.run([&always[..], &SMALL].concat()).ok().says(&[], &["epoch 1/1"]);
    sandbox.run([&always[..], &SMALL].concat()).ok().says(&[], &["the run is finished"]);
    train(&sandbox, &["--out", "unbroken", "--epochs", "1"]).ok();
    assert_same_run(&sandbox, "run", "unbroken");
    // Killed before the first epoch ended: the settings are there.
    sandbox.write("killed/config.toml", sandbox.text("run/config.toml"));
    sandbox.write("killed/.checkpoint.safetensorsAbC.partial", "half");
    sandbox.write("killed/.nn-draft-AbC/metrics.json", "{}");
    let says = ["did not come to its end", "--resume", "--overwrite"];
    let begun = sandbox.run(["train", "--data", "set", "--out", "killed"]);
    assert_eq!(begun.status, 1, "{begun:?}");
    begun.says(&[], &says);
    sandbox.run(["train", "--resume", "--out", "killed"]).ok().says(&[], &["it begins again"]);
    assert_same_run(&sandbox, "killed", "unbroken");
    assert_eq!(sandbox.names("killed"), sandbox.names("run"));
}

#[test]
fn a_finished_run_keeps_as_many_checkpoints_as_are_said() {
    let sandbox = Sandbox::with_set();
    let checkpoints = |run: &str| {
        let names = sandbox.names(run);
        names.into_iter().filter(|name| name.starts_with("checkpoint")).collect::<Vec<_>>()
    };
    let (newest, before) = ("checkpoint.safetensors", "checkpoint.previous.safetensors");
    train(&sandbox, &["--out", "one", "--epochs", "3"])
        .ok()
        .says(&[], &["written to one, ", "to train it further"]);
    assert_eq!(checkpoints("one"), [newest]);
    train(&sandbox, &["--out", "two", "--epochs", "3", "--keep-checkpoints", "2"]).ok();
    assert_eq!(checkpoints("two"), [before, newest]);
    let ended =
        train(&sandbox, &["--out", "none", "--epochs", "3", "--keep-checkpoints", "0"]).ok();
    assert!(!ended.err.contains("further"), "{ended:?}");
    assert_eq!(checkpoints("none"), [""; 0]);
    // A finished run stays finished; for a run that cannot be resumed, the message says how to continue.
    let always = ["train", "--resume", "--out", "none"];
    sandbox.run(always).ok().says(&[], &["the run is finished, with 3 epochs"]);
    let says = ["its checkpoint is gone", "nn-cli train --config none/config.toml --epochs 4"];
    refuses(&sandbox, &["none", "--epochs", "4"], 2, &says);
    // As the message says, to the same result as from the checkpoint.
    let again = ["train", "--config", "none/config.toml", "--epochs", "4", "--out", "again"];
    sandbox.run(again).ok();
    sandbox.run(["train", "--resume", "--out", "one", "--epochs", "4"]).ok();
    assert_same_run(&sandbox, "again", "one");
    sandbox.refuses(["train", "--data", "set", "--keep-checkpoints", "3"], 2, &["from 0 to 2"]);
}
