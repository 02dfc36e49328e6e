//! The ops, one family per file: each adds methods to [`Tape`](super::Tape).

mod activation;
mod add_relu;
mod axes;
mod broadcast;
mod compare;
mod conv;
mod conv_transpose;
mod drop_path;
mod dropout;
mod elementwise;
mod functions;
mod join;
mod loss;
mod mask;
mod matmul;
mod norm;
mod packed;
mod permute;
mod pool;
mod reduce;
mod resize;
mod shape;
mod shuffle;
mod softmax;
mod walk;

pub use norm::BatchNorm;

#[cfg(test)]
pub(super) mod testing;
