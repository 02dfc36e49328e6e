//! Layers of a network.
//!
//! A layer describes a computation and holds no parameters: the model keeps those the layer specifies
//! and passes them to its forward. Shapes here are those of one sample, without the batch dimension;
//! images are `[height, width, channels]`.
//!
//! The built-in layers are plain data, collected in [`LayerConfig`], so that a network's architecture
//! can be saved. Layers of other crates implement [`Layer`] and can be used in the same way, but not
//! saved.
//!
//! ```
//! use nn_core::layers::{Activation, Conv2D, LayerSpec};
//! use nn_core::Shape;
//! let conv = Conv2D::new(64, 3).activation(Activation::Relu);
//! let output = conv.output_shape(&Shape::from([256, 256, 3]))?;
//! assert_eq!(output.dims(), [254, 254, 64]);
//! # Ok::<(), nn_core::Error>(())
//! ```

mod activation;
mod config;
mod conv;
mod dense;
mod dropout;
mod flatten;
mod parameter;
mod pool;
mod rescaling;

pub use activation::{Activation, OutputKind};
pub use config::LayerConfig;
pub use conv::Conv2D;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use parameter::{Parameter, ParameterSpec};
pub use pool::{AveragePool2D, GlobalAveragePool2D, MaxPool2D};
pub use rescaling::Rescaling;

use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
pub use crate::kernels::geometry::{Padding, Pair};
use crate::rng::Rng;
use crate::tensor::Shape;
use std::any::Any;
use std::fmt::Debug;

/// The context of a layer's forward pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a, T: Kernels> {
    /// The tape for its ops.
    pub tape: &'a Tape<T>,
    /// Whether this is training; dropout is active only then.
    pub training: bool,
    /// Random numbers for this pass, used in training only.
    pub rng: &'a mut Rng,
}

impl<'a, T: Kernels> Forward<'a, T> {
    /// The context of one pass.
    pub fn new(tape: &'a Tape<T>, training: bool, rng: &'a mut Rng) -> Self {
        Self { tape, training, rng }
    }
}

/// The part of a layer that does not depend on the element type: its kind, shapes and parameters. A
/// layer that contains others calls their methods; see [`Layer`] for an example.
pub trait LayerSpec: Any + Debug + Send + Sync {
    /// The kind of layer, as shown to users: `Conv2D`.
    fn kind(&self) -> &'static str;

    /// The prefix of the names of such layers: `conv` for `conv1`, `conv2`, ...; by default the kind in
    /// lower case.
    fn name_prefix(&self) -> String {
        self.kind().to_lowercase()
    }

    /// The output's shape for an input's shape, both without the batch dimension.
    ///
    /// # Errors
    /// If the layer does not accept such an input, or a setting is invalid.
    fn output_shape(&self, input: &Shape) -> Result<Shape>;

    /// The parameters for an input of this shape; by default none.
    ///
    /// # Errors
    /// If the layer does not accept such an input.
    fn parameters(&self, input: &Shape) -> Result<Vec<ParameterSpec>> {
        let _ = input;
        Ok(Vec::new())
    }

    /// The windows that the layer moves over an image of this shape, one for each position of its
    /// output; `None` if they are unknown. By default single pixels if height and width stay the same.
    ///
    /// # Errors
    /// If the layer does not accept such an input.
    fn window(&self, input: &Shape) -> Result<Option<Window2d>> {
        let same = self.output_shape(input)?.dims().get(..2) == input.dims().get(..2);
        Ok(same.then_some(Window2d::PIXEL))
    }
}

/// One layer of a network: a [`LayerSpec`] with a forward pass.
///
/// A layer maps one input to one output, and may contain other layers. A residual block, for example,
/// contains layers, returns their parameters under prefixed names, and adds its input to their output.
/// A batch normalisation returns its running statistics as [`ParameterSpec`]s that are not trainable;
/// they are passed in as constants and saved like all others. (Updated statistics will be returned in a
/// field of [`Forward`], which is therefore non-exhaustive.)
///
/// ```
/// use nn_core::layers::{Activation, Dense, Forward, Layer, LayerSpec, ParameterSpec};
/// use nn_core::{Kernels, Result, Shape, Var};
///
/// /// `x + dense(x)`
/// #[derive(Debug)]
/// struct Residual {
///     dense: Dense,
/// }
///
/// impl LayerSpec for Residual {
///     fn kind(&self) -> &'static str {
///         "Residual"
///     }
///     fn output_shape(&self, input: &Shape) -> Result<Shape> {
///         self.dense.output_shape(input)
///     }
///     fn parameters(&self, input: &Shape) -> Result<Vec<ParameterSpec>> {
///         self.dense.parameters(input)
///     }
/// }
///
/// impl<T: Kernels> Layer<T> for Residual {
///     fn forward(&self, cx: &mut Forward<'_, T>, x: Var<T>, own: &[Var<T>]) -> Result<Var<T>> {
///         let y = self.dense.forward(cx, x.clone(), own)?;
///         cx.tape.add(&x, &y)
///     }
/// }
///
/// let block = Residual { dense: Dense::new(8).activation(Activation::Relu) };
/// assert_eq!(block.output_shape(&Shape::from([8]))?.dims(), [8]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub trait Layer<T: Kernels>: LayerSpec {
    /// The output for `x`, a batch, given the values of the parameters in the order of
    /// [`LayerSpec::parameters`].
    ///
    /// # Errors
    /// If the shapes do not match.
    fn forward(&self, cx: &mut Forward<'_, T>, x: Var<T>, parameters: &[Var<T>]) -> Result<Var<T>>;
}

/// The windows that a layer moves over an image, vertical before horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window2d {
    /// Height and width, in pixels of the layer's input.
    pub size: (usize, usize),
    /// Stride, in pixels of the layer's input.
    pub stride: (usize, usize),
    /// Padding above and to the left of the image, in pixels.
    pub padding: (usize, usize),
}

impl Window2d {
    /// Windows of single pixels.
    pub const PIXEL: Self = Self { size: (1, 1), stride: (1, 1), padding: (0, 0) };
}

/// Height, width and channels of an image's shape, or an error if it is not an image.
fn image_dims(kind: &str, input: &Shape) -> Result<[usize; 3]> {
    match *input.dims() {
        [height, width, channels] => Ok([height, width, channels]),
        _ => Err(Error::shape(
            kind,
            "an image [height, width, channels]",
            input,
            "put it before Flatten and the dense layers",
        )),
    }
}

/// Checks that sizes of kernels and windows, and strides, are at least 1 and at most 2^16.
fn check_extents(kind: &str, what: &str, extents: [(usize, usize); 2]) -> Result<()> {
    const LARGEST: usize = 1 << 16;
    if extents.iter().all(|&(h, w)| (1..=LARGEST).contains(&h) && (1..=LARGEST).contains(&w)) {
        return Ok(());
    }
    Err(Error::setting(
        format!("{kind}'s {what}"),
        format!("from 1 to {LARGEST}"),
        format!("{:?} and {:?}", extents[0], extents[1]),
        "small numbers such as 2 or 3 are usual",
    ))
}

/// Weight and bias from the parameters passed to a layer, or an error if there are not exactly two.
fn weight_and_bias<'a, T: Kernels>(
    kind: &str,
    parameters: &'a [Var<T>],
) -> Result<(&'a Var<T>, &'a Var<T>)> {
    match parameters {
        [weight, bias] => Ok((weight, bias)),
        _ => Err(Error::shape(
            kind,
            "2 parameters, weight and bias",
            parameters.len(),
            "pass those that `parameters` asked for",
        )),
    }
}

#[cfg(test)]
mod tests;
