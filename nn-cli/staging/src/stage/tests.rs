//! Every policy from opening a stage to its commit, and what is left without a commit.

use super::*;
use std::io;

const ELSEWHERE: &str = "choose another --out";
const ADD: Policy = Policy::AddFiles { overwrite: false };
const MOVE: Policy = Policy::MoveEntries { last: "metrics.json" };

/// Only folders with results of this program may be replaced.
fn only_runs(folder: &Path) -> Result<()> {
    if folder.join("metrics.json").exists() {
        return Ok(());
    }
    Err(Error::file(folder, "is not a run folder", ELSEWHERE))
}

const REPLACE: Policy = Policy::ReplaceFolder { may_replace: only_runs };

fn open(target: &Path, policy: Policy) -> Result<Stage> {
    Stage::open(target, policy, ELSEWHERE)
}

/// Opens a stage, writes `files` and commits.
fn commit(target: &Path, policy: Policy, files: &[&str], content: &str) -> Result<()> {
    let stage = open(target, policy)?;
    for file in files {
        stage.folder().write(file, content)?;
    }
    stage.commit().map(drop)
}

fn refusal(result: Result<impl Sized>) -> String {
    result.err().unwrap().to_string()
}

fn entries(dir: &Path) -> Vec<String> {
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_stage_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/run");
    for policy in [REPLACE, Policy::NewFolder, MOVE, ADD] {
        let stage = open(&target, policy).unwrap();
        let folder = stage.folder();
        folder.write("config.toml", "x").unwrap();
        folder.folder("heat").unwrap().write("a.png", "x").unwrap();
        assert!(!target.join("config.toml").exists());
        assert_eq!(target.exists(), !matches!(policy, Policy::NewFolder));
        drop(stage);
        assert_eq!(entries(dir.path()), [""; 0], "{policy:?}");
    }
}

#[test]
fn a_whole_folder_replaces_what_may_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("run");
    for round in ["1", "2"] {
        commit(&target, REPLACE, &["metrics.json", round], round).unwrap();
        assert_eq!(text(target.join("metrics.json")), round);
        assert_eq!(entries(&target), [round, "metrics.json"]);
        assert_eq!(entries(dir.path()), ["run"]);
    }
    fs::remove_file(target.join("metrics.json")).unwrap();
    let refused = refusal(open(&target, REPLACE));
    assert!(refused.contains("is not a run folder"), "{refused}");
    // Another file appears in the target while the stage is open.
    let late = dir.path().join("late");
    for policy in [REPLACE, Policy::NewFolder] {
        let stage = open(&late, policy).unwrap();
        stage.folder().write("a", "x").unwrap();
        fs::create_dir_all(&late).unwrap();
        fs::write(late.join("mine"), "x").unwrap();
        assert!(stage.commit().is_err());
        assert_eq!(entries(&late), ["mine"]);
        fs::remove_dir_all(&late).unwrap();
    }
    fs::write(&late, "a file").unwrap();
    for policy in [REPLACE, Policy::NewFolder, MOVE, ADD] {
        let refused = refusal(open(&late, policy));
        assert!(refused.contains("not a folder; choose another --out"), "{refused}");
    }
    assert_eq!(entries(dir.path()), ["late", "run"]);
}

#[test]
fn a_new_folder_replaces_nothing_but_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("set");
    fs::create_dir(&target).unwrap();
    commit(&target, Policy::NewFolder, &["a.png"], "1").unwrap();
    assert_eq!(entries(&target), ["a.png"]);
    let refused = refusal(open(&target, Policy::NewFolder));
    assert!(refused.ends_with("exists already; remove it, or choose another --out"), "{refused}");
}

#[cfg(unix)]
#[test]
fn others_may_read_results_as_usual() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (ours, usual) = (dir.path().join("ours"), dir.path().join("usual"));
    commit(&ours, REPLACE, &["a"], "x").unwrap();
    fs::create_dir(&usual).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&usual));
}

#[test]
fn entries_are_moved_into_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path();
    fs::write(target.join("checkpoint"), "old").unwrap();
    for round in ["1", "2"] {
        let stage = open(target, MOVE).unwrap();
        for name in ["metrics.json", "model"] {
            stage.folder().write(name, round).unwrap();
        }
        stage.folder().folder("heat").unwrap().write(round, round).unwrap();
        stage.commit().unwrap();
        assert_eq!(entries(target), ["checkpoint", "heat", "metrics.json", "model"]);
        assert_eq!(text(target.join("metrics.json")), round);
        // A folder is replaced, not added to.
        assert_eq!(entries(&target.join("heat")), [round]);
    }
    // A file replaces a folder, and a folder replaces a file.
    let stage = open(target, MOVE).unwrap();
    stage.folder().write("heat", "a file").unwrap();
    stage.folder().write("metrics.json", "3").unwrap();
    stage.folder().folder("model").unwrap();
    stage.commit().unwrap();
    assert!(target.join("heat").is_file() && target.join("model").is_dir());
    // Without the last file, the target must count as incomplete.
    let stage = open(target, MOVE).unwrap();
    stage.folder().write("model", "4").unwrap();
    assert!(stage.commit().is_err());
    assert_eq!(entries(target), ["checkpoint", "heat", "model"]);
}

#[test]
fn files_are_added_all_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/heat");
    let again = Policy::AddFiles { overwrite: true };
    commit(&target, ADD, &["a.png"], "1").unwrap();
    assert_eq!(entries(&target), ["a.png"]);
    let refused = refusal(open(&target, ADD));
    assert!(refused.contains("not empty") && refused.contains("--overwrite"), "{refused}");

    fs::write(target.join("mine.txt"), "x").unwrap();
    commit(&target, again, &["a.png", "b.png"], "2").unwrap();
    assert_eq!(entries(&target), ["a.png", "b.png", "mine.txt"]);
    assert_eq!(text(target.join("a.png")), "2");

    fs::create_dir(target.join("c.png")).unwrap();
    let refused = refusal(commit(&target, again, &["a.png", "c.png"], "3"));
    assert!(refused.contains("c.png") && refused.contains("in the way"), "{refused}");
    assert_eq!(text(target.join("a.png")), "2");
    assert_eq!(entries(&target), ["a.png", "b.png", "c.png", "mine.txt"]);
}

/// Simulates a killed program: no destructor runs, and the system releases the locks.
#[cfg(unix)]
fn kill(stage: Stage) -> PathBuf {
    let Stage { hidden, target, .. } = stage;
    let left = hidden.keep();
    target.leave();
    left
}

#[cfg(unix)]
#[test]
fn what_a_killed_program_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for policy in [REPLACE, Policy::NewFolder, MOVE, ADD] {
        let killed = open(&path("run"), policy).unwrap();
        killed.folder().write("a", "half").unwrap();
        if !matches!(policy, Policy::NewFolder) {
            let refused = refusal(open(&path("run"), policy));
            assert!(refused.contains("another program"), "{refused}");
        }
        let left = kill(killed);
        assert!(left.exists());
        if path("run").exists() {
            assert!(holds_only_stages(&path("run")).unwrap());
        }
        let stage = open(&path("run"), policy).unwrap();
        assert!(!left.exists() && stage.folder().path().exists());
        stage.folder().write("metrics.json", "whole").unwrap();
        stage.commit().unwrap();
        assert_eq!(entries(&path("run")), ["metrics.json"]);
        fs::remove_dir_all(path("run")).unwrap();
    }
    // A stage in use stays, and so does a file that is only named like a stage.
    let at_work = open(&path("other"), REPLACE).unwrap();
    fs::write(path(".nn-draft-file"), "mine").unwrap();
    fs::create_dir(path(".nn-draft-killed")).unwrap();
    drop(open(&path("run"), REPLACE).unwrap());
    assert!(at_work.folder().path().exists() && path(".nn-draft-file").exists());
    assert!(!path(".nn-draft-killed").exists());
}

#[cfg(unix)]
#[test]
fn an_empty_folder_that_nobody_writes_to_is_abandoned() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("run");
    let killed = open(&target, REPLACE).unwrap();
    assert!(!is_abandoned(&target));
    kill(killed);
    assert!(is_abandoned(&target));
    fs::write(target.join("a"), "x").unwrap();
    assert!(!is_abandoned(&target) && !is_abandoned(&dir.path().join("missing")));
}
