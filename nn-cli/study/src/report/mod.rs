//! Pages that tell results. Each is one file that loads nothing, so that it can be passed on.
//!
//! ```text
//! templates/   base.html (head, header, footer), parts.html (macros), a file a page, style, script
//! base         what every page has
//! parts        what the macros of parts.html show
//! places       names of folders and files without their path on the disk
//! samples      pictures of the data
//! curves       training curves, and whether they show overfitting
//! matrix       a confusion matrix, drawn and as a table
//! gallery      photographs with their heat maps, and the worst errors
//! shares       heat on the background, by the class that was answered
//! outline      the outline of a mask
//! duplicate_pair  two images that are duplicates, side by side
//! leaks        what an audit finds in an experiment's sets
//! run          the page of a training run
//! experiment   the page of an experiment
//! handout      a sheet of exercises about it
//! audit        the page of an audit
//! ```
//!
//! A page holds all it shows and may load nothing, which its content security policy enforces; names
//! of files and classes are escaped by the templates. A further page extends `base.html`, fills
//! `base::Base` and uses the macros it likes.

mod audit;
mod base;
mod curves;
mod duplicate_pair;
mod experiment;
mod gallery;
mod handout;
mod leaks;
mod matrix;
mod outline;
mod parts;
mod places;
mod run;
mod samples;
mod shares;

use crate::StudyError;
use askama::Template;

pub use audit::AuditPage;
pub use experiment::{ExperimentPage, Told};
pub use handout::HandoutPage;
pub use run::RunPage;

/// A page as the content of its file.
///
/// # Errors
/// If a template fails, which would be a mistake in it.
pub fn render(page: &impl Template) -> Result<String, StudyError> {
    let html = page.render().map_err(StudyError::failed)?;
    // A number and its percent sign stay on one line.
    Ok(html.replace(" %", "\u{a0}%"))
}

/// The page's name in the folder it reports on.
pub const REPORT_FILE: &str = "report.html";

/// The name of the sheet of exercises beside an experiment's page.
pub const HANDOUT_FILE: &str = "handout.html";
