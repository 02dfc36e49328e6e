//! Labels from a table for a folder without class folders, and predictions as a table.

use super::audit::blocks;
use super::support::{Sandbox, png};
use serde_json::{Value, json};

/// `flat/img_0.png`, ... and `labels.csv`, which labels them dark and light in turn.
fn flat(images: u8) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut table = "image_id,dx\n".to_string();
    for i in 0..images {
        let class = ["dark", "light"][usize::from(i % 2)];
        sandbox.write(format!("flat/img_{i}.png"), png(class, i / 2));
        table += &format!("img_{i},{class}\n");
    }
    sandbox.write("labels.csv", table);
    sandbox
}

const TRAIN: [&str; 6] = ["--data", "flat", "--labels", "labels.csv", "--out", "run"];

#[test]
fn a_table_labels_a_flat_folder() {
    let sandbox = flat(20);
    sandbox.write("flat/img_20.png", png("dark", 15));
    let table = sandbox.text("labels.csv") + "img_99,dark\nimg_98,light\n";
    sandbox.write("labels.csv", table);
    let says = [
        "labels from labels.csv: files in column image_id, classes in dx",
        "images, split 70/10/20 by seed 27",
        "1 without a class in the table of labels",
        "img_98, img_99 (in the table of labels, but not in the folder)",
    ];
    let found = sandbox.train(&[&TRAIN[..], &["--json"]].concat()).says(&[], &says).json();
    assert_eq!(found["dataset"]["classes"], json!(["dark", "light"]));
    let counts = ["train", "validation", "test"].map(|part| found["dataset"][part].as_u64());
    assert_eq!(counts, [Some(14), Some(2), Some(4)]);
    let left: Vec<&Value> =
        found["passed_over"].as_array().unwrap().iter().map(|one| &one["path"]).collect();
    assert_eq!(left, ["img_20.png", "img_98", "img_99"]);

    // The configuration repeats it.
    sandbox.train(&["--config", "run/config.toml", "--out", "again"]).ok();
    assert!(sandbox.bytes("run/model.safetensors") == sandbox.bytes("again/model.safetensors"));
    // By default it is measured on what the run has not seen.
    let args = ["evaluate", "--model", "run", "--data", "flat", "--labels", "labels.csv", "--json"];
    let found = sandbox.run(args).json();
    assert_eq!((&found["split"], &found["n"]), (&"test".into(), &4.into()));
    // A run's own table labels it, too, and divides it.
    let args = ["--data", "flat", "--labels", "run/split.csv", "--out", "by-table", "--json"];
    let found = sandbox.train(&args).json();
    assert_eq!((&found["dataset"]["train"], &found["test"]["n"]), (&14.into(), &4.into()));
}

#[test]
fn a_table_serves_the_audit() {
    let sandbox = Sandbox::new();
    let mut table = "file;class;split\n".to_string();
    for i in 0..12u8 {
        let class = ["dark", "light"][usize::from(i % 2)];
        let split = ["train", "val", "test"][usize::from(i / 2 % 3)];
        // The last one is a copy of the first.
        let number = if i == 11 { 0 } else { i };
        sandbox.write(format!("flat/{i}.png"), blocks("any", number.into()));
        table += &format!("{i}.png;{class};{split}\n");
    }
    sandbox.write("labels.csv", table);
    let args = ["audit", "flat", "--labels", "labels.csv", "--allow-label-leaks"];
    let ended = sandbox.run([&args[..], &["--json", "--repair", "better.csv"]].concat());
    assert_eq!(ended.status, 3, "{ended:?}");
    let ended = ended.says(&[], &["1 pair of copies crosses", "--labels labels.csv"]);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["summary"]["divided"], "folders");
    assert_eq!(report["pairs"][0]["splits"], json!(["train", "test"]));
    assert_eq!(report["pairs"][0]["across_labels"], true);
    let args =
        ["--data", "flat", "--labels", "labels.csv", "--split", "better.csv", "--out", "run"];
    sandbox.train(&args).ok();
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let sandbox = flat(12);
    let refuses = |table: &str, says: &[&str]| {
        sandbox.write("labels.csv", table);
        sandbox.refuses_to_train(&TRAIN, 1, says);
    };
    refuses(
        "file,label\nimg_1,dark\nimg_1.png,light\n",
        &["labels.csv: line 3, column file", "line 2"],
    );
    refuses("file,label\nimg_1,dark\nimg_2,dark\n", &["flat", "one class, dark", "at least two"]);
    refuses("file,label\nimg_1,dark\nimg_2,light\n", &["class dark has only 1 image"]);
    refuses("picture of it,what\n", &["labels.csv: line 1", "picture of it, what"]);
    sandbox.refuses_to_train(&["--data", "flat", "--out", "run"], 1, &["--labels FILE"]);
    sandbox.refuses_to_train(&["--data", "flat", "--label-column", "x"], 2, &["--labels"]);
    sandbox.write("flat/inner.csv", "file,label\n");
    let args = ["--data", "flat", "--labels", "inner.csv", "--out", "run"];
    sandbox.refuses_to_train(&args, 1, &["inner.csv", "--labels flat/inner.csv"]);
}

#[test]
fn many_classes_are_told_by_the_most_probable() {
    let sandbox = Sandbox::new();
    let classes: Vec<String> = (0..40).map(|i| format!("class {i:02}")).collect();
    for class in &classes {
        sandbox.images(format!("set/{class}"), 3);
    }
    sandbox.train(&["--data", "set", "--out", "run", "--batch-size", "40"]).ok();
    let predict = |more: &[&str]| {
        sandbox.run([&["predict", "--model", "run", "set/class 07"], more].concat()).ok()
    };
    let ended = predict(&[]).says(&["probability", "next"], &[]);
    assert!(ended.out.lines().all(|line| line.chars().count() <= 80), "{}", ended.out);
    let ended = predict(&["--csv"]);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!((lines.len(), lines[0].split(',').count()), (4, 42));
    assert!(lines[0].starts_with("file,predicted,class 00,class 01"), "{}", lines[0]);
    // What is an image or a folder is not the file to write.
    let ended = sandbox.run(["predict", "--model", "run", "--csv", "set/class 07"]).ok();
    assert_eq!(ended.out.lines().collect::<Vec<_>>(), lines);

    predict(&["--csv", "answers.csv", "--top", "2"])
        .says(&["probability"], &["written to answers.csv"]);
    let table = sandbox.text("answers.csv");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["file", "predicted", "probability", "class_2", "probability_2"]);
    assert_eq!(rows.len(), 4);
    let found = predict(&["--top", "2", "--json"]).json();
    for (row, one) in rows[1..].iter().zip(found.as_array().unwrap()) {
        assert_eq!(one["probabilities"].as_object().unwrap().len(), 40);
        assert_eq!(
            (one["top"].as_array().unwrap().len(), row[0]),
            (2, one["file"].as_str().unwrap())
        );
        for (best, at) in [(0, 1), (1, 3)] {
            assert_eq!(one["top"][best]["class"], row[at]);
            let exact = one["top"][best]["probability"].as_f64().unwrap();
            assert!((exact - row[at + 1].parse::<f64>().unwrap()).abs() < 1e-6);
        }
        assert_eq!(one["label"], row[1]);
    }
    let says = ["--csv took x.csv", "put --csv last"];
    sandbox.refuses(["predict", "--model", "run", "--csv", "x.csv"], 2, &says);
    sandbox.refuses(["predict", "--model", "run", "set", "--json", "--csv"], 2, &["name a file"]);
}
