//! `kill -9` at random moments, and two processes in one folder.

use super::support::{Sandbox, assert_same_run, kill};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A run on the smallest images, which spends most of its time on training and saving.
const RUN: [&str; 7] = ["train", "--data", "set", "--image-size", "22", "--batch-size", "2"];

const SHORT: &str = "20";
const LONG: &str = "60";

fn start(sandbox: &Sandbox, epochs: &str, out: &str) -> Child {
    let args = [&RUN[..], &["--epochs", epochs, "--resume", "--out", out]].concat();
    sandbox.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs this line again and again, killing it each time before it is done; returns how often it was killed.
pub fn until_done(sandbox: &Sandbox, line: &[&str]) -> usize {
    // Each run gets further, or is given more time.
    let mut patience = Duration::from_millis(60);
    for kills in 0.. {
        let mut command = sandbox.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(patience);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return kills;
        }
        kill(child);
        patience = patience.mul_f64(1.2);
    }
    unreachable!("it is done some time")
}

/// Numbers from 0 to 1, the same in each run; the moment that is hit still varies.
fn fractions() -> impl Iterator<Item = f64> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407))
    };
    std::iter::successors(Some(27), next).map(|state| (state >> 11) as f64 / (1u64 << 53) as f64)
}

/// Kills `kills` runs, each once, resumes each and compares it with one that was never killed.
/// Returns where they were killed.
fn kill_each(kills: usize, epochs: &str) {
    let sandbox = Sandbox::with_set();
    let started = Instant::now();
    sandbox.run([&RUN[..], &["--epochs", epochs, "--out", "unbroken"]].concat()).ok();
    let whole = started.elapsed();
    let (mut before, mut training, mut after) = (0, 0, 0);
    for (i, fraction) in fractions().skip(1).take(kills).enumerate() {
        let out = format!("run-{i}");
        let child = start(&sandbox, epochs, &out);
        std::thread::sleep(whole.mul_f64(fraction));
        let ended = kill(child);
        // Every file with a final name is complete, above all the model.
        if sandbox.path(format!("{out}/model.safetensors")).exists() {
            sandbox.run(["summary", "--model", &format!("{out}/model.safetensors")]).ok();
        }
        match (ended.err.contains("epoch"), ended.err.contains("looking into")) {
            (false, _) => before += 1,
            (true, false) => training += 1,
            (true, true) => after += 1,
        }
        sandbox.run([&RUN[..], &["--epochs", epochs, "--resume", "--out", &out]].concat()).ok();
        assert_same_run(&sandbox, &out, "unbroken");
        let files = sandbox.names(&out);
        assert!(files.iter().all(|name| !name.starts_with('.')), "{files:?}");
        std::fs::remove_dir_all(sandbox.path(out)).unwrap();
    }
    println!("killed before the first epoch {before}, in training {training}, after {after}");
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    kill_each(4, SHORT);
}

/// `cargo test -p nn-cli --test cli fifty -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes"]
fn runs_killed_at_fifty_random_moments_go_on_to_the_same_bits() {
    kill_each(50, LONG);
}

#[test]
fn a_run_killed_again_and_again_comes_to_its_end() {
    let sandbox = Sandbox::with_set();
    sandbox.run([&RUN[..], &["--epochs", SHORT, "--out", "unbroken"]].concat()).ok();
    let line = [&RUN[..], &["--epochs", SHORT, "--resume", "--out", "run"]].concat();
    let kills = until_done(&sandbox, &line);
    println!("killed {kills} times");
    assert!(kills > 2);
    assert_same_run(&sandbox, "run", "unbroken");
}

#[cfg(unix)]
#[test]
fn one_run_at_a_time_in_a_folder() {
    let sandbox = Sandbox::with_set();
    let endless = ["train", "--data", "set", "--image-size", "22", "--epochs", "1000000"];
    let mut command = sandbox.command([&endless[..], &["--out", "run"]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().starts_with("epoch")));
    let started = Instant::now();
    for more in [&["--resume"][..], &["--overwrite"], &[]] {
        let second = sandbox.run([&endless[..], &["--out", "run"], more].concat());
        assert_eq!(second.status, 1, "{second:?}");
        second.says(&[], &["run: another program is writing", "wait for it", "another --out"]);
    }
    let experiment = sandbox.run(["experiment", "--image-size", "22", "--out", "run"]);
    assert_eq!(experiment.status, 1, "{experiment:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(child.try_wait().unwrap().is_none());
    // A killed program leaves no lock behind.
    kill(child);
    let over = ["train", "--data", "set", "--image-size", "22", "--epochs", "1", "--out", "run"];
    sandbox.run([&over[..], &["--overwrite"]].concat()).ok();
}
