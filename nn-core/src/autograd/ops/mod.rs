//! The ops, one family per file: each adds methods to [`Tape`](super::Tape).

mod activation;
mod add_relu;
mod along;
mod axes;
mod broadcast;
mod compare;
mod conv;
pub(super) mod conv_chain;
mod conv_transpose;
mod drop_path;
mod dropout;
mod elementwise;
mod functions;
mod gather;
mod join;
mod largest;
mod loss;
mod mask;
mod matmul;
mod norm;
mod packed;
pub(super) mod pad;
mod permute;
mod pool;
mod reduce;
mod resize;
mod shape;
mod shuffle;
mod softmax;
mod tile;
mod walk;

pub use norm::BatchNorm;
pub(crate) use norm::check_variances;

#[cfg(test)]
pub(super) mod testing;
