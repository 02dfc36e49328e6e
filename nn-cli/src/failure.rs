//! Why a command ended without its result, and the exit status that tells scripts.

use nn_core::Error;
use nn_study::StudyError;
use std::fmt;
use std::process::ExitCode;

/// A command's failure.
#[derive(Debug)]
pub enum Failure {
    /// The work failed: status 1.
    Failed(String),
    /// What was asked for makes no sense: status 2.
    Usage(String),
    /// A check found what it looks for: status 3.
    CheckFailed(String),
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
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::CheckFailed(_) => 3,
            Self::Interrupted | Self::Stopped(_) => 130,
        })
    }
}

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Invalid(reason) => Self::Usage(reason),
            StudyError::Interrupted => Self::Interrupted,
            StudyError::Stopped(how) => Self::Stopped(how),
            other => Self::failed(other),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        StudyError::from(error).into()
    }
}

impl From<nn_figures::Error> for Failure {
    fn from(error: nn_figures::Error) -> Self {
        Self::failed(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) | Self::Usage(reason) | Self::CheckFailed(reason) => {
                f.write_str(reason)
            }
            Self::Interrupted => f.write_str("interrupted"),
            Self::Stopped(how) => write!(f, "interrupted {how}"),
        }
    }
}
