//! A cache of packed weights.

use crate::kernels::Conv2dGeometry;
use crate::kernels::Kernels;
use crate::kernels::conv::Conv2dForward;
use crate::tensor::{BufferPool, Tensor};
use std::sync::{Arc, Weak};

/// The packed weights of the convolutions that one tape ran.
///
/// An entry holds a weak reference to the weights it was packed from. As long as the weak reference
/// exists, their address is not reused, and they cannot be changed in place, because [`Arc::make_mut`]
/// moves them to a new address. Entries whose weights were dropped are removed.
pub(super) struct Packed<T: Kernels>(Vec<Entry<T>>);

struct Entry<T: Kernels> {
    weights: Weak<Tensor<T>>,
    /// The name of the kernel they are packed for.
    kernel: &'static str,
    /// The groups of the convolution they are packed for.
    groups: usize,
    packed: Arc<Tensor<T>>,
}

impl<T: Kernels> Default for Packed<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Kernels> Packed<T> {
    /// `weights` packed for `kernel`; `None` if it reads them unpacked.
    pub fn get(
        &mut self,
        weights: &Arc<Tensor<T>>,
        kernel: &dyn Conv2dForward<T>,
        g: &Conv2dGeometry,
    ) -> Option<Arc<Tensor<T>>> {
        let known = |entry: &&Entry<T>| {
            std::ptr::eq(entry.weights.as_ptr(), Arc::as_ptr(weights))
                && entry.kernel == kernel.name()
                && entry.groups == g.groups
        };
        if let Some(entry) = self.0.iter().find(known) {
            return Some(Arc::clone(&entry.packed));
        }
        // Not from the tape's pool: these are kept.
        let packed = Arc::new(kernel.pack(g, weights.as_slice(), &BufferPool::new())?);
        self.0.retain(|entry| entry.weights.strong_count() > 0);
        self.0.push(Entry {
            weights: Arc::downgrade(weights),
            kernel: kernel.name(),
            groups: g.groups,
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
            // No other strong reference, so nothing is cloned; but the cached entries are out of date.
            Arc::make_mut(&mut weights).as_mut_slice().fill(round as f32);
            for tape in &mut tapes {
                let first = tape.get(&weights, &kernel, &g).unwrap();
                assert_eq!(first, tape.get(&weights, &kernel, &g).unwrap());
                let anew = kernel.pack(&g, weights.as_slice(), &pool).unwrap();
                assert_eq!(*first, anew, "of the weights as they are");
                assert_eq!(tape.0.len(), 1);
            }
        }
    }
}
