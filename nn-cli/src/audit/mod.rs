//! Leaks in an image set, for people: the report as text, and the repair.
//!
//! The finding itself is `nn_core::audit`.

pub mod repair;
pub mod text;
