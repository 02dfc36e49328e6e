//! Entries of a folder that were skipped, and why.

use super::part::Part;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A file or folder that was skipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PassedOver {
    /// Its path relative to the folder that was read, with forward slashes; the path of a folder
    /// ends with one.
    pub path: String,
    /// Why it was skipped.
    pub reason: Reason,
}

/// Why a file or folder was skipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An image or a film in a format that is not supported: its extension.
    Unread(String),
    /// An image in a format that is not supported, detected from its content: `an AVIF image`.
    UnreadKind(&'static str),
    /// An image in this folder of a split, but in no class folder.
    WithoutClass(String),
    /// An image beside the class folders.
    BesideClasses,
    /// An image in a folder beside those of the split; the value names the folders of the split.
    BesideSplit(String),
    /// An image that the table of labels does not name, or for which it has no class.
    NoClassInTable,
    /// An image that has a class, but no split, in the table of labels.
    NoPartInTable,
    /// A file that is named in the table of labels, but does not exist.
    Missing,
    /// A symbolic link to a folder, below a class folder or to a folder that contains the link.
    Link,
    /// A broken symbolic link.
    DeadLink,
    /// A special file: a pipe or a device.
    Special,
    /// A picture that `nn-cli` drew.
    OwnPicture,
    /// A folder that `nn-cli` wrote, and its description.
    OwnFolder(&'static str),
    /// A folder without any image in it.
    Empty,
    /// A folder without any image in it whose name stands for a split.
    EmptyPart(Part),
    /// Not an image.
    Other,
}

impl Reason {
    /// Whether the user may expect it to be used.
    fn is_a_loss(&self) -> bool {
        matches!(
            self,
            Self::Unread(_)
                | Self::UnreadKind(_)
                | Self::WithoutClass(_)
                | Self::BesideClasses
                | Self::BesideSplit(_)
                | Self::NoClassInTable
                | Self::NoPartInTable
                | Self::Missing
                | Self::Link
                | Self::DeadLink
                | Self::EmptyPart(_)
        )
    }

    /// Whether a summary lists the names of such entries instead of their number.
    fn is_told_by_name(&self) -> bool {
        matches!(
            self,
            Self::OwnFolder(_)
                | Self::Missing
                | Self::Empty
                | Self::EmptyPart(_)
                | Self::Link
                | Self::DeadLink
                | Self::Special
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnreadKind(kind) => write!(f, "{kind}, which is not read"),
            Self::Unread(extension) => write!(f, ".{extension} is not read"),
            Self::WithoutClass(folder) => write!(f, "in {folder}/ without a class"),
            Self::BesideClasses => f.write_str("in no class folder"),
            Self::BesideSplit(folders) => write!(f, "beside {folders}"),
            Self::NoClassInTable => f.write_str("without a class in the table of labels"),
            Self::NoPartInTable => f.write_str("without a split in the table of labels"),
            Self::Missing => f.write_str("in the table of labels, but not in the folder"),
            Self::Link => f.write_str("a link to a folder"),
            Self::DeadLink => f.write_str("a link that leads nowhere"),
            Self::Special => f.write_str("not a regular file"),
            Self::OwnPicture => f.write_str("a heat map that nn-cli drew"),
            Self::OwnFolder(what) => write!(f, "{what}, written by nn-cli"),
            Self::Empty => f.write_str("a folder without images"),
            Self::EmptyPart(part) => {
                write!(f, "looks like the folder {}, but has no images", part.purpose())
            }
            Self::Other => f.write_str("not an image"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The number of names that a summary lists for each reason.
const NAMES: usize = 3;

/// A summary of the skipped entries in one line, to follow "not looked at: "; `None` if there are none.
///
/// ```
/// use nn_core::data::{PassedOver, Reason, summary};
/// let passed_over = |path: &str, reason| PassedOver { path: path.into(), reason };
/// let all = [
///     passed_over("husky/1.heic", Reason::Unread("heic".into())),
///     passed_over("husky/2.heic", Reason::Unread("heic".into())),
///     passed_over("old/", Reason::Empty),
///     passed_over("README.md", Reason::Other),
/// ];
/// assert_eq!(summary(&all).unwrap(), "2 .heic, old/ (a folder without images), 1 other file");
/// ```
pub fn summary(passed_over: &[PassedOver]) -> Option<String> {
    let mut kinds: BTreeMap<&Reason, Vec<&str>> = BTreeMap::new();
    for one in passed_over {
        kinds.entry(&one.reason).or_default().push(&one.path);
    }
    let told = kinds.iter().map(|(reason, paths)| {
        let n = paths.len();
        match reason {
            Reason::Unread(extension) => format!("{n} .{extension}"),
            Reason::UnreadKind(kind) => {
                format!("{n} that {} {kind}", if n == 1 { "is" } else { "are each" })
            }
            Reason::Other => format!("{n} other {}", if n == 1 { "file" } else { "files" }),
            Reason::OwnPicture if n > 1 => format!("{n} heat maps that nn-cli drew"),
            reason if reason.is_told_by_name() => format!("{} ({reason})", names(paths)),
            Reason::BesideSplit(_) => {
                let top = |path: &&str| path.split_once('/').map(|(top, _)| format!("{top}/"));
                let mut folders: Vec<String> = paths.iter().filter_map(top).collect();
                folders.dedup();
                format!("{n} in {}, {reason}", names(&folders))
            }
            reason => format!("{n} {reason}"),
        }
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// The first names, and the number of the others.
fn names<S: AsRef<str>>(all: &[S]) -> String {
    let first: Vec<&str> = all.iter().take(NAMES).map(S::as_ref).collect();
    match all.len().saturating_sub(NAMES) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Whether any skipped entry may be expected to be used: images, or folders that may contain images.
pub fn is_a_loss(passed_over: &[PassedOver]) -> bool {
    passed_over.iter().any(|one| one.reason.is_a_loss())
}

/// Collects the skipped entries of a folder.
#[derive(Debug)]
pub(super) struct Collector {
    pub root: PathBuf,
    pub passed_over: Vec<PassedOver>,
}

impl Collector {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), passed_over: Vec::new() }
    }

    pub fn file(&mut self, path: &Path, reason: Reason) {
        self.passed_over.push(PassedOver { path: relative(&self.root, path), reason });
    }

    pub fn folder(&mut self, path: &Path, reason: Reason) {
        let path = relative(&self.root, path) + "/";
        self.passed_over.push(PassedOver { path, reason });
    }
}

/// The path of the file `path` relative to the folder `root`, with forward slashes on every system.
pub fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}
