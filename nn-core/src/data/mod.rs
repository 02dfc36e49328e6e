//! Image folders, and the conversion of their images to network inputs.
//!
//! ```text
//! file_kind  whether a file is an image
//! tree       a folder with everything below it; the entries that are skipped, and why
//! folder     the images of a folder, with their classes and splits
//! split      training, validation and test; split_file reads the split from a table
//! folds      folds for cross-validation; disjoint_sets joins what must stay together
//! decode     a file to 8-bit RGB, and the conversions that were applied
//! resize     8-bit RGB to the network's size, in f32; resize_rule says which part of it, resample antialiases
//! spill      a temporary file for images that do not fit in memory
//! dataset    all of it together: batches within a memory bound
//! augment    other versions of images for training
//! ```
//!
//! In addition, [`foreground()`] segments an image into subject and background.
//!
//! ```no_run
//! use nn_core::data::{Dataset, DatasetOptions, ImageFolder};
//! use nn_core::tensor::BufferPool;
//!
//! let folder = ImageFolder::scan("data/same_backgrounds".as_ref())?;
//! let split = folder.split(0.125, 27)?;
//! let train = Dataset::load(split.train, folder.classes.clone(), &DatasetOptions::default())?;
//! let order = train.shuffled_order(27, 1);
//! let (images, labels) = train.batch(&order[..4], &BufferPool::new())?;
//! assert_eq!(images.dims(), [4, 256, 256, 3]);
//! # Ok::<(), nn_core::Error>(())
//! ```

#[cfg(feature = "images")]
pub mod augment;
#[cfg(feature = "images")]
mod channels;
#[cfg(feature = "images")]
mod dataset;
#[cfg(feature = "images")]
pub(crate) mod decode;
mod disjoint_sets;
#[cfg(feature = "images")]
mod file_kind;
#[cfg(feature = "images")]
mod folder;
mod folds;
#[cfg(feature = "images")]
mod foreground;
mod labels;
mod mask;
#[cfg(feature = "images")]
mod own_output;
mod part;
#[cfg(feature = "images")]
mod passed_over;
#[cfg(feature = "images")]
mod resample;
#[cfg(feature = "images")]
mod resize;
#[cfg(feature = "images")]
mod resize_mode;
#[cfg(feature = "images")]
mod resize_rule;
mod sample;
#[cfg(feature = "images")]
mod spill;
mod split;
#[cfg(feature = "images")]
pub mod split_file;
#[cfg(feature = "images")]
mod tree;

#[cfg(feature = "images")]
pub use channels::Channels;
#[cfg(feature = "images")]
pub use dataset::{Dataset, DatasetOptions, Skipped};
#[cfg(feature = "images")]
pub use decode::{
    AlphaBackground, Content, Decoded, Depth, Format, MAX_DECODED_BYTES, MAX_DIMENSION,
    MAX_FILE_BYTES, PixelsHash, Rgb8, SNIFFED_BYTES, Treated, Treatment, decode_bytes,
    decode_bytes_on, decode_file, decode_file_on, pixels_hash, sniff,
};
pub use disjoint_sets::DisjointSets;
#[cfg(feature = "images")]
pub use file_kind::{EXTENSIONS, is_image};
#[cfg(feature = "images")]
pub use folder::{FolderImage, ImageFolder, Layout, PartFolder};
pub use folds::Grouped;
#[cfg(feature = "images")]
pub(crate) use foreground::AGREEMENT;
#[cfg(feature = "images")]
pub use foreground::{Foreground, ForegroundRule, foreground};
pub use labels::{one_hot, shuffled_order};
pub use mask::{BoundingBox, Mask};
#[cfg(feature = "images")]
pub use own_output::SIGNATURE;
pub use part::Part;
#[cfg(feature = "images")]
#[doc(hidden)]
pub use passed_over::relative;
#[cfg(feature = "images")]
pub use passed_over::{PassedOver, Reason, is_a_loss, summary};
#[cfg(feature = "images")]
pub use resize::{network_input, resize_bilinear};
#[cfg(feature = "images")]
pub use resize_mode::{Resampling, ResizeMode};
#[cfg(feature = "images")]
pub use resize_rule::Resize;
pub use sample::Sample;
#[cfg(feature = "images")]
pub(crate) use spill::Spill;
#[doc(hidden)]
pub use split::check_validation_split;
pub use split::{Split, stratified_split, validation_split};

/// The images in the folder `root`, at any depth, those of a folder before those of its subfolders,
/// and the skipped entries.
///
/// # Errors
/// If a folder cannot be read.
#[cfg(feature = "images")]
pub fn images_below(
    root: &std::path::Path,
) -> crate::Result<(Vec<std::path::PathBuf>, Vec<PassedOver>)> {
    let mut collector = passed_over::Collector::new(root);
    let images = tree::Tree::read(root, 0)?.into_images(&mut collector, Reason::Empty);
    collector.passed_over.sort();
    Ok((images, collector.passed_over))
}

/// The folder of the published photographs, if it exists; tests that need it are skipped without it.
#[cfg(test)]
pub(crate) fn photographs() -> Option<std::path::PathBuf> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("NN_DATA_ROOT")
        .map(Into::into)
        .into_iter()
        .chain([here.join("../data"), here.join("../../shared/data")])
        .find(|root| root.join("same_backgrounds").is_dir())
}
