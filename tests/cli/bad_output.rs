//! Output paths that cannot be written to.

use super::support::Sandbox;

#[test]
fn folders_that_exist() {
    let sandbox = Sandbox::with_run();
    let train = |out: &str, more: &[&str], says: &[&str]| {
        let args = [&["--data", "set", "--out", out], more].concat();
        sandbox.refuses_to_train(&args, 1, &[says, &[out]].concat());
    };
    train("run", &[], &["exists already", "choose another --out", "--overwrite"]);
    train("set", &[], &["exists already"]);
    train("set", &["--overwrite"], &["not a run folder", "choose another --out"]);
    sandbox.write("file", "x");
    for more in [&[][..], &["--overwrite"]] {
        train("file", more, &["not a folder", "choose another --out"]);
    }
}

#[test]
fn a_run_that_fails_keeps_the_one_it_was_to_replace() {
    let sandbox = Sandbox::with_run();
    let args = ["--data", "set", "--out", "run", "--overwrite", "--learning-rate", "1e30"];
    sandbox.refuses_to_train(&args, 1, &["the loss became"]);
}

#[test]
fn places_where_no_folder_can_be() {
    let sandbox = Sandbox::with_set();
    sandbox.write("file", "x");
    for out in ["file/run", "file/deep/run"] {
        let says = ["file", "choose another"];
        sandbox.refuses_to_train(&["--data", "set", "--out", out], 1, &says[..1]);
    }
    sandbox.refuses_to_train(&["--data", "set", "--out", "new/.."], 2, &["--out", "new/.."]);
    if cfg!(target_os = "linux") {
        let ended =
            sandbox.refuses_to_train(&["--data", "set", "--out", "/proc/run"], 1, &["/proc"]);
        assert!(ended.err.contains("cannot"), "{ended:?}");
        let args = ["data", "render", "--size", "32", "--out", "/proc/drawings"];
        sandbox.refuses(args, 1, &["/proc/drawings"]);
    }
    sandbox.refuses(["data", "render", "--size", "32", "--out", "file"], 1, &["file"]);
    let mut command = sandbox.command(["train", "--data", "same_backgrounds", "--out", "runs/run"]);
    command.env("TMPDIR", sandbox.path("nowhere"));
    sandbox.refuses_when(command, 1, &["nowhere", "No such file"]);
}
