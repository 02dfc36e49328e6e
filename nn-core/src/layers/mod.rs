//! Layers: what a network is made of.
//!
//! A layer describes a computation and owns nothing: the model keeps the parameters it asks for
//! and hands them to its forward. Shapes here are those of one sample, without the batch; images
//! are `[height, width, channels]`.
//!
//! The built-in layers are plain data, gathered in [`LayerConfig`] so that a network's architecture
//! can be stored as text. Layers from elsewhere implement [`Layer`] and work like any other, but
//! cannot be stored.
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

/// What a layer's forward runs in.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a, T: Kernels> {
    /// Where its ops are recorded.
    pub tape: &'a Tape<T>,
    /// Whether this is training: dropout drops then, and only then.
    pub training: bool,
    /// Randomness of this pass; to be drawn from in training only.
    pub rng: &'a mut Rng,
}

impl<'a, T: Kernels> Forward<'a, T> {
    /// The context of one pass.
    pub fn new(tape: &'a Tape<T>, training: bool, rng: &'a mut Rng) -> Self {
        Self { tape, training, rng }
    }
}

/// What a layer is, whatever the type of its numbers: its kind, the shapes it maps, the parameters it
/// asks for. A layer that holds others asks them by their methods; see [`Layer`] for an example.
pub trait LayerSpec: Any + Debug + Send + Sync {
    /// What kind of layer this is, for people: `Conv2D`.
    fn kind(&self) -> &'static str;

    /// What names of such layers begin with: `conv` for `conv1`, `conv2`, ...; by default the kind
    /// in lower case.
    fn name_prefix(&self) -> String {
        self.kind().to_lowercase()
    }

    /// The output's shape for an input's, both without the batch.
    ///
    /// # Errors
    /// If the layer cannot take such an input, or one of its settings makes no sense.
    fn output_shape(&self, input: &Shape) -> Result<Shape>;

    /// The parameters it needs for an input of this shape; by default none.
    ///
    /// # Errors
    /// If the layer cannot take such an input.
    fn parameters(&self, input: &Shape) -> Result<Vec<ParameterSpec>> {
        let _ = input;
        Ok(Vec::new())
    }

    /// The windows of an image of this shape that it looks at, one for each place of its output; `None`
    /// if they are not known. By default single pixels, where the size stays.
    ///
    /// # Errors
    /// If the layer cannot take such an input.
    fn window(&self, input: &Shape) -> Result<Option<Window2d>> {
        let same = self.output_shape(input)?.dims().get(..2) == input.dims().get(..2);
        Ok(same.then_some(Window2d::PIXEL))
    }
}

/// One layer of a network: a [`LayerSpec`] that can be run.
///
/// A layer maps one input to one output, but what lies between is its own affair: a residual block
/// is a layer that holds others, asks for their parameters under prefixed names, and adds its
/// input to their output. A batch normalisation asks for its running statistics as
/// [`ParameterSpec`]s that are not trainable; they come in as constants and go into files like all
/// others. (Where it leaves its new statistics during training will be a field of [`Forward`],
/// which is why that cannot be matched exhaustively.)
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
    /// The output for `x`, a batch, with the parameters asked for, in that order.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn forward(&self, cx: &mut Forward<'_, T>, x: Var<T>, parameters: &[Var<T>]) -> Result<Var<T>>;
}

/// The windows that a layer moves over an image; vertical before horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window2d {
    /// Height and width, in pixels of its input.
    pub size: (usize, usize),
    /// From one window to the next.
    pub stride: (usize, usize),
    /// How far the first window begins before the image, above and to the left.
    pub padding: (usize, usize),
}

impl Window2d {
    /// Each pixel by itself.
    pub const PIXEL: Self = Self { size: (1, 1), stride: (1, 1), padding: (0, 0) };
}

/// Height, width and channels of an image's shape, or the error of a layer that needs one.
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

/// Checks kernels, windows and strides: positive, and no larger than any image.
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

/// The parameters a layer was given, which must be weight and bias.
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
