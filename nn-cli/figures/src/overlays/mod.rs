//! Heat maps over photographs: the colour map, the blending, and pictures with captions.
//!
//! [`overlay`] blends one map over one image, as in the reference notebook: the colour map jet at an
//! opacity of one half. [`side_by_side`] shows it next to the original, with a caption and a colour bar;
//! [`grid`] shows many on one page, [`sheet`] images without maps.

mod blend;
mod captioned;
mod convert;
mod jet;
mod resize;
mod sheet;

pub use blend::{outline, overlay};
pub use captioned::{GRID_MOST, HeatFigure, grid, side_by_side};
pub use convert::{encode, rgb_image};
pub use jet::jet;
pub use resize::{fitted, resized};
pub use sheet::{SheetRow, sheet};
