//! Statistics of two registered pictures, per block of 8 x 8 pixels.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::align::sum;
use super::luma::{Bilinear, Luma};
use super::placement::Placement;
use crate::kernels::multiversion::Multiversion;

/// Side of a block, in pixels.
pub const BLOCK: usize = 8;
/// The largest ratio of squared gradients along an edge to those across it at which a block
/// contains nothing but the edge.
const ONE_WAY: f32 = 0.1;

/// Sums over a block: of the values, their squares and products.
#[derive(Clone, Copy, Default)]
pub struct BlockMoments {
    /// The number of pixels.
    pub n: f32,
    pub a: f32,
    pub b: f32,
    pub aa: f32,
    pub bb: f32,
    pub ab: f32,
    /// The gradients of either picture.
    pub slopes: [Slopes; 2],
}

/// Sums of products of the gradients along the two diagonals (the structure tensor).
#[derive(Clone, Copy, Default)]
pub struct Slopes {
    falling: f32,
    rising: f32,
    both: f32,
}

impl Slopes {
    /// Whether all gradients have one direction, with almost none across it, as for a straight
    /// edge, stripes, or a linear shade.
    ///
    /// J. Shi and C. Tomasi, "Good features to track", 1994.
    pub fn are_one_way(&self) -> bool {
        let mean = 0.5 * (self.falling + self.rising);
        let apart = (0.5 * (self.falling - self.rising)).hypot(self.both);
        mean - apart < ONE_WAY * (mean + apart)
    }
}

impl BlockMoments {
    /// Variance of `a`, variance of `b`, covariance.
    pub fn moments(&self) -> (f32, f32, f32) {
        let (a, b) = (self.a / self.n, self.b / self.n);
        let positive = |v: f32| v.max(0.0);
        (
            positive(self.aa / self.n - a * a),
            positive(self.bb / self.n - b * b),
            self.ab / self.n - a * b,
        )
    }
}

/// Computes the sums over the blocks of `b` where it overlaps `a`.
pub struct Blocks<'a> {
    pub a: &'a Luma,
    pub b: &'a Luma,
    pub placement: Placement,
    /// Pixels within this distance from the border of `a` are ignored.
    pub margin: f32,
    /// The same for the border of `b`.
    pub margin_of_b: f32,
}

impl Multiversion for Blocks<'_> {
    type Output = Vec<BlockMoments>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let b = self.b;
        let mut blocks = Vec::with_capacity(b.width.div_ceil(BLOCK) * b.height.div_ceil(BLOCK));
        for y in (0..b.height).step_by(BLOCK) {
            for x in (0..b.width).step_by(BLOCK) {
                let len = BLOCK.min(b.width - x);
                let mut sums = [[0.0_f32; BLOCK]; 6];
                let mut slopes = [[[0.0_f32; BLOCK]; 3]; 2];
                let mut above = None;
                for y in y..(y + BLOCK).min(b.height) {
                    let (inside, values) = self.laid(x, y, len);
                    let mut target = [128.0; BLOCK];
                    target[..len].copy_from_slice(&b.pixels[y * b.width + x..][..len]);
                    for i in 0..BLOCK {
                        // Relative to 128, so that sums of squares keep enough precision.
                        let (a, b) = (values[i] - 128.0, target[i] - 128.0);
                        let (a, b) = if inside[i] > 0.0 { (a, b) } else { (0.0, 0.0) };
                        sums[0][i] += inside[i];
                        sums[1][i] += a;
                        sums[2][i] += b;
                        sums[3][i] += a * a;
                        sums[4][i] += b * b;
                        sums[5][i] += a * b;
                    }
                    if let Some((was_inside, above)) = above {
                        for (side, (row, above)) in [values, target].iter().zip(&above).enumerate()
                        {
                            add_slopes(&mut slopes[side], row, above, &inside, &was_inside);
                        }
                    }
                    above = Some((inside, [values, target]));
                }
                let [n, a, b, aa, bb, ab] = sums.map(sum);
                let slopes = slopes.map(|sums| {
                    let [falling, rising, both] = sums.map(sum);
                    Slopes { falling, rising, both }
                });
                blocks.push(BlockMoments { n, a, b, aa, bb, ab, slopes });
            }
        }
        blocks
    }
}

impl Blocks<'_> {
    /// The values of `a` under `len` pixels of `b` from `(x, y)` on, and 1 for each pixel that lies
    /// inside `a`, else 0.
    #[inline(always)]
    fn laid(&self, x: usize, y: usize, len: usize) -> ([f32; BLOCK], [f32; BLOCK]) {
        let a = self.a;
        let (margin, border) = (self.margin, self.margin_of_b);
        let (right, bottom) = ((a.width - 1) as f32 - margin, (a.height - 1) as f32 - margin);
        let (last_column, last_row) =
            ((self.b.width - 1) as f32 - border, (self.b.height - 1) as f32 - border);
        let is_inner = (y as f32 >= border) & (y as f32 <= last_row);
        let (mut inside, mut us, mut vs) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        for i in 0..BLOCK {
            let column = x as f32 + i as f32;
            let (u, v) = self.placement.apply(column, y as f32);
            let is_inner = is_inner & (column >= border) & (column <= last_column);
            let across = (u >= margin) & (u <= right) & is_inner;
            let down = (v >= margin) & (v <= bottom);
            inside[i] = if across & down & (i < len) { 1.0 } else { 0.0 };
            (us[i], vs[i]) = (u, v);
        }
        (inside, Bilinear::around(a, &us, &vs).mixed(a))
    }
}

/// Adds the gradients between a row and the one above it, where all pixels are `inside`.
#[inline(always)]
fn add_slopes(
    sums: &mut [[f32; BLOCK]; 3],
    row: &[f32; BLOCK],
    above: &[f32; BLOCK],
    inside: &[f32; BLOCK],
    was_inside: &[f32; BLOCK],
) {
    for i in 0..BLOCK - 1 {
        let counts = inside[i] * inside[i + 1] * was_inside[i] * was_inside[i + 1];
        let falling = counts * (row[i + 1] - above[i]);
        let rising = counts * (row[i] - above[i + 1]);
        sums[0][i] += falling * falling;
        sums[1][i] += rising * rising;
        sums[2][i] += falling * rising;
    }
}
