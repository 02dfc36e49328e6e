//! Patches of input: where they come from, and their transform.

use super::plan::Plan;
use super::{PATCH, POINTS, TILE, transform};
use crate::kernels::simd::{Simd, prefetch};

/// Where patches come from: one image.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Rows of the input from row `top` on, at least those that the tiles touch.
    Map { rows: &'a [f32], top: usize },
    /// The gradient of a 2x2 max-pool, which is spread out patch by patch. The padding is even, so
    /// that a patch covers three by three whole windows.
    Pooled { dy: &'a [f32], winners: &'a [u8], out_h: usize, out_w: usize },
}

impl Source<'_> {
    /// Transforms the patch of the tile whose first output is at `(y, x)` into `to`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    pub unsafe fn transform<V: Simd>(
        &self,
        plan: &Plan,
        (y, x): (usize, usize),
        zeros: &[f32],
        to: &mut [f32],
    ) {
        let (depth, pitch) = (plan.depth, plan.in_w * plan.depth);
        match *self {
            Source::Map { rows, top } => {
                let inside = y >= plan.pad_top
                    && x >= plan.pad_left
                    && y + PATCH <= plan.pad_top + plan.in_h
                    && x + PATCH <= plan.pad_left + plan.in_w;
                if inside {
                    let (y, x) = (y - plan.pad_top - top, x - plan.pad_left);
                    let from = &rows[y * pitch + x * depth..];
                    assert!(from.len() >= (PATCH - 1) * pitch + PATCH * depth);
                    // SAFETY: the caller's promise.
                    unsafe { transform_patch::<V>(plan, &Inside { from, pitch, depth }, to) };
                } else {
                    let mut pixels = [[zeros; PATCH]; PATCH];
                    for (i, row) in pixels.iter_mut().enumerate() {
                        let Some(y) = inside_row(y + i, plan.pad_top, plan.in_h) else { continue };
                        for (j, pixel) in row.iter_mut().enumerate() {
                            if let Some(x) = inside_row(x + j, plan.pad_left, plan.in_w) {
                                *pixel = &rows[(y - top) * pitch + x * depth..][..depth];
                            }
                        }
                    }
                    // SAFETY: the caller's promise.
                    unsafe { transform_patch::<V>(plan, &Border(pixels), to) };
                }
            }
            Source::Pooled { dy, winners, out_h, out_w } => {
                let mut windows = [[(zeros, &winners[..depth]); PATCH / 2]; PATCH / 2];
                for (i, row) in windows.iter_mut().enumerate() {
                    let Some(y) = inside_row(y / 2 + i, plan.pad_top / 2, out_h) else { continue };
                    for (j, window) in row.iter_mut().enumerate() {
                        if let Some(x) = inside_row(x / 2 + j, plan.pad_left / 2, out_w) {
                            let at = (y * out_w + x) * depth..(y * out_w + x + 1) * depth;
                            *window = (&dy[at.clone()], &winners[at]);
                        }
                    }
                }
                // SAFETY: the caller's promise.
                unsafe { transform_patch::<V>(plan, &Windows(windows), to) };
            }
        }
    }
}

/// The row of the input at `at` of the padded input, if it is none of the padding's.
#[inline(always)]
fn inside_row(at: usize, pad: usize, len: usize) -> Option<usize> {
    at.checked_sub(pad).filter(|&at| at < len)
}

/// A patch of input, read column by column.
trait Patch {
    /// The vector of channels from `c` on of each pixel of column `j`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH];
}

/// A patch that lies in the input as a whole; `from` begins with its first pixel.
struct Inside<'a> {
    from: &'a [f32],
    pitch: usize,
    depth: usize,
}

impl Patch for Inside<'_> {
    #[inline(always)]
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH] {
        // SAFETY: the caller's promise.
        let mut column = [unsafe { V::zero() }; PATCH];
        for i in 0..PATCH {
            let at = i * self.pitch + j * self.depth;
            if j >= PATCH - TILE {
                // What the next patch does not share with this one.
                prefetch(self.from.as_ptr().wrapping_add(at + TILE * self.depth + c));
            }
            // SAFETY: the caller's promise.
            column[i] = unsafe { V::read(&self.from[at + c..at + self.depth]) };
        }
        column
    }
}

/// A patch over the border: its pixels, some of them zeros.
struct Border<'a>([[&'a [f32]; PATCH]; PATCH]);

impl Patch for Border<'_> {
    #[inline(always)]
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH] {
        // SAFETY: the caller's promise.
        let mut column = [unsafe { V::zero() }; PATCH];
        for i in 0..PATCH {
            // SAFETY: the caller's promise.
            column[i] = unsafe { V::read(&self.0[i][j][c..]) };
        }
        column
    }
}

/// A patch of three by three windows: each one's gradient, and which of its pixels it goes to.
struct Windows<'a>([[(&'a [f32], &'a [u8]); PATCH / 2]; PATCH / 2]);

impl Patch for Windows<'_> {
    #[inline(always)]
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH] {
        // SAFETY: the caller's promise.
        unsafe {
            let zero = V::zero();
            let (above, below) = (V::splat((j % 2) as f32), V::splat((2 + j % 2) as f32));
            let mut column = [zero; PATCH];
            for i in 0..PATCH / 2 {
                let (dy, winners) = self.0[i][j / 2];
                if j >= PATCH - TILE && j.is_multiple_of(2) {
                    // What the next patch does not share with this one.
                    let next = TILE / 2 * dy.len() + c;
                    prefetch(dy.as_ptr().wrapping_add(next));
                    prefetch(winners.as_ptr().wrapping_add(next));
                }
                let (dy, winner) = (V::read(&dy[c..]), V::read_bytes(&winners[c..]));
                column[2 * i] = V::select(winner.equals(above), dy, zero);
                column[2 * i + 1] = V::select(winner.equals(below), dy, zero);
            }
            column
        }
    }
}

/// Transforms a patch, along the columns and then along the rows, into `to`.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn transform_patch<V: Simd>(plan: &Plan, patch: &impl Patch, to: &mut [f32]) {
    let pitch = plan.v_points();
    assert!(to.len() >= (POINTS - 1) * pitch + plan.v_pitch());
    for c in (0..plan.depth).step_by(V::LANES) {
        // SAFETY: the caller's promise; `to` has a tile's row at every point, as asserted.
        unsafe {
            let mut half = [[V::zero(); PATCH]; PATCH];
            for j in 0..PATCH {
                let column = transform::input(patch.column::<V>(j, c));
                for i in 0..PATCH {
                    half[i][j] = column[i];
                }
            }
            let to = to.as_mut_ptr().add(c);
            for i in 0..PATCH {
                let row = transform::input(half[i]);
                for j in 0..PATCH {
                    row[j].store(to.add((i * PATCH + j) * pitch));
                }
            }
        }
    }
}
