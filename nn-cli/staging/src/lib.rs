//! Results are staged in a hidden folder and committed when they are complete.
//!
//! A folder or file under its final name is never partly written. A writer of several files opens a
//! [`Stage`], writes into its [`StagedFolder`], and calls [`Stage::commit`]. A stage that is dropped
//! without a commit, after an error or an interruption, leaves nothing behind. The [`Policy`] decides where
//! the stage is created and how it is committed:
//!
//! | policy | staged | commit | for |
//! |---|---|---|---|
//! | [`Policy::ReplaceFolder`] | beside the target | one rename of the whole folder | an experiment |
//! | [`Policy::NewFolder`] | beside the target | the same, where nothing is yet | a rendered set of images |
//! | [`Policy::MoveEntries`] | within the target | entry by entry, one of them last | a training run |
//! | [`Policy::AddFiles`] | within the target | file by file, if all names are free | heat maps |
//!
//! # What survives a kill
//!
//! | killed | state of the target | what is left over |
//! |---|---|---|
//! | while staging | what was there before | the stage; the target, empty, if it was made for this |
//! | in the commit of a whole folder | the old folder or the new one, never a mixture | the old one, hidden; where names cannot be exchanged (other than Linux), the target may be missing until the next stage is opened |
//! | in the commit by entries | complete entries, old and new; the last one is missing until all others are there | the stage |
//! | in the commit by files | complete files, some of the new ones may be missing | the stage |
//! | after the commit | the new results | nothing |
//!
//! What is left over is removed when the next stage is opened in the same place. An open stage is locked,
//! and the system releases the lock when the program ends, so a stage without a lock is not in use. Where
//! folders cannot be locked (Windows, some network file systems), nothing is removed.
//!
//! # Power failures
//!
//! Files written with [`StagedFolder::write`] are synced to the disk before their final names appear; a
//! commit syncs the names, too. The last entry of [`Policy::MoveEntries`] gets its name after all others
//! are there.
//!
//! # Example
//!
//! ```
//! use nn_staging::{Policy, Stage};
//! # let folder = tempfile::tempdir().unwrap();
//! # let target = folder.path().join("heat");
//! let policy = Policy::AddFiles { overwrite: false };
//! let stage = Stage::open(&target, policy, "choose another --out")?;
//! stage.folder().write("wolf.png", b"...")?;
//! assert!(!target.join("wolf.png").exists());
//! stage.commit()?;
//! assert!(target.join("wolf.png").exists());
//! # Ok::<(), nn_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod commit;
mod created;
mod file_names;
mod hidden;
mod lock;
mod stage;

pub use created::CreatedFolders;
pub use file_names::FileNames;
pub use lock::{FolderLock, LockedFolder};
pub use stage::{Policy, Stage, StagedFolder, holds_only_stages, is_abandoned};
