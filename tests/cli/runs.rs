//! `runs`, `completions` and `man`.

use super::support::Sandbox;
use serde_json::Value;

#[test]
fn runs_are_listed_and_compared() {
    let sandbox = Sandbox::with_set();
    assert_eq!(sandbox.run(["runs", "--json"]).json(), Value::Array(Vec::new()));
    sandbox.run(["runs"]).ok().says(&[], &["no runs in runs", "nn-cli train"]);
    sandbox.refuses(["runs", "nowhere"], 2, &["there is no run nowhere"]);

    sandbox.train(&["--data", "set", "--out", "runs/one"]).ok();
    sandbox.train(&["--data", "set", "--out", "runs/two", "--seed", "3", "--batch-size", "2"]).ok();
    sandbox.write("runs/stopped/checkpoint.safetensors", "x");
    sandbox.write("runs/cut off/metrics.json", "{\"schema\": 1");
    sandbox.write("runs/notes.txt", "x");
    let listed = sandbox.run(["runs", "--json"]).json();
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["cut off", "one", "stopped", "two"]);
    let states: Vec<_> =
        listed.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["broken", "finished", "unfinished", "finished"]);
    let metrics: Value = serde_json::from_str(&sandbox.text("runs/one/metrics.json")).unwrap();
    let one = &listed[1];
    for field in ["loss", "n", "correct", "accuracy"] {
        assert_eq!(one[field], metrics["test"][field], "{field}");
    }
    assert_eq!(
        (&one["dataset"], &one["kind"]),
        (&metrics["dataset"]["name"], &metrics["dataset"]["kind"])
    );
    let model = sandbox.bytes("runs/one/model.safetensors").len() as u64;
    assert!(one["bytes"].as_u64().unwrap() > model);
    assert!(one["finished"].as_str().unwrap().ends_with('Z'));

    let ended = sandbox.run(["runs"]).ok();
    let more = ["cut off: broken: metrics.json", "4 runs in runs", "--resume --out runs/stopped"];
    ended.says(&["broken", "unfinished", "accuracy"], &more);
    let ended = sandbox.run(["runs", "--sort", "date"]).ok();
    let place = |name: &str| ended.out.lines().position(|line| line.starts_with(name)).unwrap();
    assert!(place("two") < place("one") && place("one") < place("stopped"), "{ended:?}");

    // A name is enough in `runs`.
    let compared = sandbox.run(["runs", "one", "runs/two", "--json"]).json();
    let expected = serde_json::json!({"fit.batch_size": ["4", "2"], "fit.seed": ["27", "3"]});
    assert_eq!(compared["settings"], expected);
    assert_eq!(compared["runs"][0]["n"], 4);
    let ended = sandbox.run(["runs", "one", "two"]).ok();
    ended.says(&["test accuracy", "95 % interval", "fit.seed", "of 4"], &[]);
    sandbox.run(["runs", "one", "one"]).ok().says(&[], &["the settings are the same"]);
    sandbox.run(["runs", "runs/one"]).ok().says(&["test accuracy"], &[]);
    sandbox.run(["runs", "one", "cut off"]).ok().says(&["broken"], &[]);
    sandbox.refuses(["runs", "one", "thre"], 2, &["there is no run thre"]);
    sandbox.refuses(["runs", "one", "set"], 2, &["set is not a run's folder"]);
}

#[test]
fn runs_of_an_experiment_are_among_them() {
    let sandbox = Sandbox::with_sets();
    sandbox.experiment(&[]).ok().says(&[], &["written to experiment, "]);
    let listed = sandbox.run(["runs", ".", "--json"]).json();
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["experiment/runs/clean-27", "experiment/runs/leaky-27"]);
}

#[test]
fn completions_and_manual_pages() {
    let sandbox = Sandbox::new();
    for (shell, says) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef nn-cli"),
        ("fish", "complete -c nn-cli"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let script = sandbox.run(["completions", shell]).ok().out;
        for word in [says, "gradcam", "keep-checkpoints", "most-images", "with-preprocessing"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    sandbox.refuses(["completions", "bsh"], 2, &["bash"]);
    let page = sandbox.run(["man"]).ok().out;
    for part in [".TH nn-cli 1", ".SH NAME", "gradcam", "Exit status"] {
        assert!(page.contains(part), "{part}");
    }
    sandbox.run(["man", "pages"]).ok().says(&["pages in pages"], &[]);
    let names = sandbox.names("pages");
    for name in [
        "nn-cli.1",
        "nn-cli-train.1",
        "nn-cli-data-fetch.1",
        "nn-cli-runs.1",
        "nn-cli-model-check.1",
    ] {
        assert!(names.contains(&name.to_string()), "{names:?}");
    }
    assert!(sandbox.text("pages/nn-cli-train.1").contains("keep\\-checkpoints"));
}
