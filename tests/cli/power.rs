//! Power failures: a file is synced before it is renamed to its final name, and its folder soon
//! after. The tests check the order of system calls with strace.

use super::support::Sandbox;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The data that would be lost in a power failure.
#[derive(Default)]
struct Disk {
    /// Files and folders that were written to and not synced since.
    unsure: HashSet<PathBuf>,
    /// The file that each thread is syncing.
    waiting: HashMap<String, PathBuf>,
    renamed: Vec<PathBuf>,
}

impl Disk {
    /// A line of the log: thread, call, arguments, result. `<path>` is the path of a file descriptor.
    fn see(&mut self, line: &str, within: &Path) {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        let of_number = || Some(PathBuf::from(call.split_once('<')?.1.split_once('>')?.0));
        if call.contains(" = -1 ") {
            // The call failed.
        } else if call.starts_with("write") || call.starts_with("pwrite") {
            if let Some(path) = of_number().filter(|path| path.starts_with(within)) {
                self.unsure.extend(path.parent().map(Path::to_path_buf));
                self.unsure.insert(path);
            }
        } else if call.starts_with("fsync(") {
            let path = of_number().unwrap();
            if call.contains("<unfinished") {
                self.waiting.insert(thread.into(), path);
            } else {
                self.unsure.remove(&path);
            }
        } else if call.starts_with("<... fsync resumed") {
            self.unsure.remove(&self.waiting.remove(thread).unwrap());
        } else if call.starts_with("rename") {
            let [from, to] = [1, 3].map(|i| within.join(call.split('"').nth(i).unwrap()));
            let lost: Vec<_> = self.unsure.iter().filter(|path| path.starts_with(&from)).collect();
            assert!(lost.is_empty(), "{lost:?} are not sure to be on the disk: {line}");
            let folder = to.parent().unwrap();
            if to.ends_with("metrics.json") || to.ends_with("experiment.json") {
                assert!(!self.unsure.contains(folder), "not all other names are sure: {line}");
            }
            self.unsure.insert(folder.into());
            self.renamed.push(to);
        }
    }
}

/// Runs the program, and returns the final names that it renamed files to. `None` without strace.
fn watched(sandbox: &Sandbox, args: &[&str]) -> Option<Vec<String>> {
    let works = Command::new("strace").args(["-f", "-y", "-e", "trace=fsync", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no strace, or it may not look");
        return None;
    }
    let here = sandbox.path("").canonicalize().unwrap();
    let program = sandbox.command(args);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "0", "-o", "calls"]);
    command.args(["-e", "trace=write,pwrite64,fsync,rename,renameat,renameat2"]);
    command.arg(program.get_program()).args(args).current_dir(&here);
    command.env("RAYON_NUM_THREADS", "2").env("TMPDIR", &here);
    assert!(command.output().unwrap().status.success());
    let mut disk = Disk::default();
    for line in sandbox.text("calls").lines() {
        disk.see(line, &here);
    }
    let out = here.join("out");
    let unsure: Vec<_> = disk.unsure.iter().filter(|path| out.starts_with(path)).collect();
    assert!(unsure.is_empty(), "names in {unsure:?} are not sure to be on the disk");
    let name = |path: &PathBuf| Some(path.strip_prefix(&here).ok()?.to_str()?.to_string());
    Some(disk.renamed.iter().filter_map(name).collect())
}

#[test]
fn what_has_its_name_is_on_the_disk() {
    let sandbox = Sandbox::with_sets();
    let short = ["--image-size", "22", "--epochs", "2"];
    let train = ["train", "--data", "data/same_backgrounds", "--out", "out"];
    let Some(names) = watched(&sandbox, &[&train[..], &short].concat()) else { return };
    let times = |name: &str| names.iter().filter(|renamed| *renamed == name).count();
    assert_eq!(times("out/checkpoint.safetensors"), 2);
    assert_eq!(times("out/checkpoint.previous.safetensors"), 1);
    for name in ["out/model.safetensors", "out/gradcam", "out/metrics.json"] {
        assert_eq!(times(name), 1, "{names:?}");
    }
    let heat = ["gradcam", "--model", "out", "data/same_backgrounds/test", "--out", "out/heat"];
    // Four images, and all of them on one.
    assert_eq!(watched(&sandbox, &heat).unwrap().len(), 5);
    std::fs::remove_dir_all(sandbox.path("out")).unwrap();
    let experiment = ["experiment", "--seeds", "1", "--out", "out"];
    let names = watched(&sandbox, &[&experiment[..], &short].concat()).unwrap();
    assert_eq!(names.last().unwrap(), "out");
}
