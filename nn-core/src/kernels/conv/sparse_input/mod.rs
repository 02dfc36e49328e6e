//! The input gradient of a 3x3 convolution that is followed by ReLU and a 2x2 max-pool, without
//! multiplications by zero.
//!
//! At most one pixel in four of the feature map has a nonzero gradient (see `sparse_weight`). Each
//! nonzero takes nine products per input channel: the kernel's taps, added to the 3x3 input pixels of
//! its patch.
//!
//! Rows of windows are split into bands, which are independent tasks:
//!
//! 1. `nonzeros`: for each pixel of the band's feature map, list the nonzero gradients, each with the
//!    offset of its channel's taps.
//! 2. `add_products`: for one vector of input channels at a time, iterate over the pixels, keep the
//!    sums in registers, and iterate over each pixel's list. The taps are read from the L1 cache: they
//!    are packed for it, and only as many output channels are processed together as fit.
//! 3. `write`: copy the band's sums to its rows of the input's gradient. The sums extend two rows into
//!    the next band; these rows are kept apart and added in order when all bands are done.
//!
//! Unlike with Winograd, gradients of small integers are exact. The pooling limits the density of
//! nonzeros to a quarter, and up to that density this kernel is never slower than the others.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

mod nonzeros;

use super::{Conv2dInputGradient, Conv2dKernel, OutputGradient, sparse_weight};
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::{Isa, PerIsa};
use crate::kernels::parallel;
use crate::kernels::simd::{self, Simd, SimdFn};
use crate::tensor::BufferPool;
use nonzeros::{List, Nonzeros};

/// The taps of the kernel.
const TAPS: usize = 9;

/// Rows of input that a patch covers below its first one.
const REACH: usize = 2;

/// Maximum rows of windows in a band: its lists and sums then stay in an L2 cache.
const MAX_BAND: usize = 8;

/// Number of bands that keeps the threads of a large machine busy.
const BANDS: usize = 32;

/// Bytes of the taps processed together; the rest of a 32 KB L1 cache is for the sums.
const TAPS_BYTES: usize = 27 << 10;

/// The sparse input gradient.
pub struct SparseInput {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for SparseInput {
    fn name(&self) -> &'static str {
        self.isa.pick(PerIsa {
            portable: "sparse",
            avx2: "sparse-avx2",
            avx512: "sparse-avx512",
            neon: "sparse-neon",
        })
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn supports(&self, g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool {
        let unpadded = (g.pad_top, g.pad_left, g.out_h + 2, g.out_w + 2) == (0, 0, g.in_h, g.in_w);
        sparse_weight::fits(g, pool) && g.kernel_h == 3 && unpadded
    }
}

impl Conv2dInputGradient<f32> for SparseInput {
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, f32>,
        w: &[f32],
        dx: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        let OutputGradient::ReluMaxPool { pool, dy, argmax } = dy else {
            unreachable!("{} supports gradients of pooled maps alone", self.name());
        };
        assert!(self.supports(g, Some(pool)), "{}: {g:?}, {pool:?}", self.name());
        let plan = Plan::new(g, pool, simd::lanes(self.isa));
        let mut taps = scratch.scratch(plan.blocks() * plan.block_len());
        plan.pack(w, &mut taps);
        // Each band's sums for the rows after its own. After the last band there are no rows.
        let row = g.in_w * g.in_c;
        let mut beyond = scratch.scratch(g.batch * plan.bands() * REACH * row);
        let (band_len, beyond_len) = (2 * plan.band * row, REACH * row);
        parallel::for_each_tile_of_two(
            (&mut *dx, g.input_len(), band_len),
            (&mut beyond, plan.bands() * beyond_len, beyond_len),
            |image, index, dx, beyond| {
                let (plan, taps) = (&plan, &taps);
                let work = Band { plan, image, index, dy, argmax, taps, dx, beyond, scratch };
                simd::run(self.isa, work);
            },
        );
        let beyond = &beyond;
        parallel::for_each_tile(dx, g.input_len(), band_len, |n, i, dx| {
            if let Some(before) = i.checked_sub(1) {
                let beyond = &beyond[(n * plan.bands() + before) * beyond_len..][..beyond_len];
                dx.iter_mut().zip(beyond).for_each(|(dx, more)| *dx += more);
            }
        });
    }
}

/// The sizes of the gradient, and the memory layout of taps and sums.
struct Plan<'a> {
    g: &'a Conv2dGeometry,
    pool: &'a Pool2dGeometry,
    lanes: usize,
    /// Rows of windows in a band.
    band: usize,
    /// Output channels processed together.
    together: usize,
}

impl<'a> Plan<'a> {
    fn new(g: &'a Conv2dGeometry, pool: &'a Pool2dGeometry, lanes: usize) -> Self {
        let band = (g.batch * pool.out_h).div_ceil(BANDS).clamp(1, MAX_BAND);
        let most = (TAPS_BYTES / (TAPS * lanes * size_of::<f32>())).max(1);
        let together = g.out_c.div_ceil(g.out_c.div_ceil(most)).next_multiple_of(lanes);
        Self { g, pool, lanes, band, together }
    }

    /// Bands per image. The last may have no windows, only rows of input outside every patch.
    fn bands(&self) -> usize {
        self.g.in_h.div_ceil(2 * self.band)
    }

    /// Blocks of input channels.
    fn blocks(&self) -> usize {
        self.g.in_c.div_ceil(self.lanes)
    }

    /// Elements of the taps of one block.
    fn block_len(&self) -> usize {
        self.g.out_c * TAPS * self.lanes
    }

    /// Copies `w [out, in, 3, 3]` to `taps [block, out, tap, lane]`, with zeros in unused lanes.
    fn pack(&self, w: &[f32], taps: &mut [f32]) {
        let (in_c, out_c, lanes) = (self.g.in_c, self.g.out_c, self.lanes);
        parallel::for_each_chunk(taps, TAPS * lanes, |i, taps| {
            let (block, oc) = (i / out_c, i % out_c);
            let first = block * lanes;
            let channels = lanes.min(in_c - first);
            let w = &w[(oc * in_c + first) * TAPS..][..channels * TAPS];
            for (tap, taps) in taps.chunks_exact_mut(lanes).enumerate() {
                taps.fill(0.0);
                for (lane, to) in taps[..channels].iter_mut().enumerate() {
                    *to = w[lane * TAPS + tap];
                }
            }
        });
    }
}

/// One band of an image.
struct Band<'a> {
    plan: &'a Plan<'a>,
    image: usize,
    index: usize,
    dy: &'a [f32],
    argmax: &'a [u8],
    taps: &'a [f32],
    /// The band's own rows of the input's gradient.
    dx: &'a mut [f32],
    /// The sums for the rows after them.
    beyond: &'a mut [f32],
    scratch: &'a BufferPool<f32>,
}

impl SimdFn for Band<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { plan, image, index, dy, argmax, taps, dx, beyond, scratch } = self;
        let (g, pool) = (plan.g, plan.pool);
        assert_eq!(plan.lanes, V::LANES);
        let first = (index * plan.band).min(pool.out_h);
        let rows = plan.band.min(pool.out_h - first);
        let windows = rows * pool.out_w;
        let from = (image * pool.out_h + first) * pool.out_w;
        let channels = pool.channels;
        let all = from * channels..(from + windows) * channels;
        let mut nonzeros = Nonzeros::new(windows, channels, plan.together, scratch);
        // SAFETY: the caller promised the instructions.
        unsafe { nonzeros.list::<V>(&dy[all.clone()], &argmax[all]) };

        let pitch = g.in_w * V::LANES;
        let mut sums = scratch.scratch((2 * rows + REACH) * pitch);
        for (block, taps) in taps.chunks_exact(plan.block_len()).enumerate() {
            sums.fill(0.0);
            let parts = taps.chunks(plan.together * TAPS * V::LANES);
            for (part, taps) in parts.enumerate() {
                let mut lists = nonzeros.of(part);
                for window in 0..windows {
                    let (y, x) = (2 * (window / pool.out_w), 2 * (window % pool.out_w));
                    let corner = y * pitch + x * V::LANES;
                    let lists = [lists.take(), lists.take(), lists.take(), lists.take()];
                    // SAFETY: the caller promised the instructions.
                    unsafe { add_window::<V>(lists, taps, &mut sums[corner..], pitch) };
                }
            }
            let channels = block * V::LANES..g.in_c.min((block + 1) * V::LANES);
            let row = g.in_w * g.in_c;
            let (mut own, mut after) = (dx.chunks_exact_mut(row), beyond.chunks_exact_mut(row));
            for sums in sums.chunks_exact(pitch) {
                let Some(to) = own.next().or_else(|| after.next()) else { break };
                // SAFETY: the caller promised the instructions.
                unsafe { write::<V>(sums, to, g.in_c, channels.clone()) };
            }
            for to in own.chain(after) {
                to.chunks_exact_mut(g.in_c).for_each(|pixel| pixel[channels.clone()].fill(0.0));
            }
        }
    }
}

/// Adds the products of a window's gradients with their taps to the 4x4 vectors that start at `sums`
/// and have a row stride of `pitch`.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn add_window<V: Simd>(lists: [List<'_>; 4], taps: &[f32], sums: &mut [f32], pitch: usize) {
    assert!(sums.len() >= 3 * pitch + 4 * V::LANES);
    // SAFETY: vectors of the set may exist, by the caller's promise. The vectors of `sums` lie in it by
    // the assertion.
    unsafe {
        // Summed from zero and added at the end, so that a window need not wait for the stores of the
        // previous one.
        let mut products = [[V::zero(); 4]; 4];
        let [a, b, c, d] = lists;
        add_products::<V, 0, 0>(a, taps, &mut products);
        add_products::<V, 0, 1>(b, taps, &mut products);
        add_products::<V, 1, 0>(c, taps, &mut products);
        add_products::<V, 1, 1>(d, taps, &mut products);
        let corner = sums.as_mut_ptr();
        for i in 0..4 {
            for j in 0..4 {
                let sum = corner.add(i * pitch + j * V::LANES);
                V::load(sum).add(products[i][j]).store(sum);
            }
        }
    }
}

/// Adds the products of the gradients of one pixel, in row `DOWN` and column `RIGHT` of its window.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn add_products<V: Simd, const DOWN: usize, const RIGHT: usize>(
    list: List<'_>,
    taps: &[f32],
    products: &mut [[V; 4]; 4],
) {
    let gradients = list.gradients;
    let places = &list.places[..gradients.len()];
    for at in 0..gradients.len() {
        // SAFETY: the caller's promise. A nonzero's place is that of nine vectors in `taps`
        // (`Nonzeros::list`).
        unsafe {
            let (gradient, place) = (V::splat(gradients[at]), places[at] as usize);
            debug_assert!(place + TAPS * V::LANES <= taps.len());
            let taps = taps.as_ptr().add(place);
            for i in 0..3 {
                for j in 0..3 {
                    let tap = V::load(taps.add((i * 3 + j) * V::LANES));
                    let product = &mut products[DOWN + i][RIGHT + j];
                    *product = gradient.mul_add(tap, *product);
                }
            }
        }
    }
}

/// Copies a row of sums, one vector per pixel, to the channels `channels` of the pixels of `to`.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn write<V: Simd>(
    sums: &[f32],
    to: &mut [f32],
    in_c: usize,
    channels: std::ops::Range<usize>,
) {
    for (sums, pixel) in sums.chunks_exact(V::LANES).zip(to.chunks_exact_mut(in_c)) {
        // SAFETY: the caller's promise.
        unsafe { V::read(sums) }.write(&mut pixel[channels.clone()]);
    }
}
