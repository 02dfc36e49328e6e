//! What a run is made of.

use crate::ImageSet;
use crate::backbone::Backbone;
use crate::config::RunConfig;

/// What a run is made of.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Its settings.
    pub config: &'a RunConfig,
    /// Its images.
    pub set: &'a ImageSet,
    /// The backbone that the settings name, opened.
    pub backbone: Option<&'a Backbone>,
}
