//! One error type for the whole library.
//!
//! Every message says where the error occurred, what was expected, what was received, and what to do
//! about it. The library never prints, exits or panics on invalid input.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error: what went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An op or layer was given a shape it does not accept.
    #[error("{at}: expected {expected}, received {received}; {remedy}")]
    Shape {
        /// The op or layer that reports the error.
        at: String,
        /// The expected shape or value.
        expected: String,
        /// The received shape or value.
        received: Received,
        /// What to do about it.
        remedy: String,
    },

    /// A setting is out of its range.
    #[error("{what} must be {expected}, received {received}; {remedy}")]
    Setting {
        /// The setting's name, as the user knows it.
        what: String,
        /// The allowed range or kind of value.
        expected: String,
        /// The received value.
        received: String,
        /// What to do about it.
        remedy: String,
    },

    /// Data (samples, labels, numbers that a network computed) is invalid.
    #[error("{what} must be {expected}, received {received}; {remedy}")]
    Data {
        /// Which data.
        what: String,
        /// The expected data.
        expected: String,
        /// The received data.
        received: String,
        /// What to do about it.
        remedy: String,
    },

    /// The autograd tape was misused.
    #[error("autograd: {0}")]
    Tape(String),

    /// The loss or a weight became NaN or infinite.
    #[error(
        "{what} at step {step} of epoch {epoch}; lower the learning rate, and look \
         for broken images or weights"
    )]
    NonFinite {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Step within the epoch, counted from 1.
        step: usize,
        /// What is no longer finite: `the loss became NaN`.
        what: String,
    },

    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}{}", path.display(), remedy(source))]
    Io {
        /// What was tried: `read`, `write`, `create`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },

    /// A file or folder was read, but its content is not valid.
    #[error("{}: {problem}; {remedy}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: String,
    },

    /// An internal error: a bug in this library.
    #[error("{0}; this is a fault of nn-core, please report it")]
    Internal(String),

    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// What an op or layer received instead of what it expects: shapes, or a description in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received(Box<Words>); // boxed, to keep results small

#[derive(Debug, Clone, PartialEq, Eq)]
struct Words {
    text: String,
    shapes: Vec<Vec<usize>>,
}

impl Received {
    fn new(text: String, shapes: &[&[usize]]) -> Self {
        let shapes = shapes.iter().map(|dims| dims.to_vec()).collect();
        Self(Box::new(Words { text, shapes }))
    }

    /// Several shapes, each with the name of its tensor.
    pub fn named<const N: usize>(shapes: [(&str, &[usize]); N]) -> Self {
        let text: Vec<_> = shapes.iter().map(|(name, dims)| format!("{name} {dims:?}")).collect();
        Self::new(text.join(", "), &shapes.map(|(_, dims)| dims))
    }

    /// The dimensions of each shape, outermost first; empty if the error is described in words.
    pub fn shapes(&self) -> &[Vec<usize>] {
        &self.0.shapes
    }
}

impl Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl From<&[usize]> for Received {
    fn from(dims: &[usize]) -> Self {
        Self::new(format!("{dims:?}"), &[dims])
    }
}

impl From<[&[usize]; 2]> for Received {
    fn from([a, b]: [&[usize]; 2]) -> Self {
        Self::new(format!("{a:?} and {b:?}"), &[a, b])
    }
}

impl From<String> for Received {
    fn from(text: String) -> Self {
        Self::new(text, &[])
    }
}

impl From<&str> for Received {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned(), &[])
    }
}

impl From<usize> for Received {
    fn from(count: usize) -> Self {
        Self::new(count.to_string(), &[])
    }
}

/// What to do about a failed file operation, where known.
fn remedy(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{
        AlreadyExists, NotADirectory, NotFound, PermissionDenied, QuotaExceeded,
        ReadOnlyFilesystem, StorageFull,
    };
    match source.kind() {
        NotFound => "; check the path",
        NotADirectory => "; a part of the path is a file, not a folder",
        AlreadyExists => "; something of that name is in the way",
        PermissionDenied => "; check its permissions, or choose another place",
        ReadOnlyFilesystem => "; choose another place",
        StorageFull | QuotaExceeded => "; free some space, or choose another place",
        _ => "",
    }
}

impl Error {
    /// A shape error reported by the op or layer `at`.
    ///
    /// ```
    /// use nn_core::{Error, Shape};
    ///
    /// let error = Error::shape("flip", "[height, width]", &Shape::from([2]), "add a dimension");
    /// assert_eq!(error.to_string(), "flip: expected [height, width], received [2]; add a dimension");
    /// let Error::Shape { received, .. } = error else { unreachable!() };
    /// assert_eq!(received.shapes(), [[2]]);
    /// ```
    pub fn shape(
        at: impl Display,
        expected: impl Display,
        received: impl Into<Received>,
        remedy: impl Display,
    ) -> Self {
        Self::Shape {
            at: at.to_string(),
            expected: expected.to_string(),
            received: received.into(),
            remedy: remedy.to_string(),
        }
    }

    /// An error about invalid data.
    pub fn data(
        what: impl Display,
        expected: impl Display,
        received: impl Display,
        remedy: impl Display,
    ) -> Self {
        Self::Data {
            what: what.to_string(),
            expected: expected.to_string(),
            received: received.to_string(),
            remedy: remedy.to_string(),
        }
    }

    /// An error about a setting out of its range.
    pub fn setting(
        what: impl Display,
        expected: impl Display,
        received: impl Display,
        remedy: impl Display,
    ) -> Self {
        Self::Setting {
            what: what.to_string(),
            expected: expected.to_string(),
            received: received.to_string(),
            remedy: remedy.to_string(),
        }
    }

    /// An error about a failed file operation, as a closure for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// An error about a file whose content is not valid.
    pub fn file(path: &Path, problem: impl Display, remedy: impl Display) -> Self {
        Self::File {
            path: path.to_path_buf(),
            problem: problem.to_string(),
            remedy: remedy.to_string(),
        }
    }
}
