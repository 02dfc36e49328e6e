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
//!
//! # What can be relied on
//!
//! - **Errors, not panics.** What comes from outside (shapes, settings, files) is refused with an
//!   [`Error`] that says what to do. A function that panics where a slice would says so under *Panics*.
//!   Nothing is printed, and the process is never ended.
//! - **Stopping.** What takes long asks its caller whether to go on, and otherwise ends with
//!   [`Error::Interrupted`] after the step or the few images at hand: training its
//!   [`Observer`](train::Observer), and with [`evaluate`](train::evaluate()) the
//!   [`Examples`](train::Examples); loading ([`Dataset::load_with`](data::Dataset::load_with)) and
//!   [`audit`](audit::audit()) their progress function; occlusion
//!   [`go_on`](explain::Occlusion::go_on). Training that was stopped goes on with another call.
//! - **Threads.** Data (tensors, models, data sets, results) is `Send` and `Sync`. A [`Tape`], a
//!   [`Trainer`](train::Trainer) and an optimiser are `Send`: they change as they are used, one thread
//!   at a time. Work is spread over rayon's current pool, and the results are the same bits whatever its
//!   size. There is no global state but that pool and the choice of kernels ([`kernels::isa`]), which is
//!   made once.
//! - **Memory.** A training step that repeats takes the memory for its numbers from a
//!   [pool](tensor::BufferPool) and returns it. Beside the pool it holds records of the tape and, for each
//!   thread, what one matrix product packs: at most 256 KiB, whatever the batch. Of a file, nothing is allocated on its own word: images are bounded
//!   ([`data::MAX_DECODED_BYTES`]), tensors are as large as their file, and a model's sample has at most 2^27
//!   numbers at any layer. Sizes that the caller chooses are the caller's: where the system has no memory
//!   left, it ends the process, as for any Rust program.
//! - **Unsafe code** is in [`kernels`] alone, which AddressSanitizer and fuzzing watch over.

#![warn(missing_debug_implementations)]
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

#[cfg(feature = "audit")]
pub mod audit;
pub mod autograd;
pub mod data;
pub mod error;
pub mod explain;
#[doc(hidden)]
pub mod files;
pub mod init;
#[doc(hidden)]
pub mod internals;
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
pub use kernels::Kernels;
pub use tensor::{Element, Shape, Tensor};
