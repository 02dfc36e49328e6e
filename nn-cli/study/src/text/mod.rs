//! Findings and actions as sentences, for the terminal and for pages.

pub mod folder;
pub mod leaks;
pub mod treated;
