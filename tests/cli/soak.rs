//! Long runs: memory and the number of open files are constant after the first epochs.
//!
//! `cargo test -p nn-cli --test cli soak -- --ignored --nocapture` shows the figures.

use super::support::*;
use std::fs;
use std::time::Duration;

/// The resources of a process: resident memory in KiB, and open files.
#[derive(Debug, Clone, Copy)]
struct Held {
    memory: u64,
    files: usize,
}

impl Held {
    /// None once the process has ended.
    fn by(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory = memory.trim().trim_end_matches(" kB").parse().ok()?;
        let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
        Some(Self { memory, files })
    }
}

#[test]
#[ignore = "a thousand epochs"]
#[cfg(target_os = "linux")]
fn a_thousand_epochs_hold_no_more_than_two_hundred() {
    let sandbox = Sandbox::with_set();
    let args = ["train", "--data", "set", "--out", "run", "--image-size", "22", "--epochs", "1000"];
    let mut child = sandbox.command(args).arg("--quiet").spawn().unwrap();
    let mut held = Vec::new();
    while child.try_wait().unwrap().is_none() {
        held.extend(Held::by(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    let metrics: serde_json::Value =
        serde_json::from_str(&sandbox.text("run/metrics.json")).unwrap();
    assert_eq!(metrics["history"].as_array().unwrap().len(), 1000);
    assert!(held.len() >= 100, "only {} looks at it", held.len());

    // The first fifth makes the buffers; in the last one results are drawn.
    let fifth = held.len() / 5;
    let most = |looks: &[Held]| Held {
        memory: looks.iter().map(|held| held.memory).max().unwrap(),
        files: looks.iter().map(|held| held.files).max().unwrap(),
    };
    let (first, rest) = (most(&held[..fifth]), most(&held[fifth..4 * fifth]));
    println!("{} looks; first fifth {first:?}, then {rest:?}", held.len());
    assert!(rest.memory <= first.memory + 1024, "{first:?}, then {rest:?}");
    assert!(rest.files <= first.files, "{first:?}, then {rest:?}");
}
