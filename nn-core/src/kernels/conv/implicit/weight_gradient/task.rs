//! A task: packs block after block of positions, and adds the products of each to the sums.

use super::pack::{Input, Output};
use super::plan::{Piece, Plan};
use super::positions::{self, Places};
use super::products::{Ahead, Inputs, Products};
use crate::kernels::isa::Isa;
use crate::kernels::simd;
use crate::tensor::BufferPool;
use std::ops::{Deref, Range};

/// A piece of the sums, over some blocks of positions.
pub struct Task<'a> {
    pub plan: &'a Plan,
    pub isa: Isa,
    pub piece: &'a Piece,
    pub blocks: Range<usize>,
    pub x: &'a [f32],
    /// [`Piece::len`] elements, overwritten.
    pub sums: &'a mut [f32],
    pub scratch: &'a BufferPool<f32>,
}

impl Task<'_> {
    /// Computes the sums. `gradient(image, rows)` are rows of an image's gradient.
    pub fn run<S: Deref<Target = [f32]>>(self, gradient: impl Fn(usize, &Range<usize>) -> S) {
        let Self { plan, isa, piece, blocks, x, sums, scratch } = self;
        assert_eq!(sums.len(), piece.len);
        let of_piece = &plan.blocks[piece.blocks.clone()];
        let (panels, inputs_len) = plan.panels(piece);
        let (reads_input, unpacked) = (plan.reads_input(), plan.reads_gradients());
        let gradients_len = match unpacked {
            true => 0,
            false => of_piece.iter().map(|block| plan.gradient_len(block)).sum(),
        };
        let mut inputs = scratch.scratch(if reads_input { 0 } else { inputs_len });
        let mut gradients = scratch.scratch(gradients_len);
        if plan.merged {
            inputs.fill(0.0); // the padding
        }
        // Panels have one of two widths.
        let narrow = plan.panel(0).len();
        let most = simd::tile_rows(isa);
        let runs = [narrow, narrow + 1].map(|channels| positions::runs(plan, channels, most));
        let mut places = Places::default();
        let load = |block| {
            let strips = positions::strips(plan, block);
            let rows = strips.iter().map(|strip| gradient(strip.image, &strip.rows));
            let rows: Vec<_> = rows.collect();
            (strips, rows)
        };
        let mut next = blocks.clone().next().map(load);
        for block in blocks.clone() {
            let Some((strips, rows)) = next.take() else { return };
            next = Some(block + 1).filter(|block| blocks.contains(block)).map(load);
            let mut ahead = Ahead::default();
            for (strip, dy) in next.iter().flat_map(|(strips, rows)| strips.iter().zip(rows)) {
                ahead.add(strip.input(plan, x));
                ahead.add(dy);
            }
            places.update(plan, &strips);
            let mut rest = &mut *sums;
            for group in piece.groups.clone() {
                for (index, (strip, dy)) in strips.iter().zip(&rows).enumerate() {
                    if !reads_input {
                        let first = group * plan.depth;
                        let to = &mut inputs;
                        simd::run(isa, Input { plan, x, strip, index, first, panels: &panels, to });
                    }
                    if !unpacked {
                        let first = group * plan.width;
                        let to = &mut gradients;
                        simd::run(isa, Output { plan, dy, index, first, blocks: of_piece, to });
                    }
                }
                let mut packed = &*gradients;
                for columns in of_piece {
                    let width = columns.vectors * plan.lanes;
                    let (gradients, pitch) = match unpacked {
                        true => (&rows[0][columns.first..], plan.g.out_c),
                        false => (packed, width),
                    };
                    packed = &packed[if unpacked { 0 } else { plan.gradient_len(columns) }..];
                    let (sums, after) = rest.split_at_mut(plan.block_len(piece, columns));
                    rest = after;
                    let work = Products {
                        plan,
                        panels: &panels,
                        runs: &runs,
                        narrow,
                        places: &places,
                        vectors: columns.vectors,
                        positions: rows.iter().map(|dy| dy.len() / plan.g.out_c).sum(),
                        inputs: match reads_input {
                            true => Inputs::Image(strips[0].first(plan, x)),
                            false => Inputs::Packed(&inputs),
                        },
                        gradients,
                        pitch,
                        bias: piece.panels.start == 0,
                        first: block == blocks.start,
                        ahead: &mut ahead,
                        sums,
                    };
                    simd::run(isa, work);
                }
            }
        }
    }
}
