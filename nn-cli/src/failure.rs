//! Failures of commands, and their exit status.

use nn_core::Error;
use nn_study::StudyError;
use std::fmt;
use std::process::ExitCode;

/// A command's failure.
#[derive(Debug)]
pub enum Failure {
    /// The work failed. Exit status 1.
    Failed(String),
    /// The request is invalid. Exit status 2.
    Usage(String),
    /// A check did not pass. Exit status 3.
    CheckFailed(String),
    /// The user interrupted it. Exit status 130.
    Interrupted,
    /// The user interrupted it, and it can be resumed as the text says. Exit status 130.
    Stopped(String),
}

impl Failure {
    /// The work failed, for the reason given.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// The request is invalid, for the reason given.
    pub fn usage(reason: impl fmt::Display) -> Self {
        Self::Usage(reason.to_string())
    }

    /// The exit status of the program.
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
