//! The images of a folder that cross-validation divides.

use super::super::part::Part;
use super::super::sample::Sample;
use super::{CLASSES, ImageFolder, Layout};
use crate::error::{Error, Result};

impl ImageFolder {
    /// The images that cross-validation divides into folds: all with a class, but for those of a test that the user
    /// has set apart, and how many these are.
    ///
    /// # Errors
    /// If there are fewer than two classes, or a class has images in the test only; if there are two folders for the
    /// same split, or class folders beside those of a split.
    pub fn samples_to_fold(&self) -> Result<(Vec<Sample>, usize)> {
        match &self.layout {
            Layout::Flat => {
                return Err(Error::file(&self.root, "there are no class folders in it", CLASSES));
            }
            Layout::Bare => self.two_classes(&self.root, &self.classes, "")?,
            Layout::Table if self.classes.len() < 2 => self.table_trains()?,
            Layout::Table => {}
            Layout::Split(_) => {
                self.one_folder_each()?;
                self.nothing_beside()?;
                self.trains()?;
            }
        }
        let to_fold = self.select(|image| image.part != Some(Part::Test));
        let left = self.select(|image| image.part == Some(Part::Test)).len();
        let is_there = |class: usize| to_fold.iter().any(|sample| sample.label == class);
        if let Some(class) = (0..self.classes.len()).find(|&class| !is_there(class)) {
            return Err(Error::file(
                &self.root,
                format!("class {} has images for the test only", self.classes[class]),
                "expected images of each class to train on: the test stays out of cross-validation",
            ));
        }
        Ok((to_fold, left))
    }
}
