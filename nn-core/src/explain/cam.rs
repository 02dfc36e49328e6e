//! Class activation maps: a layer's features, weighted by the gradient of a class's score.
//!
//! [`Cam`] runs a forward pass and the backward pass from the score to the layer; a [`CamRule`] combines
//! features and gradients into a map. With `A` the features of the layer, after its activation, and
//! `G = d score / d A`:
//!
//! ```text
//! Grad-CAM   relu( sum over channels of  mean over places of G  *  A )
//! HiResCAM   relu( sum over channels of  G * A )
//! ```
//!
//! Where nothing in the image supports the class, the map is zero throughout. The parameters are constants
//! and differentiation stops at the layer, so the backward pass costs only the layers after it.

use super::{Explainer, Explanation, Predictions, Target};
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::model::{Model, Pass, ReceptiveField};
use crate::tensor::Tensor;

/// How features and gradients are combined into a map.
pub trait CamRule {
    /// The method's name, as in the literature.
    fn name(&self) -> &'static str;

    /// One value for every position of one image, from its `features` and their `gradients`, both
    /// `[positions, channels]`. Negative values are evidence against the class; they are set to 0
    /// afterwards.
    fn combine<T: Kernels>(&self, features: &[T], gradients: &[T], channels: usize) -> Vec<f64>;
}

/// Grad-CAM: each channel is weighted by its mean gradient (Selvaraju et al., 2017,
/// <https://arxiv.org/abs/1610.02391>). The values match those of tf-keras-vis.
#[derive(Debug, Clone, Copy, Default)]
pub struct GradCam;

impl CamRule for GradCam {
    fn name(&self) -> &'static str {
        "Grad-CAM"
    }

    fn combine<T: Kernels>(&self, features: &[T], gradients: &[T], channels: usize) -> Vec<f64> {
        let mut weights = vec![0.0; channels];
        for place in gradients.chunks_exact(channels) {
            weights.iter_mut().zip(place).for_each(|(sum, g)| *sum += g.as_f64());
        }
        let places = (features.len() / channels) as f64;
        weights.iter_mut().for_each(|w| *w /= places);
        let weigh = |place: &[T]| place.iter().zip(&weights).map(|(a, w)| a.as_f64() * w).sum();
        features.chunks_exact(channels).map(weigh).collect()
    }
}

/// HiResCAM: each feature is weighted by its own gradient (Draelos and Carin, 2020,
/// <https://arxiv.org/abs/2011.08891>). Before the ReLU, and where only a dense layer follows, the
/// map sums to the part of the score that comes from the features.
#[derive(Debug, Clone, Copy, Default)]
pub struct HiResCam;

impl CamRule for HiResCam {
    fn name(&self) -> &'static str {
        "HiResCAM"
    }

    fn combine<T: Kernels>(&self, features: &[T], gradients: &[T], channels: usize) -> Vec<f64> {
        let places = features.chunks_exact(channels).zip(gradients.chunks_exact(channels));
        let weigh =
            |(a, g): (&[T], &[T])| a.iter().zip(g).map(|(a, g)| a.as_f64() * g.as_f64()).sum();
        places.map(weigh).collect()
    }
}

/// A class activation map that uses the rule `R`.
#[derive(Debug, Clone, Default)]
pub struct Cam<R> {
    rule: R,
    layer: Option<String>,
}

impl<R: CamRule> Cam<R> {
    /// Uses the model's last convolution.
    pub fn new(rule: R) -> Self {
        Self { rule, layer: None }
    }

    /// Uses another layer instead; its output must be `[height, width, channels]`.
    pub fn layer(mut self, layer: impl Into<String>) -> Self {
        self.layer = Some(layer.into());
        self
    }

    /// The name of the layer whose features are used.
    fn find<'a, T: Kernels>(&'a self, model: &'a Model<T>) -> Result<&'a str> {
        let layer = self.layer.as_deref().or(model.last_feature_map());
        let usable = layers_with_maps(model);
        match layer {
            Some(layer) if usable.contains(&layer) => Ok(layer),
            _ => Err(Error::setting(
                "the layer of a class activation map",
                match usable.as_slice() {
                    [] => {
                        "one with an output [height, width, channels], which no layer on the way \
                           to the main output has"
                            .into()
                    }
                    usable => format!("one of {}", usable.join(", ")),
                },
                layer.unwrap_or("none"),
                "choose another layer, or occlusion, which needs none",
            )),
        }
    }
}

/// The layers on the way to the main output whose outputs are `[height, width, channels]`, in network order:
/// those that class activation maps can be computed for.
pub fn layers_with_maps<T: Kernels>(model: &Model<T>) -> Vec<&str> {
    model.layers_with_maps()
}

impl<R: CamRule> Cam<R> {
    /// Runs the forward pass on `images [batch, height, width, channels]`. Maps for any number of
    /// classes can then be computed from it.
    ///
    /// # Errors
    /// If the layer's output is no feature map, or the images are not a batch of the model's inputs.
    ///
    /// ```
    /// use nn_core::explain::{Cam, GradCam, Target};
    /// use nn_core::model::{ReferenceCnn, Sequential};
    /// use nn_core::Tensor;
    ///
    /// let model: Sequential = ReferenceCnn::new(3, 32).build(27)?;
    /// let cam = Cam::new(GradCam);
    /// let mut pass = cam.pass(&model, &Tensor::full([1, 32, 32, 3], 90.0))?;
    /// for class in 0..3 {
    ///     let why = pass.explain(&[Target::Class(class)])?;
    ///     assert_eq!((why[0].class, why[0].map.dims()), (class, &[4, 4][..]));
    /// }
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn pass<'a, T: Kernels>(
        &'a self,
        model: &'a Model<T>,
        images: &Tensor<T>,
    ) -> Result<CamPass<'a, R, T>> {
        let layers = [self.find(model)?];
        let tape = Tape::new();
        let x = tape.constant(images.clone());
        let pass = model.forward(&tape, x, Pass::inference().frozen().watch(&layers))?;
        let Some((_, features)) = pass.watched.into_iter().next() else {
            return Err(Error::Tape(format!("the output of {} was not kept", layers[0])));
        };
        let field = model.receptive_field(layers[0])?;
        Ok(CamPass { rule: &self.rule, model, tape, output: pass.output, features, field })
    }
}

/// The recorded forward pass of a batch, from which explanations are computed.
#[derive(Debug)]
pub struct CamPass<'a, R, T: Kernels = f32> {
    rule: &'a R,
    model: &'a Model<T>,
    tape: Tape<T>,
    output: Var<T>,
    features: Var<T>,
    field: ReceptiveField,
}

impl<R: CamRule, T: Kernels> CamPass<'_, R, T> {
    /// One explanation per image, of the class that its target names. Each call runs one backward
    /// pass from the scores to the layer.
    ///
    /// # Errors
    /// As [`Explainer::explain`].
    pub fn explain(&mut self, targets: &[Target]) -> Result<Vec<Explanation<T>>> {
        let predictions = Predictions::new(self.model, self.output.value(), targets)?;
        self.tape.backward_from_keeping(&self.output, predictions.score_gradient())?;
        let gradients = match self.tape.take_grad(&self.features) {
            Some(gradients) => gradients,
            None => Tensor::zeros(self.features.shape()),
        };
        let &[_, height, width, channels] = self.features.dims() else {
            return Ok(Vec::new());
        };
        let map = |i: usize| {
            let (features, gradients) = (self.features.value().row(i), gradients.row(i));
            let map = self.rule.combine(features, gradients, channels);
            let map = map.into_iter().map(|v| T::from_f64(if v < 0.0 { 0.0 } else { v }));
            let map = Tensor::from_vec([height, width], map.collect())?;
            predictions.explain(i, map, self.field)
        };
        (0..predictions.len()).map(map).collect()
    }
}

impl<T: Kernels, R: CamRule> Explainer<T> for Cam<R> {
    fn name(&self) -> &'static str {
        self.rule.name()
    }

    fn explain(
        &self,
        model: &Model<T>,
        images: &Tensor<T>,
        targets: &[Target],
    ) -> Result<Vec<Explanation<T>>> {
        self.pass(model, images)?.explain(targets)
    }
}
