//! The ops, one family a file: each adds methods to [`Tape`](super::Tape).

mod elementwise;
mod reduce;
