//! HTML pages with results. Each page is one self-contained file that can be passed on.
//!
//! ```text
//! templates/   base.html (head, header, footer), parts.html (macros), one file for each page, style, script
//! base         the common parts of all pages
//! parts        data for the macros of parts.html
//! places       names of folders and files without their path on the disk
//! samples      sample pictures of the data
//! curves       training curves, and whether they show overfitting
//! matrix       a confusion matrix, as a picture and as a table
//! gallery      photographs with their heat maps, and the worst errors
//! shares       heat on the background, by predicted class
//! outline      the outline of a mask
//! duplicate_pair  two images that are duplicates, side by side
//! leaks        the audit of an experiment's sets
//! run          the page of a training run
//! folds        the page of a cross-validation
//! experiment   the page of an experiment
//! tried        what it tried against the leak
//! handout      a worksheet with exercises about it
//! audit        the page of an audit
//! ```
//!
//! A page embeds everything it shows; its content security policy forbids loading anything. The templates
//! escape names of files and classes. A new page extends `base.html`, fills `base::Base` and uses the
//! macros it needs.

mod audit;
mod base;
mod curves;
mod duplicate_pair;
mod experiment;
mod folds;
mod gallery;
mod handout;
mod leaks;
mod matrix;
mod outline;
mod parts;
mod places;
mod run;
mod samples;
mod scores;
mod shares;
mod tried;

use crate::StudyError;
use askama::Template;

pub use audit::AuditPage;
pub use experiment::{ExperimentPage, Told};
pub use folds::FoldsPage;
pub use handout::HandoutPage;
pub use run::RunPage;
pub use tried::LookedInto;

/// Renders a page to HTML.
///
/// # Errors
/// If a template fails, which would be a bug in the template.
pub fn render(page: &impl Template) -> Result<String, StudyError> {
    let html = page.render().map_err(StudyError::failed)?;
    // A non-breaking space keeps a number and its percent sign on one line.
    Ok(html.replace(" %", "\u{a0}%"))
}

/// The file name of a page, in the folder it reports on.
pub const REPORT_FILE: &str = "report.html";

/// The file name of the worksheet, next to an experiment's page.
pub const HANDOUT_FILE: &str = "handout.html";
