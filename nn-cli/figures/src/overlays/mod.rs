//! Heat maps over photographs: the colours, the blend, and pictures with captions.
//!
//! [`overlay`] blends one map over one image, as the reference notebook shows it: the colour map jet, half
//! and half. [`side_by_side`] sets it beside the original, with a caption and a colour bar; [`grid`] puts
//! many on a page.

mod blend;
mod captioned;
mod convert;
mod jet;
mod resize;

pub use blend::{outline, overlay};
pub use captioned::{GRID_MOST, HeatFigure, grid, side_by_side};
pub use convert::{encode, rgb_image};
pub use jet::jet;
pub use resize::{fitted, resized};
