//! The images of a run, by split.

use crate::ImageSet;
use crate::StudyError;
use crate::config::RunConfig;
use crate::images::{self, Reading};
use crate::{Observer, format};
use nn_core::data::{Dataset, Split, Treated, split_file};
use std::path::Path;

/// The images of a run, decoded.
pub struct Splits {
    /// The images that the weights are trained on.
    pub train: Dataset,
    /// The images that the model is evaluated on after each epoch.
    pub validation: Dataset,
    /// The images for the final test: the validation images again, if there are no others.
    pub test: Dataset,
    /// The name of the split that is tested on: `test` or `validation`.
    pub tested_on: &'static str,
}

impl Splits {
    /// Divides and decodes the images of `set`.
    ///
    /// # Errors
    /// If an image cannot be read and unreadable ones are not skipped, or the observer stops it.
    pub fn load(
        set: &ImageSet,
        config: &RunConfig,
        observer: &dyn Observer,
    ) -> Result<Self, StudyError> {
        let mut split = match &config.split {
            Some(file) => read_split(file, set, observer)?,
            None => set.folder.split(config.validation_split, config.fit.seed)?,
        };
        let tested_on = if split.test.is_empty() { "validation" } else { "test" };
        if split.test.is_empty() {
            split.test.clone_from(&split.validation);
        }
        let load =
            |samples| images::load(samples, &set.folder.classes, Reading::of(config), observer);
        let data = Self {
            train: load(split.train)?,
            validation: load(split.validation)?,
            test: load(split.test)?,
            tested_on,
        };
        Ok(data)
    }

    /// What was changed in the images when they were read; each image counts once.
    pub fn treated(&self) -> Treated {
        let (_, first) = self.named()[0];
        let mut all = first.treated().clone();
        self.named()[1..].iter().for_each(|(_, data)| all.merge(data.treated()));
        all
    }

    /// The splits with their names, each image once.
    pub fn named(&self) -> Vec<(&'static str, &Dataset)> {
        let mut named = vec![("train", &self.train), ("validation", &self.validation)];
        if self.tested_on == "test" {
            named.push(("test", &self.test));
        }
        named
    }

    /// The number of images used only for the test.
    pub fn kept_for_test(&self) -> usize {
        if self.tested_on == "test" { self.test.len() } else { 0 }
    }
}

/// Divides the images of `set` as the table at `path` says. Images missing in the table are left out, which
/// is reported.
///
/// # Errors
/// Those of [`split_file::read`].
pub fn read_split(path: &Path, set: &ImageSet, observer: &dyn Observer) -> nn_core::Result<Split> {
    let (split, left) = split_file::read(path, &set.name, &set.folder)?;
    if left > 0 {
        let images = format::plural(left as u64, "image");
        observer.warn(&format!("{images} of {} not in {}: left out", set.name, path.display()));
    }
    Ok(split)
}
