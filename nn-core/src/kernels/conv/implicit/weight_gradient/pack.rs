//! Packing of a strip: of the input in panels of as many channels as a register tile has rows,
//! `[panel][pixel][channel]`; of the gradient in blocks of as many as it has columns,
//! `[block][position][channel]`. So what the inner loop reads is contiguous.

use super::plan::{Block, Plan};
use super::positions::{self, Strip};
use crate::kernels::simd::{Simd, SimdFn};
use std::ops::Range;

/// The input that a strip sees, of one group.
pub struct Input<'a> {
    pub plan: &'a Plan,
    pub x: &'a [f32],
    pub strip: &'a Strip,
    /// Of the strip in the block.
    pub index: usize,
    /// The group's first channel.
    pub first: usize,
    /// The channels of each panel, counted in the group.
    pub panels: &'a [Range<usize>],
    pub to: &'a mut [f32],
}

impl SimdFn for Input<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { plan, x, strip, index, first, panels, to } = self;
        let g = &plan.g;
        let ((pitch, origin), (down, step)) = (plan.columns(), plan.steps());
        let columns = positions::inside(pitch, step, origin, g.in_w);
        if columns.is_empty() {
            return;
        }
        let left = (origin + (columns.start * step) as isize) as usize;
        let (width, apart) = (columns.len(), step * g.in_c);
        let image = &x[strip.image * g.input_len()..];
        for row in positions::seen(plan, strip) {
            let y = (strip.top(plan) + (row * down) as isize) as usize;
            let from = &image[(y * g.in_w + left) * g.in_c + first..];
            let pixel = index * plan.pixels() + row * pitch + columns.start;
            if plan.merged {
                let to = &mut to[pixel * plan.depth..];
                for i in 0..width {
                    for c in 0..plan.depth {
                        to[i * plan.depth + c] = from[i * apart + c];
                    }
                }
            } else {
                // SAFETY: the caller promised the instructions.
                unsafe { pixels::<V>(from, apart, width, panels, plan, pixel, to) };
            }
        }
    }
}

/// Copies the channels of each of the panels, of `count` pixels that are `pitch` elements apart, to their
/// panels from pixel `pixel` on. Copies whole vectors; what is too much is overwritten by the next pixel.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn pixels<V: Simd>(
    from: &[f32],
    pitch: usize,
    count: usize,
    panels: &[Range<usize>],
    plan: &Plan,
    pixel: usize,
    to: &mut [f32],
) {
    let mut places = [(0, 0, 0); MAX_TOGETHER];
    let mut start = 0;
    for panels in panels.chunks(MAX_TOGETHER) {
        let mut end = 0;
        for (place, panel) in places.iter_mut().zip(panels) {
            let channels = panel.len();
            assert!(pixel + count <= plan.together * plan.pixels());
            *place = (panel.start, start + pixel * channels, channels);
            start += plan.panel_len(channels);
            end = panel.start + channels.next_multiple_of(V::LANES);
        }
        let places = &places[..panels.len()];
        assert!(
            to.len() >= start && from.len() >= (count - 1) * pitch + panels[panels.len() - 1].end
        );
        // Pixels at which whole vectors can be read.
        let safe = if from.len() < end { 0 } else { ((from.len() - end) / pitch + 1).min(count) };
        for i in 0..safe {
            for &(channel, start, channels) in places {
                for c in (0..channels).step_by(V::LANES) {
                    // SAFETY: whole vectors can be read here, and a panel has room for them at each of its
                    // pixels; the caller's promise.
                    unsafe {
                        let from = from.as_ptr().add(i * pitch + channel + c);
                        V::load(from).store(to.as_mut_ptr().add(start + i * channels + c));
                    }
                }
            }
        }
        for i in safe..count {
            for &(channel, start, channels) in places {
                let to = &mut to[start + i * channels..][..channels];
                to.copy_from_slice(&from[i * pitch + channel..][..channels]);
            }
        }
    }
}

/// Panels that are written together.
const MAX_TOGETHER: usize = 32;

/// The gradient of a strip, of one group.
pub struct Output<'a> {
    pub plan: &'a Plan,
    /// The strip's rows.
    pub dy: &'a [f32],
    /// Of the strip in the block.
    pub index: usize,
    /// The group's first channel.
    pub first: usize,
    pub blocks: &'a [Block],
    pub to: &'a mut [f32],
}

impl SimdFn for Output<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { plan, dy, index, first, blocks, to } = self;
        let pitch = plan.g.out_c;
        let count = dy.len() / pitch;
        assert!(count <= plan.positions());
        let room: usize = blocks.iter().map(|block| plan.gradient_len(block)).sum();
        assert!(to.len() >= room);
        for i in 0..count {
            let mut start = 0;
            // Row by row of the gradient, because it comes from memory.
            for block in blocks {
                for j in 0..block.vectors {
                    // Channels of other groups and pixels do no harm: their sums are left out at the end.
                    let at = i * pitch + first + block.first + j * V::LANES;
                    let position = index * plan.positions() + i;
                    let to = &mut to[start + (position * block.vectors + j) * V::LANES..];
                    // SAFETY: the caller promised the instructions.
                    unsafe { V::read(&dy[at.min(dy.len())..]) }.write(to);
                }
                start += plan.gradient_len(block);
            }
        }
    }
}
