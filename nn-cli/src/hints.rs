//! Error messages and hints for names and paths that do not exist: what was probably meant, and what to do.

use nn_core::data::EXTENSIONS;
use nn_core::model::safetensors::OtherFormat;
use nn_study::run_folder::{METRICS_FILE, MODEL_FILE};
use nn_study::shell::quoted;
pub use nn_study::similar::{did_you_mean, similar};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The default folder of runs.
pub const RUNS: &str = "runs";

/// The maximum number of runs that are named.
const MOST: usize = 3;

/// The maximum number of entries of a folder that are searched for a similar name.
const MOST_ENTRIES: usize = 10_000;

/// File extensions of archives, each with the command that unpacks it.
const ARCHIVES: [(&str, &str); 9] = [
    (".tar.gz", "tar -xf"),
    (".tar.xz", "tar -xf"),
    (".tar.bz2", "tar -xf"),
    (".tar.zst", "tar -xf"),
    (".tgz", "tar -xf"),
    (".tar", "tar -xf"),
    (".zip", "unzip"),
    (".7z", "7z x"),
    (".rar", "unrar x"),
];

/// The names; of many only the first ones, and the number of the others.
pub fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 12;
    match names.len().checked_sub(SHOWN).filter(|more| *more > 1) {
        None => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// A hint for a path that does not exist: what was probably meant, and what to do, without a full stop.
/// `None` if there is no hint.
pub fn path(typed: &str) -> Option<String> {
    if typed.trim().is_empty() {
        return Some("it is empty; is a variable of the shell not set?".into());
    }
    if let Some(rest) = typed.strip_prefix('~') {
        let told = "the shell replaces ~ by your home folder only where a word begins with it, outside \
                    quotes";
        let instead = match rest.strip_prefix('/') {
            Some(rest) => format!("write \"$HOME/{rest}\""),
            None => "write the path in full".into(),
        };
        return Some(format!("{told}; {instead}"));
    }
    if let Some((scheme, rest)) = typed.split_once("://")
        && scheme.len() > 1
        && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return Some(match scheme {
            "file" => format!("write the path alone, {}", rest.trim_start_matches("localhost")),
            _ => {
                "it is an address, not a folder or file; download it first, and pass what you get, \
                  unpacked"
                    .into()
            }
        });
    }
    if !cfg!(windows) && (typed.contains('\\') || is_drive(typed)) {
        return Some(windows(typed));
    }
    if typed.contains(['*', '?', '[']) {
        return Some(
            "the shell found no file for this pattern, or was kept from looking by quotes; write it \
             without quotes, or name the folder"
                .into(),
        );
    }
    neighbours(Path::new(typed))
}

/// Whether a path begins with a drive letter.
fn is_drive(typed: &str) -> bool {
    let bytes = typed.as_bytes();
    bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':'
}

/// A hint for a Windows path on another system.
fn windows(typed: &str) -> String {
    let plain = typed.replace('\\', "/");
    let instead = if is_drive(&plain) {
        // In WSL, drives are mounted below /mnt.
        let mounted =
            format!("/mnt/{}{}", plain[..1].to_lowercase(), plain[2..].trim_end_matches('/'));
        match Path::new(&mounted).exists() {
            true => format!("write {mounted}"),
            false => "write it as this system does, say photos/train".into(),
        }
    } else {
        format!("write {plain}")
    };
    format!("it is written as on Windows; {instead}")
}

/// Suggests similar names for the first missing component of the path.
fn neighbours(path: &Path) -> Option<String> {
    let there = |path: &&Path| path.as_os_str().is_empty() || path.is_dir();
    let folder = path.ancestors().skip(1).find(there)?;
    let rest = path.strip_prefix(folder).unwrap_or(path);
    let mut parts = rest.components().map(|part| part.as_os_str());
    let missing = parts.next()?.to_string_lossy().into_owned();
    let after: PathBuf = parts.collect();
    let names = names_in(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let found = similar(&missing, names.iter().map(String::as_str));
    let found: Vec<PathBuf> = found.into_iter().map(|name| folder.join(name)).collect();
    // Suggestions under which the whole path exists are preferred.
    let whole: Vec<&PathBuf> = found.iter().filter(|path| path.join(&after).exists()).collect();
    let list = |paths: &[&PathBuf], after: &Path| {
        let shown = |path: &&PathBuf| match after.as_os_str().is_empty() {
            true => path.display().to_string(),
            false => path.join(after).display().to_string(),
        };
        paths.iter().map(shown).collect::<Vec<_>>().join(" or ")
    };
    if !whole.is_empty() {
        return Some(format!("did you mean {}?", list(&whole, &after)));
    }
    let nowhere = !folder.as_os_str().is_empty() && path.parent() != Some(folder);
    match (found.is_empty(), nowhere) {
        (false, _) => Some(format!(
            "did you mean {}?",
            list(&found.iter().collect::<Vec<_>>(), Path::new(""))
        )),
        (true, true) => Some(format!("{} has no {missing} in it", folder.display())),
        (true, false) => None,
    }
}

/// The names in a folder that are not hidden, sorted.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let name = |entry: fs::DirEntry| entry.file_name().into_string().ok();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES);
    entries.filter_map(name).filter(|name| !name.starts_with('.')).collect()
}

/// A hint for a file given instead of a folder of images: an archive, or one image.
pub fn file_as_folder(path: &Path) -> Option<String> {
    let name = path.file_name().map(OsStr::to_string_lossy)?.to_lowercase();
    if let Some((ending, command)) = ARCHIVES.iter().find(|(ending, _)| name.ends_with(ending)) {
        let unpacked = &name[..name.len() - ending.len()];
        return Some(format!(
            "it is an archive; unpack it (`{command} {}`) and pass the folder, say {unpacked}",
            quoted(&path.display().to_string())
        ));
    }
    None
}

/// What a file is if it is a model of another program, or not a model at all.
pub fn other_model(path: &Path) -> Option<String> {
    if let Some(OtherFormat { what, remedy }) = OtherFormat::of(path) {
        return Some(format!("is {what}; {remedy}"));
    }
    let ending = path.extension()?.to_str()?.to_lowercase();
    let what = match ending.as_str() {
        "pb" | "tflite" => "is a model as TensorFlow saves it, which cannot be read here",
        "pkl" | "joblib" | "npz" | "npy" => "is an array or object as Python saves it, no model",
        "zip" | "gz" | "tar" | "tgz" | "7z" | "rar" => {
            "is an archive; unpack it and pass the run folder in it"
        }
        ending if EXTENSIONS.contains(&ending) => "is an image, no model",
        "toml" | "json" | "csv" | "svg" | "html" => {
            "is no model; pass the folder of the run, or its model.safetensors"
        }
        _ => return None,
    };
    Some(what.into())
}

/// The error for a model that does not exist.
pub fn model(typed: &Path) -> String {
    let name = typed.to_string_lossy();
    let run = Path::new(RUNS).join(typed);
    if typed.is_relative() && run.join(MODEL_FILE).is_file() {
        return format!("did you mean {}?", run.display());
    }
    if let Some(hint) = path(&name) {
        return hint;
    }
    let names = names_in(Path::new(RUNS));
    let is_run = |name: &&str| Path::new(RUNS).join(name).join(METRICS_FILE).is_file();
    let runs: Vec<&str> = names.iter().map(String::as_str).filter(is_run).collect();
    let last = typed.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    match (similar(&last, runs.iter().copied()).as_slice(), runs.as_slice()) {
        ([], []) => "pass a run folder, a model.safetensors or an ONNX file".into(),
        ([], _) => "`nn-cli runs` lists the runs there are".into(),
        (found, _) => {
            let found: Vec<String> = found.iter().map(|name| format!("{RUNS}/{name}")).collect();
            format!("did you mean {}?", found.join(" or "))
        }
    }
}

/// The error for a folder given as a model that contains none.
pub fn folder_without_model(folder: &Path) -> String {
    let inner = |below: &str| {
        let names = names_in(&folder.join(below));
        let below = folder.join(below);
        let is_run = |name: &String| below.join(name).join(MODEL_FILE).is_file();
        let found: Vec<String> = names
            .into_iter()
            .filter(is_run)
            .map(|name| below.join(name).display().to_string())
            .collect();
        found
    };
    let runs = [inner("runs"), inner("")].concat();
    if runs.is_empty() {
        return match folder.join("checkpoint.safetensors").exists() {
            true => format!(
                "the run in it did not come to its end; go on with it with `nn-cli train --resume --out \
                 {}`",
                quoted(&folder.display().to_string())
            ),
            false => "pass the folder of a run, as `nn-cli train` writes it".into(),
        };
    }
    let more = if runs.len() > MOST { ", ..." } else { "" };
    format!("it holds runs; name one of them: {}{more}", runs[..runs.len().min(MOST)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_or_another_system_would_have_taken_is_named() {
        for (typed, says) in [
            ("~/photos", "\"$HOME/photos\""),
            ("~anna/photos", "in full"),
            ("https://example.org/set.zip", "download it first"),
            ("s3://bucket/set", "download it first"),
            ("file:///home/anna/photos", "/home/anna/photos"),
            ("photos/*.jpg", "pattern"),
            ("", "empty"),
            (" ", "empty"),
        ] {
            let told = path(typed).unwrap_or_default();
            assert!(told.contains(says), "{typed}: {told}");
        }
        if !cfg!(windows) {
            for (typed, says) in [
                ("C:\\Users\\anna\\photos", "as on Windows"),
                ("C:/Users/anna", "as on Windows"),
                ("photos\\train", "write photos/train"),
            ] {
                let told = path(typed).unwrap_or_default();
                assert!(told.contains(says), "{typed}: {told}");
            }
        }
        assert_eq!(path("nothing-that-is-here"), None);
    }

    #[test]
    fn neighbours_are_suggested_as_far_as_they_go() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("Photos/train/husky")).unwrap();
        let told = |rest: &str| path(&dir.path().join(rest).display().to_string());
        let at = |rest: &str| dir.path().join(rest).display().to_string();
        assert_eq!(told("photos"), Some(format!("did you mean {}?", at("Photos"))));
        assert_eq!(told("photo/train"), Some(format!("did you mean {}?", at("Photos/train"))));
        assert_eq!(
            told("Photos/tain/husky"),
            Some(format!("did you mean {}?", at("Photos/train/husky")))
        );
        assert_eq!(told("Photos/xyz/a"), Some(format!("{} has no xyz in it", at("Photos"))));
        assert_eq!(told("quite-other"), None);
    }

    #[test]
    fn files_that_are_something_else_are_named() {
        let told = |name: &str| file_as_folder(Path::new(name)).unwrap_or_default();
        assert!(told("a/Set.zip").contains("`unzip a/Set.zip`"));
        assert!(told("set.tar.gz").contains("`tar -xf set.tar.gz`"));
        assert_eq!(told("set.jpg"), "");
        assert!(other_model(Path::new("m.TFLITE")).unwrap().contains("TensorFlow"));
        assert_eq!(other_model(Path::new("m.safetensors")), None);
    }
}
