//! A sandbox to run the program in, and images for it.

use image::{Rgb, RgbImage};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The smallest image size that the network accepts, which is the fastest.
pub const SMALL: [&str; 4] = ["--image-size", "22", "--epochs", "1"];

/// A working directory and a `TMPDIR`, both fresh, removed in the end.
pub struct Sandbox {
    root: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Sandbox {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("work")).unwrap();
        fs::create_dir(root.path().join("tmp")).unwrap();
        Self { root }
    }

    /// A sandbox with the image folder `set`: `train/` and `test/`, classes `dark` and `light`, 4
    /// and 2 images each.
    pub fn with_set() -> Self {
        let sandbox = Self::new();
        for class in ["dark", "light"] {
            sandbox.images(format!("set/train/{class}"), 4);
            sandbox.images(format!("set/test/{class}"), 2);
        }
        sandbox
    }

    /// [`Sandbox::with_set`], and a model trained on it: the run folder `run`.
    pub fn with_run() -> Self {
        let sandbox = Self::with_set();
        sandbox.train(&["--data", "set", "--out", "run"]).ok();
        sandbox
    }

    /// A sandbox with the three sets of the experiment under `data`, as small as [`Self::with_set`].
    pub fn with_sets() -> Self {
        let sandbox = Self::new();
        for class in ["dark", "light"] {
            for set in ["different_backgrounds", "same_backgrounds"] {
                sandbox.images(format!("data/{set}/train/{class}"), 4);
                sandbox.images(format!("data/{set}/test/{class}"), 2);
            }
            sandbox.images(format!("data/background_swap/{class}"), 2);
        }
        sandbox
    }

    /// A path in the working directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes `count` images into a folder: `0.png`, `1.png`, ...
    pub fn images(&self, folder: impl AsRef<Path>, count: u8) {
        for i in 0..count {
            self.write(folder.as_ref().join(format!("{i}.png")), png(&folder, i));
        }
    }

    /// The program, ready to run here, with nothing of the user's environment that it looks at.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nn-cli"));
        command.args(args).current_dir(self.path("")).stdin(Stdio::null());
        command.env("TMPDIR", self.root.path().join("tmp"));
        // Tests run side by side already.
        command.env("RAYON_NUM_THREADS", "1");
        for name in ["NN_KERNEL", "NN_DATA_ROOT"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ended {
        Ended::from(self.command(args).output().unwrap())
    }

    /// Runs `train` with these arguments on the smallest network, one epoch.
    pub fn train(&self, args: &[&str]) -> Ended {
        self.run([&["train"], &SMALL[..], args].concat())
    }

    /// Runs `experiment` with these arguments on the smallest network, one epoch, into `experiment`.
    pub fn experiment(&self, args: &[&str]) -> Ended {
        self.run([&["experiment", "--out", "experiment"], &SMALL[..], args].concat())
    }

    /// Runs the program, which must fail with this status, a message on stderr that contains all of
    /// `says`, nothing on stdout, and no file created, changed or removed.
    #[track_caller]
    pub fn refuses<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        status: i32,
        says: &[&str],
    ) -> Ended {
        self.refuses_when(self.command(args), status, says)
    }

    /// [`Sandbox::refuses`] for a prepared command.
    #[track_caller]
    pub fn refuses_when(&self, mut command: Command, status: i32, says: &[&str]) -> Ended {
        let before = self.tree();
        let ended = Ended::from(command.output().unwrap());
        assert_eq!(ended.status, status, "{ended:?}");
        assert!(ended.err.contains("error: "), "{ended:?}");
        assert!(!ended.err.contains("panicked"), "{ended:?}");
        assert_eq!(ended.out, "");
        for part in says {
            assert!(ended.err.contains(part), "{part:?} is missing: {}", ended.err);
        }
        assert_eq!(self.tree(), before, "left behind after {}", ended.err);
        ended
    }

    /// [`Sandbox::refuses`] for `train` with these arguments on the smallest network.
    #[track_caller]
    pub fn refuses_to_train(&self, args: &[&str], status: i32, says: &[&str]) -> Ended {
        self.refuses([&["train"], &SMALL[..], args].concat(), status, says)
    }

    /// Every path in the sandbox, `TMPDIR` included, with its content.
    fn tree(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                found.push((path.clone(), fs::read(&path).ok()));
                if path.is_dir() {
                    walk(&path, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.root.path(), &mut found);
        found.sort();
        found
    }

    /// The names in a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// A file's content.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A file's content.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// What is in `TMPDIR`.
    pub fn temporary(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.path().join("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Nothing was left in `TMPDIR`.
    #[track_caller]
    pub fn is_clean(&self) {
        assert_eq!(self.temporary(), [""; 0].map(PathBuf::from));
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().expect("the program was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// The program succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    /// The program succeeded, and its standard output is a single JSON document.
    #[track_caller]
    pub fn json(self) -> Value {
        let ended = self.ok();
        serde_json::from_str(&ended.out).unwrap_or_else(|e| panic!("{e}: {}", ended.out))
    }

    /// Standard output and standard error have all this in them, wherever its lines are broken.
    #[track_caller]
    pub fn says(self, out: &[&str], err: &[&str]) -> Self {
        for (text, parts) in [(&self.out, out), (&self.err, err)] {
            let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in parts {
                let there = text.contains(part) || flat(text).contains(&flat(part));
                assert!(there, "{part:?} is missing: {text}");
            }
        }
        self
    }
}

/// A small image, different for each number, whose brightness depends on whether its folder's name
/// has `light` in it.
pub fn picture(folder: impl AsRef<Path>, number: u8) -> RgbImage {
    let base = if folder.as_ref().to_string_lossy().contains("light") { 150 } else { 20 };
    RgbImage::from_fn(20 + u32::from(number), 24, |x, y| {
        Rgb([base + number, base + (x * 3) as u8, base + (y * 2) as u8])
    })
}

/// [`picture`] as a PNG file.
pub fn png(folder: impl AsRef<Path>, number: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture(folder, number).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Sends the signal of Ctrl-C (SIGINT).
#[cfg(unix)]
pub fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(status.success());
}

/// Sends SIGKILL, and waits until the process has ended.
pub fn kill(mut child: Child) -> Ended {
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    Ended {
        status: output.status.code().unwrap_or(-9),
        out: String::from_utf8_lossy(&output.stdout).into(),
        err: String::from_utf8_lossy(&output.stderr).into(),
    }
}

/// Checks that two run folders hold the same run, except for times.
#[track_caller]
pub fn assert_same_run(sandbox: &Sandbox, one: &str, other: &str) {
    for name in ["model.safetensors", "predictions.csv", "split.csv", "config.toml", "curves.svg"] {
        let read = |folder: &str| sandbox.bytes(&format!("{folder}/{name}"));
        assert!(read(one) == read(other), "{name} differs between {one} and {other}");
    }
    let metrics = |folder: &str| {
        let text = sandbox.text(&format!("{folder}/metrics.json"));
        let mut metrics: Value = serde_json::from_str(&text).unwrap();
        for epoch in metrics["history"].as_array_mut().unwrap() {
            assert!(epoch.as_object_mut().unwrap().remove("seconds").is_some());
        }
        metrics
    };
    assert_eq!(metrics(one), metrics(other));
}

/// A file system of a stated size, unmounted in the end.
#[cfg(target_os = "linux")]
pub struct SmallDisk(PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// `None`, with a message, if this user may not mount file systems.
    pub fn mount(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let disk = Self(path);
        if disk.mount_with(&format!("size={size}")) {
            return Some(disk);
        }
        println!("skipped: only an administrator can mount a small disk");
        std::mem::forget(disk);
        None
    }

    /// Changes its size, or makes it read-only (`ro`).
    #[track_caller]
    pub fn remount(&self, options: &str) {
        assert!(self.mount_with(&format!("remount,{options}")));
    }

    fn mount_with(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0);
        mount.output().is_ok_and(|output| output.status.success())
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
