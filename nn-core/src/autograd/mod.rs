//! Reverse-mode automatic differentiation.
//!
//! A [`Tape`] records each op as it runs; [`Tape::backward`] visits the records in reverse order and
//! computes the gradient of every input. A [`Var`] is a value and its node on the tape.
//!
//! Memory: a value lives as long as a `Var` of it exists or an op saved it for its backward pass; then
//! its buffer returns to the buffer pool. Gradients of leaves are kept; gradients of intermediate
//! values only after [`Tape::retain_grad`] (used by Grad-CAM).
//!
//! Each file under [`ops`] contains a family of ops: forward, backward and gradient checks. Ops of
//! other crates implement [`Op`] and call [`Tape::record`], as the built-in ones do.
//!
//! ```
//! use nn_core::{Tape, Tensor};
//! let mut tape = Tape::<f64>::new();
//! let x = tape.leaf(Tensor::from_vec([3], vec![1., 2., 3.])?);
//! let square = tape.mul(&x, &x)?;
//! let loss = tape.sum(&square);
//! tape.backward(&loss)?;
//! assert_eq!(tape.grad(&x).unwrap().as_slice(), [2., 4., 6.]);
//! # Ok::<(), nn_core::Error>(())
//! ```

pub mod expr;
pub mod gradcheck;
mod gradient;
pub mod ops;
mod tape;
#[cfg(test)]
mod tests;
mod var;

pub use crate::kernels::activation::Gelu;
pub use crate::kernels::geometry::{Conv2dOptions, ConvTranspose2dOptions, Pool2dOptions};
pub use crate::kernels::resize::Interpolation;
pub use expr::Expr;
pub use gradient::Gradient;
pub use ops::BatchNorm;
pub(crate) use ops::check_variances;
pub(crate) use ops::conv_chain::ChainedConv2d;
pub use ops::pad::PadMode;
pub use tape::{Backward, OnLeaf, Op, Tape};
pub use var::{LeafId, Var};
