//! Cross-validation: a run for each fold, and what all of them together answered to images that they have not seen.
//!
//! ```text
//! assignment  the fold of each image; copies and images of one group stay together
//! fold        what is kept of the run of a fold
//! answers     what all of them answered
//! together    how many images belong together
//! ```
//!
//! `folds_run` makes the runs.
//!
//! With few images, the accuracy on one test set depends much on which images are in it. Here each image is tested once,
//! by a network that was trained on others (Stone 1974, "Cross-validatory choice and assessment of statistical
//! predictions"). The spread of the folds says how much the split matters; it is no standard error of the mean, since
//! the folds share their training images (Bengio and Grandvalet 2004, "No unbiased estimator of the variance of k-fold
//! cross-validation"). So intervals are those of the answers, by groups. Areas under curves are means over the folds
//! (Forman and Scholz 2010, "Apples-to-apples in cross-validation studies").
//!
//! Each fold is a run in its own folder, with a table that says which image is for what; it can be repeated by itself.

mod answers;
mod assignment;
mod fold;
mod together;

pub use answers::{CrossValidation, Tested};
pub use assignment::{Assigned, Assignment, FOLDS_FILE, Names};
pub use fold::Fold;
pub use together::Together;
