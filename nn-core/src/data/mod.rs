//! Image folders, and what becomes of them on the way into the network.
//!
//! ```text
//! folder    which files there are, and which class each belongs to
//! split     who trains, who validates, who tests
//! decode    a file to 8-bit RGB, and what was done to it
//! resize    8-bit RGB to the network's size, in f32
//! spill     a temporary file for images that need not stay in memory
//! dataset   all of it together: batches within a memory bound
//! ```
//!
//! Beside them, [`foreground()`] tells an image's subject from its background.
//!
//! ```no_run
//! use nn_core::data::{Dataset, DatasetOptions, ImageFolder};
//! use nn_core::tensor::Pool;
//!
//! let folder = ImageFolder::scan("data/same_backgrounds".as_ref())?;
//! let split = folder.split(0.125, 27)?;
//! let train = Dataset::load(split.train, folder.classes.clone(), &DatasetOptions::default())?;
//! let order = train.shuffled_order(27, 1);
//! let (images, labels) = train.batch(&order[..4], &Pool::new())?;
//! assert_eq!(images.dims(), [4, 256, 256, 3]);
//! # Ok::<(), nn_core::Error>(())
//! ```

pub mod dataset;
pub mod decode;
pub mod folder;
pub mod foreground;
pub mod mask;
pub mod resize;
mod spill;
pub mod split;

pub use dataset::{Dataset, DatasetOptions, Skipped, one_hot, shuffled_order};
pub use decode::{
    AlphaBackground, Content, Decoded, Depth, Format, Rgb8, SNIFFED_BYTES, Treated, Treatment,
    decode_bytes, decode_bytes_on, decode_file, decode_file_on, same_pixels, sniff,
};
pub use folder::{EXTENSIONS, ImageFolder, Layout, Sample, is_image};
pub use foreground::{Foreground, ForegroundRule, foreground};
pub use mask::{BoundingBox, Mask};
pub use resize::resize_bilinear;
pub use split::{NumpyRandom, Split, check_validation_split, stratified_split, validation_split};

/// Where the published photographs lie, if they are there: for tests, which skip without them.
#[cfg(test)]
pub(crate) fn photographs() -> Option<std::path::PathBuf> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("NN_DATA_ROOT")
        .map(Into::into)
        .into_iter()
        .chain([here.join("../data"), here.join("../../shared/data")])
        .find(|root| root.join("same_backgrounds").is_dir())
}
