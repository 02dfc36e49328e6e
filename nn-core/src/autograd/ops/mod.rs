//! The ops, one family per file: each adds methods to [`Tape`](super::Tape).

mod activation;
mod add_relu;
mod broadcast;
mod conv;
mod dropout;
mod elementwise;
mod loss;
mod mask;
mod matmul;
mod packed;
mod pool;
mod reduce;
mod shape;

#[cfg(test)]
pub(super) mod testing;
