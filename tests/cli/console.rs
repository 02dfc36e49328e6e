//! Standard output and standard error, and the options that all commands share.

use super::support::{Ended, Sandbox};
use std::process::Stdio;

#[test]
fn every_help_has_an_example() {
    let sandbox = Sandbox::new();
    let levels: [&[&str]; 20] = [
        &[],
        &["train"],
        &["experiment"],
        &["evaluate"],
        &["predict"],
        &["gradcam"],
        &["audit"],
        &["runs"],
        &["summary"],
        &["bench"],
        &["completions"],
        &["man"],
        &["data"],
        &["model"],
        &["model", "check"],
        &["model", "export"],
        &["data", "list"],
        &["data", "fetch"],
        &["data", "verify"],
        &["data", "render"],
    ];
    for level in levels {
        let ended = sandbox.run([level, &["--help"]].concat()).ok();
        let (_, examples) = ended.out.split_once("Example").expect("an example");
        let expected = format!("nn-cli {}", level.join(" "));
        assert!(examples.contains(expected.trim()), "{level:?}: {}", ended.out);
        assert!(ended.out.contains("Usage:"));
    }
    let ended = sandbox.run(["--version"]).ok();
    assert_eq!(ended.out.trim(), format!("nn-cli {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn quiet_leaves_the_result() {
    let sandbox = Sandbox::with_set();
    let ended = sandbox.train(&["--data", "set", "--out", "run", "--quiet"]).ok();
    assert_eq!(ended.err, "");
    assert!(ended.out.contains("accuracy"), "{ended:?}");
    let ended = sandbox.train(&["--data", "set", "--out", "run2", "--quiet", "--json"]).ok();
    assert_eq!(ended.err, "");
    assert!(ended.json()["test"]["loss"].is_f64());
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_a_failure() {
    let sandbox = Sandbox::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = sandbox.command(["data", "list"]);
    let ended = Ended::from(
        command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap(),
    );
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.err.contains("standard output") && ended.err.contains("No space"), "{ended:?}");
}

#[test]
fn kernels_are_chosen_by_option_and_variable() {
    let sandbox = Sandbox::with_set();
    let with = |kernel: &str, args: &[&str]| {
        let mut command = sandbox.command(args);
        command.env("NN_KERNEL", kernel);
        command
    };
    let train = ["train", "--data", "set", "--epochs", "1", "--image-size", "22", "--json"];
    let portable = Ended::from(with("portable", &train).output().unwrap()).json();
    assert_eq!(portable["environment"]["kernel"], "portable");
    // The option takes precedence.
    let args = [&train[..], &["--kernel", "portable"]].concat();
    let portable = Ended::from(with("bogus", &args).output().unwrap()).json();
    assert_eq!(portable["environment"]["kernel"], "portable");

    let command = with("bogus", &["summary"]);
    sandbox.refuses_when(command, 2, &["NN_KERNEL must be auto", "bogus", "avx2"]);
    sandbox.refuses(["summary", "--kernel", "sse9"], 2, &["kernel", "sse9", "portable", "auto"]);
    // No machine has all of these.
    let usable = ["avx512", "neon"].map(|kernel| sandbox.run(["summary", "--kernel", kernel]));
    assert!(usable.iter().any(|ended| ended.status == 2), "{usable:?}");
    for ended in usable.iter().filter(|ended| ended.status != 0) {
        assert!(ended.err.contains("kernel must be one of auto, portable"), "{ended:?}");
        assert!(ended.err.contains("this machine lacks") || ended.err.contains("no kernels"));
    }
}

#[test]
fn threads_are_chosen_by_option() {
    let sandbox = Sandbox::with_set();
    let metrics = sandbox.train(&["--data", "set", "--threads", "3", "--json"]).json();
    assert_eq!(metrics["environment"]["threads"], 3);
    for threads in ["0", "-1", "1000000", "x"] {
        sandbox.refuses(["summary", "--threads", threads], 2, &["--threads", threads]);
    }
}
