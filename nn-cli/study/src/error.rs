//! Errors of a study.

use nn_core::Error;
use std::fmt::Display;
use std::io;

/// The result of a study's work.
pub type Result<T, E = StudyError> = std::result::Result<T, E>;

/// Why a study ended without a result. Every message is meant for users.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The work failed.
    #[error("{0}")]
    Failed(String),
    /// The disk is full, or the user's quota is exhausted.
    #[error("{0}")]
    DiskFull(String),
    /// The request is invalid.
    #[error("{0}")]
    Invalid(String),
    /// The observer stopped it.
    #[error("interrupted")]
    Interrupted,
    /// The observer stopped it, and it can be resumed as the text says.
    #[error("interrupted {0}")]
    Stopped(String),
}

impl StudyError {
    /// The work failed, for the reason given.
    pub fn failed(reason: impl Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// Adds the name of one of several runs to an error.
    pub(crate) fn of(self, run: &str) -> Self {
        match self {
            Self::Failed(reason) => Self::Failed(format!("{run}: {reason}")),
            Self::DiskFull(reason) => Self::DiskFull(format!("{run}: {reason}")),
            other => other,
        }
    }

    /// The request is invalid, for the reason given.
    pub fn invalid(reason: impl Display) -> Self {
        Self::Invalid(reason.to_string())
    }
}

impl From<Error> for StudyError {
    fn from(error: Error) -> Self {
        match error {
            Error::Interrupted => Self::Interrupted,
            Error::Setting { .. } => Self::Invalid(error.to_string()),
            Error::Io { ref source, .. } if is_disk_full(source) => {
                Self::DiskFull(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<nn_figures::Error> for StudyError {
    fn from(error: nn_figures::Error) -> Self {
        Self::failed(error)
    }
}

/// Whether an error means that the disk is full or the user's quota is exhausted.
fn is_disk_full(problem: &io::Error) -> bool {
    matches!(problem.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
