//! The published photographs: which files they are, whether a folder holds them, how to get them.
//!
//! The photographs are not part of this repository (see `data/README.md`); their checksums are, in
//! [`Manifest`]. [`verify()`] and [`identify`] compare folders with it. [`fetch()`] gives a file its final
//! name only if its checksum is in the manifest, so it does not matter which server, mirror or disk an
//! archive came from.
//!
//! Nothing is printed: [`fetch()`] reports its [`Progress`] to a callback, which can also stop it.
//!
//! ```
//! use nn_photographs::{Manifest, SetState, verify};
//!
//! let nothing = tempfile::tempdir().unwrap();
//! let report = verify(Manifest::published(), nothing.path())?;
//! assert!(!report.is_complete());
//! for set in &report.sets {
//!     assert_eq!((set.state, set.missing.len()), (SetState::Absent, set.files));
//! }
//! # Ok::<(), nn_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod archive;
mod collect;
mod download;
mod fetch;
mod fetch_folder;
mod limits;
mod manifest;
mod progress;
mod source;
mod state;
mod verify;

#[cfg(test)]
mod testing;

pub use archive::{Visit, Wanted, read_archive};
pub use fetch::{FetchOptions, FetchReport, FetchedSet, Outcome, fetch};
pub use limits::Limits;
pub use manifest::{Checksum, Entry, Manifest, checksum};
pub use progress::Progress;
pub use source::{COMMIT, REPOSITORY, Source, default_url};
pub use state::SetState;
pub use verify::{SetReport, VerifyReport, identify, verify, verify_set};
