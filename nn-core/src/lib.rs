//! A small, fast neural-network engine, written to be read.
//!
//! A network learns which of two numbers is the larger:
//!
//! ```
//! use nn_core::layers::{Activation, Dense};
//! use nn_core::model::Sequential;
//! use nn_core::optim::OptimizerConfig;
//! use nn_core::train::{FitOptions, Trainer};
//! use nn_core::{Result, Tensor};
//!
//! fn main() -> Result<()> {
//!     let model = Sequential::builder([2])
//!         .layer(Dense::new(8).activation(Activation::Relu))
//!         .layer(Dense::new(2).activation(Activation::Softmax))
//!         .build(27)?; // the seed of the first weights
//!     let optimizer = OptimizerConfig::adam().build()?;
//!     let mut trainer = Trainer::new(model, optimizer, FitOptions::default())?;
//!     for _ in 0..500 {
//!         let pairs = Tensor::from_vec([4, 2], vec![0.1, 0.9, 0.8, 0.3, 0.4, 0.2, 0.5, 0.7])?;
//!         trainer.step(pairs, &[1, 0, 0, 1], 0.01)?; // their labels, and the learning rate
//!     }
//!     let probabilities = trainer.model().predict(Tensor::from_vec([1, 2], vec![0.2, 0.6])?)?;
//!     println!("{probabilities:.2}");
//!     assert!(probabilities.as_slice()[1] > 0.9);
//!     Ok(())
//! }
//! ```
//!
//! The crate's `examples/` go on from here: XOR on tensors, images from memory, an op, a layer and a
//! training loop of one's own, Grad-CAM, inference from several threads.
//!
//! # How to depend on it
//!
//! ```toml
//! [dependencies]
//! nn-core = { path = "../nn/nn-core" } # or git = ".."
//!
//! # For debug builds: without these four lines they are fifty times slower. The first pair optimises what
//! # is generic, and so compiled in your crate; the second everything else.
//! [profile.dev]
//! opt-level = 1
//! [profile.dev.package."*"]
//! opt-level = 3
//! ```
//!
//! Features, all on by default:
//!
//! | feature | what it adds |
//! |---|---|
//! | `parallel` | threads: rayon's pool. Results are the same bits without |
//! | `huge-pages` | asks Linux for large pages, which are faster |
//! | `images` | image folders: decoding, data sets, what of an image is its subject |
//! | `audit` | leaks in image folders |
//!
//! Without any (`default-features = false`) the crate is tensors, autograd, layers, models, training and
//! explanation, in 24 packages instead of 72, and builds for `wasm32-unknown-unknown` too: there without files
//! and clocks, so that epochs take no time. `RUSTFLAGS="-C target-feature=+simd128"` makes it three times as
//! fast there.
//!
//! # The floors
//!
//! Each stands only on those below it:
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
//! Numbers are `f32` unless a type says `f64`.
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
