//! Reverse-mode automatic differentiation.
//!
//! A [`Tape`] records each op as it runs; [`Tape::backward`] walks the record from the end and
//! hands every input its gradient. A [`Var`] is a value with its place on the tape.
//!
//! What is kept: a value lives as long as somebody holds a `Var` of it or an op saved it for its
//! backward; everything else goes back to the buffer pool at once. Gradients of leaves are kept,
//! gradients of inner values only where [`Tape::retain_grad`] asked (Grad-CAM does).
//!
//! An op is one file under [`ops`]: its forward, its backward, its gradient check. Ops of other
//! crates implement [`Op`] and call [`Tape::record`]; nothing else distinguishes them.
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

pub mod gradcheck;
mod gradient;
pub mod ops;
mod tape;
#[cfg(test)]
mod tests;

pub use crate::kernels::geometry::{Conv2dOptions, Pool2dOptions};
pub use gradient::Gradient;
pub use tape::{Backward, LeafId, OnLeaf, Op, Tape, Var};
