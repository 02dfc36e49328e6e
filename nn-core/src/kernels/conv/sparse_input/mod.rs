//! The input gradient of a 3x3 or 5x5 convolution that is followed by ReLU and a 2x2 max-pool, without
//! multiplications by zero.
//!
//! At most one pixel in four of the feature map has a nonzero gradient (see `sparse_weight`). Each
//! nonzero takes one product per input channel and tap of the kernel, added to the input pixels of its patch.
//!
//! Rows of windows are split into bands, which are independent tasks:
//!
//! 1. `nonzeros`: for each pixel of the band's feature map, list the nonzero gradients, each with the
//!    offset of its channel's taps.
//! 2. `add_products`: for one vector of input channels at a time, iterate over the pixels, keep the
//!    sums in registers, and iterate over each pixel's list. The taps are read from the L1 cache: they
//!    are packed for it, and only as many output channels are processed together as fit.
//! 3. `write`: copy the band's sums to its rows of the input's gradient. The sums extend some rows into
//!    the next band and, with padding, into the one before; these rows are kept apart and added in order when
//!    all bands are done. What lies in the padding is dropped.
//!
//! Unlike with Winograd, gradients of small integers are exact. The pooling limits the density of
//! nonzeros to a quarter, and up to that density this kernel is about as fast as the others, or faster.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

mod nonzeros;

use super::{Conv2dInputGradient, Conv2dKernel, OutputGradient, sparse_weight};
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::{Isa, PerIsa};
use crate::kernels::parallel;
use crate::kernels::simd::{self, MANY_REGISTERS, Simd, SimdFn};
use crate::tensor::BufferPool;
use nonzeros::{List, Nonzeros};

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
        // No more padding than keeps the size: each band then has the windows of its own rows.
        let (half, inside) = (g.kernel_h / 2, g.out_h <= g.in_h && g.out_w <= g.in_w);
        sparse_weight::fits(g, pool) && g.pad_top <= half && g.pad_left <= half && inside
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
        // Each band's sums for the rows before and after its own. Beyond the image there are no rows.
        let row = g.in_w * g.in_c;
        let mut beyond = scratch.scratch(g.batch * plan.bands() * plan.reach() * row);
        let (band_len, beyond_len) = (2 * plan.band * row, plan.reach() * row);
        parallel::for_each_tile_of_two(
            (&mut *dx, g.input_len(), band_len),
            (&mut beyond, plan.bands() * beyond_len, beyond_len),
            |image, index, dx, beyond| {
                let (plan, taps) = (&plan, &taps);
                let work = Band { plan, image, index, dy, argmax, taps, dx, beyond, scratch };
                simd::run(self.isa, work);
            },
        );
        let (beyond, before) = (&beyond, g.pad_top * row);
        parallel::for_each_tile(dx, g.input_len(), band_len, |n, i, dx| {
            let of = |band: usize| {
                let beyond = &beyond[(n * plan.bands() + band) * beyond_len..][..beyond_len];
                beyond.split_at(before)
            };
            let add = |dx: &mut [f32], more: &[f32]| {
                dx.iter_mut().zip(more).for_each(|(dx, more)| *dx += more);
            };
            if let Some(previous) = i.checked_sub(1) {
                add(dx, of(previous).1);
            }
            if i + 1 < plan.bands() {
                add(&mut dx[band_len - before..], of(i + 1).0);
            }
        });
    }
}

/// The sizes of the gradient, and the memory layout of taps and sums.
struct Plan<'a> {
    g: &'a Conv2dGeometry,
    pool: &'a Pool2dGeometry,
    lanes: usize,
    /// Taps of the kernel.
    taps: usize,
    /// Rows of windows in a band.
    band: usize,
    /// Output channels processed together.
    together: usize,
}

impl<'a> Plan<'a> {
    fn new(g: &'a Conv2dGeometry, pool: &'a Pool2dGeometry, lanes: usize) -> Self {
        let taps = g.taps();
        // The sums reach no further than the next band.
        let least = (g.kernel_h - 1 - g.pad_top).div_ceil(2).max(1);
        let band = (g.batch * pool.out_h).div_ceil(BANDS).clamp(least, MAX_BAND);
        let most = (TAPS_BYTES / (taps * lanes * size_of::<f32>())).max(1);
        let together = g.out_c.div_ceil(g.out_c.div_ceil(most)).next_multiple_of(lanes);
        Self { g, pool, lanes, taps, band, together }
    }

    /// Rows of input that the patches of a row of the feature map cover besides its own.
    fn reach(&self) -> usize {
        self.g.kernel_h - 1
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
        self.g.out_c * self.taps * self.lanes
    }

    /// Copies `w [out, in, kernel, kernel]` to `taps [block, out, tap, lane]`, with zeros in unused lanes.
    fn pack(&self, w: &[f32], taps: &mut [f32]) {
        let (in_c, out_c, lanes, count) = (self.g.in_c, self.g.out_c, self.lanes, self.taps);
        parallel::for_each_chunk(taps, count * lanes, |i, taps| {
            let (block, oc) = (i / out_c, i % out_c);
            let first = block * lanes;
            let channels = lanes.min(in_c - first);
            let w = &w[(oc * in_c + first) * count..][..channels * count];
            for (tap, taps) in taps.chunks_exact_mut(lanes).enumerate() {
                taps.fill(0.0);
                for (lane, to) in taps[..channels].iter_mut().enumerate() {
                    *to = w[lane * count + tap];
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
    /// The sums for the rows before and after them.
    beyond: &'a mut [f32],
    scratch: &'a BufferPool<f32>,
}

impl SimdFn for Band<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe { if self.plan.g.kernel_h == 3 { self.sum::<V, 3>() } else { self.sum::<V, 5>() } }
    }
}

impl Band<'_> {
    /// Computes the band, under `K x K` taps.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn sum<V: Simd, const K: usize>(self) {
        let Self { plan, image, index, dy, argmax, taps, dx, beyond, scratch } = self;
        let (g, pool) = (plan.g, plan.pool);
        assert_eq!((plan.lanes, plan.taps), (V::LANES, K * K));
        let first = (index * plan.band).min(pool.out_h);
        let rows = plan.band.min(pool.out_h - first);
        let windows = rows * pool.out_w;
        let from = (image * pool.out_h + first) * pool.out_w;
        let channels = pool.channels;
        let all = from * channels..(from + windows) * channels;
        let mut nonzeros = Nonzeros::new(windows, channels, plan.taps, plan.together, scratch);
        // SAFETY: the caller promised the instructions.
        unsafe { nonzeros.list::<V>(&dy[all.clone()], &argmax[all]) };

        // The sums of all pixels that patches cover, padding included.
        let pitch = (g.out_w + K - 1) * V::LANES;
        let mut sums = scratch.scratch((2 * rows + K - 1) * pitch);
        for (block, taps) in taps.chunks_exact(plan.block_len()).enumerate() {
            sums.fill(0.0);
            let parts = taps.chunks(plan.together * K * K * V::LANES);
            for (part, taps) in parts.enumerate() {
                let mut lists = nonzeros.of(part);
                for window in 0..windows {
                    let (y, x) = (2 * (window / pool.out_w), 2 * (window % pool.out_w));
                    let corner = y * pitch + x * V::LANES;
                    let lists = [lists.take(), lists.take(), lists.take(), lists.take()];
                    // SAFETY: the caller promised the instructions.
                    unsafe { add_patches::<V, K>(lists, taps, &mut sums[corner..], pitch) };
                }
            }
            let channels = block * V::LANES..g.in_c.min((block + 1) * V::LANES);
            let row = g.in_w * g.in_c;
            let (before, after) = beyond.split_at_mut(g.pad_top * row);
            let mut targets = before
                .chunks_exact_mut(row)
                .chain(dx.chunks_exact_mut(row))
                .chain(after.chunks_exact_mut(row));
            for sums in sums.chunks_exact(pitch) {
                let Some(to) = targets.next() else { break };
                let sums = &sums[g.pad_left * V::LANES..];
                // SAFETY: the caller promised the instructions.
                unsafe { write::<V>(sums, to, g.in_c, channels.clone()) };
            }
            for to in targets {
                to.chunks_exact_mut(g.in_c).for_each(|pixel| pixel[channels.clone()].fill(0.0));
            }
        }
    }
}

/// Adds the products of a window's gradients with their taps to the vectors that start at `sums` and have a row
/// stride of `pitch`. As many rows of taps are taken at a time as registers hold the sums of.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn add_patches<V: Simd, const K: usize>(
    lists: [List<'_>; 4],
    taps: &[f32],
    sums: &mut [f32],
    pitch: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if K == 3 {
            add_rows::<V, K, 3, 4, 4>(&lists, taps, sums, pitch, 0);
        } else if V::MR >= MANY_REGISTERS {
            add_rows::<V, K, 3, 4, 6>(&lists, taps, sums, pitch, 0);
            add_rows::<V, K, 2, 3, 6>(&lists, taps, sums, pitch, 3);
        } else {
            for row in 0..K {
                add_rows::<V, K, 1, 2, 6>(&lists, taps, sums, pitch, row);
            }
        }
    }
}

/// [`add_patches`] for `ROWS` rows of taps from `first` on, whose products belong to `TALL x WIDE` vectors: one row
/// and column more than there are taps.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn add_rows<
    V: Simd,
    const K: usize,
    const ROWS: usize,
    const TALL: usize,
    const WIDE: usize,
>(
    lists: &[List<'_>; 4],
    taps: &[f32],
    sums: &mut [f32],
    pitch: usize,
    first: usize,
) {
    assert!(TALL == ROWS + 1 && WIDE == K + 1 && first + ROWS <= K);
    assert!(sums.len() >= (first + ROWS) * pitch + WIDE * V::LANES);
    // SAFETY: vectors of the set may exist, by the caller's promise. The vectors of `sums` lie in it by
    // the assertion.
    unsafe {
        // Summed from zero and added at the end, so that a window need not wait for the stores of the
        // previous one.
        let mut products = [[V::zero(); WIDE]; TALL];
        let [a, b, c, d] = lists;
        add_products::<V, K, ROWS, TALL, WIDE>(a, taps, first, [0, 0], &mut products);
        add_products::<V, K, ROWS, TALL, WIDE>(b, taps, first, [0, 1], &mut products);
        add_products::<V, K, ROWS, TALL, WIDE>(c, taps, first, [1, 0], &mut products);
        add_products::<V, K, ROWS, TALL, WIDE>(d, taps, first, [1, 1], &mut products);
        let corner = sums.as_mut_ptr().add(first * pitch);
        for i in 0..TALL {
            for j in 0..WIDE {
                let sum = corner.add(i * pitch + j * V::LANES);
                V::load(sum).add(products[i][j]).store(sum);
            }
        }
    }
}

/// Adds the products of the gradients of one pixel, in a row and column of its window that are known where this is
/// inlined.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn add_products<
    V: Simd,
    const K: usize,
    const ROWS: usize,
    const TALL: usize,
    const WIDE: usize,
>(
    list: &List<'_>,
    taps: &[f32],
    first: usize,
    [down, right]: [usize; 2],
    products: &mut [[V; WIDE]; TALL],
) {
    let gradients = list.gradients;
    let places = &list.places[..gradients.len()];
    for at in 0..gradients.len() {
        // SAFETY: the caller's promise. A nonzero's place is that of the vectors of all taps in `taps`
        // (`Nonzeros::list`).
        unsafe {
            let (gradient, place) = (V::splat(gradients[at]), places[at] as usize);
            debug_assert!(place + K * K * V::LANES <= taps.len());
            let taps = taps.as_ptr().add(place + first * K * V::LANES);
            for i in 0..ROWS {
                for j in 0..K {
                    let tap = V::load(taps.add((i * K + j) * V::LANES));
                    let product = &mut products[down + i][right + j];
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
