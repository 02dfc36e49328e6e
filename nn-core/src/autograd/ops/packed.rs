//! Weights in the order that kernels read them, kept from one use to the next.

use crate::kernels::Conv2dGeometry;
use crate::kernels::Kernels;
use crate::kernels::conv::Conv2dForward;
use crate::tensor::{BufferPool, Tensor};
use std::sync::{Arc, Weak};

/// The packed weights of the convolutions that one tape ran.
///
/// An entry refers to the weights it was made of without holding them. While it does, nobody can change
/// them at their address, nor anything else come to lie there: [`Arc::make_mut`] moves them. An entry
/// whose weights are gone is of no use.
pub(super) struct Packed<T: Kernels>(Vec<Entry<T>>);

struct Entry<T: Kernels> {
    weights: Weak<Tensor<T>>,
    /// The kernel they are packed for.
    kernel: &'static str,
    packed: Arc<Tensor<T>>,
}

impl<T: Kernels> Default for Packed<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Kernels> Packed<T> {
    /// `weights` as `kernel` wants them; nothing if it reads them as they are.
    pub fn get(
        &mut self,
        weights: &Arc<Tensor<T>>,
        kernel: &dyn Conv2dForward<T>,
        g: &Conv2dGeometry,
        scratch: &BufferPool<T>,
    ) -> Option<Arc<Tensor<T>>> {
        let known = |entry: &&Entry<T>| {
            std::ptr::eq(entry.weights.as_ptr(), Arc::as_ptr(weights))
                && entry.kernel == kernel.name()
        };
        if let Some(entry) = self.0.iter().find(known) {
            return Some(Arc::clone(&entry.packed));
        }
        let packed = Arc::new(kernel.pack(g, weights.as_slice(), scratch)?);
        self.0.retain(|entry| entry.weights.strong_count() > 0);
        self.0.push(Entry {
            weights: Arc::downgrade(weights),
            kernel: kernel.name(),
            packed: Arc::clone(&packed),
        });
        Some(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::winograd::Winograd;
    use crate::kernels::{Conv2dOptions, Isa};

    #[test]
    fn weights_that_nobody_holds_are_forgotten() {
        let g = Conv2dGeometry::new(&[1, 8, 8, 16], &[16, 16, 3, 3], Conv2dOptions::default());
        let (g, kernel, pool) = (g.unwrap(), Winograd { isa: Isa::Portable }, BufferPool::new());
        let mut tapes = [Packed::default(), Packed::default()];
        let mut weights = Arc::new(Tensor::<f32>::full([16, 16, 3, 3], 1.0));
        for round in 0..5 {
            // In place, for nobody else holds them, and yet they are others now.
            Arc::make_mut(&mut weights).as_mut_slice().fill(round as f32);
            for tape in &mut tapes {
                let first = tape.get(&weights, &kernel, &g, &pool).unwrap();
                assert_eq!(first, tape.get(&weights, &kernel, &g, &pool).unwrap());
                let anew = kernel.pack(&g, weights.as_slice(), &pool).unwrap();
                assert_eq!(*first, anew, "of the weights as they are");
                assert_eq!(tape.0.len(), 1);
            }
        }
    }
}
