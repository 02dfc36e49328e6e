//! `experiment`: scores with and without leakage, over several seeds.

use super::audit::blocks;
use super::browser::Browser;
use super::support::{Ended, SMALL, Sandbox};
use serde_json::{Value, json};

#[test]
fn everything_is_compared_and_written() {
    let sandbox = Sandbox::with_sets();
    let ended = sandbox.experiment(&["--json"]).says(
        &["\"leaky\"", "\"swap\"", "\"clean\""],
        &[
            "leaky model, backgrounds swapped",
            "What we cannot conclude",
            "notebook",
            "written to experiment",
        ],
    );
    let summary = ended.json();
    let written: Value = serde_json::from_str(&sandbox.text("experiment/experiment.json")).unwrap();
    assert_eq!(summary, written);
    assert_eq!(summary["seeds"], json!([27]));
    for (part, set, n, notebook) in [
        ("leaky", "different_backgrounds", 4, 0.9),
        ("swap", "background_swap", 4, 0.0),
        ("clean", "same_backgrounds", 4, 0.7),
    ] {
        let part = &summary[part];
        assert_eq!((&part["dataset"], &part["kind"]), (&json!(set), &json!("folder")));
        assert_eq!((&part["n"], &part["notebook"]), (&json!(n), &json!(notebook)));
        let run = &part["runs"][0];
        assert_eq!(run["accuracy"], part["accuracy"]);
        assert_eq!(part["interval"], run["interval"]);
        assert!(part["interval"]["low"].as_f64() <= part["accuracy"].as_f64());
        assert!(part["deviation"].is_null(), "{part}");
        // Each map has a share or a reason why not, and each share an answer.
        let heat = &part["background"];
        let count = |value: &Value| value.as_u64().unwrap();
        let without: u64 = heat["without"].as_object().unwrap().values().map(count).sum();
        assert_eq!(count(&heat["images"]) + without, n, "{heat}");
        let answers = heat["by_answer"].as_array().unwrap();
        let of_answers: u64 = answers.iter().map(|one| count(&one["images"])).sum();
        assert_eq!(of_answers, count(&heat["images"]), "{heat}");
        assert_eq!(heat["heat"].is_null(), of_answers == 0, "{heat}");
    }
    let conclusions = summary["conclusions"]["may_not"].as_array().unwrap();
    assert!(conclusions.iter().any(|line| line.as_str().unwrap().contains("--seeds 5")));

    let top = ["comparison.png", "curves-clean.svg", "experiment.json", "report.html"];
    for name in top {
        assert!(sandbox.names("experiment").contains(&name.to_string()), "{name}");
    }
    assert_eq!(sandbox.names("experiment/runs"), ["clean-27", "leaky-27"]);
    assert_eq!(sandbox.names("experiment/runs/leaky-27/gradcam").len(), 4);
    assert!(sandbox.text("experiment/swap/leaky-27/predictions.csv").contains("light/1.png"));
    // The swapped set's answers are those of the leaky model, as `evaluate` finds them.
    let evaluate = ["evaluate", "--model", "experiment/runs/leaky-27", "--data", "background_swap"];
    let evaluated = sandbox.run([&evaluate[..], &["--json"]].concat()).json();
    assert_eq!(evaluated["confusion"], summary["swap"]["runs"][0]["confusion"]);
    assert_eq!(evaluated["loss"], summary["swap"]["runs"][0]["loss"]);
    sandbox.is_clean();
}

#[test]
fn seeds_are_single_runs_to_the_bit_however_many_at_once() {
    let sandbox = Sandbox::with_sets();
    let start = |out: &str, more: &[&str]| {
        let args = [&["experiment", "--seeds", "3", "--seed", "2", "--out", out], &SMALL[..], more];
        sandbox.run(args.concat()).ok()
    };
    start("one", &["--jobs", "1"]).says(&["mean", "spread", "Each seed"], &["leaky-2  epoch 1/1"]);
    start("three", &["--jobs", "3", "--threads", "4"]);
    let runs = ["clean-1", "clean-2", "clean-3", "leaky-1", "leaky-2", "leaky-3"];
    assert_eq!(sandbox.names("one/runs"), runs);
    for run in runs {
        let (arm, seed) = run.split_once('-').unwrap();
        let set = if arm == "leaky" { "different_backgrounds" } else { "same_backgrounds" };
        let single = format!("single/{run}");
        sandbox.train(&["--data", set, "--seed", seed, "--out", &single]).ok();
        for file in ["model.safetensors", "predictions.csv", "split.csv", "config.toml"] {
            let expected = sandbox.bytes(&format!("{single}/{file}"));
            for experiment in ["one", "three"] {
                let path = format!("{experiment}/runs/{run}/{file}");
                assert_eq!(sandbox.bytes(&path), expected, "{path}");
            }
        }
        // A run's folder is what `train` writes, without what it goes on from.
        let mut names = sandbox.names(&single);
        names.retain(|name| name != "checkpoint.safetensors");
        assert_eq!(sandbox.names(&format!("one/runs/{run}")), names);
    }
    let summary = |name: &str| -> Value {
        serde_json::from_str(&sandbox.text(&format!("{name}/experiment.json"))).unwrap()
    };
    let (one, three) = (summary("one"), summary("three"));
    assert_eq!(one["seeds"], json!([2, 1, 3]));
    for part in ["leaky", "swap", "clean"] {
        assert_eq!(one[part], three[part]);
        assert!(one[part]["deviation"].is_f64());
        let scores = one[part]["runs"].as_array().unwrap();
        let mean = scores.iter().map(|run| run["accuracy"].as_f64().unwrap()).sum::<f64>() / 3.0;
        assert!((mean - one[part]["accuracy"].as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn copies_in_the_test_set_are_told_with_the_score_without_them() {
    // The pictures of `with_sets` are shades of one another; these are not.
    let sandbox = Sandbox::with_sets();
    let numbered = [("train", 0..4, 0), ("test", 0..2, 10)];
    for (set, more) in [("different_backgrounds", 0), ("same_backgrounds", 1000)] {
        for (class, shift) in [("dark", 0), ("light", 100)] {
            for (half, range, first) in numbered.clone() {
                for i in range {
                    let path = format!("data/{set}/{half}/{class}/{i}.png");
                    sandbox.write(path, blocks(class, more + shift + first + i));
                }
            }
        }
    }
    let trained = sandbox.bytes("data/same_backgrounds/train/dark/1.png");
    sandbox.write("data/same_backgrounds/test/dark/1.png", trained);
    let summary = sandbox.experiment(&["--json"]).says(&[], &["1 of 4 test images is"]).json();
    let audit = &summary["audit"];
    assert!(audit["leaky"]["without_copies"].is_null(), "{audit}");
    let without = &audit["clean"]["without_copies"];
    assert_eq!((&without["copies"], &without["n"]), (&json!(["test/dark/1.png"]), &json!(3)));
    assert_eq!(audit["clean"]["summary"]["across_test"], 1);

    // `evaluate --without-twins` says the same of the same model.
    let evaluate =
        ["evaluate", "--model", "experiment/runs/clean-27", "--data", "same_backgrounds"];
    let evaluated = sandbox.run([&evaluate[..], &["--without-twins", "--json"]].concat()).json();
    assert_eq!(evaluated["without_twins"]["accuracy"], without["accuracy"]["mean"]);
    let page = sandbox.text("experiment/report.html");
    for part in [
        "1 test image is also in training or validation",
        "train/dark/1.png",
        "No test image has a copy",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn drawings_stand_in_and_everything_says_so() {
    let sandbox = Sandbox::new();
    let ended = sandbox.experiment(&["--json"]);
    let ended = ended.says(&["stand-in"], &["drawn animals", "Anything about photographs"]);
    let summary = ended.json();
    for part in ["leaky", "swap", "clean"] {
        assert_eq!(summary[part]["kind"], "stand-in");
    }
    assert_eq!((&summary["swap"]["n"], &summary["clean"]["n"]), (&json!(40), &json!(20)));
    let page = sandbox.text("experiment/report.html");
    assert!(page.contains(
        "the images of different_backgrounds, background_swap, same_backgrounds are drawn"
    ));
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
    // Also with the notice the exercises are one sheet.
    if let Some(mut browser) = Browser::start() {
        browser.open(&sandbox.path("experiment/handout.html"));
        assert_eq!(browser.printed_pages(), 1);
    }
    // Nothing in the page is an address on the network.
    let is_name = |part: &str| part.starts_with("www.w3.org/2000/svg");
    assert!(page.split("http://").skip(1).all(is_name) && !page.contains("https://"));
    sandbox.is_clean();
}

#[test]
fn an_experiment_is_replaced_on_request_only() {
    let sandbox = Sandbox::with_sets();
    sandbox.experiment(&[]).ok();
    let again = [&["experiment", "--out", "experiment"], &SMALL[..]].concat();
    sandbox.refuses(&again, 1, &["experiment", "exists already", "--overwrite"]);
    sandbox.experiment(&["--overwrite", "--seed", "3"]).ok();
    assert_eq!(sandbox.names("experiment/runs"), ["clean-3", "leaky-3"]);
    // Without a name they are numbered.
    for _ in 0..2 {
        sandbox.run([&["experiment"], &SMALL[..]].concat()).ok();
    }
    assert_eq!(sandbox.names("runs"), ["experiment", "experiment-2"]);
}

#[test]
fn bad_requests_leave_nothing() {
    let sandbox = Sandbox::with_sets();
    let bad = |args: &[&str], status, says: &[&str]| {
        sandbox.refuses([&["experiment", "--out", "x"], &SMALL[..], args].concat(), status, says);
    };
    bad(&["--seeds", "0"], 2, &["--seeds"]);
    bad(&["--jobs", "0"], 2, &["--jobs"]);
    bad(&["--seed", "-1"], 2, &["--seed"]);
    bad(&["--learning-rate", "1e9"], 1, &["run ", "-27", "learning rate"]);
    bad(&["--batch-size", "0"], 2, &["--batch-size"]);
    sandbox.write("data/background_swap/dark/broken.jpg", "no image");
    bad(&[], 1, &["broken.jpg", "--skip-unreadable"]);
    sandbox.experiment(&["--skip-unreadable"]).says(&[], &["warning: skipped", "broken.jpg"]).ok();

    let sandbox = Sandbox::with_sets();
    sandbox.images("data/background_swap/grey", 1);
    let args = [&["experiment", "--out", "x"], &SMALL[..]].concat();
    sandbox.refuses(&args, 1, &["background_swap", "dark, grey, light", "same names"]);

    let sandbox = Sandbox::new();
    for class in ["dark", "light"] {
        sandbox.images(format!("data/same_backgrounds/{class}"), 10);
    }
    sandbox.refuses(&args, 1, &["same_backgrounds", "no train/ and test/"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_experiment_leaves_nothing() {
    let sandbox = Sandbox::with_sets();
    for jobs in ["1", "2"] {
        let args = ["experiment", "--out", "runs/x", "--epochs", "1000000", "--image-size", "22"];
        let mut command = sandbox.command([&args[..], &["--jobs", jobs]].concat());
        command.stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
        assert!(lines.by_ref().any(|line| line.unwrap().contains("epoch")));
        super::support::interrupt(&child);
        assert!(lines.any(|line| line.unwrap() == "error: interrupted"));
        let ended = child.wait().unwrap();
        assert_eq!(ended.code(), Some(130));
        assert_eq!(sandbox.names(""), ["data"]);
        sandbox.is_clean();
    }
}

#[cfg(unix)]
#[test]
fn what_a_killed_experiment_left_goes_with_the_next() {
    let sandbox = Sandbox::with_sets();
    let experiment = |out, epochs| {
        ["experiment", "--out", out, "--epochs", epochs, "--image-size", "22"].map(String::from)
    };
    let mut command = sandbox.command(experiment("runs/x", "1000000"));
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("epoch")));
    super::support::kill(child);
    let [left, target] = &sandbox.names("runs")[..] else { panic!("{:?}", sandbox.names("runs")) };
    assert!(left.starts_with(".nn-draft-") && target == "x");
    // No process works on the draft, so the next experiment removes it; the name is free.
    sandbox.run(experiment("runs/y", "1")).ok();
    assert_eq!(sandbox.names("runs"), ["x", "y"]);
    sandbox.run(experiment("runs/x", "1")).ok();
    assert_eq!(sandbox.names("runs"), ["x", "y"]);
    assert!(sandbox.path("runs/x/report.html").is_file());
}

#[test]
fn help_is_enough_to_use_it() {
    let sandbox = Sandbox::new();
    let Ended { out, .. } = sandbox.run(["experiment", "--help"]).ok();
    for part in ["--seeds", "--jobs", "report.html", "27, 1, 2, 3, 4", "Examples"] {
        assert!(out.contains(part), "{part}: {out}");
    }
}
