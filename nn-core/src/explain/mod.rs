//! Explanations of a network's predictions: maps of the parts of an image that support a class.
//!
//! ```text
//! cam          Grad-CAM and HiResCAM, from a layer's features and their gradients
//! occlusion    the drop of the score when a part of the image is covered
//! predictions  the classes to explain; the predicted classes, scores and outputs
//! map          one image's map: raw, at the size of the image, normalised
//! heat         the share of a map's heat on the background
//! sanity       whether a map changes when the weights are randomised
//! ```
//!
//! The score of a class is its logit, before softmax or sigmoid. A network with a single sigmoid
//! output has two classes: class 1 has the logit as its score, class 0 the negative logit. Images
//! of a batch do not influence each other.
//!
//! ```
//! use nn_core::explain::{Cam, Explainer, GradCam, Target};
//! use nn_core::model::{ReferenceCnn, Sequential};
//! use nn_core::Tensor;
//!
//! let model: Sequential = ReferenceCnn::new(2, 32).build(27)?;
//! let images = Tensor::from_fn([2, 32, 32, 3], |i| (i * i % 251) as f32);
//! let why = Cam::new(GradCam).explain(&model, &images, &[Target::Predicted, Target::Class(1)])?;
//! assert_eq!((why[0].class, why[1].class), (why[0].predicted, 1));
//! assert_eq!(why[1].map.dims(), [4, 4]); // the last convolution's height and width
//! assert_eq!(why[1].normalized().dims(), [32, 32]);
//! # Ok::<(), nn_core::Error>(())
//! ```
//!
//! To add a method, implement [`CamRule`] if it weights features by gradients, otherwise [`Explainer`].

mod cam;
#[cfg(feature = "images")]
mod heat;
mod map;
mod occlusion;
mod predictions;
mod sanity;

pub use cam::{Cam, CamPass, CamRule, GradCam, HiResCam, layers_with_maps};
#[cfg(feature = "images")]
pub use heat::{AGREEMENT, BackgroundHeat, NoShare};
pub use map::{Alignment, Explanation, NORMALIZE_EPSILON, place, share_where, stretch};
pub use occlusion::Occlusion;
pub use predictions::{Predictions, Target};
pub use sanity::{
    INDEPENDENT, Randomization, RandomizationCheck, RandomizationStep, randomization_check,
    rank_correlation,
};

use crate::error::Result;
use crate::kernels::Kernels;
use crate::model::Model;
use crate::tensor::Tensor;

/// A method that explains a network's predictions.
pub trait Explainer<T: Kernels = f32> {
    /// The method's name, as in the literature.
    fn name(&self) -> &'static str;

    /// One explanation per image of the batch `images [batch, height, width, channels]`, of the
    /// class that its target names.
    ///
    /// # Errors
    /// If the images are not a batch of the model's inputs, the number of targets is not that of
    /// the images, a class does not exist, the model does not end in one output per class, or a
    /// computed value is not finite.
    fn explain(
        &self,
        model: &Model<T>,
        images: &Tensor<T>,
        targets: &[Target],
    ) -> Result<Vec<Explanation<T>>>;
}

#[cfg(test)]
mod tests;
