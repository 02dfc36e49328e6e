//! What lies in the place of a published set.

use serde::Serialize;

/// What lies in the place of a published set. In files it is called by what serves the set's name then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SetState {
    /// The published photographs: all checksums match and there is no other image. `published` in files.
    #[serde(rename = "published")]
    Published,
    /// A folder that differs from the published set. `folder` in files.
    #[serde(rename = "folder")]
    Different,
    /// Nothing, so that a drawn set serves the name. `stand-in` in files.
    #[serde(rename = "stand-in")]
    Absent,
}
