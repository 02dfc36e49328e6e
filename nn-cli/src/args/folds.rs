//! Options for cross-validation.

use super::numbers::whole;
use clap::Args as ClapArgs;

/// Cross-validation, and what must stay together in it.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct FoldArgs {
    /// Cross-validate: train K networks, each tested on a K-th of the images that it has not seen
    ///
    /// The images are divided into K folds, of which each network is trained without one. Copies stay in one fold; images
    /// for the test (test/) stay out. With --overwrite, old results go at once.
    #[arg(
        long,
        value_name = "K",
        value_parser = whole::<usize>(2, u64::MAX, 5),
        allow_negative_numbers = true,
        conflicts_with = "find_learning_rate"
    )]
    pub folds: Option<usize>,
    /// Keep images in one fold that have the same value in this column of --labels, such as patient_id
    #[arg(
        long,
        value_name = "NAME",
        requires = "folds",
        requires = "labels",
        hide_short_help = true
    )]
    pub group_column: Option<String>,
    /// Keep images in one fold whose file names have the same match of this regular expression (of its first pair of
    /// brackets, if it has one): ^(.*)_[0-9]+ for subject07_1.jpg and subject07_2.jpg. With a / in it, it is matched
    /// against the path within the folder
    #[arg(long, value_name = "REGEX", requires = "folds")]
    pub group_pattern: Option<String>,
}
