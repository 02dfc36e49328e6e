//! The products of a chunk for some input channels and a block of output channels, and their sums.

use super::{Sizes, TAPS};
use crate::kernels::conv::winograd::multiply::{NR, Rows, for_rows};
use crate::kernels::conv::winograd::{PATCH, POINTS, transform};
use crate::kernels::simd::{Simd, SimdFn};
use std::ops::Range;

/// A group of input channels with a block of output channels.
pub struct Group<'a> {
    pub sizes: &'a Sizes,
    /// The bands of the chunk.
    pub bands: Range<usize>,
    /// The transformed inputs of the chunk, [`Sizes::inputs_len`] elements for each band.
    pub inputs: &'a [f32],
    /// The transformed gradients of the chunk, [`Sizes::gradients_len`] elements for each band.
    pub gradients: &'a [f32],
    /// The block of output channels.
    pub block: usize,
    /// The first input channel.
    pub first: usize,
    /// Room for the sums of products of each input channel, `[input channel][point][channel of the block]`.
    pub products: &'a mut [f32],
    /// The taps, to be added to: [`Sizes::row_len`] elements for each input channel.
    pub sums: &'a mut [f32],
}

impl SimdFn for Group<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { sizes, bands, inputs, gradients, block, first, products, sums } = self;
        let (plan, width) = (&sizes.plan, sizes.plan.width());
        let rows = sums.len() / sizes.row_len();
        assert_eq!(plan.lanes, V::LANES);
        assert!(first + rows <= plan.depth && block < plan.blocks());
        assert!(inputs.len() >= bands.len() * sizes.inputs_len());
        assert!(gradients.len() >= bands.len() * sizes.gradients_len());
        assert!(products.len() >= rows * plan.m_pitch());
        for point in 0..POINTS {
            let input = point * plan.v_points() + first;
            let gradient = point * sizes.gradients_points() + block * plan.together * width;
            let work = Point {
                sizes,
                bands: bands.clone(),
                inputs: &inputs[input..],
                gradients: &gradients[gradient..],
                products: &mut products[point * width..],
            };
            // SAFETY: the caller promised the instructions; a band has `together` tiles at each point, with
            // `rows` channels from `first` on and a block of gradients; there are products of `rows` channels.
            unsafe { V::outlined(Outlined { rows, work }) };
        }
        for (row, sums) in sums.chunks_exact_mut(sizes.row_len()).enumerate() {
            for j in 0..NR {
                let products = &products[row * plan.m_pitch() + j * V::LANES..];
                // SAFETY: the caller promised the instructions.
                unsafe { add_taps::<V>(products, width, &mut sums[j * V::LANES..]) };
            }
        }
    }
}

/// The products at one point of all tiles of a chunk.
struct Point<'a> {
    sizes: &'a Sizes,
    bands: Range<usize>,
    inputs: &'a [f32],
    gradients: &'a [f32],
    products: &'a mut [f32],
}

/// The products of `rows` channels, in a function of their own.
struct Outlined<'a> {
    rows: usize,
    work: Point<'a>,
}

impl SimdFn for Outlined<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe { for_rows::<V>(self.rows, self.work) }
    }
}

impl Rows for Point<'_> {
    /// # Safety
    /// For each band and each of its tiles there are `R` inputs and a vector of gradients for each column of
    /// the register tile; and there are products of `R` channels.
    #[inline(always)]
    unsafe fn run<V: Simd, const R: usize>(self) {
        let Self { sizes, bands, inputs, gradients, products } = self;
        let (pitch, width) = (sizes.plan.v_pitch(), NR * V::LANES);
        let (inputs_len, gradients_len) = (sizes.inputs_len(), sizes.gradients_len());
        let (inputs, gradients, products) =
            (inputs.as_ptr(), gradients.as_ptr(), products.as_mut_ptr());
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[V::zero(); NR]; R];
            for band in 0..bands.len() {
                let inputs = inputs.add(band * inputs_len);
                let gradients = gradients.add(band * gradients_len);
                for tile in 0..sizes.tiles(bands.start + band) {
                    let (input, gradient) = (inputs.add(tile * pitch), gradients.add(tile * width));
                    let gradient = [V::load(gradient), V::load(gradient.add(V::LANES))];
                    for r in 0..R {
                        let input = V::splat(*input.add(r));
                        for j in 0..NR {
                            sums[r][j] = input.mul_add(gradient[j], sums[r][j]);
                        }
                    }
                }
            }
            for r in 0..R {
                for j in 0..NR {
                    sums[r][j].store(products.add(r * sizes.plan.m_pitch() + j * V::LANES));
                }
            }
        }
    }
}

/// Transforms the products of an input channel back, and adds the taps to `sums`. Both have a stride of
/// `width`, between points and between taps.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn add_taps<V: Simd>(products: &[f32], width: usize, sums: &mut [f32]) {
    assert!(products.len() >= (POINTS - 1) * width + V::LANES);
    assert!(sums.len() >= (TAPS - 1) * width + V::LANES);
    // SAFETY: there is a vector for every point and for every tap, as asserted; the caller's promise.
    unsafe {
        let mut half = [[V::zero(); PATCH]; 3];
        for j in 0..PATCH {
            let mut column = [V::zero(); PATCH];
            for i in 0..PATCH {
                column[i] = V::load(products.as_ptr().add((i * PATCH + j) * width));
            }
            let column = transform::output_of_three(column);
            for i in 0..3 {
                half[i][j] = column[i];
            }
        }
        for i in 0..3 {
            let row = transform::output_of_three(half[i]);
            for j in 0..3 {
                let sum = sums.as_mut_ptr().add((3 * i + j) * width);
                V::load(sum).add(row[j]).store(sum);
            }
        }
    }
}
