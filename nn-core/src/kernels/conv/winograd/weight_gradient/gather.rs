//! The transforms of a band: its patches of input and its tiles of gradients; and its part of the bias's
//! gradient.

use super::Sizes;
use crate::kernels::conv::winograd::patch::Source;
use crate::kernels::conv::winograd::{PATCH, POINTS, TILE, transform};
use crate::kernels::simd::{Simd, SimdFn};

/// A band to transform.
pub struct Gather<'a> {
    pub sizes: &'a Sizes,
    /// The image's input.
    pub source: Source<'a>,
    /// The band's rows of the gradient, `[row, column, channel]`, from row `top` of the image on.
    pub gradient: &'a [f32],
    pub top: usize,
    /// A zero for each input channel.
    pub zeros: &'a [f32],
    /// [`Sizes::inputs_len`] elements.
    pub inputs: &'a mut [f32],
    /// [`Sizes::gradients_len`] elements.
    pub gradients: &'a mut [f32],
}

impl SimdFn for Gather<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { sizes, source, gradient, top, zeros, inputs, gradients } = self;
        let (plan, width) = (&sizes.plan, sizes.plan.width());
        assert_eq!(plan.lanes, V::LANES);
        assert_eq!((inputs.len(), gradients.len()), (sizes.inputs_len(), sizes.gradients_len()));
        let pixels = Pixels { gradient, columns: plan.out_w, channels: plan.channels };
        let (gradients, bias) = gradients.split_at_mut(POINTS * sizes.gradients_points());
        let columns = plan.columns();
        bias.fill(0.0);
        for tile in 0..pixels.rows().div_ceil(TILE) * columns {
            let (y, x) = (tile / columns * TILE, tile % columns * TILE);
            let to = &mut inputs[tile * plan.v_pitch()..];
            // SAFETY: the caller promised the instructions.
            unsafe { source.transform::<V>(plan, (top + y, x), zeros, to) };
            for c in (0..plan.blocks() * width).step_by(V::LANES) {
                let to = (c / width * plan.together + tile) * width + c % width;
                let to = &mut gradients[to..];
                // SAFETY: the caller promised the instructions.
                unsafe {
                    let tile = pixels.tile::<V>((y, x), c);
                    let bias = &mut bias[c..];
                    V::read(bias).add(sum(&tile)).write(bias);
                    transform_tile(&tile, sizes.gradients_points(), to);
                }
            }
        }
    }
}

/// The gradient of some rows.
struct Pixels<'a> {
    gradient: &'a [f32],
    columns: usize,
    channels: usize,
}

impl Pixels<'_> {
    fn rows(&self) -> usize {
        self.gradient.len() / (self.columns * self.channels)
    }

    /// A vector of channels, from `c` on, of each gradient of the tile at `(y, x)`. Those beyond the border
    /// are zero.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn tile<V: Simd>(&self, (y, x): (usize, usize), c: usize) -> [[V; TILE]; TILE] {
        // SAFETY: the caller's promise.
        let mut tile = [[unsafe { V::zero() }; TILE]; TILE];
        if c >= self.channels {
            return tile;
        }
        for i in 0..TILE.min(self.rows() - y) {
            for j in 0..TILE.min(self.columns - x) {
                let pixel = ((y + i) * self.columns + x + j) * self.channels;
                // SAFETY: the caller's promise.
                tile[i][j] = unsafe { V::read(&self.gradient[pixel + c..pixel + self.channels]) };
            }
        }
        tile
    }
}

/// The sum of a tile's gradients.
#[inline(always)]
fn sum<V: Simd>(tile: &[[V; TILE]; TILE]) -> V {
    let mut rows = [tile[0][0]; TILE];
    for i in 0..TILE {
        let [a, b, c, d] = tile[i];
        rows[i] = a.add(b).add(c.add(d));
    }
    let [a, b, c, d] = rows;
    a.add(b).add(c.add(d))
}

/// Transforms the columns and then the rows of a tile of gradients, into `to`, with a stride of `points`
/// between points.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn transform_tile<V: Simd>(tile: &[[V; TILE]; TILE], points: usize, to: &mut [f32]) {
    assert!(to.len() >= (POINTS - 1) * points + V::LANES);
    // SAFETY: `to` has a vector at every point, as asserted; the caller's promise.
    unsafe {
        let mut half = [[V::zero(); TILE]; PATCH];
        for j in 0..TILE {
            let column =
                transform::weight_of_four([tile[0][j], tile[1][j], tile[2][j], tile[3][j]]);
            for i in 0..PATCH {
                half[i][j] = column[i];
            }
        }
        for i in 0..PATCH {
            let row = transform::weight_of_four(half[i]);
            for j in 0..PATCH {
                row[j].store(to.as_mut_ptr().add((i * PATCH + j) * points));
            }
        }
    }
}
