//! The published photographs: which files they are, whether a folder holds them, how to get them.
//!
//! The photographs are not part of this repository (see `data/README.md`); their checksums are.
//! Everything here stands on that list, [`Manifest`]: [`verify()`] compares a folder with it,
//! [`fetch()`] lets no byte under a final name that does not agree with it. So it does not matter
//! which server, mirror or hand an archive came from.

mod archive;
mod download;
mod fetch;
mod manifest;
mod verify;
mod workshop;

#[cfg(test)]
mod testing;

pub use archive::read_archive;
pub use fetch::{Limits, Options, Outcome, Progress, Source, fetch};
pub use manifest::Manifest;
pub use verify::{Kind, SetReport, identify, verify};

/// Where the photographs were published.
pub const REPOSITORY: &str = "https://github.com/shaivimalik/covid_illegitimate_features";

/// The commit whose files the manifest lists.
pub const COMMIT: &str = "d76e391";

/// The archive [`fetch()`] downloads unless told otherwise.
pub fn default_url() -> String {
    format!("{REPOSITORY}/archive/{COMMIT}.tar.gz")
}
