//! The synthetic data set: drawn huskies and wolves, for users without the photographs.
//!
//! The published experiment trains a network to distinguish huskies on grass from wolves on snow, and finds
//! that it learned the background, not the animal. The pictures drawn here have the same leak, in the same
//! folders with the same file numbers: backgrounds that differ clearly (`scene`), and animals that differ
//! in a few overlapping traits (`animal`) and have all other properties in common. They are drawn from
//! vector shapes and hairs (`canvas`, `head`, `anatomy`, `body`), and then get the exposure, blur and grain
//! of a camera (`picture`).
//!
//! Each picture is a pure function of its [`Spec`], the seed and the size, independent of the number of
//! threads. A rendered folder contains a [`Marker`], so that later steps do not mistake it for the
//! photographs. On the command line and in files the set is called the stand-in.
//!
//! ```
//! use nn_synthetic::{DEFAULT_SEED, SyntheticSet, render_image, specs};
//!
//! let all = specs(SyntheticSet::SameBackgrounds);
//! assert_eq!(all.len(), 100);
//! let picture = render_image(&all[0], DEFAULT_SEED, 64);
//! assert_eq!(picture.rgb.dimensions(), (64, 64));
//! ```

#![forbid(unsafe_code)]

mod anatomy;
mod animal;
mod body;
mod canvas;
mod head;
mod marker;
mod picture;
mod render;
mod scene;
mod sets;

pub use animal::Species;
pub use marker::{MARKER_FILE, Marker};
pub use picture::Picture;
pub use render::{DEFAULT_SEED, DEFAULT_SIZE, RENDERER_VERSION, render, render_image};
pub use scene::Ground;
pub use sets::{Spec, Subset, SyntheticSet, specs};

#[cfg(test)]
mod tests;
