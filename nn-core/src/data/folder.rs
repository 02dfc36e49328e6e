//! What an image folder holds: classes, and the files of each.
//!
//! A folder holds either `train/` and `test/`, each with one sub-folder per class, or the class
//! folders themselves. Classes are the sorted names of the sub-folders; the files of a class are
//! sorted as byte strings (`husky_1, husky_10, ..., husky_2`) and lie in its folder directly: what
//! lies deeper is not looked at, so a link that loops back does no harm. Hidden entries (a leading
//! dot) are skipped, and so is everything without an image's extension. Only names are read here;
//! whether a file is an image shows when it is decoded.

use super::split::{Split, stratified_split, validation_split};
use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The extensions of images, in any case. A file that has none of them is not looked at.
pub const EXTENSIONS: [&str; 16] = [
    "apng", "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm",
    "tif", "tiff", "webp",
];

/// One image file and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Where the file lies.
    pub path: PathBuf,
    /// Which class it shows, as an index into the sorted classes.
    pub label: usize,
}

/// How the images of a folder are arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// `train/` and `test/`, with the same classes in both. The samples run class by class.
    Split {
        /// The images under `train/`, validation not yet taken out.
        train: Vec<Sample>,
        /// The images under `test/`.
        test: Vec<Sample>,
    },
    /// The class folders themselves. The samples run class by class.
    Bare(Vec<Sample>),
}

/// An image folder that was found to be in order: two classes at least, no class without images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFolder {
    /// The folder that was scanned.
    pub root: PathBuf,
    /// The names of the classes, sorted; a label is an index into this list.
    pub classes: Vec<String>,
    /// The images.
    pub layout: Layout,
}

impl ImageFolder {
    /// Reads the names of classes and files under `root`.
    ///
    /// # Errors
    /// A folder that is missing, unreadable or empty; fewer than two classes; a class without
    /// images, or without test images; `train/` without `test/` or the other way round; classes
    /// that differ between the two; a class whose name is not Unicode. The message names the folder.
    pub fn scan(root: &Path) -> Result<Self> {
        let metadata = fs::metadata(root).map_err(Error::io("read", root))?;
        if !metadata.is_dir() {
            return Err(Error::file(
                root,
                "expected a folder of images, found a file",
                "pass the folder that holds train/ and test/, or the class folders",
            ));
        }
        let (train, test) = (root.join("train"), root.join("test"));
        // A class may well be called `train`; what tells the difference is whether it has classes.
        let (has_train, has_test) = (has_folders(&train), has_folders(&test));
        let (classes, layout) = match (has_train, has_test) {
            (true, true) => {
                let (classes, samples) = scan_classes(&train)?;
                let test = scan_test(&test, &classes)?;
                (classes, Layout::Split { train: samples, test })
            }
            (false, false) => {
                let (classes, samples) = scan_classes(root)?;
                (classes, Layout::Bare(samples))
            }
            (has_train, _) => {
                let (there, missing) =
                    if has_train { ("train", "test") } else { ("test", "train") };
                return Err(Error::file(
                    root,
                    format!("has {there}/ with class folders in it, but no such {missing}/"),
                    format!(
                        "add {missing}/ with the same class folders, or pass {} itself as the data \
                         folder",
                        root.join(there).display()
                    ),
                ));
            }
        };
        Ok(Self { root: root.to_path_buf(), classes, layout })
    }

    /// All images: those of `train/`, then those of `test/`, each class by class.
    pub fn samples(&self) -> Vec<Sample> {
        match &self.layout {
            Layout::Split { train, test } => [train.as_slice(), test].concat(),
            Layout::Bare(samples) => samples.clone(),
        }
    }

    /// Who trains, who validates, who tests.
    ///
    /// With `train/` and `test/`, the last `fraction` of the shuffled training images validate, as
    /// [`validation_split`] says. Bare class folders are split 70/10/20 by [`stratified_split`], and
    /// `fraction` has no part in it.
    ///
    /// # Errors
    /// Those of the two functions.
    pub fn split(&self, fraction: f64, seed: u64) -> Result<Split> {
        match &self.layout {
            Layout::Split { train, test } => {
                let (train, validation) = validation_split(train.clone(), fraction, seed)?;
                Ok(Split { train, validation, test: test.clone() })
            }
            Layout::Bare(samples) => stratified_split(samples, &self.classes, seed),
        }
    }
}

/// Whether a file of this name is taken for an image: one of [`EXTENSIONS`], and not hidden.
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or("");
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
        && path.file_name().is_some_and(|name| !hidden(name))
}

fn hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// The visible entries of a folder, sorted as byte strings.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        if !hidden(&name) {
            names.push(name);
        }
    }
    names.sort_by(|a, b| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

/// The visible sub-folders, links to folders among them, and their names.
pub(crate) fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default();
        // Class names go into tables, JSON and the model file, where they must come back unchanged.
        let Some(name) = name.to_str().map(str::to_string) else {
            return Err(Error::file(
                &path,
                "the name of this class folder is not Unicode",
                "rename the folder",
            ));
        };
        found.push((name, path));
    }
    Ok(found)
}

fn has_folders(folder: &Path) -> bool {
    entries(folder).is_ok_and(|entries| entries.iter().any(|path| path.is_dir()))
}

/// The images that lie in a class folder directly.
pub(crate) fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = entries(folder)?;
    found.retain(|path| {
        // A link that leads nowhere is kept: it is an unreadable image, not no image. A folder or
        // a pipe that is named like an image is neither.
        is_image(path) && fs::metadata(path).map_or(true, |metadata| metadata.is_file())
    });
    Ok(found)
}

/// The classes under `root` and the samples of each.
fn scan_classes(root: &Path) -> Result<(Vec<String>, Vec<Sample>)> {
    let classes = folders(root)?;
    if classes.len() < 2 {
        let problem = match classes.as_slice() {
            [] if entries(root)?.is_empty() => "the folder is empty".to_string(),
            [] => "there are no class folders in it".to_string(),
            [(only, _), ..] => format!("there is only one class, {only}"),
        };
        return Err(Error::file(
            root,
            problem,
            "expected one sub-folder per class, at least two, each with the images of its class",
        ));
    }
    let mut samples = Vec::new();
    for (label, (name, folder)) in classes.iter().enumerate() {
        let images = images(folder)?;
        if images.is_empty() {
            return Err(without_images(folder, name, "images"));
        }
        samples.extend(images.into_iter().map(|path| Sample { path, label }));
    }
    Ok((classes.into_iter().map(|(name, _)| name).collect(), samples))
}

/// The samples under `root`, whose classes must be those of the training images.
fn scan_test(root: &Path, classes: &[String]) -> Result<Vec<Sample>> {
    let found = folders(root)?;
    let missing: Vec<_> =
        classes.iter().filter(|&class| found.iter().all(|(name, _)| name != class)).collect();
    let foreign: Vec<_> =
        found.iter().map(|(name, _)| name).filter(|&name| !classes.contains(name)).collect();
    if !missing.is_empty() || !foreign.is_empty() {
        let list = |verb: &str, names: &[&String]| {
            let names = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            if names.is_empty() { String::new() } else { format!(", {verb} {names}") }
        };
        return Err(Error::file(
            root,
            format!(
                "its classes differ from those of train/ ({}){}{}",
                classes.join(", "),
                list("lacks", &missing),
                list("also has", &foreign)
            ),
            "give train/ and test/ the same class folders",
        ));
    }
    let mut samples = Vec::new();
    for (label, (name, folder)) in found.iter().enumerate() {
        let images = images(folder)?;
        if images.is_empty() {
            return Err(without_images(folder, name, "test images"));
        }
        samples.extend(images.into_iter().map(|path| Sample { path, label }));
    }
    Ok(samples)
}

fn without_images(folder: &Path, class: &str, what: &str) -> Error {
    Error::file(
        folder,
        format!("class {class} has no {what}"),
        format!("put images ({}) into this folder, or remove it", EXTENSIONS.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A folder with these files (and folders, where a name ends in `/`), all of them empty.
    fn folder(names: &[&str]) -> TempDir {
        let root = TempDir::new().unwrap();
        for name in names {
            let path = root.path().join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, b"").unwrap();
            }
        }
        root
    }

    fn refused(names: &[&str], says: &[&str]) {
        let root = folder(names);
        let message = ImageFolder::scan(root.path()).unwrap_err().to_string();
        for part in says {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }

    fn listed(samples: &[Sample], root: &Path) -> Vec<(String, usize)> {
        let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
        samples.iter().map(|s| (name(&s.path).replace('\\', "/"), s.label)).collect()
    }

    #[test]
    fn split_folders_are_sorted_as_bytes_and_filtered() {
        let root = folder(&[
            "train/wolf/w2.JPG",
            "train/wolf/w10.jpeg",
            "train/wolf/notes.txt",
            "train/wolf/.hidden.jpg",
            "train/wolf/deeper/w1.jpg",
            "train/husky/B.png",
            "train/husky/a.webp",
            "train/.cache/x.jpg",
            "train/readme.md",
            "test/husky/1.bmp",
            "test/wolf/1.GIF",
            "validation/husky/ignored.jpg",
        ]);
        let scanned = ImageFolder::scan(root.path()).unwrap();
        assert_eq!(scanned.classes, ["husky", "wolf"]);
        let Layout::Split { train, test } = &scanned.layout else { panic!("not split") };
        let expected = [
            ("train/husky/B.png".to_string(), 0),
            ("train/husky/a.webp".to_string(), 0),
            ("train/wolf/w10.jpeg".to_string(), 1),
            ("train/wolf/w2.JPG".to_string(), 1),
        ];
        assert_eq!(listed(train, root.path()), expected);
        let expected = [("test/husky/1.bmp".to_string(), 0), ("test/wolf/1.GIF".to_string(), 1)];
        assert_eq!(listed(test, root.path()), expected);
        assert_eq!(scanned.samples().len(), 6);
    }

    #[test]
    fn bare_folders_may_have_classes_called_train_and_test() {
        let root = folder(&["bus/1.jpg", "train/1.jpg", "test/1.png", ".git/x.jpg"]);
        let scanned = ImageFolder::scan(root.path()).unwrap();
        assert_eq!(scanned.classes, ["bus", "test", "train"]);
        assert!(matches!(scanned.layout, Layout::Bare(ref samples) if samples.len() == 3));
    }

    #[test]
    fn what_is_wrong_is_said() {
        refused(&[], &["the folder is empty", "one sub-folder per class"]);
        refused(&["a.jpg"], &["no class folders"]);
        refused(&["husky/a.jpg"], &["only one class, husky", "at least two"]);
        refused(&["husky/a.jpg", "wolf/"], &["wolf", "class wolf has no images", "jpg"]);
        refused(&["husky/a.jpg", "wolf/a.txt"], &["class wolf has no images"]);
        refused(
            &["train/husky/a.jpg", "train/wolf/a.jpg", "test/husky/a.jpg", "test/wolf/"],
            &["test", "class wolf has no test images"],
        );
        refused(
            &["train/husky/a.jpg", "train/wolf/a.jpg", "test/husky/a.jpg", "test/fox/a.jpg"],
            &["differ", "(husky, wolf)", "lacks wolf", "also has fox"],
        );
        refused(&["train/husky/a.jpg", "train/wolf/a.jpg"], &["no such test/", "train itself"]);
        refused(&["test/husky/a.jpg", "test/wolf/a.jpg"], &["no such train/"]);
        refused(&["train/husky/a.jpg", "test/husky/a.jpg"], &["train", "only one class"]);
    }

    #[test]
    fn missing_folders_and_files_are_refused() {
        let root = folder(&["a.jpg"]);
        let missing = ImageFolder::scan(&root.path().join("nowhere")).unwrap_err();
        assert!(matches!(missing, Error::Io { .. }) && missing.to_string().contains("nowhere"));
        let file = ImageFolder::scan(&root.path().join("a.jpg")).unwrap_err().to_string();
        assert!(file.contains("expected a folder"), "{file}");
    }

    #[cfg(unix)]
    #[test]
    fn odd_names_and_looping_links_do_no_harm() {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::symlink;
        let root = folder(&["a/1.jpg", "b/1.jpg", "b/named_like_an_image.jpg/"]);
        symlink(root.path(), root.path().join("a/up")).unwrap();
        symlink("loop.jpg", root.path().join("a/loop.jpg")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        symlink(root.path().join("b"), root.path().join("c")).unwrap();
        fs::write(root.path().join("b").join(OsStr::from_bytes(b"\xff\xfe.jpg")), b"").unwrap();
        let scanned = ImageFolder::scan(root.path()).unwrap();
        assert_eq!(scanned.classes, ["a", "b", "c"]);
        // a: 1 and the loop, which is for the decoder to refuse; b and its link c: 1 and the odd.
        let labels: Vec<_> = scanned.samples().iter().map(|s| s.label).collect();
        assert_eq!(labels, [0, 0, 1, 1, 2, 2]);

        fs::create_dir(root.path().join(OsStr::from_bytes(b"\xff"))).unwrap();
        let message = ImageFolder::scan(root.path()).unwrap_err().to_string();
        assert!(message.contains("not Unicode"), "{message}");
    }

    #[test]
    fn the_published_sets_are_found_whole_and_split_as_the_reference_does() {
        let Some(root) = crate::data::photographs() else {
            println!("skipped: the published photographs are not here");
            return;
        };
        for set in ["same_backgrounds", "different_backgrounds"] {
            let folder = ImageFolder::scan(&root.join(set)).unwrap();
            assert_eq!(folder.classes, ["husky", "wolf"]);
            let split = folder.split(0.125, 27).unwrap();
            let sizes = (split.train.len(), split.validation.len(), split.test.len());
            assert_eq!(sizes, (70, 10, 20));
            let stem = |sample: &Sample| sample.path.file_stem().unwrap().to_os_string();
            let validation: Vec<_> = split.validation.iter().map(stem).collect();
            assert_eq!(validation[..3], ["husky_12", "husky_23", "husky_35"]);
            assert_eq!(stem(&split.train[0]), "wolf_14");
        }
        let swap = ImageFolder::scan(&root.join("background_swap")).unwrap();
        assert!(matches!(swap.layout, Layout::Bare(ref samples) if samples.len() == 40));
        let names: Vec<_> = swap.samples()[..3]
            .iter()
            .map(|s| s.path.file_name().unwrap().to_os_string())
            .collect();
        assert_eq!(names, ["husky_1.jpg", "husky_10.jpg", "husky_11.jpg"]);
    }
}
