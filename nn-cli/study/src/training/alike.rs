//! Images that look alike once they are decoded: of a folder whose pictures are in what is not read, such as their
//! transparency.

use super::warnings::Warning;
use crate::format::plural;
use nn_core::Result;
use nn_core::data::Dataset;
use nn_core::tensor::BufferPool;

/// How many images are compared, evenly spread over all.
const COMPARED: usize = 64;

/// Images that nowhere differ by this many of 255 levels look alike.
const ALIKE: f32 = 3.0;

/// The warning that all images look alike to the network; `None` if they do not, or there are fewer than two.
///
/// # Errors
/// If an image cannot be read.
pub fn alike(images: &Dataset) -> Result<Option<Warning>> {
    let count = images.len().min(COMPARED);
    if count < 2 {
        return Ok(None);
    }
    let pool = BufferPool::new();
    let first = images.batch(&[0], &pool)?.0;
    for i in 1..count {
        let other = images.batch(&[i * (images.len() - 1) / (count - 1)], &pool)?.0;
        let pairs = first.as_slice().iter().zip(other.as_slice());
        if pairs.into_iter().any(|(a, b)| (a - b).abs() >= ALIKE) {
            return Ok(None);
        }
    }
    let text = format!(
        "all of {} look alike to the network: they differ by less than {ALIKE} of 255 levels anywhere. If they do not to \
         you, what differs is lost in reading them: look at them with `nn-cli data preview`, and try another \
         --alpha-background if they are transparent",
        plural(count as u64, "training image")
    );
    Ok(Some(Warning { kind: "images-alike", text, is_early: false }))
}
