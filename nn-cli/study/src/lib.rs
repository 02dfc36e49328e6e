//! The study of nn-cli: what a network learned from images, and what leaks in them do to its score.
//!
//! ```text
//! image_set     images, and what is known about them
//! config        the settings of a run, as config.toml has them
//! training      a run: from settings and images to a model and its score
//! run           a run from its settings to the results in its folder
//! open_run      the folder of a run while it is made
//! inspection    a look into the answers: where in the images the heat lies
//! experiment    runs with leakage and without, compared; experiment_run makes them
//! audit         leaks in a set of images, and the score without duplicates; repair writes a split without them
//! seen          which images a model was made with
//! figures       what the figures of a run show
//! results       what a run leaves in its folder
//! report        pages that tell all this
//! kept_runs     the runs that are on the disk
//! stats, format numbers as people read them, with their uncertainty
//! ```
//!
//! Everything here can be told how far it is and be stopped, through an [`Observer`]. It prints nothing, reads
//! no command line and knows no exit status. Finding images by name is the caller's: a set comes in as an
//! [`ImageSet`].

#![forbid(unsafe_code)]

pub mod audit;
pub mod config;
mod environment;
pub mod error;
pub mod experiment;
mod experiment_run;
pub mod figures;
pub mod format;
pub mod image_set;
pub mod images;
pub mod inspection;
pub mod kept_runs;
pub mod observer;
pub mod open_run;
mod picture;
pub mod repair;
pub mod report;
pub mod results;
mod run;
pub mod run_folder;
pub mod seen;
pub mod shell;
pub mod stats;
pub mod text;
pub mod training;

pub use environment::Environment;
pub use error::{Result, StudyError};
pub use experiment_run::{Experiment, ExperimentSets};
pub use image_set::{ImageSet, Kind, known_ground};
pub use observer::{Counter, Observer, TrainingDisplay};
pub use run::make_run;
