//! The options of `nn-cli audit`.

use super::numbers::{seed, share, whole};
use super::{DEFAULT_DATA_ROOT, DEFAULT_VALIDATION_SPLIT, LabelArgs};
use clap::{Args as ClapArgs, ValueEnum};
use nn_core::data::AlphaBackground;
use nn_study::repair;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli audit photos/\n  \
    nn-cli audit same_backgrounds --html audit.html\n  \
    nn-cli audit photos/ --repair split.csv\n  \
    nn-cli train --data photos/ --split split.csv\n\n\
    Finds images that are there twice (same bytes, same pixels, or encoded anew, resized, mirrored, \
    turned, cropped, brightened, written over) and says which pairs cross training, validation and \
    test; whether the class can be told without looking at the subject: from size, format, metadata, \
    file size, a mark, corners, border, colours, sharpness or file names; and images that are broken \
    or odd. It looks at the folder alone and changes nothing in it.\n\n\
    Exit status 3, so that it can stand in a pipeline, if more than --allow pairs cross splits, or if \
    size, format, file size, a mark, corners or border give a class away (see --allow-label-leaks). \
    A folder that has no train/ and test/ is not split yet: there every group of copies counts.")]
pub struct AuditArgs {
    /// A folder of images, or the name of a set under the data root
    #[arg(value_name = "DIR|NAME")]
    pub data: String,
    /// The folder that holds the named data sets
    #[arg(long, value_name = "DIR", env = "NN_DATA_ROOT", default_value = DEFAULT_DATA_ROOT)]
    pub data_root: PathBuf,
    #[command(flatten)]
    pub labels: LabelArgs,
    /// How many pairs of copies across splits are accepted; groups of copies, where the folder has no
    /// split
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 0, value_parser = whole::<usize>(0, u64::MAX, 0))]
    pub allow: usize,
    /// Also fail if images of one scene or template are in several splits
    #[arg(long)]
    pub strict: bool,
    /// Do not fail if a class can be told without looking at the subject
    #[arg(long)]
    pub allow_label_leaks: bool,
    /// Write a page with the pairs side by side
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a split in which no copies are divided: a table, or a folder with --repair-as
    #[arg(long, value_name = "OUT")]
    pub repair: Option<PathBuf>,
    /// How the repaired split is written
    #[arg(long, value_enum, value_name = "HOW", default_value_t = RepairAs::Manifest, requires = "repair")]
    pub repair_as: RepairAs,
    /// Seed of the split; give the one that you train with
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 27, value_parser = seed())]
    pub seed: u64,
    /// Share of train/ held back for validation, where there is no folder for it; give the one of the
    /// training [default: 0.125]
    #[arg(long, allow_hyphen_values = true, value_name = "SHARE", value_parser = share)]
    pub validation_split: Option<f64>,
    /// Colour behind transparent parts of images: white, black, grey, #rrggbb or r,g,b; give the one
    /// of the training
    #[arg(long, value_name = "COLOUR", default_value_t)]
    pub alpha_background: AlphaBackground,
}

impl From<RepairAs> for repair::RepairAs {
    fn from(how: RepairAs) -> Self {
        match how {
            RepairAs::Manifest => Self::Manifest,
            RepairAs::Copy => Self::Copy,
            RepairAs::Hardlink => Self::Hardlink,
        }
    }
}

impl AuditArgs {
    /// The share of train/ held out for validation.
    pub fn share(&self) -> f64 {
        self.validation_split.unwrap_or(DEFAULT_VALIDATION_SPLIT)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RepairAs {
    /// A table for `train --split`
    Manifest,
    /// A folder with train/ and test/ in which the images are copied
    Copy,
    /// The same with hard links, which take no space
    Hardlink,
}
