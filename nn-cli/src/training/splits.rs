//! The images of a run, by what they are for.

use crate::config::RunConfig;
use crate::datasets::ImageSet;
use crate::failure::Failure;
use crate::images::{self, Reading};
use crate::split_file;
use crate::ui::Console;
use nn_core::data::{Dataset, Treated};

/// The images of a run, decoded.
pub struct Splits {
    /// They change the weights.
    pub train: Dataset,
    /// They are looked at after each epoch.
    pub validation: Dataset,
    /// They are kept for the end: the validation images once more, if there are no others.
    pub test: Dataset,
    /// What they are: `test` or `validation`.
    pub tested_on: &'static str,
}

impl Splits {
    /// Divides and decodes the images of `set`.
    ///
    /// # Errors
    /// If an image cannot be read and such are not skipped, or the user interrupts.
    pub fn load(set: &ImageSet, config: &RunConfig, console: &Console) -> Result<Self, Failure> {
        let mut split = match &config.split {
            Some(file) => split_file::read(file, set, console)?,
            None => set.folder.split(config.validation_split, config.fit.seed)?,
        };
        let tested_on = if split.test.is_empty() { "validation" } else { "test" };
        if split.test.is_empty() {
            split.test.clone_from(&split.validation);
        }
        let load =
            |samples| images::load(samples, &set.folder.classes, Reading::of(config), console);
        let data = Self {
            train: load(split.train)?,
            validation: load(split.validation)?,
            test: load(split.test)?,
            tested_on,
        };
        Ok(data)
    }

    /// What was done to the images when they were read, each counted once.
    pub fn treated(&self) -> Treated {
        let (_, first) = self.named()[0];
        let mut all = first.treated().clone();
        self.named()[1..].iter().for_each(|(_, data)| all.merge(data.treated()));
        all
    }

    /// The sets and their names, each image once.
    pub fn named(&self) -> Vec<(&'static str, &Dataset)> {
        let mut named = vec![("train", &self.train), ("validation", &self.validation)];
        if self.tested_on == "test" {
            named.push(("test", &self.test));
        }
        named
    }

    /// The number of images that are kept for the test alone.
    pub fn kept_for_test(&self) -> usize {
        if self.tested_on == "test" { self.test.len() } else { 0 }
    }
}
