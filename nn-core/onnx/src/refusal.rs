//! Why a file cannot be read: what is wrong, where, and what to do.

use std::fmt::Display;

/// Why a file, a node or a tensor cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub problem: String,
    pub remedy: String,
}

pub type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    pub fn new(problem: impl Display, remedy: impl Display) -> Self {
        Self { problem: problem.to_string(), remedy: remedy.to_string() }
    }

    /// The same, with the place where it happened before it.
    pub fn at(self, place: impl Display) -> Self {
        Self { problem: format!("{place}: {}", self.problem), ..self }
    }
}

/// What a layer does not accept.
impl From<nn_core::Error> for Refusal {
    fn from(error: nn_core::Error) -> Self {
        match error {
            nn_core::Error::Shape { at, expected, received, remedy } => {
                Self::new(format!("{at}: expected {expected}, received {received}"), remedy)
            }
            nn_core::Error::Setting { what, expected, received, remedy } => {
                Self::new(format!("{what} must be {expected}, received {received}"), remedy)
            }
            other => Self::new(other, "check how the file was made, and export it again"),
        }
    }
}
