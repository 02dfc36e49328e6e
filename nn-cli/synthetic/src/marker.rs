//! The marker that distinguishes a rendered folder from photographs: a file for programs, and a note for
//! people.

use crate::sets::SyntheticSet;
use nn_core::{Error, Result};
use nn_staging::StagedFolder;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The machine-readable marker's file name.
pub const MARKER_FILE: &str = "stand-in.json";

/// The file name of the note for people.
pub(crate) const NOTE_FILE: &str = "STAND-IN.txt";

/// Marks a rendered folder: the content of `stand-in.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Always `"stand-in"`.
    pub kind: String,
    /// The set that was rendered.
    pub set: SyntheticSet,
    /// The seed it was rendered with.
    pub seed: u64,
    /// Width and height of each picture.
    pub size: u32,
    /// The [`RENDERER_VERSION`](crate::RENDERER_VERSION) that drew it.
    pub renderer_version: u32,
}

impl Marker {
    /// Reads the marker of the folder `dir`; `None` if the folder has no marker.
    ///
    /// # Errors
    /// If the marker exists but cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        let path = dir.join(MARKER_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let remedy = "remove the folder and render it again with `nn-cli data render`";
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::file(&path, format!("is not a stand-in marker ({error})"), remedy)
        })
    }

    /// Writes the marker and the note into `folder`.
    pub(crate) fn write(&self, folder: &StagedFolder) -> Result<()> {
        let json = serde_json::to_string_pretty(self).map_err(|error| {
            let path = folder.shown().join(MARKER_FILE);
            Error::file(&path, error, "this is a defect of nn-cli; please report it")
        })?;
        folder.write(MARKER_FILE, json + "\n")?;
        folder.write(
            NOTE_FILE,
            format!(
                "These pictures are drawings, not photographs.\n\n\
                 nn-cli rendered them (seed {}) as a stand-in for the published data set \"{}\".\n\
                 Results obtained with them say nothing about real animals.\n\
                 `nn-cli data fetch` gets the photographs.\n",
                self.seed,
                self.set.name(),
            ),
        )
    }
}
