//! The settings of a cross-validation.

use crate::StudyError;
use nn_core::Error;
use serde::{Deserialize, Serialize};

/// The settings of a cross-validation, beside those of its runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FoldsConfig {
    /// The number of folds.
    pub count: usize,
    /// The column of the table of labels that says which images belong together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// The pattern of file names that says which images belong together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_pattern: Option<String>,
}

impl FoldsConfig {
    /// Checks the settings as far as they do not depend on the images.
    ///
    /// # Errors
    /// If there are fewer than two folds.
    pub fn check(&self) -> Result<(), StudyError> {
        match self.count {
            0 | 1 => {
                let remedy = "5 or 10 are usual";
                Err(Error::setting("--folds", "at least 2", self.count, remedy).into())
            }
            _ => Ok(()),
        }
    }
}
