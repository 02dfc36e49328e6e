//! `train` on valid input.

use super::support::{Ended, SMALL, Sandbox, interrupt};
use serde_json::Value;

const RUN_FILES: [&str; 20] = [
    "checkpoint.safetensors",
    "config.toml",
    "confusion.png",
    "confusion.svg",
    "curves.png",
    "curves.svg",
    "gradcam",
    "history.csv",
    "images.sha256",
    "metrics.json",
    "model.safetensors",
    "precision-recall.png",
    "precision-recall.svg",
    "predictions.csv",
    "reliability.png",
    "reliability.svg",
    "report.html",
    "roc.png",
    "roc.svg",
    "split.csv",
];

fn table(sandbox: &Sandbox, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(sandbox.path(name)).unwrap();
    let header = reader.headers().unwrap().iter().map(String::from).collect();
    let row = |record: csv::StringRecord| record.iter().map(String::from).collect();
    (header, reader.records().map(|record| row(record.unwrap())).collect())
}

#[test]
fn a_run_folder_has_everything() {
    let sandbox = Sandbox::with_set();
    let ended = sandbox.train(&["--data", "set", "--out", "deep/er/run", "--batch-size", "3"]).ok();
    let folder = sandbox.path("set");
    let folder = format!("set (folder {}", folder.file_name().unwrap().to_str().unwrap());
    ended.says(
        &[&folder, "accuracy", "95 % interval", "true \\ predicted", "dark", "light"],
        &["epoch 1/1", "written to", "deep/er/run"],
    );
    for file in RUN_FILES {
        assert!(sandbox.names("deep/er/run").contains(&file.to_string()), "{file}");
    }
    assert_eq!(sandbox.names("deep/er"), ["run"]);
    sandbox.is_clean();

    let metrics: Value = serde_json::from_str(&sandbox.text("deep/er/run/metrics.json")).unwrap();
    let dataset = &metrics["dataset"];
    assert_eq!(metrics["schema"], 1);
    assert_eq!(dataset["name"], "set");
    assert_eq!(dataset["kind"], "folder");
    assert_eq!(dataset["classes"], serde_json::json!(["dark", "light"]));
    // An eighth of 8 validates.
    assert_eq!((&dataset["train"], &dataset["validation"]), (&7.into(), &1.into()));
    assert_eq!((&dataset["test"], &metrics["test"]["n"]), (&4.into(), &4.into()));
    assert_eq!(metrics["config"]["fit"]["batch_size"], 3);
    let epoch = &metrics["history"][0];
    assert_eq!(epoch["epoch"], 1);
    for name in ["loss", "accuracy", "val_loss", "val_accuracy", "seconds"] {
        assert!(epoch[name].is_f64(), "{name}: {epoch}");
    }
    let confusion = metrics["test"]["confusion"].as_array().unwrap();
    let count = |row: usize, column: usize| confusion[row][column].as_u64().unwrap();
    assert_eq!(count(0, 0) + count(0, 1), 2);
    assert_eq!(count(0, 0) + count(1, 1), metrics["test"]["correct"].as_u64().unwrap());
    assert_eq!(metrics["environment"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(metrics["environment"]["kernel"].as_str().map(str::is_empty), Some(false));
    assert_eq!(metrics["environment"]["threads"], 1);

    let (header, rows) = table(&sandbox, "deep/er/run/predictions.csv");
    assert_eq!(header, ["file", "label", "predicted", "dark", "light"]);
    let files: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let expected = ["test/dark/0.png", "test/dark/1.png", "test/light/0.png", "test/light/1.png"];
    assert_eq!(files, expected);
    for row in &rows {
        let [dark, light] = [3, 4].map(|i| row[i].parse::<f64>().unwrap());
        assert!((dark + light - 1.0).abs() < 1e-5, "{row:?}");
        assert_eq!(row[2], if light > dark { "light" } else { "dark" });
    }
    for name in ["curves", "confusion"] {
        assert!(sandbox.text(&format!("deep/er/run/{name}.svg")).starts_with("<svg"));
        assert!(image::open(sandbox.path(format!("deep/er/run/{name}.png"))).is_ok());
    }
}

#[test]
fn json_is_all_there_is_on_stdout() {
    let sandbox = Sandbox::with_set();
    let ended = sandbox
        .train(&["--data", "set", "--out", "run", "--json"])
        .says(&["\"schema\""], &["epoch 1/1", "accuracy", "written to"]);
    let metrics = ended.json();
    let written: Value = serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    assert_eq!(metrics, written);
}

#[test]
fn bare_class_folders_are_split_and_the_split_is_recorded() {
    let sandbox = Sandbox::new();
    for class in ["ash", "birch", "light oak"] {
        sandbox.images(format!("trees/{class}"), 10);
    }
    let metrics = sandbox.train(&["--data", "trees", "--out", "run", "--json"]).json();
    let parts = ["train", "validation", "test"].map(|part| metrics["dataset"][part].as_u64());
    assert_eq!(parts, [Some(21), Some(3), Some(6)]);
    assert_eq!(metrics["test"]["confusion"].as_array().unwrap().len(), 3);

    let (header, mut rows) = table(&sandbox, "run/split.csv");
    assert_eq!(header, ["file", "label", "split"]);
    for class in ["ash", "birch", "light oak"] {
        let count = |part| rows.iter().filter(|r| r[1] == class && r[2] == part).count();
        assert_eq!(["train", "validation", "test"].map(count), [7, 1, 2], "{class}");
    }
    rows.sort();
    rows.dedup_by_key(|row| row[0].clone());
    assert_eq!(rows.len(), 30);
    assert!(rows.iter().all(|row| row[0].starts_with(&format!("{}/", row[1]))), "{rows:?}");

    // The split is the seed's, and evaluation finds the same images.
    let args = ["evaluate", "--model", "run", "--data", "trees", "--split", "test", "--json"];
    let report = sandbox.run(args).json();
    assert_eq!((&report["n"], &report["loss"]), (&6.into(), &metrics["test"]["loss"]));
}

#[test]
fn a_run_is_repeated_to_the_bit_by_its_configuration_and_by_any_number_of_threads() {
    let sandbox = Sandbox::with_set();
    let settings = [
        &["--data", "set", "--seed", "7", "--epochs", "2", "--image-size", "23"][..],
        &["--learning-rate", "0.002", "--batch-size", "3", "--schedule", "cosine"],
        &["--optimizer", "adamw", "--validation-split", "0.25"],
    ]
    .concat();
    let train = |args: &[&str]| {
        let ended = sandbox.run([&["train"], args].concat()).ok();
        assert!(ended.err.contains("epoch 2/2"), "{ended:?}");
    };
    for threads in ["1", "2", "4"] {
        train(&[&settings[..], &["--threads", threads, "--out", threads]].concat());
        assert_eq!(
            sandbox.bytes(&format!("{threads}/model.safetensors")),
            sandbox.bytes("1/model.safetensors")
        );
        assert_eq!(
            sandbox.bytes(&format!("{threads}/predictions.csv")),
            sandbox.bytes("1/predictions.csv")
        );
    }
    train(&["--config", "1/config.toml", "--out", "again"]);
    for file in ["model.safetensors", "config.toml", "predictions.csv", "split.csv", "curves.svg"] {
        assert_eq!(sandbox.bytes(&format!("again/{file}")), sandbox.bytes(&format!("1/{file}")));
    }
    // Options win over the configuration.
    train(&["--config", "1/config.toml", "--seed", "8", "--out", "other"]);
    assert_ne!(sandbox.bytes("other/model.safetensors"), sandbox.bytes("1/model.safetensors"));
}

#[test]
fn runs_are_numbered_and_replaced_only_on_request() {
    let sandbox = Sandbox::with_set();
    for _ in 0..2 {
        sandbox.train(&["--data", "set"]).ok();
    }
    assert_eq!(sandbox.names("runs"), ["set", "set-2"]);
    assert_eq!(
        sandbox.bytes("runs/set/model.safetensors"),
        sandbox.bytes("runs/set-2/model.safetensors")
    );
    let replace = ["--data", "set", "--out", "runs/set", "--overwrite", "--seed", "5"];
    sandbox.train(&replace).ok();
    assert_eq!(sandbox.names("runs"), ["set", "set-2"]);
    assert!(sandbox.text("runs/set/config.toml").contains("seed = 5"));
    // An empty folder, even the working directory, is as good as none.
    let mut command =
        sandbox.command([&["train"], &SMALL[..], &["--data", "../set", "--out", "."]].concat());
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    let output = command.current_dir(sandbox.path("empty")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(sandbox.names("empty").contains(&"model.safetensors".to_string()));
    // Only the run's own files are replaced.
    sandbox.write("runs/set/notes.txt", "mine");
    sandbox.write("runs/set/gradcam/old.png", "old");
    sandbox.train(&replace).ok();
    assert_eq!(sandbox.text("runs/set/notes.txt"), "mine");
    assert!(!sandbox.path("runs/set/gradcam/old.png").exists());
    assert!(sandbox.names("runs/set").iter().all(|name| !name.starts_with('.')));
}

#[test]
fn training_goes_on_without_unreadable_images_and_lists_them() {
    let sandbox = Sandbox::with_set();
    sandbox.write("set/train/dark/broken.jpg", "no image");
    sandbox.write("set/test/light/empty.png", "");
    let metrics = sandbox
        .train(&["--data", "set", "--out", "run", "--skip-unreadable", "--json", "--quiet"])
        .says(&[], &["warning: skipped", "broken.jpg", "empty.png"])
        .json();
    let skipped = serde_json::json!(["train/dark/broken.jpg", "test/light/empty.png"]);
    assert_eq!(metrics["dataset"]["skipped"], skipped);
    assert_eq!(metrics["test"]["n"], 4);
    assert!(!sandbox.text("run/split.csv").contains("broken"));
    assert!(sandbox.text("run/config.toml").contains("skip_unreadable = true"));
}

#[test]
fn names_may_hold_anything() {
    let sandbox = Sandbox::new();
    let classes = ["it's \"dark\", <b>&", "light\nwölf 狼 {}"];
    for class in classes {
        for part in ["train", "test"] {
            sandbox.images(format!("a set/{part}/{class}"), 3);
        }
    }
    sandbox.write(
        "a set/test/light\nwölf 狼 {}/x\n\u{1b}[31m, \"y\".png",
        super::support::png("light", 9),
    );
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"\xff\xfe.png");
        let name = sandbox.path("a set/test").join(classes[0]).join(name);
        sandbox.write(name, super::support::png("dark", 8));
    }
    let metrics = sandbox.train(&["--data", "a set", "--out", "a \"run\"'", "--json"]).json();
    assert_eq!(metrics["dataset"]["classes"], serde_json::json!(classes));
    let (header, rows) = table(&sandbox, "a \"run\"'/predictions.csv");
    assert_eq!(header[3..], classes);
    assert!(rows.iter().any(|row| row[0].ends_with("x\n\u{1b}[31m, \"y\".png")), "{rows:?}");
    for name in ["curves", "confusion"] {
        assert!(image::open(sandbox.path(format!("a \"run\"'/{name}.png"))).is_ok());
    }
    // People's terminals are spared.
    let args = ["evaluate", "--model", "a \"run\"'", "--data", "a set"];
    let ended = sandbox.run(args).ok();
    assert!(!ended.out.contains('\u{1b}') && ended.out.contains("狼"), "{ended:?}");
    let ended = sandbox.run(["predict", "--model", "a \"run\"'", "a set"]).ok();
    assert!(!ended.out.contains('\u{1b}'), "{ended:?}");
    assert_eq!(
        sandbox
            .run(["predict", "--model", "a \"run\"'", "a set", "--json"])
            .json()
            .as_array()
            .unwrap()
            .len(),
        rows.len() + 6
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_rendering_leaves_nothing() {
    let sandbox = Sandbox::with_run();
    let train = ["train", "--data", "same_backgrounds", "--out", "runs/run"];
    let evaluate = ["evaluate", "--data", "background_swap", "--model", "run"];
    for args in [&train[..], &evaluate] {
        let mut child = sandbox.command(args).stderr(std::process::Stdio::piped()).spawn().unwrap();
        while sandbox.temporary().is_empty() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended without rendering");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        interrupt(&child);
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert_eq!((ended.status, ended.err.as_str()), (130, "error: interrupted\n"));
        assert_eq!(sandbox.names(""), ["run", "set"]);
        sandbox.is_clean();
    }
}
