//! Image folders in common layouts: which folder is recognised as which split, and which entries
//! are skipped.

use super::audit::blocks;
use super::support::{Sandbox, png};
use serde_json::{Value, json};
use std::fs;

/// A sandbox with `set/PART/CLASS/i.png` for these splits, with this many images of each of two classes.
fn split(parts: &[(&str, u8)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (part, n) in parts {
        for class in ["dark", "light"] {
            sandbox.images(format!("set/{part}/{class}"), *n);
        }
    }
    sandbox
}

fn metrics(sandbox: &Sandbox, run: &str) -> Value {
    serde_json::from_str(&sandbox.text(&format!("{run}/metrics.json"))).unwrap()
}

/// `path: reason` for every entry that a result lists as skipped.
fn passed_over(result: &Value) -> Vec<String> {
    let one = |one: &Value| format!("{}: {}", one["path"], one["reason"]).replace('"', "");
    result["passed_over"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn the_users_validation_folder_validates() {
    for (train, validation, test) in [
        ("train", "valid", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "dev", "test_set"),
    ] {
        let sandbox = split(&[(train, 6), (validation, 3), (test, 2)]);
        let ended =
            sandbox.train(&["--data", "set", "--out", "run", "--validation-split", "0.5"]).ok();
        let says =
            format!("{train}/ for training, {validation}/ for validation, {test}/ for the test");
        let unused = format!("--validation-split 0.5 is not used: {validation}/ is the validation");
        ended.says(&[], &[&says, &unused]);
        let dataset = &metrics(&sandbox, "run")["dataset"];
        let counts = ["train", "validation", "test"].map(|part| dataset[part].as_u64());
        assert_eq!(counts, [Some(12), Some(6), Some(4)]);
        assert_eq!(dataset["folders"][1], json!({"folder": validation, "part": "validation"}));
        let rows = sandbox.text("run/split.csv");
        let validates = |row: &&str| row.ends_with(",validation");
        assert_eq!(rows.lines().filter(validates).count(), 6);
        let theirs = |row: &str| row.starts_with(&format!("{validation}/"));
        assert!(rows.lines().filter(validates).all(theirs), "{rows}");

        for (part, n) in [("train", 12), ("validation", 6), ("test", 4), ("all", 22)] {
            let args = ["evaluate", "--model", "run", "--data", "set", "--split", part, "--json"];
            assert_eq!(sandbox.run(args).json()["n"], n, "{part}");
        }
    }
}

#[test]
fn a_validation_folder_is_the_test_where_there_is_no_other() {
    let sandbox = split(&[("train", 4), ("val", 2)]);
    let ended = sandbox.train(&["--data", "set", "--out", "run", "--json"]);
    let ended = ended.says(
        &[],
        &["without test images, the validation images are the test", "validation images"],
    );
    let found = ended.json();
    assert_eq!(
        (&found["dataset"]["validation"], &found["dataset"]["test"]),
        (&4.into(), &0.into())
    );
    assert_eq!((&found["test"]["split"], &found["test"]["n"]), (&"validation".into(), &4.into()));
    assert_eq!(found["test"]["loss"], found["history"][0]["val_loss"]);
    let args = ["evaluate", "--model", "run", "--data", "set", "--json"];
    let evaluated = sandbox.run(args).json();
    assert_eq!(
        (&evaluated["split"], &evaluated["loss"]),
        (&"validation".into(), &found["test"]["loss"])
    );
    // Its table repeats it.
    sandbox.train(&["--data", "set", "--split", "run/split.csv", "--out", "again"]).ok();
    assert_eq!(metrics(&sandbox, "again")["test"]["split"], "validation");
    let page = sandbox.text("run/report.html");
    assert!(page.contains("Accuracy on the validation images"));
    sandbox.refuses([&args[..], &["--split", "test"]].concat(), 2, &["no test images", "val/"]);
}

#[test]
fn an_audit_leaves_the_users_split_alone() {
    let sandbox = Sandbox::new();
    for (part, n, first) in [("train", 6, 0), ("val", 3, 10), ("Test", 3, 20)] {
        for (class, more) in [("dark", 0), ("light", 100)] {
            for i in 0..n {
                sandbox
                    .write(format!("set/{part}/{class}/{i}.png"), blocks(class, first + more + i));
            }
        }
    }
    // The classes differ in brightness by design, which is not tested here.
    let audit = |folder: &str, args: &[&str]| {
        sandbox.run([&["audit", folder, "--allow-label-leaks"], args].concat())
    };
    audit("set", &[]).ok().says(&["val/ for validation, Test/ for the test"], &[]);
    for (from, to) in
        [("train/dark/1.png", "val/dark/x.png"), ("val/light/0.png", "Test/light/x.png")]
    {
        fs::copy(sandbox.path(format!("set/{from}")), sandbox.path(format!("set/{to}"))).unwrap();
    }
    let ended = audit("set", &["--json", "--repair", "split.csv"]);
    assert_eq!(ended.status, 3, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (&report["summary"]["across_splits"], &report["summary"]["divided"]),
        (&2.into(), &"folders".into())
    );
    let splits = |i: usize| report["pairs"][i]["splits"].clone();
    let mut both = [splits(0).to_string(), splits(1).to_string()];
    both.sort();
    assert_eq!(both, [r#"["train","validation"]"#, r#"["validation","test"]"#]);
    // All images are in the repaired split, and validation images validate.
    let table = sandbox.text("split.csv");
    assert_eq!(table.lines().count(), 1 + 26);
    assert_eq!(table.lines().filter(|row| row.ends_with(",validation")).count(), 7, "{table}");
    audit("set", &["--repair", "copy", "--repair-as", "copy", "--allow", "9"]).ok();
    assert_eq!(sandbox.names("copy"), ["split.csv", "test", "train", "val"]);
    audit("copy", &[]).ok();
}

#[test]
fn a_test_without_classes_takes_part_in_an_audit() {
    let sandbox = Sandbox::new();
    for (class, more) in [("dark", 0), ("light", 100)] {
        for i in 0..5 {
            sandbox.write(format!("set/train/{class}/{i}.png"), blocks(class, more + i));
        }
    }
    for i in 0..3 {
        sandbox.write(format!("set/test/{i}.png"), blocks("dark", 50 + i));
    }
    fs::copy(sandbox.path("set/train/light/2.png"), sandbox.path("set/test/copy.png")).unwrap();
    let args = ["audit", "set", "--json", "--html", "page.html"];
    let ended = sandbox.run(args);
    assert_eq!(ended.status, 3, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let pair = &report["pairs"][0];
    assert_eq!((&pair["b"], &pair["labels"]), (&"test/copy.png".into(), &json!(["light", null])));
    assert_eq!((&pair["across_splits"], &pair["across_labels"]), (&true.into(), &false.into()));
    assert_eq!(report["passed_over"], json!([]));
    assert!(sandbox.text("page.html").contains("no class"));
    let says = ["set/test", "test/ has 4 images but no class folders", "in test/ without a class"];
    sandbox.refuses_to_train(&["--data", "set", "--out", "run"], 1, &says);

    // Nothing but images: copies are found, classes are not asked for.
    sandbox.write("flat/a.png", blocks("dark", 1));
    sandbox.run(["audit", "flat"]).ok().says(&["no class", "not tested"], &[]);
    sandbox.write("flat/b.png", blocks("dark", 1));
    let ended = sandbox.run(["audit", "flat"]);
    assert_eq!(ended.status, 3, "{ended:?}");
    ended.says(&["same bytes"], &["1 group of copies", "wherever they lie"]);
    sandbox.refuses_to_train(&["--data", "flat", "--out", "run"], 1, &["no class folders"]);
}

#[test]
fn copies_in_class_folders_shut_the_gate_whatever_the_seed() {
    let sandbox = Sandbox::new();
    for (class, more) in [("dark", 0), ("light", 100)] {
        for i in 0..10 {
            sandbox.write(format!("set/{class}/{i}.png"), blocks(class, more + i));
        }
    }
    // The classes differ in brightness by design, which is not tested here.
    let audit =
        |args: &[&str]| sandbox.run([&["audit", "set", "--allow-label-leaks"], args].concat());
    audit(&[]).ok();
    fs::copy(sandbox.path("set/dark/3.png"), sandbox.path("set/dark/x.png")).unwrap();
    for seed in ["1", "2", "3", "4", "5", "6"] {
        let ended = audit(&["--seed", seed]);
        assert_eq!(ended.status, 3, "seed {seed}: {ended:?}");
        ended.says(
            &["not split yet", "the split that training would draw"],
            &["1 group of copies, 0 allowed"],
        );
    }
    audit(&["--allow", "1"]).ok();
    let drawn = |args: &[&str]| {
        let ended = audit(&[&["--allow", "1"], args].concat()).ok();
        ended
            .says(&["not split yet"], &[])
            .out
            .lines()
            .find(|l| l.contains("for training"))
            .unwrap()
            .to_string()
    };
    assert_ne!(drawn(&[]), drawn(&["--validation-split", "0.4"]));
}

#[test]
fn the_same_bytes_are_a_copy_even_where_nobody_can_decode_them() {
    let sandbox = split(&[("train", 3), ("test", 2)]);
    for place in ["train/dark", "test/light"] {
        sandbox.write(format!("set/{place}/broken.jpg"), b"\xff\xd8\xff and no more than that");
    }
    let ended = sandbox.run(["audit", "set", "--validation-split", "0", "--html", "page.html"]);
    assert_eq!(ended.status, 3, "{ended:?}");
    ended.says(&["train/dark/broken.jpg", "same bytes", "classes differ", "cannot be read"], &[]);
    assert!(sandbox.text("page.html").contains("cannot be shown"));
}

#[test]
fn every_command_says_what_it_did_not_look_at() {
    let sandbox = split(&[("train", 4), ("test", 2)]);
    let avif = b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf";
    for name in ["train/dark/1.avif", "train/dark/2.avif", "test/light/3.avif"] {
        sandbox.write(format!("set/{name}"), avif);
    }
    sandbox.write("set/train/loose.png", png("dark", 9));
    sandbox.write("set/README.md", "Dear wolf,");
    sandbox.write("set/train/light/.DS_Store", "");
    // Images all the same, whatever they are called.
    for name in ["no_extension", "1.JPG_large", "b.jfif"] {
        sandbox.write(format!("set/train/light/{name}"), png("light", 7));
    }
    let line = "not looked at: 3 .avif, 1 in train/ without a class, 1 other file";
    let ended =
        sandbox.train(&["--data", "set", "--out", "run", "--json", "--validation-split", "0"]).ok();
    let ended = ended.says(&[], &[line]);
    assert_eq!(ended.err.matches("not looked at").count(), 1);
    let found = ended.json();
    let all = [
        "README.md: not an image",
        "test/light/3.avif: .avif is not read",
        "train/dark/1.avif: .avif is not read",
        "train/dark/2.avif: .avif is not read",
        "train/loose.png: in train/ without a class",
    ];
    assert_eq!(passed_over(&found), all);
    assert_eq!(passed_over(&metrics(&sandbox, "run")), all);
    assert_eq!(found["dataset"]["train"], 11);
    assert!(sandbox.text("run/report.html").contains("not looked at"));

    let evaluate = ["evaluate", "--model", "run", "--data", "set"];
    sandbox.run(evaluate).ok().says(&[], &[line]);
    let found = sandbox
        .run([&evaluate[..], &["--json", "--split", "train", "--validation-split", "0"]].concat())
        .json();
    assert_eq!((passed_over(&found).len(), &found["n"]), (5, &11.into()));
    // An audit looks at images without a class, too.
    let ended = sandbox.run(["audit", "set", "--html", "page.html"]);
    ended.says(&["not looked at: 3 .avif, 1 other file"], &[]);
    assert!(sandbox.text("page.html").contains("Not looked at: 3 .avif, 1 other file"));
    let report: Value = serde_json::from_str(&sandbox.run(["audit", "set", "--json"]).out).unwrap();
    assert_eq!(passed_over(&report), all[..4]);

    let ended = sandbox.run(["predict", "--model", "run", "set", "--json"]).ok();
    let ended = ended.says(&[], &["not looked at: 3 .avif, 1 other file"]);
    assert_eq!(ended.json().as_array().unwrap().len(), 16);
    let args = ["gradcam", "--model", "run", "set", "--out", "heat", "--json"];
    let ended = sandbox.run(args).ok();
    let ended = ended.says(&[], &["not looked at: 3 .avif, 1 other file"]);
    assert_eq!(ended.json().as_array().unwrap().len(), 16);
}

#[test]
fn images_deeper_than_a_class_folder_are_of_that_class() {
    let sandbox = Sandbox::new();
    for class in ["dark", "light"] {
        sandbox.images(format!("set/{class}"), 5);
        sandbox.images(format!("set/{class}/day2/morning"), 5);
    }
    let ended = sandbox.train(&["--data", "set", "--out", "run"]).ok();
    let says =
        ["10 images lie deeper than a class folder", "dark/day2/morning/", "70/10/20 by seed 27"];
    ended.says(&[], &says);
    let found = metrics(&sandbox, "run");
    assert_eq!((&found["dataset"]["train"], &found["passed_over"]), (&14.into(), &json!([])));
    let predicted = sandbox.run(["predict", "--model", "run", "set", "--json"]).json();
    assert_eq!(predicted.as_array().unwrap().len(), 20);
}

#[test]
fn what_this_program_wrote_among_the_images_is_passed_over() {
    let sandbox = Sandbox::new();
    for class in ["dark", "light"] {
        sandbox.images(class, 6);
    }
    let train = |args: &[&str]| sandbox.train(&[&["--data", "."], args].concat()).ok();
    train(&[]);
    let run = sandbox.names("runs")[0].clone();
    let model = format!("runs/{run}");
    sandbox.run(["gradcam", "--model", &model, "dark", "--out", "heat", "--raw"]).ok();
    sandbox
        .run(["gradcam", "--model", &model, "light/0.png", "--out", "light", "--overwrite"])
        .ok();
    sandbox.run(["audit", ".", "--repair", "better", "--repair-as", "copy", "--allow", "99"]).ok();
    let ended = train(&["--out", "second"]);
    let says =
        ["8 heat maps that nn-cli drew", "better/", "runs/", "a run's folder, written by nn-cli"];
    ended.says(&[], &says);
    let found = metrics(&sandbox, "second");
    assert_eq!(found["dataset"]["classes"], json!(["dark", "light"]));
    let all: u64 =
        ["train", "validation", "test"].map(|p| found["dataset"][p].as_u64().unwrap()).iter().sum();
    assert_eq!(all, 12);
    let predicted = sandbox.run(["predict", "--model", &model, ".", "--json"]).json();
    assert_eq!(predicted.as_array().unwrap().len(), 12);
}

#[test]
fn hidden_folders_are_nobodys_images() {
    let sandbox = Sandbox::with_run();
    sandbox.write("set/test/dark/.ipynb_checkpoints/0-checkpoint.png", png("dark", 0));
    sandbox.write("set/__MACOSX/test/dark/._0.png", "resource fork");
    let predicted = sandbox.run(["predict", "--model", "run", "set/test", "--json"]).json();
    assert_eq!(predicted.as_array().unwrap().len(), 4);
    sandbox.train(&["--data", "set", "--out", "again"]).ok();
    assert_eq!(metrics(&sandbox, "again")["dataset"]["classes"], json!(["dark", "light"]));
}

#[test]
fn some_of_a_models_classes_can_be_evaluated() {
    let sandbox = Sandbox::new();
    for class in ["ash", "birch", "oak"] {
        sandbox.images(format!("set/train/{class}"), 3);
        sandbox.images(format!("set/test/{class}"), 2);
    }
    sandbox.train(&["--data", "set", "--out", "run"]).ok();
    fs::remove_dir_all(sandbox.path("set/test/ash")).unwrap();
    let args = ["evaluate", "--model", "run", "--data", "set", "--json"];
    let ended = sandbox.run(args).ok();
    let ended = ended.says(&[], &["no images of ash"]);
    let found = ended.json();
    assert_eq!((&found["n"], found["classes"].as_array().unwrap().len()), (&4.into(), 3));
    assert_eq!(found["confusion"][0], json!([0, 0, 0]));
    // A single class, by itself: labels are the model's.
    fs::rename(sandbox.path("set/test"), sandbox.path("only")).unwrap();
    fs::remove_dir_all(sandbox.path("only/birch")).unwrap();
    let found = sandbox.run(["evaluate", "--model", "run", "--data", "only", "--json"]).json();
    let right = found["confusion"][2][2].as_u64().unwrap();
    assert_eq!((&found["n"], found["correct"].as_u64()), (&2.into(), Some(right)));
    sandbox.images("only/elm", 1);
    let args = ["evaluate", "--model", "run", "--data", "only"];
    sandbox.refuses(args, 1, &["ash, birch, oak", "elm"]);
}

#[test]
fn a_folder_around_the_data_is_named_with_the_path_to_pass() {
    let sandbox = Sandbox::new();
    for class in ["dark", "light"] {
        sandbox.images(format!("archive/dataset/train/{class}"), 3);
        sandbox.images(format!("archive/dataset/test/{class}"), 2);
    }
    let says = ["archive", "holds one folder", "pass", "archive/dataset as the data folder"];
    sandbox.refuses_to_train(&["--data", "archive", "--out", "run"], 1, &says);
    sandbox.refuses(["audit", "archive"], 1, &says);
    sandbox.train(&["--data", "archive/dataset", "--out", "run"]).ok();
}

#[test]
fn the_experiment_reads_folders_by_the_same_rules() {
    let sandbox = Sandbox::with_sets();
    for class in ["dark", "light"] {
        sandbox.images(format!("data/same_backgrounds/Valid/{class}"), 1);
        sandbox.write(format!("data/background_swap/{class}/x.heic"), "");
    }
    let ended = sandbox.experiment(&["--json"]).ok();
    let ended = ended.says(&[], &["Valid/ for validation", "not looked at: 2 .heic"]);
    let found = ended.json();
    let expected = ["background_swap/dark/x.heic", "background_swap/light/x.heic"];
    let expected = expected.map(|path| format!("{path}: .heic is not read"));
    assert_eq!(passed_over(&found), expected);
    let run = metrics(&sandbox, "experiment/runs/clean-27");
    assert_eq!((&run["dataset"]["train"], &run["dataset"]["validation"]), (&8.into(), &2.into()));
}
