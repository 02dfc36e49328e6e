//! The ops, one family per file: each adds methods to [`Tape`](super::Tape).

mod activation;
mod add_relu;
mod axes;
mod broadcast;
mod compare;
mod conv;
mod conv_transpose;
mod dropout;
mod elementwise;
mod functions;
mod join;
mod loss;
mod mask;
mod matmul;
mod packed;
mod permute;
mod pool;
mod reduce;
mod shape;
mod walk;

#[cfg(test)]
pub(super) mod testing;
