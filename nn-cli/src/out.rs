//! Default output folders.

use crate::ui::Console;
use nn_staging::is_abandoned;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The first of `runs/NAME`, `runs/NAME-2`, ... that does not exist; reports it if it is not the first.
pub fn default_target(name: &str, console: &Console) -> PathBuf {
    let base = Path::new("runs");
    // The name must be a single path component; that of the root folder is empty.
    let name = Path::new(name).file_name().map_or("run".into(), OsStr::to_string_lossy);
    let numbered = |i| if i == 1 { name.to_string() } else { format!("{name}-{i}") };
    let is_free = |path: &PathBuf| !path.exists() || is_abandoned(path);
    let target = (1..).map(|i| base.join(numbered(i))).find(is_free).unwrap_or_default();
    let first = base.join(numbered(1));
    if target != first {
        let (first, target) = (first.display(), target.display());
        console.note(&format!("{first} was taken, so the results go to {target}"));
    }
    target
}
