//! Image folders whose classes and splits are given by a table, not by folders.

use super::super::part::Part;
use super::super::passed_over::PassedOver;
use super::{FolderImage, ImageFolder, Layout, arrangement};
use crate::error::{Error, Result};
use std::path::Path;

impl ImageFolder {
    /// The folder `root` with images whose classes, and possibly splits, come from a table, and the
    /// skipped entries. Images may lack a class. They are sorted by split and class; within a
    /// class, the given order is kept.
    pub fn labelled(
        root: &Path,
        classes: Vec<String>,
        mut images: Vec<FolderImage>,
        mut passed_over: Vec<PassedOver>,
    ) -> Self {
        // A stable sort: the order within a class is kept.
        images.sort_by_key(|image| {
            (arrangement::rank(image.part), image.label.unwrap_or(usize::MAX))
        });
        passed_over.sort();
        Self {
            root: root.to_path_buf(),
            classes,
            layout: Layout::Table,
            images,
            passed_over,
            remarks: Vec::new(),
        }
    }

    /// Checks that a network can be trained on the images of the table.
    pub(super) fn table_trains(&self) -> Result<()> {
        let refuse = |problem: String, remedy: &str| Err(Error::file(&self.root, problem, remedy));
        if let [only] = &self.classes[..] {
            let problem =
                format!("of the images in it, the table of labels knows one class, {only}");
            return refuse(problem, "expected at least two classes");
        }
        if self.is_drawn() {
            return Ok(());
        }
        let of = |part: Part| format!("the table of labels has no image {}", part.purpose());
        if !self.has(Part::Train) {
            return refuse(of(Part::Train), "expected images for training and for the test");
        }
        if !self.has(Part::Test) && !self.has(Part::Validation) {
            return refuse(of(Part::Test), "expected images for the test, or for validation");
        }
        let trained = self.classes_of(Part::Train);
        match self.classes.iter().find(|class| !trained.contains(&class.as_str())) {
            Some(class) => refuse(
                format!("{} of class {class}", of(Part::Train)),
                "give each class images for training, or take it out of the table",
            ),
            None => Ok(()),
        }
    }
}
