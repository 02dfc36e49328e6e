//! A small, fast neural-network engine, written to be read.
//!
//! The floors of the house, each standing only on those below it:
//!
//! ```text
//! explain, train           Grad-CAM; fit, evaluate, predict
//! data      model          image folders; Sequential, its file format
//! loss      optim  layers  what is minimised, how, and by which network
//! autograd                 the tape and its ops
//! kernels                  convolution, pooling, matrix products: all the time goes here
//! tensor, rng, error       owned arrays, reproducible randomness, errors that help
//! ```
//!
//! Images and feature maps are laid out channels-last, `[batch, height, width, channels]`, because
//! that is how images are stored and how the kernels want them. Weights keep the layout of PyTorch,
//! `[out, in, height, width]` and `[out, in]`, because that is what other programs expect in a file.

// Tests may; what a library's user runs must not.
#![cfg_attr(
    not(test),
    deny(
        clippy::dbg_macro,
        clippy::exit,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::todo,
        clippy::unimplemented,
        clippy::unwrap_used,
    )
)]

pub mod audit;
pub mod autograd;
pub mod data;
pub mod error;
pub mod explain;
pub mod files;
pub mod init;
pub mod kernels;
pub mod layers;
pub mod loss;
pub mod model;
pub mod optim;
pub mod rng;
pub mod tensor;
pub mod train;

pub use autograd::{Tape, Var};
pub use error::{Error, Result};
pub use tensor::{Element, Shape, Tensor};
