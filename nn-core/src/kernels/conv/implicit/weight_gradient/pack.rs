//! Packing of a strip: of the input in panels of as many channels as a register tile has rows,
//! `[panel][pixel][channel]`; of the gradient in blocks of as many as it has columns,
//! `[block][position][channel]`. So what the inner loop reads is contiguous.

use super::plan::{Block, Panel, Plan};
use super::positions::{self, Strip};
use crate::kernels::simd::{Simd, SimdFn};

/// The input that a strip sees, of one group.
pub struct Input<'a> {
    pub plan: &'a Plan,
    pub x: &'a [f32],
    pub strip: &'a Strip,
    /// Of the strip in the block.
    pub index: usize,
    /// The group's first channel.
    pub first: usize,
    pub panels: &'a [Panel],
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
                let to = &mut to[pixel * plan.depth..][..width * plan.depth];
                if apart == plan.depth {
                    to.copy_from_slice(&from[..width * plan.depth]);
                    continue;
                }
                for i in 0..width {
                    for c in 0..plan.depth {
                        to[i * plan.depth + c] = from[i * apart + c];
                    }
                }
            } else {
                // SAFETY: the caller promised the instructions.
                unsafe { pixels::<V>(from, apart, width, panels, plan.copied(), pixel, to) };
            }
        }
    }
}

/// Copies the channels of each of the panels, of `count` pixels that are `pitch` elements apart, to their
/// panels from pixel `pixel` on. Copies `whole` elements, which are whole vectors; what is too much is
/// overwritten by the next pixel.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn pixels<V: Simd>(
    from: &[f32],
    pitch: usize,
    count: usize,
    panels: &[Panel],
    whole: usize,
    pixel: usize,
    to: &mut [f32],
) {
    let Some(last) = panels.last() else { return };
    let end = last.first + whole;
    assert!(from.len() >= (count - 1) * pitch + last.first + last.channels);
    assert!(to.len() >= last.start + (pixel + count - 1) * last.channels + whole);
    // Pixels at which whole vectors can be read.
    let safe = if from.len() < end { 0 } else { ((from.len() - end) / pitch + 1).min(count) };
    for i in 0..safe {
        for panel in panels {
            // SAFETY: whole vectors can be read here, and a panel has room for them at each of its pixels;
            // the caller's promise.
            unsafe {
                let from = from.as_ptr().add(i * pitch + panel.first);
                let to = to.as_mut_ptr().add(panel.start + (pixel + i) * panel.channels);
                let mut c = 0;
                while c < whole {
                    V::load(from.add(c)).store(to.add(c));
                    c += V::LANES;
                }
            }
        }
    }
    for i in safe..count {
        for panel in panels {
            let to = &mut to[panel.start + (pixel + i) * panel.channels..][..panel.channels];
            to.copy_from_slice(&from[i * pitch + panel.first..][..panel.channels]);
        }
    }
}

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
