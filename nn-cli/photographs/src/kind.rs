//! What stands behind a data set's name.

use serde::Serialize;

/// What stands behind a data set's name. Every output that speaks of data says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The published photographs: all checksums match and there is no other image.
    Published,
    /// Some folder of images.
    Folder,
    /// The synthetic set that serves a name where nothing is on disk, `stand-in` in files.
    #[serde(rename = "stand-in")]
    Synthetic,
}
