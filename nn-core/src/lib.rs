//! A small, fast neural-network engine with readable source code.
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
//! The crate's `examples/` continue from here: XOR on tensors, images from memory, a custom op, layer
//! and training loop, Grad-CAM, inference from several threads.
//!
//! # How to depend on it
//!
//! ```toml
//! [dependencies]
//! nn-core = { path = "../nn/nn-core" } # or git = ".."
//!
//! # Without these four lines debug builds are fifty times slower. The first pair optimises generic code,
//! # which is compiled in your crate; the second pair optimises the dependencies.
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
//! | `parallel` | multithreading with rayon. Results are bit-identical with and without it |
//! | `huge-pages` | asks Linux for huge pages, which are faster |
//! | `images` | image folders: decoding, data sets, segmentation of the subject from the background |
//! | `audit` | detection of data leakage in image folders |
//!
//! Without any of them (`default-features = false`) the crate has tensors, autograd, layers, models,
//! training and explanation, in 24 packages instead of 72. It then also builds for
//! `wasm32-unknown-unknown`, where there are no files and no clock: reported epoch times are zero.
//! `RUSTFLAGS="-C target-feature=+simd128"` makes it three times as fast there.
//!
//! # Modules
//!
//! Each module depends only on those below it:
//!
//! ```text
//! explain                  Grad-CAM and occlusion
//! train                    fit, evaluate, predict
//! metrics                  scores of answers and probabilities, as scikit-learn has them
//! data      model          image folders; Model, its builders and file format
//! loss      optim          loss functions, optimisers
//! layers                   network layers, init
//! autograd                 the tape and its ops
//! kernels                  convolution, pooling, matrix products: nearly all the run time is spent here
//! tensor, rng, error       owned arrays, reproducible random numbers, the error type
//! ```
//!
//! Images and feature maps are channels-last, `[batch, height, width, channels]`: the order in which
//! images are stored and which the kernels need. Weights have PyTorch's layouts,
//! `[out, in, height, width]` and `[out, in]` (for transposed convolutions `in` comes first), because other
//! programs expect these in a file. Numbers are `f32` unless a type says `f64`.
//!
//! # Guarantees
//!
//! - **Errors, not panics.** Invalid input (shapes, settings, files) is rejected with an [`Error`] that
//!   says what to do. The exceptions are functions that panic on an index out of range, as slices do;
//!   their docs have a *Panics* section. The library never prints and never ends the process.
//! - **Cancellation.** Long-running work asks its caller whether to continue. If not, it returns
//!   [`Error::Interrupted`] after the current step or the few images in progress. Training asks its
//!   [`Observer`](train::Observer); [`evaluate`](train::evaluate()) asks the
//!   [`Examples`](train::Examples); loading ([`Dataset::load_with`](data::Dataset::load_with)) and
//!   [`audit`](audit::audit()) ask their progress function; occlusion asks
//!   [`go_on`](explain::Occlusion::go_on). Interrupted training continues with another call.
//! - **Threads.** Data (tensors, models, data sets, results) is `Send` and `Sync`. A [`Tape`], a
//!   [`Trainer`](train::Trainer) and an optimiser are `Send` only: they have mutable state and serve
//!   one thread at a time. Work runs on rayon's current pool, and results are bit-identical for any
//!   pool size. The only global state is that pool and the choice of kernels ([`kernels::isa`]), which
//!   is made once.
//! - **Memory.** A repeated training step takes its tensors and scratch memory from a
//!   [pool](tensor::BufferPool) and returns them. Outside the pool it allocates the tape's nodes and,
//!   for each thread, the packed panels of one matrix product: at most 256 KiB, whatever the batch
//!   size. Sizes declared in a file are checked before anything is allocated: images are bounded
//!   ([`data::MAX_DECODED_BYTES`]), tensors are no larger than their file, and a sample has at most
//!   2^27 numbers at any layer. Sizes that the caller chooses are not limited: out of memory ends the
//!   process, as in any Rust program.
//! - **Unsafe code** is in [`kernels`] alone, which is tested with AddressSanitizer and fuzzing.

#![warn(missing_debug_implementations)]
// Tests may do these; library code must not.
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
pub mod metrics;
pub mod model;
pub mod optim;
pub mod rng;
pub mod tensor;
pub mod train;

pub use autograd::{Tape, Var};
pub use error::{Error, Result};
pub use kernels::Kernels;
pub use tensor::{Element, Shape, Tensor};
