//! Reading of an image folder: its images, with their classes and splits.
//!
//! All commands use this reader. It accepts any folder and reports problems; the conditions for
//! training are checked by [`ImageFolder::ready_to_train`]. The rules:
//!
//! - **The user's folders are the split.** Folders called `train`, `val` or `test`, or by another
//!   of the usual names ([`Part::of_folder`]), in any letter case, are the splits. Without any such
//!   folder, the folders are the classes.
//! - **The class of an image is its class folder, at any depth**, as in Keras and PyTorch. Symbolic
//!   links to folders are followed for split and class folders, but not below them.
//! - **Entries that are no images are skipped and listed** with the reason ([`PassedOver`]), except
//!   for hidden entries and files that operating systems create. So are folders without images, and
//!   files that `nn-cli` wrote. A file is judged by its name and, where the name is not conclusive,
//!   by its first bytes.
//!
//! Classes are the sorted names of the folders. The files of a class are sorted as byte strings (`husky_1,
//! husky_10, ..., husky_2`), and files directly in its folder come before those in subfolders.

mod arrangement;
mod folds;
mod table;
#[cfg(test)]
mod tests;

use super::part::Part;
use super::passed_over::{Collector, PassedOver, Reason};
use super::sample::Sample;
use super::split::{Split, stratified_split, validation_split};
use super::tree::Tree;
use crate::error::{Error, Result};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// An image file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderImage {
    /// The path of the file.
    pub path: PathBuf,
    /// Its class, as an index into the sorted classes; none if it is in no class folder.
    pub label: Option<usize>,
    /// Its split; none if the folder does not specify one.
    pub part: Option<Part>,
}

/// A folder of a split, and the split it was recognised as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartFolder {
    /// The folder's name.
    pub folder: String,
    /// The split.
    pub part: Part,
}

/// How the images of a folder are arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// In folders of a split, training first.
    Split(Vec<PartFolder>),
    /// In class folders, without a split.
    Bare,
    /// Without class folders.
    Flat,
    /// In any folders: a table has the class of each image, and possibly its split.
    Table,
}

/// The content of an image folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFolder {
    /// The path of the folder.
    pub root: PathBuf,
    /// The sorted names of the classes of all splits; a label is an index into this list.
    pub classes: Vec<String>,
    /// How the images are arranged.
    pub layout: Layout,
    /// The images: those of training, validation and test, each sorted by class; images without a
    /// class after those with one.
    pub images: Vec<FolderImage>,
    /// The files and folders that were skipped, sorted.
    pub passed_over: Vec<PassedOver>,
    /// Notes for the user on ambiguous folders, as sentences.
    pub remarks: Vec<String>,
}

impl ImageFolder {
    /// Reads the names of classes and files under `root`.
    ///
    /// # Errors
    /// If a folder is missing, unreadable or without any image, if it contains only one folder,
    /// which in turn contains the classes or the split, or if the name of a class is not Unicode.
    pub fn scan(root: &Path) -> Result<Self> {
        let metadata = fs::metadata(root).map_err(Error::io("read", root))?;
        if !metadata.is_dir() {
            return Err(Error::file(
                root,
                "expected a folder of images, found a file",
                "pass the folder that holds train/ and test/, or the class folders",
            ));
        }
        arrangement::arrange(Tree::read(root, 2)?)
    }

    /// A folder `root` whose classes and samples are already known, without a split.
    pub fn bare(root: &Path, classes: Vec<String>, samples: Vec<Sample>) -> Self {
        let images = samples.into_iter().map(|Sample { path, label }| FolderImage {
            path,
            label: Some(label),
            part: None,
        });
        Self {
            root: root.to_path_buf(),
            classes,
            layout: Layout::Bare,
            images: images.collect(),
            passed_over: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// All images that have a class, of all splits.
    pub fn samples(&self) -> Vec<Sample> {
        self.select(|_| true)
    }

    /// Splits the images into training, validation and test.
    ///
    /// The user's folders take precedence. If there is no validation folder, the last `fraction` of the
    /// shuffled training images are used for validation ([`validation_split`]); if there is one, `fraction`
    /// is ignored. Of class folders without a split, a fifth is the test set and `fraction` of the rest the
    /// validation set, stratified by class ([`stratified_split`]); a fraction of an eighth gives 70/10/20.
    ///
    /// If there is a validation folder but no test folder, [`Split::test`] is empty: test on the
    /// validation images, and report that.
    ///
    /// # Errors
    /// Those of [`ImageFolder::ready_to_train`], [`validation_split`] and [`stratified_split`].
    pub fn split(&self, fraction: f64, seed: u64) -> Result<Split> {
        self.ready_to_train()?;
        self.divide(fraction, seed)
    }

    /// The images of one split, as [`ImageFolder::split`] divides them, but also for folders that
    /// cannot be trained on. The result may be empty.
    ///
    /// # Errors
    /// Two folders for the same split; those of [`validation_split`] and [`stratified_split`].
    pub fn samples_for(&self, part: Part, fraction: f64, seed: u64) -> Result<Vec<Sample>> {
        self.one_folder_each()?;
        Ok(self.divide(fraction, seed)?.into_part(part))
    }

    fn divide(&self, fraction: f64, seed: u64) -> Result<Split> {
        if self.is_drawn() {
            return stratified_split(&self.samples(), &self.classes, fraction, seed);
        }
        let of = |part| self.select(|image| image.part == Some(part));
        let (train, test) = (of(Part::Train), of(Part::Test));
        if self.has(Part::Validation) || train.is_empty() {
            let train =
                if train.is_empty() { train } else { validation_split(train, 0.0, seed)?.0 };
            return Ok(Split { train, validation: of(Part::Validation), test });
        }
        let (train, validation) = validation_split(train, fraction, seed)?;
        Ok(Split { train, validation, test })
    }

    /// Whether [`ImageFolder::split`] draws the whole split by seed, because the folder specifies none.
    pub fn is_drawn(&self) -> bool {
        match self.layout {
            Layout::Bare => true,
            Layout::Table => self.images.iter().all(|image| image.part.is_none()),
            Layout::Split(_) | Layout::Flat => false,
        }
    }

    /// Whether there are images with a class in a folder for this split.
    pub fn has(&self, part: Part) -> bool {
        self.images.iter().any(|image| image.part == Some(part) && image.label.is_some())
    }

    /// The folders of the split; none where the folders are the classes.
    pub fn parts(&self) -> &[PartFolder] {
        match &self.layout {
            Layout::Split(folders) => folders,
            Layout::Bare | Layout::Flat | Layout::Table => &[],
        }
    }

    /// Which folder was recognised as which split: `train/ for training, valid/ for validation,
    /// test/ for the test`.
    pub fn arrangement(&self) -> String {
        match &self.layout {
            Layout::Split(_) => {
                let told = Part::ALL.into_iter().filter_map(|part| {
                    Some(format!("{} {}", self.folders_for(part)?, part.purpose()))
                });
                told.collect::<Vec<_>>().join(", ")
            }
            Layout::Bare => "class folders, not split".into(),
            Layout::Flat => "images without class folders".into(),
            Layout::Table if self.is_drawn() => "classes from a table, not split".into(),
            Layout::Table => "classes and split from a table".into(),
        }
    }

    /// Whether the folder has a common layout: `train/` and `test/`, or class folders.
    pub fn is_usual(&self) -> bool {
        let names: Vec<&str> = self.parts().iter().map(|part| part.folder.as_str()).collect();
        matches!(self.layout, Layout::Bare | Layout::Table) || names == ["train", "test"]
    }

    /// Why [`ImageFolder::split`] does not use the validation fraction; `None` if it does.
    pub fn no_share_for_validation(&self) -> Option<String> {
        if !self.has(Part::Validation) {
            return None;
        }
        let name = self.folders_for(Part::Validation);
        Some(format!("{} is the validation", name.as_deref().unwrap_or("what the table says")))
    }

    /// The entries that are skipped in training: [`ImageFolder::passed_over`], and images without a class.
    pub fn passed_over_in_training(&self) -> Vec<PassedOver> {
        let mut collector = Collector::new(&self.root);
        for image in self.images.iter().filter(|image| image.label.is_none()) {
            let of_part = |part| self.parts().iter().filter(move |folder| folder.part == part);
            let folder = image.part.into_iter().flat_map(of_part).map(|part| &part.folder);
            let within = |name: &&String| image.path.starts_with(self.root.join(name));
            let reason = folder.into_iter().find(within).cloned().map(Reason::WithoutClass);
            let otherwise = match self.layout {
                Layout::Table => Reason::NoClassInTable,
                _ => Reason::BesideClasses,
            };
            collector.file(&image.path, reason.unwrap_or(otherwise));
        }
        let mut passed_over = collector.passed_over;
        passed_over.extend_from_slice(&self.passed_over);
        passed_over.sort();
        passed_over
    }

    /// Checks that a network can be trained and tested on this folder.
    ///
    /// # Errors
    /// If there are fewer than two classes; if a split has no training images, or neither test nor
    /// validation images; if the classes of the test images are not those of the training images;
    /// if there are two folders for the same split, or class folders beside those of a split. The
    /// message names the folder.
    pub fn ready_to_train(&self) -> Result<()> {
        let root = &self.root;
        match &self.layout {
            Layout::Flat => Err(Error::file(root, "there are no class folders in it", CLASSES)),
            Layout::Bare => self.two_classes(root, &self.classes, ""),
            Layout::Table => self.table_trains(),
            Layout::Split(_) => {
                self.one_folder_each()?;
                self.nothing_beside()?;
                self.trains()?;
                self.tests()
            }
        }
    }

    fn select(&self, wanted: impl Fn(&FolderImage) -> bool) -> Vec<Sample> {
        let sample =
            |image: &FolderImage| Some(Sample { path: image.path.clone(), label: image.label? });
        self.images.iter().filter(|image| wanted(image)).filter_map(sample).collect()
    }

    /// The names of the folders for this split, as `val/` or `val/ and dev/`; `None` if there is none.
    fn folders_for(&self, part: Part) -> Option<String> {
        let of_part = self.parts().iter().filter(|folder| folder.part == part);
        let names: Vec<_> = of_part.map(|folder| format!("{}/", folder.folder)).collect();
        (!names.is_empty()).then(|| names.join(" and "))
    }

    /// The path of the first folder for this split.
    fn place_of(&self, part: Part) -> PathBuf {
        let folder = self.parts().iter().find(|folder| folder.part == part);
        folder.map_or(self.root.clone(), |folder| self.root.join(&folder.folder))
    }

    /// The classes that have images in this split.
    fn classes_of(&self, part: Part) -> Vec<&str> {
        let mut there = vec![false; self.classes.len()];
        let of_part = self.images.iter().filter(|image| image.part == Some(part));
        of_part.filter_map(|image| image.label).for_each(|label| there[label] = true);
        let classes = self.classes.iter().zip(there).filter(|(_, there)| *there);
        classes.map(|(class, _)| class.as_str()).collect()
    }

    /// The folders without images in `folder`, which would be empty classes.
    fn empty_in(&self, folder: &Path) -> Vec<String> {
        let empty = self.passed_over.iter().filter(|one| one.reason == Reason::Empty);
        let path = empty.map(|one| self.root.join(one.path.trim_end_matches('/')));
        let inside = path.filter(|path| path.parent() == Some(folder));
        inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
    }

    fn two_classes<S: AsRef<str>>(&self, folder: &Path, classes: &[S], what: &str) -> Result<()> {
        let only = match classes {
            [] => return Err(Error::file(folder, "there are no class folders in it", CLASSES)),
            [only] => only.as_ref(),
            _ => return Ok(()),
        };
        if only.eq_ignore_ascii_case("images") {
            let problem = "holds images/ and no class folders, as sets for object detection do";
            return Err(Error::file(folder, problem, CLASSES));
        }
        if let Some(empty) = self.empty_in(folder).first() {
            return Err(Error::file(
                &folder.join(empty),
                format!("class {empty} has no {what}images, and there is only one class, {only}"),
                format!(
                    "put images ({}) into this folder",
                    super::file_kind::EXTENSIONS.join(", ")
                ),
            ));
        }
        Err(Error::file(folder, format!("there is only one class, {only}"), CLASSES))
    }

    fn one_folder_each(&self) -> Result<()> {
        for part in Part::ALL {
            let of_part = self.parts().iter().filter(|folder| folder.part == part);
            if of_part.count() > 1 {
                let names = self.folders_for(part).unwrap_or_default();
                return Err(Error::file(
                    &self.root,
                    format!("{names} are both {}", part.purpose()),
                    "put their images into one of them, or rename the other",
                ));
            }
        }
        Ok(())
    }

    fn nothing_beside(&self) -> Result<()> {
        let beside = self.images.iter().find(|image| image.label.is_some() && image.part.is_none());
        let Some(label) = beside.and_then(|image| image.label) else { return Ok(()) };
        let class = &self.classes[label];
        Err(Error::file(
            &self.root,
            format!(
                "{}, by the name and the class folders in it, but {class}/ and perhaps others lie \
                 beside it, with images",
                self.arrangement()
            ),
            "expected train/ and test/ with the class folders in them, or class folders alone: rename or \
             move what does not belong there",
        ))
    }

    fn trains(&self) -> Result<()> {
        let train = Part::Train;
        let Some(name) = self.folders_for(train) else {
            let there = self.arrangement();
            let folder = self.parts().first().map_or(String::new(), |part| part.folder.clone());
            return Err(Error::file(
                &self.root,
                format!("has {there} with class folders in it, but no such train/"),
                format!(
                    "add train/ with the same class folders, or pass {} itself as the data folder",
                    self.root.join(folder).display()
                ),
            ));
        };
        if !self.has(train) {
            return Err(self.without_classes(train, &name));
        }
        self.two_classes(&self.place_of(train), &self.classes_of(train), "")
    }

    fn tests(&self) -> Result<()> {
        let tested = if self.has(Part::Test) { Part::Test } else { Part::Validation };
        if !self.has(tested) {
            return Err(
                match self.folders_for(Part::Test).or(self.folders_for(Part::Validation)) {
                    Some(name) => self.without_classes(Part::Test, &name),
                    None => Error::file(
                        &self.root,
                        "has train/ with class folders in it, but no such test/ or val/",
                        format!(
                            "add test/ with the same class folders, or pass {} itself as the data folder",
                            self.place_of(Part::Train).display()
                        ),
                    ),
                },
            );
        }
        let classes = self.classes_of(Part::Train);
        for part in [Part::Validation, Part::Test] {
            let found = self.classes_of(part);
            let missing: Vec<&str> =
                classes.iter().filter(|class| !found.contains(class)).copied().collect();
            let foreign: Vec<&str> =
                found.iter().filter(|class| !classes.contains(class)).copied().collect();
            // A validation folder may lack classes, unless the scores are reported on it.
            let lacks = part == tested && !missing.is_empty();
            if self.has(part) && (lacks || !foreign.is_empty()) {
                return Err(self.other_classes(part, &classes, &missing, &foreign));
            }
        }
        Ok(())
    }

    fn other_classes(
        &self,
        part: Part,
        classes: &[&str],
        missing: &[&str],
        foreign: &[&str],
    ) -> Error {
        let (folder, train) = (self.place_of(part), self.place_of(Part::Train));
        let is_empty = |class: &&&str| self.empty_in(&folder).iter().any(|empty| empty == **class);
        if let (Some(class), true) = (missing.iter().find(is_empty), foreign.is_empty()) {
            return Error::file(
                &folder.join(class),
                format!("class {class} has no {} images", part.name()),
                format!(
                    "put images ({}) into this folder",
                    super::file_kind::EXTENSIONS.join(", ")
                ),
            );
        }
        let list = |verb: &str, names: &[&str]| {
            if names.is_empty() { String::new() } else { format!(", {verb} {}", names.join(", ")) }
        };
        let train = train.file_name().unwrap_or_default().to_string_lossy();
        Error::file(
            &folder,
            format!(
                "its classes differ from those of {train}/ ({}){}{}",
                classes.join(", "),
                list("lacks", missing),
                list("also has", foreign)
            ),
            format!("give {train}/ and this folder the same class folders"),
        )
    }

    fn without_classes(&self, part: Part, name: &str) -> Error {
        let images = self.images.iter().filter(|image| image.part == Some(part)).count();
        let images = if images == 1 { "1 image" } else { &format!("{images} images") };
        Error::file(
            &self.place_of(part),
            format!("{name} has {images} but no class folders, so nobody knows what they show"),
            "give it the class folders of the training, each with the images of its class",
        )
    }
}

const CLASSES: &str =
    "expected one sub-folder per class, at least two, each with the images of its class";
