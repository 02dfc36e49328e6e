//! Packing of the weights: `[group][phase][block of channels][tap][source channel][channel of the block]`,
//! the last block of a group filled up with zeros.

use super::plan::Plan;
use crate::kernels::parallel::prelude::*;
use crate::tensor::{BufferPool, Tensor};

/// Source channels packed together: the weights that their rows are gathered from stay in the L1 cache.
const TOGETHER: usize = 8;

/// Where a weight is: the distances between source channels, and between target channels, of a group.
pub struct Strides {
    pub source: usize,
    pub target: usize,
    /// Between groups of the convolution.
    pub group: usize,
}

/// Packs `w`.
pub fn pack(plan: &Plan, w: &[f32], strides: &Strides, scratch: &BufferPool<f32>) -> Tensor<f32> {
    let mut packed = Tensor::uninit([plan.all_weights()], scratch);
    if plan.group_weights() == 0 {
        return packed;
    }
    // Pieces of one block each, so that blocks are packed in parallel.
    let mut pieces = Vec::new();
    let mut rest = packed.as_mut_slice();
    for group in 0..plan.groups {
        for phase in &plan.phases {
            for &(first, vectors) in &plan.blocks {
                let len = phase.tap_count() * plan.depth * vectors * plan.lanes;
                let (piece, after) = rest.split_at_mut(len);
                pieces.push((group, phase, first * plan.lanes, vectors * plan.lanes, piece));
                rest = after;
            }
        }
    }
    pieces.into_par_iter().for_each(|(group, phase, first, lanes, packed)| {
        let taps: Vec<_> = phase.taps(plan.kernel_w).map(|(tap, ..)| tap).collect();
        if plan.joined > 1 || first + lanes > plan.width {
            packed.fill(0.0);
        }
        let (depth, width) = (plan.depth / plan.joined, plan.width / plan.joined);
        for member in 0..plan.joined {
            let targets = first.max(member * width)..(first + lanes).min((member + 1) * width);
            if targets.is_empty() {
                continue;
            }
            let whole = &w[(group * plan.joined + member) * strides.group..];
            let own = &whole[(targets.start - member * width) * strides.target..];
            for start in (0..depth).step_by(TOGETHER) {
                for (slot, tap) in taps.iter().enumerate() {
                    for k in start..(start + TOGETHER).min(depth) {
                        let row = (slot * plan.depth + member * depth + k) * lanes;
                        let row = &mut packed[row..row + lanes];
                        let row = &mut row[targets.start - first..targets.end - first];
                        let weights = own[k * strides.source + tap..].iter();
                        let weights = weights.step_by(strides.target);
                        row.iter_mut().zip(weights).for_each(|(slot, weight)| *slot = *weight);
                    }
                }
            }
        }
    });
    packed
}
