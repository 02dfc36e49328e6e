//! The product of two values.

use super::{Forward, Layer, LayerConfig, LayerSpec, listed};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};

/// The products of the matrices of two inputs, `[.., rows, inner]` and `[.., inner, columns]`: of queries and keys
/// in attention, for example. Of the dimensions before, those of 1 are repeated.
///
/// ```
/// use nn_core::Shape;
/// use nn_core::layers::{LayerSpec, MatMul};
/// let inputs = [Shape::from([4, 10, 16]), Shape::from([4, 16, 10])];
/// assert_eq!(MatMul::new().output_shape(&inputs)?.dims(), [4, 10, 10]);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatMul {}

impl MatMul {
    /// The layer.
    pub fn new() -> Self {
        Self {}
    }
}

impl LayerSpec for MatMul {
    fn kind(&self) -> &'static str {
        "MatMul"
    }

    fn config(&self) -> Option<LayerConfig> {
        LayerConfig::new(self.kind(), self)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let wrong = || {
            Error::shape(
                "MatMul",
                "two inputs [.., rows, inner] and [.., inner, columns] of as many dimensions",
                listed(inputs),
                "transpose or reshape one of them",
            )
        };
        let [a, b] = inputs else { return Err(wrong()) };
        let ([before @ .., rows, inner], [others @ .., height, columns]) = (a.dims(), b.dims())
        else {
            return Err(wrong());
        };
        if inner != height || before.len() != others.len() {
            return Err(wrong());
        }
        let combined = before.iter().zip(others).map(|(&a, &b)| match (a, b) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            _ => Err(wrong()),
        });
        let mut dims = combined.collect::<Result<Vec<_>>>()?;
        dims.extend([*rows, *columns]);
        Ok(Shape::from(dims))
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> Result<u64> {
        let inner = inputs.first().and_then(|a| a.dims().last()).copied().unwrap_or(0);
        Ok(self.output_shape(inputs)?.len() as u64 * inner as u64)
    }
}

impl<T: Kernels> Layer<T> for MatMul {
    fn forward(
        &self,
        cx: &mut Forward<'_, T>,
        inputs: Vec<Var<T>>,
        _: &[Var<T>],
    ) -> Result<Var<T>> {
        match inputs.as_slice() {
            [a, b] => cx.tape.matmul(a, b),
            _ => Err(Error::shape("MatMul", "two inputs", inputs.len(), "connect it to two nodes")),
        }
    }
}
