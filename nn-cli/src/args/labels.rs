//! The options for labels from a table.

use clap::Args as ClapArgs;
use std::path::PathBuf;

/// What images show, where their folders do not say it.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct LabelArgs {
    /// A table (CSV) of what the images show, which may lie in one folder: a column for the files (file,
    /// filename, image, image_id, path or id), one for the classes (label, class, category or target),
    /// and perhaps one that says what each is for (split)
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// The column of that table with the classes
    #[arg(long, value_name = "NAME", requires = "labels")]
    pub label_column: Option<String>,
}
