//! Packing of the weights: `[group][phase][block of channels][tap][source channel][channel of the block]`,
//! the last block of a group filled up with zeros.

use super::plan::Plan;
use crate::kernels::isa::Isa;
use crate::kernels::parallel::prelude::*;
use crate::tensor::{BufferPool, Tensor};

/// Source channels packed together: reads along a row of the weights and writes to a column of the packed
/// ones then both stay in the L1 cache.
const TOGETHER: usize = 16;

/// Where a weight is: the distances between source channels, and between target channels, of a group.
pub struct Strides {
    pub source: usize,
    pub target: usize,
    /// Between groups of the convolution.
    pub group: usize,
}

/// Packs `w`.
pub fn pack(
    isa: Isa,
    plan: &Plan,
    w: &[f32],
    strides: &Strides,
    scratch: &BufferPool<f32>,
) -> Tensor<f32> {
    let mut packed = Tensor::uninit([plan.groups * plan.group_weights()], scratch);
    if plan.group_weights() == 0 {
        return packed;
    }
    // Pieces of one block each, so that blocks are packed in parallel.
    let mut pieces = Vec::new();
    let mut rest = packed.as_mut_slice();
    for group in 0..plan.groups {
        for phase in &plan.phases {
            for &(first, vectors) in &plan.blocks(isa) {
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
        for start in (0..plan.depth).step_by(TOGETHER) {
            for lane in 0..lanes.min(plan.width - first) {
                let channel = first + lane;
                let (member, target) = (channel / width, channel % width);
                let whole = &w[(group * plan.joined + member) * strides.group..];
                let own = member * depth..(member + 1) * depth;
                for k in start.max(own.start)..(start + TOGETHER).min(own.end) {
                    let at = target * strides.target + (k - own.start) * strides.source;
                    let kernel = &whole[at..at + plan.taps];
                    for (slot, &tap) in taps.iter().enumerate() {
                        packed[(slot * plan.depth + k) * lanes + lane] = kernel[tap];
                    }
                }
            }
        }
    });
    packed
}
