//! Layers that join several inputs element by element.

use super::{Forward, Layer, LayerConfig, LayerSpec, check_several, listed, single};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// The sum of its inputs: where branches of a residual network meet.
///
/// Inputs have equal shapes, or are repeated where a dimension is 1. An input `[channels]` is applied to
/// every pixel of one `[height, width, channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {}

/// The product of its inputs, element by element: for the weights of a squeeze-and-excite block.
///
/// Inputs have equal shapes, or are repeated where a dimension is 1. An input `[channels]` is applied to
/// every pixel of one `[height, width, channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiply {}

/// Its first input less its second, element by element; with more inputs, less each of them.
///
/// Inputs have equal shapes, or are repeated where a dimension is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subtract {}

/// Its first input divided by its second, element by element; with more inputs, by each of them.
///
/// Inputs have equal shapes, or are repeated where a dimension is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divide {}

/// The smallest of its inputs, element by element. Where two are equal, each gets half of the gradient.
///
/// Inputs have equal shapes, or are repeated where a dimension is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minimum {}

/// The largest of its inputs, element by element. Where two are equal, each gets half of the gradient.
///
/// Inputs have equal shapes, or are repeated where a dimension is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maximum {}

/// The code shared by them: all but the op.
macro_rules! merge {
    ($layer:ident, $op:ident) => {
        impl $layer {
            /// The layer.
            pub fn new() -> Self {
                Self {}
            }
        }

        impl LayerSpec for $layer {
            fn kind(&self) -> &'static str {
                stringify!($layer)
            }

            fn config(&self) -> Option<LayerConfig> {
                LayerConfig::new(self.kind(), self)
            }

            fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
                merged(stringify!($layer), inputs)
            }
        }

        impl<T: Kernels> Layer<T> for $layer {
            fn forward(
                &self,
                cx: &mut Forward<'_, T>,
                inputs: Vec<Var<T>>,
                _: &[Var<T>],
            ) -> Result<Var<T>> {
                check_several(self.kind(), inputs.len())?;
                let rank = inputs.iter().map(|x| x.shape().rank()).max().unwrap_or(0);
                let mut inputs = inputs.into_iter();
                let mut y = single(self.kind(), inputs.next())?;
                y = raised(cx, y, rank)?;
                for x in inputs {
                    y = cx.tape.$op(&y, &raised(cx, x, rank)?)?;
                }
                Ok(y)
            }
        }
    };
}

merge!(Add, add);
merge!(Multiply, mul);
merge!(Subtract, sub);
merge!(Divide, div);
merge!(Minimum, minimum);
merge!(Maximum, maximum);

/// `x` with dimensions of 1 after the batch dimension, so that it has `rank` dimensions.
fn raised<T: Kernels>(cx: &Forward<'_, T>, x: Var<T>, rank: usize) -> Result<Var<T>> {
    if x.shape().rank() == rank {
        return Ok(x);
    }
    let mut dims = x.dims().to_vec();
    let missing = rank - dims.len();
    dims.splice(1..1, std::iter::repeat_n(1, missing));
    cx.tape.reshape(x, dims)
}

/// The shape of an element-wise combination of inputs, without the batch dimension.
fn merged(kind: &str, inputs: &[Shape]) -> Result<Shape> {
    check_several(kind, inputs.len())?;
    let rank = inputs.iter().map(Shape::rank).max().unwrap_or(0);
    let mut dims = vec![1; rank];
    for input in inputs {
        for (dim, &own) in dims[rank - input.rank()..].iter_mut().zip(input.dims()) {
            match (*dim, own) {
                (a, b) if a == b || b == 1 => {}
                (1, b) => *dim = b,
                _ => {
                    return Err(Error::shape(
                        kind,
                        "inputs of equal shapes, or with dimensions of 1 to be repeated",
                        listed(inputs),
                        "give the branches the same strides, padding and number of filters",
                    ));
                }
            }
        }
    }
    Ok(Shape::from(dims))
}
