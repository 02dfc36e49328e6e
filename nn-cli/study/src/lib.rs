//! The study of nn-cli: training runs, their inspection, experiments on data leakage, results and report
//! pages.
//!
//! ```text
//! image_set     images, with their name and origin
//! checksum      SHA-256 checksums
//! config        the settings of a run, stored as config.toml
//! backbone      a pretrained network that a run begins with
//! network       the network of a run: a built-in one, or one that a file describes
//! training      trains and evaluates a model from settings and images
//! rate_finder   tries learning rates, and suggests one
//! run           a run from its settings to the results in its folder
//! folds         cross-validation: which image is in which fold, and what was answered; folds_run makes the runs
//! workers       several runs in parallel, each on its own thread pool
//! open_run      the folder of a run while it is being made
//! inspection    predictions and heat maps: where in the images the heat is
//! experiment    compares runs with and without leakage; experiment_run makes them
//! audit         leaks in a set of images, and the accuracy without duplicates; repair writes a split without them
//! seen          which images a model was trained and validated on
//! scores        what metrics say of a classifier's answers
//! figures       the data of a run's figures
//! results       the files that a run writes to its folder
//! tensorboard   event files for TensorBoard
//! report        HTML pages with the results
//! kept_runs     the runs on disk
//! similar       names that were probably meant
//! stats, format uncertainty of scores, and numbers as text
//! ```
//!
//! All work reports its progress to an [`Observer`], which can also stop it. This crate prints nothing,
//! reads no command line and sets no exit status. The caller finds images by name and passes them as an
//! [`ImageSet`].

#![forbid(unsafe_code)]

pub mod audit;
pub mod backbone;
mod checksum;
pub mod config;
mod environment;
pub mod error;
mod evaluation;
pub mod experiment;
mod experiment_run;
pub mod figures;
pub mod folds;
mod folds_run;
pub mod format;
pub mod image_set;
pub mod images;
pub mod inspection;
pub mod kept_runs;
pub mod network;
pub mod observer;
pub mod open_run;
mod picture;
pub mod rate_finder;
pub mod repair;
pub mod report;
pub mod results;
mod run;
pub mod run_folder;
pub mod scores;
pub mod seen;
pub mod shell;
pub mod similar;
pub mod stats;
mod tensorboard;
pub mod text;
pub mod training;
mod workers;

pub use environment::Environment;
pub use error::{Result, StudyError};
pub use evaluation::Evaluation;
pub use experiment_run::{Experiment, ExperimentSets};
pub use folds_run::{cross_validate, other_kind, remove_checkpoints};
pub use image_set::{ImageSet, Kind, known_ground};
pub use network::Network;
pub use observer::{Counter, Observer, TrainingDisplay};
pub use run::{Outputs, make_run};
