//! Why a command ended without its result, and the exit status that tells scripts.

use nn_core::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// A command's failure.
#[derive(Debug)]
pub enum Failure {
    /// The work failed: status 1.
    Failed(String),
    /// The disk is full: status 1.
    NoRoom(String),
    /// What was asked for makes no sense: status 2.
    Usage(String),
    /// A check found what it looks for: status 3.
    Gate(String),
    /// The user ended it: status 130.
    Interrupted,
    /// The user ended it, and it can go on as the text says: status 130.
    Stopped(String),
}

impl Failure {
    /// The work failed, for the reason given.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// What was asked for makes no sense.
    pub fn usage(reason: impl fmt::Display) -> Self {
        Self::Usage(reason.to_string())
    }

    /// The exit status scripts see.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) | Self::NoRoom(_) => 1,
            Self::Usage(_) => 2,
            Self::Gate(_) => 3,
            Self::Interrupted | Self::Stopped(_) => 130,
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Interrupted => Self::Interrupted,
            Error::Setting { .. } => Self::Usage(error.to_string()),
            Error::Io { ref source, .. } if is_no_room(source) => Self::NoRoom(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<nn_figures::Error> for Failure {
    fn from(error: nn_figures::Error) -> Self {
        Self::failed(error)
    }
}

/// Whether a disk, or a user's share of it, is full.
fn is_no_room(problem: &io::Error) -> bool {
    matches!(problem.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason)
            | Self::NoRoom(reason)
            | Self::Usage(reason)
            | Self::Gate(reason) => f.write_str(reason),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Stopped(how) => write!(f, "interrupted {how}"),
        }
    }
}
