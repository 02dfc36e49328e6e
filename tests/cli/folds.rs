//! Cross-validation: every image is answered once, by a network that has not seen it or a copy of it.

use super::audit::blocks;
use super::kill::until_done;
use super::support::{Sandbox, kill};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// A bare folder of class folders with `count` different images each, and a copy of the first of each class.
fn bare(count: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    for (class, first) in [("dark", 0), ("light", 100)] {
        for i in 0..count {
            sandbox.write(format!("set/{class}/{i:02}.png"), blocks(class, first + i));
        }
        sandbox.write(format!("set/{class}/copy.png"), blocks(class, first));
    }
    sandbox
}

const FOLDS: [&str; 4] = ["--data", "set", "--folds", "4"];

/// The rows of a table in the folder of a cross-validation: by file, the cell of a column.
fn column(sandbox: &Sandbox, table: &str, name: &str) -> BTreeMap<String, String> {
    let text = sandbox.text(table);
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let at = header.iter().position(|cell| *cell == name).unwrap();
    rows.map(|row| (row[0].to_string(), row[at].to_string())).collect()
}

/// The splits of the runs of `folds` folds: for each, the files by split.
fn splits(sandbox: &Sandbox, of: &str, folds: usize) -> Vec<BTreeMap<String, BTreeSet<String>>> {
    let split = |fold: usize| {
        let mut by_split: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (file, split) in column(sandbox, &format!("{of}/fold-{fold}/split.csv"), "split") {
            by_split.entry(split).or_default().insert(file);
        }
        by_split
    };
    (1..=folds).map(split).collect()
}

/// Starts this line, and kills it once a fold has made an epoch.
fn kill_in_training(sandbox: &Sandbox, line: &[&str]) {
    let mut child = sandbox.command(line).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("fold ")));
    kill(child);
}

#[test]
fn every_image_is_answered_by_a_network_that_has_not_seen_it() {
    let sandbox = bare(9);
    let says = [
        "4 runs",
        "4 folds of 5 images",
        "2 groups of images that belong together are not divided (4 images)",
    ];
    let args = [&FOLDS[..], &["--out", "cv", "--json"]].concat();
    let found = sandbox.train(&args).says(&[], &says).json();
    assert_eq!((&found["test"]["n"], &found["test"]["split"]), (&json!(20), &json!("folds")));
    assert_eq!(
        (&found["dataset"]["images"], &found["dataset"]["groups"]),
        (&json!(20), &json!(18))
    );
    let folds = found["folds"].as_array().unwrap();
    let sum: u64 = folds.iter().map(|fold| fold["correct"].as_u64().unwrap()).sum();
    assert_eq!((folds.len(), Some(sum)), (4, found["test"]["correct"].as_u64()));

    let answered = column(&sandbox, "cv/predictions.csv", "fold");
    let (predicted, label) = (
        column(&sandbox, "cv/predictions.csv", "predicted"),
        column(&sandbox, "cv/predictions.csv", "label"),
    );
    let right = predicted.iter().filter(|(file, class)| label[*file] == **class).count();
    assert_eq!(Some(right as u64), found["test"]["correct"].as_u64());
    assert_eq!(answered, column(&sandbox, "cv/folds.csv", "fold"));
    assert_eq!(answered.len(), 20);
    for class in ["dark", "light"] {
        assert_eq!(answered[&format!("{class}/00.png")], answered[&format!("{class}/copy.png")]);
    }
    for (fold, split) in splits(&sandbox, "cv", 4).iter().enumerate() {
        let tested: BTreeSet<String> = answered
            .iter()
            .filter(|row| *row.1 == (fold + 1).to_string())
            .map(|row| row.0.clone())
            .collect();
        assert_eq!(split["test"], tested);
        // Copies are not divided between training and validation either.
        for part in split.values() {
            assert_eq!(part.contains("dark/00.png"), part.contains("dark/copy.png"));
        }
        let own = format!("cv/fold-{}/predictions.csv", fold + 1);
        for (file, class) in column(&sandbox, &own, "predicted") {
            assert_eq!(predicted[&file], class);
        }
    }
    // A fold is a run like any other, and says what it has not seen.
    let measured = sandbox.run(["evaluate", "--model", "cv/fold-1", "--json"]).json();
    assert_eq!((&measured["split"], &measured["correct"]), (&json!("test"), &folds[0]["correct"]));
    let refused = sandbox.run(["evaluate", "--model", "cv"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    refused.says(&[], &["it holds runs", "cv/fold-1"]);
    // It is one run in the list.
    let listed = sandbox.run(["runs", ".", "--json"]).json();
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|run| &run["name"]).collect();
    assert_eq!(names, ["cv"]);
    assert_eq!((&listed[0]["n"], &listed[0]["epochs"]), (&json!(20), &json!(1)));

    // Its settings repeat it, whatever the number of threads.
    for (threads, out) in [("1", "one"), ("3", "three")] {
        sandbox.train(&["--config", "cv/config.toml", "--threads", threads, "--out", out]).ok();
        for table in ["predictions.csv", "folds.csv", "config.toml", "fold-4/model.safetensors"] {
            let same =
                sandbox.bytes(&format!("cv/{table}")) == sandbox.bytes(&format!("{out}/{table}"));
            assert!(same, "{table} on {threads} threads");
        }
    }
    // One fold by itself.
    sandbox.train(&["--config", "cv/fold-2/config.toml", "--out", "alone"]).ok();
    assert!(
        sandbox.bytes("cv/fold-2/model.safetensors") == sandbox.bytes("alone/model.safetensors")
    );
}

#[test]
fn what_belongs_together_stays_together() {
    let sandbox = Sandbox::new();
    let mut table = "file,label,patient\n".to_string();
    for i in 0..24u32 {
        let (class, patient) = (["dark", "light"][i as usize / 2 % 2], i / 2 % 8);
        let file = format!("p{patient}_{i}.png");
        sandbox.write(format!("flat/{file}"), blocks(class, i));
        // An empty cell says nothing.
        let group = if i == 23 { String::new() } else { format!("patient {patient}") };
        table += &format!("{file},{class},{group}\n");
    }
    sandbox.write("labels.csv", table);
    let data = ["--data", "flat", "--labels", "labels.csv", "--folds", "3"];
    let folds = |out: &str, args: &[&str], says: &[&str]| {
        sandbox.train(&[&data[..], &["--out", out], args].concat()).ok().says(&[], says);
        let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (file, fold) in column(&sandbox, &format!("{out}/folds.csv"), "fold") {
            if file != "p3_23.png" {
                let patient = file.split('_').next().unwrap().to_string();
                of.entry(patient).or_default().insert(fold);
            }
        }
        of.values().map(BTreeSet::len).max().unwrap()
    };
    let warning = "file names look like several images of one subject";
    assert!(folds("plain", &[], &[warning, "more than one fold", "--group-pattern"]) > 1);
    let column = ["--group-column", "patient"];
    assert_eq!(
        folds("column", &column, &["groups in patient", "column patient is empty for 1 image"]),
        1
    );
    assert_eq!(folds("pattern", &["--group-pattern", "^(p[0-9]+)_"], &["8 groups"]), 1);
    // Other folds of the same settings group as these do.
    sandbox.train(&["--config", "pattern/config.toml", "--folds", "4", "--out", "more"]).ok();
    assert!(sandbox.text("more/config.toml").contains("group_pattern"));
    let again = ["train", "--resume", "--out", "pattern", "--folds", "3"];
    sandbox.run(again).ok().says(&[], &["the cross-validation is finished"]);
    // What was asked for is remembered, and repeats it.
    let ended = sandbox.train(&["--config", "pattern/config.toml", "--out", "again"]).ok();
    assert!(sandbox.bytes("pattern/folds.csv") == sandbox.bytes("again/folds.csv"), "{ended:?}");

    let with = |args: &[&'static str]| [&data[..], args].concat();
    let refused: [(Vec<&str>, i32, &[&str]); 6] = [
        (with(&["--group-pattern", "(p"]), 2, &["--group-pattern (p", "regular expression"]),
        (with(&["--group-pattern", "^x"]), 2, &["no name of an image matches", "p0_0.png"]),
        (with(&["--group-column", "who"]), 1, &["no column who, only file, label, patient"]),
        (vec!["--data", "flat", "--folds", "3", "--group-column", "patient"], 2, &["--labels"]),
        (vec!["--data", "flat", "--group-pattern", "p"], 2, &["--folds"]),
        (with(&["--group-pattern", "^p"]), 2, &["number of folds", "groups of images"]),
    ];
    for (args, status, says) in refused {
        sandbox.refuses_to_train(&args, status, says);
    }
}

#[test]
fn images_for_the_test_stay_out_and_those_for_validation_are_divided() {
    let sandbox = Sandbox::new();
    for (class, first) in [("dark", 0), ("light", 100)] {
        for (part, from, count) in [("train", 0, 6), ("val", 20, 2), ("test", 40, 3)] {
            for i in 0..count {
                let image = blocks(class, first + from + i);
                sandbox.write(format!("set/{part}/{class}/{i}.png"), image);
            }
        }
    }
    let args = [&FOLDS[..], &["--out", "cv", "--json"]].concat();
    let says = ["6 images for the test stay out", "images for validation are divided into folds"];
    let ended = sandbox.train(&args).says(&[], &says);
    assert!(!ended.err.contains("left out"), "{}", ended.err);
    assert_eq!(ended.json()["test"]["n"], 16);
    for split in splits(&sandbox, "cv", 4) {
        assert!(split.values().flatten().all(|file| !file.starts_with("test/")), "{split:?}");
        assert!(split["test"].iter().any(|file| file.starts_with("train/")), "{split:?}");
    }
    // A training folder alone is enough, and so is a table.
    let table = sandbox.text("cv/fold-1/split.csv");
    std::fs::remove_dir_all(sandbox.path("set/val")).unwrap();
    std::fs::remove_dir_all(sandbox.path("set/test")).unwrap();
    let found = sandbox.train(&[&FOLDS[..], &["--out", "train-only", "--json"]].concat()).json();
    assert_eq!(found["test"]["n"], 12);
    let rows = table.lines().filter(|line| !line.starts_with("val/"));
    sandbox.write("split.csv", rows.collect::<Vec<_>>().join("\n") + "\n");
    let tested = sandbox.text("split.csv").lines().filter(|line| line.ends_with(",test")).count();
    let args = [&FOLDS[..], &["--split", "split.csv", "--out", "by-table", "--json"]].concat();
    let found = sandbox.train(&args).json();
    assert_eq!(found["test"]["n"], 12 - tested);
}

#[test]
fn a_cross_validation_goes_on_where_it_was_killed() {
    let sandbox = bare(6);
    let train = [&["train", "--image-size", "22"], &FOLDS[..]].concat();
    let epochs = ["--epochs", "6", "--keep-checkpoints", "0"];
    sandbox.run([&train[..], &epochs, &["--out", "unbroken"]].concat()).ok();
    let line = [&train[..], &epochs].concat();
    let kills = until_done(&sandbox, &[&line[..], &["--resume", "--out", "cv"]].concat());
    assert!(kills > 1, "{kills}");
    for name in
        ["predictions.csv", "folds.csv", "fold-1.csv", "fold-3/model.safetensors", "confusion.svg"]
    {
        let same =
            sandbox.bytes(&format!("cv/{name}")) == sandbox.bytes(&format!("unbroken/{name}"));
        assert!(same, "{name}");
    }
    let there = |name: &str| sandbox.path(name).exists();
    assert!(!there("cv/fold-1/checkpoint.safetensors"));
    let resume = ["train", "--resume", "--out", "cv"];
    sandbox.run(resume).ok().says(&[], &["the cross-validation is finished", "--epochs"]);
    let more = [&resume[..], &["--epochs", "8"]].concat();
    let refused = sandbox.run(more);
    assert_eq!(refused.status, 2, "{refused:?}");
    refused.says(&[], &["checkpoint is gone"]);
    // Unlike the folds, which stay, and what is not asked for again.
    let refused = sandbox.run([&resume[..], &["--folds", "5"]].concat());
    assert_eq!(refused.status, 2, "{refused:?}");
    refused.says(&[], &["--folds", "4 folds", "5 folds"]);

    // With their checkpoints the networks are trained further.
    let half = ["--epochs", "3", "--out", "half"];
    sandbox.run([&train[..], &half].concat()).ok();
    let mut more = vec!["train", "--resume", "--out", "half", "--epochs", "6"];
    kill_in_training(&sandbox, &more);
    // They remember how far they are to go, and are not sent back.
    let refused = sandbox.run(["train", "--resume", "--out", "half", "--epochs", "4"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    more.truncate(4);
    sandbox.run(more).ok();
    assert!(sandbox.bytes("half/predictions.csv") == sandbox.bytes("unbroken/predictions.csv"));
}

#[test]
fn a_folder_holds_one_kind_of_results() {
    let sandbox = bare(6);
    sandbox.train(&[&FOLDS[..], &["--out", "cv"]].concat()).ok();
    sandbox.train(&["--data", "set", "--out", "run"]).ok();
    let says = ["holds a single run, and a cross-validation is to be written", "--out"];
    sandbox.refuses_to_train(&[&FOLDS[..], &["--out", "run", "--overwrite"]].concat(), 1, &says);
    let says = ["holds a cross-validation, and a single run is to be written", "--out"];
    sandbox.refuses_to_train(&["--data", "set", "--out", "cv", "--overwrite"], 1, &says);
    sandbox.refuses_to_train(&[&FOLDS[..], &["--out", "cv"]].concat(), 1, &["cv", "--overwrite"]);
    // A new one that was killed at once does not go on with the old one's networks.
    let other = ["--data", "set", "--folds", "3", "--seed", "5", "--out", "cv", "--overwrite"];
    let line = [&["train"], &super::support::SMALL[..], &other].concat();
    kill_in_training(&sandbox, &line);
    // Nor is it lost by a slip of the pen.
    let slip = ["train", "--data", "sett", "--folds", "3", "--out", "cv", "--overwrite"];
    assert_eq!(sandbox.run(slip).status, 2);
    sandbox.run(["train", "--resume", "--out", "cv"]).ok();
    let fresh = ["--data", "set", "--folds", "3", "--seed", "5", "--out", "fresh"];
    sandbox.train(&fresh).ok();
    assert!(sandbox.bytes("cv/predictions.csv") == sandbox.bytes("fresh/predictions.csv"));
    // A new one with fewer folds replaces all of the old one.
    let fewer = ["--data", "set", "--folds", "2", "--out", "cv", "--overwrite"];
    sandbox.train(&fewer).ok();
    let names = sandbox.names("cv");
    assert!(
        names.contains(&"fold-2".into()) && !names.iter().any(|name| name.contains("fold-3")),
        "{names:?}"
    );
    sandbox.train(&["--data", "set", "--folds", "2", "--out", "new"]).ok();
    assert!(sandbox.bytes("cv/predictions.csv") == sandbox.bytes("new/predictions.csv"));

    for (args, says) in [
        (&["--folds", "1"][..], &["--folds", "2"][..]),
        (&["--folds", "99"], &["from 2 to 12", "99"]),
        (&["--folds", "3", "--find-learning-rate"], &["--folds", "--find-learning-rate"]),
    ] {
        sandbox.refuses_to_train(&[&["--data", "set"], args].concat(), 2, says);
    }
    // All images of a class are copies of one another.
    for i in 0..6 {
        sandbox.write(format!("set/dark/{i:02}.png"), blocks("dark", 0));
    }
    let says = ["class dark", "at least two groups", "in one fold"];
    sandbox.refuses_to_train(&FOLDS, 1, &says);
}

#[test]
fn images_that_cannot_be_read_are_left_out_where_that_is_asked_for() {
    let sandbox = bare(6);
    sandbox.write("set/dark/broken.png", "no image");
    sandbox.write("set/dark/broken.png", &blocks("dark", 3)[..200]);
    let refused = sandbox.train(&[&FOLDS[..], &["--out", "cv"]].concat());
    assert_eq!(refused.status, 1, "{refused:?}");
    refused.says(&[], &["broken.png", "--skip-unreadable"]);
    assert!(!sandbox.path("cv").exists());
    let args = [&FOLDS[..], &["--out", "cv", "--skip-unreadable", "--json"]].concat();
    let found = sandbox.train(&args).says(&[], &["skipped", "broken.png"]).json();
    assert_eq!(
        (&found["test"]["n"], &found["dataset"]["skipped"]),
        (&json!(14), &json!(["dark/broken.png"]))
    );
    // A class so small that one fold would have the broken image alone.
    for i in 3..6 {
        std::fs::remove_file(sandbox.path(format!("set/dark/{i:02}.png"))).unwrap();
    }
    let args = ["--data", "set", "--folds", "3", "--out", "few", "--skip-unreadable", "--json"];
    assert_eq!(sandbox.train(&args).json()["test"]["n"], 11);
}
