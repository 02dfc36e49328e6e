//! The ops, one family per file: each adds methods to [`Tape`](super::Tape).

mod activation;
mod broadcast;
mod conv;
mod drop_path;
mod dropout;
mod elementwise;
mod loss;
mod mask;
mod matmul;
mod norm;
mod packed;
mod pool;
mod reduce;
mod resize;
mod shape;
mod shuffle;
mod softmax;

pub use norm::BatchNorm;

#[cfg(test)]
pub(super) mod testing;
