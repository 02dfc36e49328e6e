//! Weights in the order that kernels read them, kept from one use to the next.

use crate::kernels::Conv2dGeometry;
use crate::kernels::conv::Conv2dForward;
use crate::tensor::{Element, Pool, Tensor};
use std::sync::Arc;

/// The packed weights of the convolutions that one tape ran.
///
/// An entry holds the weights it was made of, so nobody can change them: who wants to gets a copy
/// ([`Arc::make_mut`]), which has another address. An entry whose weights nobody else holds any more is
/// of no use.
pub(super) struct Packed<T: Element>(Vec<Entry<T>>);

struct Entry<T: Element> {
    weights: Arc<Tensor<T>>,
    /// The kernel they are packed for.
    kernel: &'static str,
    packed: Arc<Tensor<T>>,
}

impl<T: Element> Packed<T> {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// `weights` as `kernel` wants them; nothing if it reads them as they are.
    pub fn get(
        &mut self,
        weights: &Arc<Tensor<T>>,
        kernel: &dyn Conv2dForward<T>,
        g: &Conv2dGeometry,
        scratch: &Pool<T>,
    ) -> Option<Arc<Tensor<T>>> {
        let known = |entry: &&Entry<T>| {
            Arc::ptr_eq(&entry.weights, weights) && entry.kernel == kernel.name()
        };
        if let Some(entry) = self.0.iter().find(known) {
            return Some(Arc::clone(&entry.packed));
        }
        let packed = Arc::new(kernel.pack(g, weights.as_slice(), scratch)?);
        self.0.retain(|entry| Arc::strong_count(&entry.weights) > 1);
        self.0.push(Entry {
            weights: Arc::clone(weights),
            kernel: kernel.name(),
            packed: Arc::clone(&packed),
        });
        Some(packed)
    }
}
