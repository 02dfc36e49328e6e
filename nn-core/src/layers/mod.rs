//! Layers of a network.
//!
//! A layer describes a computation and holds no parameters: the model keeps those the layer specifies
//! and passes them to its forward. It takes one input or several. Shapes here are those of one sample,
//! without the batch dimension; images are `[height, width, channels]`.
//!
//! The built-in layers are plain data, a [`LayerConfig`], so that a network's architecture can be saved.
//! Layers of other crates implement [`Layer`] and are used in the same way. They are saved as well if
//! they give their configuration, and read if [`LayerKinds`] has their kind.
//!
//! ```
//! use nn_core::layers::{Activation, Conv2D, LayerSpec};
//! use nn_core::Shape;
//! let conv = Conv2D::new(64, 3).activation(Activation::Relu);
//! let output = conv.output_shape(&[Shape::from([256, 256, 3])])?;
//! assert_eq!(output.dims(), [254, 254, 64]);
//! # Ok::<(), nn_core::Error>(())
//! ```

mod activation;
mod channels;
mod config;
mod constant;
mod conv;
mod conv_transpose;
mod defaults;
mod dense;
mod depthwise;
mod dropout;
mod flatten;
mod function;
mod kinds;
mod matmul;
mod merge;
mod normalization;
mod pad;
mod parameter;
mod pool;
mod reduce;
mod rescaling;
mod reshape;
mod slice;
mod upsampling;
mod written;
mod zero_padding;

pub use activation::{Activation, OutputKind};
pub use channels::{ChannelShuffle, ChannelSlice, Concatenate, Scale};
pub use config::LayerConfig;
pub use constant::{Bias, Constant};
pub use conv::Conv2D;
pub use conv_transpose::Conv2DTranspose;
pub use dense::Dense;
pub use depthwise::DepthwiseConv2D;
pub(crate) use depthwise::convolution_of;
pub use dropout::{Dropout, StochasticDepth};
pub use flatten::Flatten;
pub use function::Function;
pub use kinds::LayerKinds;
pub use matmul::MatMul;
pub use merge::{Add, Divide, Maximum, Minimum, Multiply, Subtract};
pub use normalization::{
    BatchNormalization, GroupNormalization, LayerNormalization, RunningVariance,
};
pub use pad::Pad;
pub use parameter::{Parameter, ParameterSpec};
pub use pool::{
    AdaptiveAveragePool2D, AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D,
};
pub use reduce::{Reduce, Reduction};
pub use rescaling::{Normalization, Rescaling};
pub use reshape::{Permute, Reshape};
pub use slice::{Gather, Slice};
pub use upsampling::{Resize2D, UpSampling2D};
pub use zero_padding::ZeroPadding2D;

use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
pub use crate::kernels::geometry::{Padding, Pair};
pub use crate::kernels::resize::Interpolation;
use crate::rng::Rng;
use crate::tensor::{Shape, Tensor};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// The context of a layer's forward pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a, T: Kernels> {
    /// The tape for its ops.
    pub tape: &'a Tape<T>,
    /// Whether this is training; dropout is active only then, and statistics are learned.
    pub training: bool,
    /// Random numbers for this pass, used in training only.
    pub rng: &'a mut Rng,
    /// New values of state, each with the value it replaces.
    updates: Vec<(Arc<Tensor<T>>, Tensor<T>)>,
}

impl<'a, T: Kernels> Forward<'a, T> {
    /// The context of one pass.
    pub fn new(tape: &'a Tape<T>, training: bool, rng: &'a mut Rng) -> Self {
        Self { tape, training, rng, updates: Vec::new() }
    }

    /// Gives one of the layer's parameters that is [state](ParameterSpec::state) the value that it has
    /// after this step. The model takes it over when the step is made
    /// ([`Model::update_state`](crate::model::Model::update_state)); the pass itself still runs with the
    /// old value.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn update_state(&mut self, state: &Var<T>, value: Tensor<T>) -> Result<()> {
        if state.shape() != value.shape() {
            return Err(Error::shape(
                "update_state",
                format!("a new value of the state's shape {}", state.shape()),
                value.shape(),
                "keep the shape of the state",
            ));
        }
        self.updates.push((state.share(), value));
        Ok(())
    }

    /// The new values of state since the last call, each with the value it replaces.
    pub fn take_updates(&mut self) -> Vec<(Arc<Tensor<T>>, Tensor<T>)> {
        std::mem::take(&mut self.updates)
    }
}

/// The part of a layer that does not depend on the element type: its kind, shapes and parameters. See
/// [`Layer`] for an example.
///
/// `inputs` are the shapes of the layer's inputs, in their order. A layer with one input takes it from
/// there by [`single`].
pub trait LayerSpec: Any + Debug + Send + Sync {
    /// The kind of layer, as shown to users: `Conv2D`.
    fn kind(&self) -> &'static str;

    /// The layer as data, to be saved with a model; by default `None`: it cannot be saved. See
    /// [`LayerKinds`] for an example.
    fn config(&self) -> Option<LayerConfig> {
        None
    }

    /// The prefix of the names of such layers: `conv` for `conv1`, `conv2`, ...; by default the kind in
    /// lower case.
    fn name_prefix(&self) -> String {
        self.kind().to_lowercase()
    }

    /// The output's shape for the inputs' shapes, all without the batch dimension.
    ///
    /// # Errors
    /// If the layer does not accept such inputs, or a setting is invalid.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape>;

    /// The parameters for inputs of these shapes; by default none.
    ///
    /// # Errors
    /// If the layer does not accept such inputs.
    fn parameters(&self, inputs: &[Shape]) -> Result<Vec<ParameterSpec>> {
        let _ = inputs;
        Ok(Vec::new())
    }

    /// The windows that the layer moves over images of these shapes, one for each position of its
    /// output; `None` if they are unknown. By default single pixels if height and width stay the same.
    ///
    /// # Errors
    /// If the layer does not accept such inputs.
    fn window(&self, inputs: &[Shape]) -> Result<Option<Window2d>> {
        let output = self.output_shape(inputs)?;
        let same = inputs.iter().all(|input| input.dims().get(..2) == output.dims().get(..2));
        Ok(same.then_some(Window2d::PIXEL))
    }

    /// The multiply-adds of one sample, as they are usually counted: those of convolutions and dense
    /// products, whatever kernel computes them. By default 0.
    ///
    /// # Errors
    /// If the layer does not accept such inputs.
    fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64> {
        let _ = inputs;
        Ok(0)
    }
}

/// One layer of a network: a [`LayerSpec`] with a forward pass.
///
/// A layer maps its inputs to one output. A layer with statistics of its own, such as a batch
/// normalisation, specifies them as [state](ParameterSpec::state): they are passed in as constants and
/// saved like all parameters, and change by [`Forward::update_state`] in training.
///
/// ```
/// use nn_core::layers::{Dense, Forward, Layer, LayerSpec, single};
/// use nn_core::model::GraphBuilder;
/// use nn_core::{Error, Kernels, Result, Shape, Tensor, Var};
///
/// /// `|a - b|^2`, element by element, of two inputs.
/// #[derive(Debug)]
/// struct SquaredDistance;
///
/// impl LayerSpec for SquaredDistance {
///     fn kind(&self) -> &'static str {
///         "SquaredDistance"
///     }
///     fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
///         match inputs {
///             [a, b] if a == b => Ok(a.clone()),
///             _ => Err(Error::shape("SquaredDistance", "two equal inputs", inputs.len(), "")),
///         }
///     }
/// }
///
/// impl<T: Kernels> Layer<T> for SquaredDistance {
///     fn forward(&self, cx: &mut Forward<'_, T>, x: Vec<Var<T>>, _: &[Var<T>]) -> Result<Var<T>> {
///         let difference = cx.tape.sub(&x[0], &x[1])?;
///         cx.tape.mul(&difference, &difference)
///     }
/// }
///
/// let mut graph = GraphBuilder::new([8]);
/// let a = graph.layer(Dense::new(4), graph.input());
/// let b = graph.layer(Dense::new(4), graph.input());
/// let distance = graph.layer(SquaredDistance, [a, b]);
/// let model = graph.build(distance, 27)?;
/// assert_eq!(model.predict(Tensor::full([1, 8], 0.5))?.dims(), [1, 4]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub trait Layer<T: Kernels>: LayerSpec {
    /// The output for `inputs`, batches, given the values of the parameters in the order of
    /// [`LayerSpec::parameters`].
    ///
    /// # Errors
    /// If the shapes do not match.
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        parameters: &[Var<T>],
    ) -> Result<Var<T>>;

    /// The activation in which the layer ends, and the layer without it; `None` for a layer that has no
    /// such setting. So a softmax or sigmoid at the end of a network becomes its output kind.
    fn without_activation(&self) -> Option<(Activation, Arc<dyn Layer<T>>)> {
        None
    }
}

/// The only one of a layer's inputs, or of their shapes.
///
/// # Errors
/// If there is not exactly one; `kind` is the layer's.
pub fn single<X>(kind: &str, inputs: impl IntoIterator<Item = X>) -> Result<X> {
    let mut inputs = inputs.into_iter();
    match (inputs.next(), inputs.count()) {
        (Some(input), 0) => Ok(input),
        (first, more) => Err(Error::shape(
            kind,
            "one input",
            format!("{} inputs", usize::from(first.is_some()) + more),
            "connect it to one node; Add, Multiply and Concatenate join several",
        )),
    }
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

/// The channels of a shape: its last dimension.
fn channels(kind: &str, input: &Shape) -> Result<usize> {
    input.dims().last().copied().ok_or_else(|| {
        Error::shape(
            kind,
            "an input whose last dimension is the channels",
            input,
            "give the network an input with a dimension",
        )
    })
}

/// The shape with another number of channels, its last dimension.
fn with_channels(shape: &Shape, channels: usize) -> Shape {
    let mut dims = shape.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = channels;
    }
    Shape::from(dims)
}

/// Checks that a layer that joins inputs has at least two.
fn check_several(kind: &str, inputs: usize) -> Result<()> {
    if inputs >= 2 {
        return Ok(());
    }
    Err(Error::shape(kind, "two inputs or more", inputs, "connect it to several nodes"))
}

/// The shapes of inputs, for a message.
fn listed(inputs: &[Shape]) -> String {
    inputs.iter().map(Shape::to_string).collect::<Vec<_>>().join(" and ")
}

/// Checks that groups divide the channels.
fn check_groups(kind: &str, groups: usize, channels: usize) -> Result<()> {
    if groups > 0 && channels.is_multiple_of(groups) {
        return Ok(());
    }
    Err(Error::setting(
        format!("{kind}'s groups"),
        format!("a divisor of {channels}, the number of channels"),
        groups,
        "1 and the number of channels always divide it",
    ))
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

/// The weight, and the bias if there is one, from the parameters passed to a layer.
fn weight_and_bias<'a, T: Kernels>(
    kind: &str,
    has_bias: bool,
    parameters: &'a [Var<T>],
) -> Result<(&'a Var<T>, Option<&'a Var<T>>)> {
    match (has_bias, parameters) {
        (true, [weight, bias]) => Ok((weight, Some(bias))),
        (false, [weight]) => Ok((weight, None)),
        _ => Err(Error::shape(
            kind,
            if has_bias { "2 parameters, weight and bias" } else { "1 parameter, the weight" },
            parameters.len(),
            "pass those that `parameters` asked for",
        )),
    }
}

#[cfg(test)]
mod tests;
