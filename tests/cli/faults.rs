//! Faults in the environment: full and read-only disks, files that disappear, a closed standard
//! output, and unusual file names. `tests/faults/README.md` lists them.

use super::support::{Ended, Sandbox, png};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const TRAIN: [&str; 6] = ["train", "--data", "set", "--image-size", "22", "--epochs"];

/// Every file with a final name in a run folder is complete.
#[track_caller]
fn assert_whole(sandbox: &Sandbox, folder: &str) {
    let Ok(entries) = fs::read_dir(sandbox.path(folder)) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = || fs::read_to_string(&path).unwrap();
        match name.as_str() {
            "config.toml" => assert!(text().contains("[optimizer]") && text().ends_with('\n')),
            "metrics.json" => assert!(serde_json::from_str::<serde_json::Value>(&text()).is_ok()),
            "report.html" => assert!(text().trim_end().ends_with("</html>")),
            "history.csv" => assert_eq!(text().lines().count(), 1 + 1),
            "predictions.csv" => assert_eq!(text().lines().count(), 1 + 4),
            "split.csv" => assert_eq!(text().lines().count(), 1 + 12),
            _ => match path.extension().and_then(|extension| extension.to_str()) {
                Some("safetensors") => {
                    let bytes = fs::read(&path).unwrap();
                    safetensors::SafeTensors::deserialize(&bytes).unwrap();
                }
                Some("sha256") => {
                    assert!(text().lines().count() > 0);
                    assert!(
                        text().lines().all(|line| line.split_once("  ").unwrap().0.len() == 64)
                    );
                }
                Some("png") => drop(image::open(&path).unwrap()),
                Some("svg") => assert!(text().trim_end().ends_with("</svg>")),
                None if name == "gradcam" => {
                    for entry in fs::read_dir(&path).unwrap() {
                        image::open(entry.unwrap().path()).unwrap();
                    }
                }
                _ => panic!("{name} should not be there"),
            },
        }
    }
}

#[cfg(target_os = "linux")]
mod disks {
    use super::*;
    use crate::cli::support::{SmallDisk, assert_same_run};

    #[test]
    fn a_disk_that_is_full_at_any_file() {
        let sandbox = Sandbox::with_set();
        let Some(disk) = SmallDisk::mount(sandbox.path("disk"), "100k") else { return };
        let train = [&TRAIN[..], &["1", "--out"]].concat();
        sandbox.run([&train[..], &["unbroken"]].concat()).ok();
        let mut full = Vec::new();
        // A checkpoint of 2.6 MB, then the model, tables and pictures.
        for kilobytes in (100..2_600).step_by(500).chain((2_600..8_000).step_by(70)) {
            disk.remount(&format!("size={kilobytes}k"));
            let ended = sandbox.run([&train[..], &["disk/run", "--resume"]].concat());
            assert_whole(&sandbox, "disk/run");
            if ended.status == 0 {
                break;
            }
            assert_eq!(ended.status, 1, "{ended:?}");
            let says = ["error: cannot ", "disk/run/", "No space left", "free some space"];
            let ended = ended.says(&[], &says);
            // The hint on resuming is printed if there is a checkpoint.
            let way_on = "once there is room, go on with: nn-cli train --resume --out disk/run";
            let is_saved = sandbox.path("disk/run/checkpoint.safetensors").exists();
            assert_eq!(ended.err.contains(way_on), is_saved, "{ended:?}");
            assert!(!ended.err.contains(".nn-draft") && !ended.err.contains("panicked"));
            full.push(ended.err.lines().last().unwrap().to_string());
        }
        // Each run got further, and could be resumed.
        assert_same_run(&sandbox, "disk/run", "unbroken");
        full.dedup();
        for file in ["checkpoint.safetensors", "model.safetensors", ".png", "gradcam"] {
            assert!(full.iter().any(|line| line.contains(file)), "{file}: {full:#?}");
        }
        println!("{full:#?}");
    }

    #[test]
    fn other_commands_on_a_full_disk() {
        let sandbox = Sandbox::with_run();
        sandbox.images("many/dark", 10);
        sandbox.images("many/light", 10);
        let Some(disk) = SmallDisk::mount(sandbox.path("disk"), "16k") else { return };
        let gradcam = ["gradcam", "--model", "run", "set/test", "--out", "disk/heat"];
        sandbox.refuses(gradcam, 1, &["disk/heat", "No space left"]);
        let render = ["data", "render", "--size", "100", "--out", "disk/drawings"];
        sandbox.refuses(render, 1, &["disk/drawings", "No space left"]);
        let ended = sandbox.run(["audit", "set", "--html", "disk/audit.html"]);
        assert_eq!(ended.status, 1, "{ended:?}");
        ended.says(&[], &["disk/audit.html", "No space left"]);
        assert_eq!(sandbox.names("disk"), [""; 0]);
        let repair = ["audit", "many", "--repair", "disk/copy", "--repair-as", "copy"];
        let ended = sandbox.run(repair);
        assert_eq!(ended.status, 1, "{ended:?}");
        ended.says(&[], &["No space left"]);
        assert_eq!(sandbox.names("disk"), [""; 0]);
        // Where the images are rendered on the way.
        let mut command =
            sandbox.command(["train", "--data", "same_backgrounds", "--out", "runs/run"]);
        command.env("TMPDIR", sandbox.path("disk"));
        sandbox.refuses_when(command, 1, &["No space left"]);
        drop(disk);
    }

    #[test]
    fn a_disk_that_is_read_only() {
        let sandbox = Sandbox::with_run();
        let Some(disk) = SmallDisk::mount(sandbox.path("disk"), "30m") else { return };
        let train = [&TRAIN[..], &["1", "--out"]].concat();
        sandbox.run([&train[..], &["disk/run"]].concat()).ok();
        disk.remount("ro");
        let says = ["Read-only file system", "choose another"];
        sandbox.refuses([&train[..], &["disk/new"]].concat(), 1, &says);
        sandbox.refuses([&train[..], &["disk/run", "--overwrite"]].concat(), 1, &says);
        let more = ["train", "--resume", "--out", "disk/run", "--epochs", "2"];
        sandbox.refuses(more, 1, &says);
        sandbox.run(["audit", "set", "--html", "disk/a.html"]).says(&[], &says[..1]);
        for args in [
            &["gradcam", "--model", "run", "set/test", "--out", "disk/heat"][..],
            &["data", "render", "--size", "32", "--out", "disk/drawings"],
            &["experiment", "--image-size", "22", "--epochs", "1", "--out", "disk/experiment"],
        ] {
            sandbox.refuses(args, 1, &says[..1]);
        }
        // What only reads, reads.
        sandbox.run(["predict", "--model", "disk/run", "set/test"]).ok();
    }
}

/// The program run as an unprivileged user who owns no files here. `None` where that is not possible.
#[cfg(target_os = "linux")]
fn as_nobody(sandbox: &Sandbox, args: &[&str]) -> Option<Command> {
    let program = env!("CARGO_BIN_EXE_nn-cli");
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let mut probe = Command::new("setpriv");
    probe.args(nobody).args([program, "--version"]).current_dir(sandbox.path(""));
    if !probe.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: only an administrator can be somebody else");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(nobody).arg(program).args(args).current_dir(sandbox.path(""));
    command.env("RAYON_NUM_THREADS", "1").env("TMPDIR", "/tmp");
    Some(command)
}

#[cfg(target_os = "linux")]
#[test]
fn what_may_not_be_read_or_written() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_run();
    let set = |name: &str, mode| {
        fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("..", 0o755);
    let train = [&TRAIN[..], &["1", "--out"]].concat();
    let check = |args: &[&str], says: &[&str]| {
        if let Some(command) = as_nobody(&sandbox, args) {
            sandbox.refuses_when(command, 1, &[says, &["Permission denied"]].concat());
        }
    };
    // A working directory of another user.
    check(&[&train[..], &["new"]].concat(), &["new", "choose another place"]);
    check(&[&train[..], &["run", "--overwrite"]].concat(), &["run", "choose another place"]);
    check(&["train", "--resume", "--out", "run", "--epochs", "2"], &["run"]);
    check(&["gradcam", "--model", "run", "set/test", "--out", "heat"], &["heat"]);
    set("set/train/dark/0.png", 0);
    check(&[&train[..], &["new"]].concat(), &["new"]);
    check(&["predict", "--model", "run", "set/train"], &["set/train/dark/0.png", "--skip"]);
    set("set/train/dark", 0);
    check(&[&train[..], &["/tmp/never"]].concat(), &["set/train/dark"]);
    set("run/model.safetensors", 0);
    check(&["predict", "--model", "run", "set/test"], &["run/model.safetensors", "permissions"]);
    set("set/train/dark", 0o755);
}

#[test]
fn images_that_vanish_while_they_are_looked_at() {
    let sandbox = Sandbox::new();
    for class in ["dark", "light"] {
        for i in 0..100 {
            sandbox.write(format!("set/train/{class}/{i}.png"), png(class, i % 8));
        }
        sandbox.images(format!("set/test/{class}"), 2);
    }
    let args = [&TRAIN[..], &["1", "--out", "run", "--overwrite"]].concat();
    let (mut trained, mut named) = (0, 0);
    for delay in 0..12 {
        let mut command = sandbox.command(&args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3 * delay));
        fs::rename(sandbox.path("set/train/light"), sandbox.path("gone")).unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap());
        fs::rename(sandbox.path("gone"), sandbox.path("set/train/light")).unwrap();
        assert!(!ended.err.contains("panicked"), "{ended:?}");
        match ended.status {
            0 => trained += 1,
            1 => {
                named += 1;
                assert!(ended.err.contains("set"), "{ended:?}");
                assert!(!sandbox.path("run/.checkpoint.safetensors").exists());
            }
            _ => panic!("{ended:?}"),
        }
        assert!(sandbox.temporary().is_empty());
    }
    println!("{trained} trained, {named} told what was gone");
}

/// Runs the program with its output closed as soon as it starts, as `| head -0` does.
fn unread(sandbox: &Sandbox, args: &[&str]) -> i32 {
    let mut child =
        sandbox.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child.wait().unwrap().code().expect("no signal ends it")
}

#[test]
fn nobody_reads_what_a_command_prints() {
    let sandbox = Sandbox::with_run();
    let commands: [(&[&str], i32); 15] = [
        (&["--help"], 0),
        (&["train", "--help"], 0),
        (&["--version"], 0),
        (&["train", "--data", "set", "--image-size", "22", "--epochs", "1", "--out", "again"], 0),
        (&["train", "--resume", "--out", "again"], 0),
        (&["experiment", "--image-size", "22", "--epochs", "1", "--data-root", "sets"], 0),
        (&["evaluate", "--model", "run", "--data", "set"], 0),
        (&["predict", "--model", "run", "set"], 0),
        (&["gradcam", "--model", "run", "set", "--out", "heat"], 0),
        (&["summary"], 0),
        (&["bench", "--image-size", "22", "--steps", "1"], 0),
        (&["data", "list"], 0),
        (&["data", "render", "background_swap", "--size", "32", "--out", "drawings"], 0),
        (&["audit", "set", "--allow", "1000"], 0),
        // Its answer is in the status, too.
        (&["audit", "copies"], 3),
    ];
    for class in ["dark", "light"] {
        for set in ["different_backgrounds", "same_backgrounds"] {
            sandbox.images(format!("sets/{set}/train/{class}"), 4);
            sandbox.images(format!("sets/{set}/test/{class}"), 2);
        }
        sandbox.images(format!("sets/background_swap/{class}"), 2);
        sandbox.images(format!("copies/train/{class}"), 4);
        sandbox.images(format!("copies/test/{class}"), 2);
    }
    sandbox.write("copies/test/dark/0.png", sandbox.bytes("copies/train/dark/3.png"));
    for (args, status) in commands {
        assert_eq!(unread(&sandbox, args), status, "{args:?}");
        let json = [args, &["--json"]].concat();
        let again = args.contains(&"--out") || args[0] == "experiment";
        if !again {
            assert_eq!(unread(&sandbox, &json), status, "{json:?}");
        }
    }
    // What was to be written is.
    assert!(sandbox.path("again/model.safetensors").is_file());
}

#[cfg(unix)]
#[test]
fn names_that_look_like_something_else() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let set = Path::new("-set 'a' \"b\"\n");
    for class in ["-dark", "light and 'shade'"] {
        for part in ["train", "test"] {
            sandbox.images(set.join(part).join(class), 3);
        }
    }
    let raw = set.join("train/-dark").join(std::ffi::OsStr::from_bytes(b"\xf0\x9f.png"));
    sandbox.write(raw, png("dark", 7));
    let data = format!("./{}", set.display());
    let out = "./-run 'c'\n";
    let args = ["train", "--data", &data, "--image-size", "22", "--epochs", "1", "--out", out];
    sandbox.run(args).ok();
    // The way back is one that a shell understands.
    let again = sandbox.run(["train", "--resume", "--out", out]).ok();
    again.says(&[], &["the run is finished"]);
    let image = format!("{data}/test/-dark/0.png");
    let predicted = sandbox.run(["predict", "--model", out, &image, "--json"]).json();
    assert_eq!(predicted.as_array().unwrap().len(), 1);
    sandbox.write("-0.png", png("dark", 1));
    sandbox.run(["predict", "--model", out, "--", "-0.png"]).ok();
    sandbox.run(["gradcam", "--model", out, "--out=-heat", "--", "-0.png"]).ok();
    assert!(sandbox.path("-heat").is_dir());
    sandbox.run(["audit", &data, "--allow", "1000"]).ok();
}

#[cfg(unix)]
#[test]
fn links_that_lead_back() {
    use std::os::unix::fs::symlink;
    let sandbox = Sandbox::with_run();
    for (target, link) in [
        ("..", "set/train/dark/up"),
        ("../../..", "set/test/light/all.png"),
        ("self.png", "set/train/dark/self.png"),
        (".", "set/test/dark/here"),
    ] {
        symlink(target, sandbox.path(link)).unwrap();
    }
    let train = [&TRAIN[..], &["1", "--out", "again"]].concat();
    let loops = sandbox.refuses(&train, 1, &["set/train/dark/self.png"]);
    assert!(loops.err.contains("symbolic link"), "{loops:?}");
    fs::remove_file(sandbox.path("set/train/dark/self.png")).unwrap();
    sandbox.run(&train).ok();
    let all = sandbox.run(["predict", "--model", "run", "set", "--json"]).json();
    assert_eq!(all.as_array().unwrap().len(), 12);
    sandbox.run(["audit", "set", "--allow", "1000"]).ok();
    // A run folder that is a symbolic link, and a broken link.
    fs::create_dir(sandbox.path("real")).unwrap();
    symlink("real", sandbox.path("linked")).unwrap();
    sandbox.run([&TRAIN[..], &["1", "--out", "linked"]].concat()).ok();
    assert!(sandbox.path("real/model.safetensors").is_file());
    symlink("loop", sandbox.path("loop")).unwrap();
    sandbox.refuses([&TRAIN[..], &["1", "--out", "loop"]].concat(), 1, &["loop"]);
}
