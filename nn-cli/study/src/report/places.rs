//! Names of folders and files on a page, without their path on the disk, because pages are passed on.

use std::path::Path;

/// `path` relative to `root`, the folder of all sets, if it is below `root`; else its own name.
pub fn shown(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
    match below {
        // A path with `..` might lead out of `root`.
        Some(below) if below.components().all(|part| part.as_os_str() != "..") => {
            let parts: Vec<_> =
                below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            parts.join("/")
        }
        _ => name(path),
    }
}

/// The last component of `path` that is a name.
pub fn name(path: &Path) -> String {
    let absolute = || path.canonicalize().ok()?.file_name().map(ToOwned::to_owned);
    let name = path.file_name().map(ToOwned::to_owned).or_else(absolute);
    name.map_or("folder".into(), |name| name.to_string_lossy().into_owned())
}

/// `text` without the folder `root` in the paths it contains.
pub fn without(text: &str, root: &Path) -> String {
    let mut text = text.to_string();
    for root in [root.canonicalize().ok().as_deref(), Some(root)].into_iter().flatten() {
        let name = name(root);
        let root = root.display().to_string();
        if root.len() > name.len() {
            text = text.replace(&root, &name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_the_root_is_told() {
        let root = Path::new("/home/ada/data");
        for (path, expected) in [
            ("/home/ada/data/same_backgrounds", "same_backgrounds"),
            ("/home/ada/data/more/birds", "more/birds"),
            ("/home/ada/data", "data"),
            ("/home/ada/data/../secret/birds", "birds"),
            ("/home/grace/birds", "birds"),
            ("../ada/birds", "birds"),
            ("birds/", "birds"),
            ("/", "folder"),
        ] {
            assert_eq!(shown(Path::new(path), root), expected, "{path}");
        }
    }

    #[test]
    fn sentences_lose_the_folder() {
        let text = "/home/ada/birds/test is empty; so is /home/ada/birds";
        let said = without(text, Path::new("/home/ada/birds"));
        assert_eq!(said, "birds/test is empty; so is birds");
        assert_eq!(without("birds/x", Path::new("birds")), "birds/x");
    }
}
