//! Input patches: reading them, with zero padding, and their transform.

use super::plan::Plan;
use super::{PATCH, POINTS, TILE, transform};
use crate::kernels::simd::{Simd, prefetch};

/// The rows of one image's input from row `top` on; they include all rows that the tiles need.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub rows: &'a [f32],
    pub top: usize,
}

impl Source<'_> {
    /// Transforms the patch of the tile whose first output is at `(y, x)` into `to`.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set, and `plan` is for vectors as long.
    #[inline(always)]
    pub unsafe fn transform<V: Simd>(
        &self,
        plan: &Plan,
        (y, x): (usize, usize),
        zeros: &[f32],
        to: &mut [f32],
    ) {
        let (depth, pitch) = (plan.depth, plan.in_w * plan.depth);
        let Self { rows, top } = *self;
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
}

/// The input index for index `at` of the padded input; `None` in the padding.
#[inline(always)]
fn inside_row(at: usize, pad: usize, len: usize) -> Option<usize> {
    at.checked_sub(pad).filter(|&at| at < len)
}

/// An input patch, read column by column.
trait Patch {
    /// For each pixel of column `j`, a vector of its channels from `c` on.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    unsafe fn column<V: Simd>(&self, j: usize, c: usize) -> [V; PATCH];
}

/// A patch inside the input; `from` starts at its first pixel.
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
                // Prefetches the part of the next patch that does not overlap this one.
                prefetch(self.from.as_ptr().wrapping_add(at + TILE * self.depth + c));
            }
            // SAFETY: the caller's promise.
            column[i] = unsafe { V::read(&self.from[at + c..at + self.depth]) };
        }
        column
    }
}

/// A patch that overlaps the padding: its pixels, of which those in the padding are zeros.
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

/// Transforms the columns and then the rows of a patch, into `to`.
///
/// # Safety
/// The processor has the instructions of `V`'s set, and `plan` is for vectors as long.
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
