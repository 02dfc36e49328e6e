//! The exponential moving average of weights.

use crate::kernels::Kernels;
use crate::kernels::parallel::{CHUNK, for_each_chunk};
use crate::model::Model;
use std::sync::Arc;

/// Moves `average` towards the weights and the state of `model` after step `step`, counted from 1, of its run.
pub(super) fn follow<T: Kernels>(average: &mut Model<T>, model: &Model<T>, decay: f64, step: u64) {
    let step = step as f64;
    let rate = T::from_f64(1.0 - decay.min((1.0 + step) / (10.0 + step)));
    let follow = T::updates().follow;
    for (slow, fast) in average.parameters_mut().iter_mut().zip(model.parameters()) {
        // What is frozen is the same in both, and may be infinite: the mask of a class, for example.
        if !fast.is_trained() && !fast.state {
            slow.value = Arc::clone(&fast.value);
            continue;
        }
        let slow = Arc::make_mut(&mut slow.value).as_mut_slice();
        let fast = fast.value.as_slice();
        for_each_chunk(slow, CHUNK, |i, slow| {
            follow(rate, slow, &fast[i * CHUNK..][..slow.len()]);
        });
    }
}
