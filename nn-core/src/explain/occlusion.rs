//! Occlusion sensitivity: the drop of a class's score when a part of the image is covered.
//!
//! A square patch moves over the image with a stride (Zeiler and Fergus, 2014,
//! <https://arxiv.org/abs/1311.2901>). The value of a pixel is the mean of `score - score with the patch`
//! over the patches that cover it, or 0 where this mean is negative. The map has the size of the image. The
//! method needs no gradients and no choice of a layer, but one forward pass per patch.

use super::{Explainer, Explanation, Predictions, Target};
use crate::autograd::Tape;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::model::{Model, ReceptiveField};
use crate::tensor::{BufferPool, Tensor};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Occlusion sensitivity.
///
/// ```
/// use nn_core::explain::{Explainer, Occlusion, Target};
/// use nn_core::layers::{Dense, Flatten};
/// use nn_core::{Tensor, model::Sequential};
///
/// // A network that sees the first pixel only.
/// let mut model: Sequential =
///     Sequential::builder([4, 4, 1]).layer(Flatten::new()).layer(Dense::new(1)).build(1)?;
/// model.set("dense1.weight", Tensor::from_fn([1, 16], |i| if i == 0 { 1.0 } else { 0.0 }))?;
/// let image = Tensor::full([1, 4, 4, 1], 8.0);
/// let why = Occlusion::new().patch(2).stride(2).fill(3.0);
/// let why = &why.explain(&model, &image, &[Target::Class(0)])?[0];
/// assert_eq!(why.map.as_slice()[..4], [5., 5., 0., 0.]); // 8 becomes 3 where the patch is
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Occlusion {
    patch: Option<usize>,
    stride: Option<usize>,
    fill: Option<f64>,
    batch_size: usize,
    go_on: Option<GoOn>,
}

/// A function that is asked whether to go on.
#[derive(Clone)]
struct GoOn(Arc<dyn Fn() -> ControlFlow<()> + Send + Sync>);

impl fmt::Debug for GoOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoOn")
    }
}

impl Default for Occlusion {
    fn default() -> Self {
        Self { patch: None, stride: None, fill: None, batch_size: 8, go_on: None }
    }
}

impl Occlusion {
    /// A patch whose side is an eighth of the image's shorter side, with a stride of half its side,
    /// filled with the image's mean colour.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the side of the patch, in pixels.
    pub fn patch(mut self, side: usize) -> Self {
        self.patch = Some(side);
        self
    }

    /// Sets the stride of the patch, in pixels, at most its side.
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = Some(stride);
        self
    }

    /// Fills the patch with this value in all channels, in the units of the network's input (0 to
    /// 255 where the network rescales), instead of the image's mean colour.
    pub fn fill(mut self, value: f64) -> Self {
        self.fill = Some(value);
        self
    }

    /// Sets the number of images per forward pass; 8 by default. It affects speed only.
    pub fn batch_size(mut self, images: usize) -> Self {
        self.batch_size = images.max(1);
        self
    }

    /// Sets a function that is called before every forward pass; if it returns `Break`, the work
    /// ends with [`Error::Interrupted`].
    pub fn go_on(mut self, ask: impl Fn() -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        self.go_on = Some(GoOn(Arc::new(ask)));
        self
    }

    /// Side and stride of the patch for images of this size.
    fn geometry(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        let shorter = height.min(width);
        let patch = self.patch.unwrap_or(shorter.div_ceil(8));
        if !(1..=shorter).contains(&patch) {
            return Err(Error::setting(
                "the occluding patch",
                format!("from 1 to {shorter} pixels wide, the image's shorter side"),
                patch,
                "choose another side",
            ));
        }
        let stride = self.stride.unwrap_or(patch.div_ceil(2));
        if !(1..=patch).contains(&stride) {
            return Err(Error::setting(
                "the occluding patch's stride",
                format!("from 1 to {patch}, the patch's side, so that no place is left out"),
                stride,
                "choose another stride",
            ));
        }
        Ok((patch, stride))
    }

    /// The map of one image `[height, width, channels]`.
    fn map<T: Kernels>(
        &self,
        model: &Model<T>,
        image: &[T],
        score: f64,
        score_of: impl Fn(&[T]) -> f64,
    ) -> Result<Tensor<T>> {
        let &[height, width, channels] = model.input_shape().dims() else {
            return Err(Error::shape(
                "occlusion",
                "a network of images [height, width, channels]",
                model.input_shape(),
                "choose another method",
            ));
        };
        let (side, stride) = self.geometry(height, width)?;
        let colour = self.colour(image, channels);
        let columns = starts(width, side, stride);
        let places: Vec<(usize, usize)> = starts(height, side, stride)
            .iter()
            .flat_map(|&top| columns.iter().map(move |&left| (top, left)))
            .collect();
        let (mut drops, mut covers) = (vec![0.0; height * width], vec![0u32; height * width]);
        let pool = BufferPool::for_inference();
        let tape = Tape::inference(pool.clone());
        for places in places.chunks(self.batch_size) {
            if self.go_on.as_ref().is_some_and(|GoOn(ask)| ask().is_break()) {
                return Err(Error::Interrupted);
            }
            let mut batch = Tensor::uninit([places.len(), height, width, channels], &pool);
            for (copy, &(top, left)) in batch.as_mut_slice().chunks_mut(image.len()).zip(places) {
                copy.copy_from_slice(image);
                for row in copy.chunks_mut(width * channels).skip(top).take(side) {
                    let patch = &mut row[left * channels..(left + side) * channels];
                    patch.chunks_mut(channels).for_each(|pixel| pixel.copy_from_slice(&colour));
                }
            }
            let logits = model.infer(&tape, batch)?;
            for (i, &(top, left)) in places.iter().enumerate() {
                let drop = score - score_of(logits.value().row(i));
                for y in top..top + side {
                    for at in y * width + left..y * width + left + side {
                        drops[at] += drop;
                        covers[at] += 1;
                    }
                }
            }
        }
        let mean = |(sum, &covers): (&f64, &u32)| {
            let drop = sum / f64::from(covers);
            T::from_f64(if drop < 0.0 { 0.0 } else { drop })
        };
        Tensor::from_vec([height, width], drops.iter().zip(&covers).map(mean).collect())
    }

    /// The colour of the patch, one value per channel.
    fn colour<T: Kernels>(&self, image: &[T], channels: usize) -> Vec<T> {
        if let Some(value) = self.fill {
            return vec![T::from_f64(value); channels];
        }
        let mean = |channel: usize| {
            let values = image.iter().skip(channel).step_by(channels).map(|v| v.as_f64());
            T::from_f64(values.sum::<f64>() / (image.len() / channels) as f64)
        };
        (0..channels).map(mean).collect()
    }
}

/// The starts of the patches along an axis: every `stride`, and one more whose patch ends at the border.
fn starts(len: usize, side: usize, stride: usize) -> Vec<usize> {
    let last = len - side;
    let mut starts: Vec<usize> = (0..last).step_by(stride).collect();
    starts.push(last);
    starts
}

impl<T: Kernels> Explainer<T> for Occlusion {
    fn name(&self) -> &'static str {
        "occlusion sensitivity"
    }

    fn explain(
        &self,
        model: &Model<T>,
        images: &Tensor<T>,
        targets: &[Target],
    ) -> Result<Vec<Explanation<T>>> {
        let tape = Tape::inference(BufferPool::for_inference());
        let logits = model.infer(&tape, images.clone())?;
        let logits = logits.value();
        let predictions = Predictions::new(model, logits, targets)?;
        let explain = |(i, &class): (usize, &usize)| {
            let score_of = |logits: &[T]| predictions.score(logits, class);
            let score = score_of(logits.row(i));
            let map = self.map(model, images.row(i), score, score_of)?;
            predictions.explain(i, map, ReceptiveField::PIXELS)
        };
        predictions.classes().iter().enumerate().map(explain).collect()
    }
}
