//! The state of a published set's folder.

use serde::Serialize;

/// The state of a published set's folder. Its serialised name says which images are used under the set's
/// name in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SetState {
    /// The published photographs: all checksums match and there is no other image. `published` in files.
    #[serde(rename = "published")]
    Published,
    /// A folder that differs from the published set. `folder` in files.
    #[serde(rename = "folder")]
    Different,
    /// No folder, so the synthetic set is used under this name. `stand-in` in files.
    #[serde(rename = "stand-in")]
    Absent,
}
