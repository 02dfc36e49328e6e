//! What was found and done, in sentences, for a terminal and for pages.

pub mod folder;
pub mod leaks;
pub mod treated;
