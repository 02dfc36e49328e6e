//! The forward pass of a model.

use super::{Sequential, Stage};
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::conv::MAX_FUSED_WINDOW;
use crate::layers::{Activation, Forward, LayerConfig};
use crate::rng::Rng;
use crate::tensor::Tensor;
use std::sync::Arc;

/// Options of a forward pass; by default inference.
#[derive(Debug, Default)]
pub struct Pass<'a> {
    rng: Option<&'a mut Rng>,
    frozen: bool,
    watch: &'a [&'a str],
}

impl<'a> Pass<'a> {
    /// Inference: dropout does nothing.
    pub fn inference() -> Self {
        Self::default()
    }

    /// Training: dropout draws from `rng`.
    pub fn training(rng: &'a mut Rng) -> Self {
        Self { rng: Some(rng), ..Self::default() }
    }

    /// Treats the parameters as constants: no gradient is computed for them.
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// Keeps the outputs of these layers, and on a recording tape their gradients. A layer's output is
    /// taken after its activation. With [frozen](Pass::frozen) parameters and a constant input, the
    /// first watched output becomes a leaf: the backward pass stops there, and earlier layers take no
    /// memory or time in it.
    pub fn watch(mut self, layers: &'a [&'a str]) -> Self {
        self.watch = layers;
        self
    }
}

/// The result of a forward pass.
///
/// Drop it before the next optimiser step: a parameter that is still shared is copied when it changes.
#[derive(Debug)]
pub struct Output<T: Kernels = f32> {
    /// The network's output: `[batch, ..]`, logits for a classifier.
    pub output: Var<T>,
    /// The parameters' variables on the tape, in the model's order.
    pub parameters: Vec<Var<T>>,
    /// The watched layers' names and outputs, in the network's order.
    pub watched: Vec<(String, Var<T>)>,
}

impl<T: Kernels> Sequential<T> {
    /// Runs the model on a batch `[batch, ..input shape]`.
    ///
    /// If a convolution with ReLU is directly followed by max-pooling and its output is not watched,
    /// both run as one op that does not store the feature map.
    ///
    /// # Errors
    /// If `x` is not a batch of this model's inputs, or a watched layer does not exist.
    pub fn forward(&self, tape: &Tape<T>, x: Var<T>, pass: Pass<'_>) -> Result<Output<T>> {
        if x.dims().get(1..) != Some(self.input.dims()) {
            return Err(Error::shape(
                format!("model {:?}", self.name),
                format!("a batch of inputs of shape {}, [batch, ..]", self.input),
                x.shape(),
                "resize the images to the model's image size, or build a model for these",
            ));
        }
        for layer in pass.watch {
            self.stage_index(layer)?;
        }
        let training = pass.rng.is_some();
        let mut idle = Rng::new(0, 0);
        let rng = pass.rng.unwrap_or(&mut idle);
        let mut cx = Forward::new(tape, training, rng);
        let is_watched = |stage: &Stage<T>| pass.watch.contains(&stage.name.as_str());
        let mut watched = Vec::new();
        let mut parameters = Vec::with_capacity(self.parameters.len());
        let mut x = x;
        let mut stages = self.stages.iter().peekable();
        while let Some(stage) = stages.next() {
            // Leaves are created just before their layer runs. The backward pass therefore reaches them
            // just after that layer, so gradients become final in reverse order of the layers.
            parameters.extend(self.parameters[stage.parameters.clone()].iter().map(|parameter| {
                let value = Arc::clone(&parameter.value);
                if parameter.trainable && !pass.frozen {
                    cx.tape.leaf(value)
                } else {
                    cx.tape.constant(value)
                }
            }));
            let own = &parameters[stage.parameters.clone()];
            let named = |e| named(e, stage);
            let last = match stages.next_if(|next| !is_watched(stage) && fuses(stage, next)) {
                Some(pool) => {
                    x = fused(&mut cx, &x, own, stage, pool).map_err(named)?;
                    pool
                }
                None => {
                    x = stage.layer.forward(&mut cx, x, own).map_err(named)?;
                    stage
                }
            };
            if is_watched(last) {
                if cx.tape.tracks(&[&x]) {
                    cx.tape.retain_grad(&x)?;
                } else if cx.tape.is_recording() {
                    x = cx.tape.leaf(x.share());
                }
                watched.push((last.name.clone(), x.clone()));
            }
        }
        Ok(Output { output: x, parameters, watched })
    }

    /// The network's output for a batch, without gradients or dropout.
    ///
    /// # Errors
    /// If `x` is not a batch of this model's inputs.
    pub fn infer(&self, tape: &Tape<T>, x: impl Into<Arc<Tensor<T>>>) -> Result<Var<T>> {
        let x = tape.constant(x);
        Ok(self.forward(tape, x, Pass::inference().frozen())?.output)
    }

    /// The predictions for the network's output: probabilities if the output kind is softmax or
    /// sigmoid.
    ///
    /// # Errors
    /// If the output kind is softmax and `output` has no dimension.
    pub fn probabilities(&self, tape: &Tape<T>, output: Var<T>) -> Result<Var<T>> {
        self.output.apply(tape, output)
    }
}

/// Whether a layer and the next one are a convolution with ReLU and a max-pooling whose window the
/// fused op supports.
fn fuses<T: Kernels>(stage: &Stage<T>, next: &Stage<T>) -> bool {
    matches!(
        (&stage.config, &next.config),
        (Some(LayerConfig::Conv2D(conv)), Some(LayerConfig::MaxPool2D(pool)))
            if conv.activation == Activation::Relu
                && pool.window.0 * pool.window.1 <= MAX_FUSED_WINDOW
    )
}

/// Runs two layers for which [`fuses`] is true as one op.
fn fused<T: Kernels>(
    cx: &mut Forward<'_, T>,
    x: &Var<T>,
    parameters: &[Var<T>],
    stage: &Stage<T>,
    next: &Stage<T>,
) -> Result<Var<T>> {
    match (&stage.config, &next.config, parameters) {
        (Some(LayerConfig::Conv2D(conv)), Some(LayerConfig::MaxPool2D(pool)), [weight, bias]) => {
            cx.tape.conv2d_relu_max_pool(x, weight, Some(bias), conv.options(), pool.options())
        }
        _ => {
            let y = stage.layer.forward(cx, x.clone(), parameters)?;
            next.layer.forward(cx, y, &[])
        }
    }
}

/// Adds the layer's name to a shape error.
fn named<T: Kernels>(error: Error, stage: &Stage<T>) -> Error {
    match error {
        Error::Shape { at, expected, received, remedy } => {
            Error::Shape { at: format!("{}: {at}", stage.label()), expected, received, remedy }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{AveragePool2D, Conv2D, Dense, Flatten, Layer, MaxPool2D};

    fn are_fused(conv: Conv2D, pool: impl Layer<f32> + 'static) -> bool {
        let model = Sequential::builder([40, 40, 1]).layer(conv).layer(pool).build(0).unwrap();
        fuses(&model.stages[0], &model.stages[1])
    }

    #[test]
    fn gradients_are_final_from_the_last_layer_to_the_first() {
        let model = Sequential::builder([8, 8, 1])
            .layer(Conv2D::new(2, 3).activation(Activation::Relu))
            .layer(MaxPool2D::new(2))
            .layer(Conv2D::new(3, 2))
            .layer(Flatten::new())
            .layer(Dense::new(2))
            .build(1)
            .unwrap();
        let (mut tape, mut rng) = (Tape::new(), Rng::new(0, 0));
        let x = tape.constant(Tensor::full([2, 8, 8, 1], 0.5));
        let pass = model.forward(&tape, x, Pass::training(&mut rng)).unwrap();
        let loss = tape.mean(&pass.output).unwrap();
        let mut told = Vec::new();
        tape.backward_on_leaf(&loss, &mut |leaf, gradient| {
            assert!(gradient.tensor().as_slice().iter().any(|&g| g != 0.0));
            told.push(leaf);
        })
        .unwrap();
        let layers = |leaf| {
            let at = pass.parameters.iter().position(|p| p.leaf_id() == Some(leaf)).unwrap();
            model.parameters()[at].name.split('.').next().unwrap()
        };
        let told: Vec<_> = told.into_iter().map(layers).collect();
        assert_eq!(told, ["dense1", "dense1", "conv2", "conv2", "conv1", "conv1"]);
    }

    #[test]
    fn what_runs_as_one_op() {
        let relu = || Conv2D::new(2, 3).activation(Activation::Relu);
        assert!(are_fused(relu(), MaxPool2D::new(2)));
        assert!(are_fused(relu().stride(2), MaxPool2D::new((3, 2)).stride(1)));
        assert!(!are_fused(relu(), MaxPool2D::new(17)));
        assert!(!are_fused(relu(), AveragePool2D::new(2)));
        assert!(!are_fused(Conv2D::new(2, 3), MaxPool2D::new(2)));
        assert!(!are_fused(Conv2D::new(2, 3).activation(Activation::Tanh), MaxPool2D::new(2)));
    }
}
