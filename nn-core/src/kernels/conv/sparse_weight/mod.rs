//! The weight gradient of a 3x3 or 5x5 convolution that is followed by ReLU and a 2x2 max-pool, without
//! multiplications by zero.
//!
//! A pooled output passes its gradient to one of the four pixels of its window, or to none where the
//! output is zero. So at most a quarter of the feature map's gradient is not zero. Each nonzero takes
//! one product per input channel and tap of the kernel.
//!
//! The work is done in tiles of 8x8 windows:
//!
//! 1. `nonzeros`: for each output channel, list the tile's nonzero gradients, each with the offset of
//!    its input patch.
//! 2. `tile`: copy one vector of input channels per pixel of the tile to an aligned buffer that stays
//!    in the L1 cache, with zeros where it is padding.
//! 3. `add_products`: for each output channel, keep the sums of all taps in registers, or of some rows of
//!    them, and iterate over its list. Which of the four pixels had the maximum only changes an address, so
//!    there are no branches.
//!
//! The sums have the layout `[channel block, out, tap, lane]`. Tiles are distributed over a number of
//! parts that depends on sizes alone; each part has its own sums, which are added in order. Where memory is for
//! few parts, the channel blocks of each are shared out, too.
//!
//! SparseTrain (Gong et al., arXiv:1911.10175) skips zeros after a ReLU; after max-pooling there are
//! more zeros to skip.

mod nonzeros;
mod tile;

use super::{Conv2dKernel, Conv2dWeightGradient, OutputGradient};
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::{Isa, PerIsa};
use crate::kernels::parallel;
use crate::kernels::simd::{self, MANY_REGISTERS, Simd, SimdFn};
use crate::tensor::BufferPool;
use nonzeros::{Nonzero, Nonzeros};
use tile::{Input, Tile};

/// Windows along each side of a tile. With vectors of 16 channels the tile's input takes 20 KB,
/// or 25 KB under 5x5 taps.
const WINDOWS: usize = 8;

/// Input pixels along each side of a tile: the receptive field of its windows under a kernel of `K x K` taps.
const fn side<const K: usize>() -> usize {
    2 * WINDOWS + K - 1
}

/// Maximum number of partial sums: enough for the threads of a large machine.
const MAX_PARTS: usize = 16;

/// Maximum size of all partial sums, in elements: 8 MB.
const MAX_SUMS: usize = 1 << 21;

/// Minimum number of tiles per part.
const MIN_TILES: usize = 4;

/// Minimum number of tasks, if there are as many blocks of channels in all parts.
const MIN_TASKS: usize = 8;

/// The sparse weight gradient.
pub struct SparseWeight {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for SparseWeight {
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
        fits(g, pool)
    }
}

/// Whether it is a 3x3 or 5x5 convolution with stride 1, followed by a 2x2 max-pool.
pub(super) fn fits(g: &Conv2dGeometry, pool: Option<&Pool2dGeometry>) -> bool {
    g.is_plain()
        && g.in_c * g.out_c > 0
        && matches!((g.kernel_h, g.kernel_w), (3, 3) | (5, 5))
        && (g.stride_h, g.stride_w) == (1, 1)
        && pool.is_some_and(Pool2dGeometry::is_2x2)
}

impl Conv2dWeightGradient<f32> for SparseWeight {
    fn backward_weight(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        dy: OutputGradient<'_, f32>,
        dw: &mut [f32],
        db: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        let OutputGradient::ReluMaxPool { pool, dy, argmax } = dy else {
            unreachable!("{} supports gradients of pooled maps alone", self.name());
        };
        assert!(self.supports(g, Some(pool)), "{}: {g:?}, {pool:?}", self.name());
        let layout = Layout::new(g, simd::lanes(self.isa));
        let tiles = Tiles { g, pool };
        let parts = parts(&layout, tiles.count());
        // Groups of channel blocks. The first of each part tells the bias.
        let blocks = layout.blocks().div_ceil(MIN_TASKS.div_ceil(parts).min(layout.blocks()));
        let (groups, group_len) = (layout.blocks().div_ceil(blocks), blocks * layout.block_len());
        let mut sums = scratch.scratch(parts * layout.len());
        let mut biases = scratch.scratch(parts * groups * g.out_c);
        parallel::for_each_tile_of_two(
            (&mut sums, layout.len(), group_len),
            (&mut biases, groups * g.out_c, g.out_c),
            |part, group, dw, db| {
                dw.fill(0.0);
                db.fill(0.0);
                let share = part * tiles.count() / parts..(part + 1) * tiles.count() / parts;
                let tiles = share.map(|index| tiles.get(index));
                let first = group * blocks;
                simd::run(self.isa, Part { layout, first, tiles, x, dy, argmax, dw, db, scratch });
            },
        );
        layout.unpack(parallel::sum_parts(&mut sums, layout.len()), dw);
        db.fill(0.0);
        for part in biases.chunks_exact(g.out_c).step_by(groups) {
            db.iter_mut().zip(part).for_each(|(db, part)| *db += part);
        }
    }
}

/// The number of partial sums for this layout and number of tiles: a power of two, which divides evenly
/// among the usual numbers of threads.
fn parts(layout: &Layout, tiles: usize) -> usize {
    let most = (MAX_SUMS / layout.len().max(1)).min(tiles / MIN_TILES).clamp(1, MAX_PARTS);
    1 << most.ilog2()
}

/// The layout of the input channels in vectors, and of the sums in memory.
#[derive(Clone, Copy)]
struct Layout {
    in_c: usize,
    out_c: usize,
    /// Taps along each side of the kernel.
    kernel: usize,
    lanes: usize,
    /// Whether a kernel row with all channels fits into one vector. If so, a vector holds the input
    /// under a kernel row, `[tap column, channel]`, which is contiguous in the input, and each nonzero
    /// takes a vector product for each kernel row. Otherwise a vector holds channels of one pixel, and each
    /// nonzero takes a vector product for each tap and block of channels.
    row_vectors: bool,
}

impl Layout {
    fn new(g: &Conv2dGeometry, lanes: usize) -> Self {
        let (in_c, out_c, kernel) = (g.in_c, g.out_c, g.kernel_w);
        Self { in_c, out_c, kernel, lanes, row_vectors: kernel * in_c <= lanes }
    }

    /// Vectors of sums of one output channel and one block of input channels.
    fn vectors(&self) -> usize {
        if self.row_vectors { self.kernel } else { self.kernel * self.kernel }
    }

    /// Blocks of input channels.
    fn blocks(&self) -> usize {
        if self.row_vectors { 1 } else { self.in_c.div_ceil(self.lanes) }
    }

    /// Elements of the sums of one block of input channels.
    fn block_len(&self) -> usize {
        self.out_c * self.vectors() * self.lanes
    }

    /// Elements of all sums of one part.
    fn len(&self) -> usize {
        self.blocks() * self.block_len()
    }

    /// Copies the sums to `dw [out, in, kernel, kernel]`.
    fn unpack(&self, sums: &[f32], dw: &mut [f32]) {
        let (row, kernel) = (self.vectors() * self.lanes, self.kernel);
        let taps = kernel * kernel;
        parallel::for_each_chunk(dw, self.in_c * taps, |oc, dw| {
            for (ic, dw) in dw.chunks_exact_mut(taps).enumerate() {
                let (block, lane) = (ic / self.lanes, ic % self.lanes);
                let sums = &sums[(block * self.out_c + oc) * row..][..row];
                for (tap, dw) in dw.iter_mut().enumerate() {
                    *dw = if self.row_vectors {
                        sums[tap / kernel * self.lanes + tap % kernel * self.in_c + ic]
                    } else {
                        sums[tap * self.lanes + lane]
                    };
                }
            }
        });
    }
}

/// The tiles of all images, numbered image by image and row by row.
struct Tiles<'a> {
    g: &'a Conv2dGeometry,
    pool: &'a Pool2dGeometry,
}

impl Tiles<'_> {
    fn count(&self) -> usize {
        let Pool2dGeometry { out_h, out_w, .. } = *self.pool;
        self.g.batch * out_h.div_ceil(WINDOWS) * out_w.div_ceil(WINDOWS)
    }

    fn get(&self, index: usize) -> Tile {
        let (g, Pool2dGeometry { out_h, out_w, .. }) = (self.g, *self.pool);
        let (down, across) = (out_h.div_ceil(WINDOWS), out_w.div_ceil(WINDOWS));
        let (image, index) = (index / (down * across), index % (down * across));
        let (top, left) = (index / across * WINDOWS, index % across * WINDOWS);
        Tile {
            window: (image * out_h + top) * out_w + left,
            windows_pitch: out_w,
            image: image * g.in_h * g.in_w,
            height: g.in_h,
            width: g.in_w,
            top: 2 * top as isize - g.pad_top as isize,
            left: 2 * left as isize - g.pad_left as isize,
            rows: WINDOWS.min(out_h - top),
            columns: WINDOWS.min(out_w - left),
        }
    }
}

/// The work of one task: the sums over the tiles of its part, in a group of channel blocks.
struct Part<'a, I> {
    layout: Layout,
    /// The first block of the group.
    first: usize,
    tiles: I,
    x: &'a [f32],
    dy: &'a [f32],
    argmax: &'a [u8],
    dw: &'a mut [f32],
    db: &'a mut [f32],
    scratch: &'a BufferPool<f32>,
}

impl<I: Iterator<Item = Tile>> SimdFn for Part<'_, I> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            match (self.layout.kernel, self.layout.row_vectors) {
                (3, true) => self.sum::<V, 3, 1>(),
                (3, false) => self.sum::<V, 3, 3>(),
                (5, true) => self.sum::<V, 5, 1>(),
                (5, false) => self.sum::<V, 5, 5>(),
                (kernel, _) => unreachable!("{kernel}x{kernel} taps, see `fits`"),
            }
        }
    }
}

impl<I: Iterator<Item = Tile>> Part<'_, I> {
    /// Computes the sums, with `ACROSS` vectors for each of the `K` kernel rows.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    unsafe fn sum<V: Simd, const K: usize, const ACROSS: usize>(self) {
        let Layout { in_c, out_c, row_vectors, .. } = self.layout;
        let mut nonzeros = Nonzeros::new(out_c, self.scratch);
        let mut input = Input::new::<V, K>(in_c, self.scratch);
        for tile in self.tiles {
            nonzeros.list::<V, K>(&tile, self.dy, self.argmax, self.db);
            let blocks = self.dw.chunks_exact_mut(out_c * K * ACROSS * V::LANES);
            for (block, sums) in (self.first..).zip(blocks) {
                // SAFETY: the caller's promise.
                unsafe {
                    if row_vectors {
                        input.copy_rows::<V, K>(&tile, self.x, in_c);
                    } else {
                        let first = block * V::LANES;
                        let channels = first..in_c.min(first + V::LANES);
                        input.copy_channels::<V, K>(&tile, self.x, in_c, channels);
                    }
                }
                let sums = sums.chunks_exact_mut(K * ACROSS * V::LANES);
                for (oc, sums) in sums.enumerate() {
                    let list = || nonzeros.of(oc);
                    // SAFETY: the caller's promise. 25 sums need as many registers; where there are fewer, some
                    // rows of the kernel are taken at a time.
                    unsafe {
                        if K * ACROSS <= 9 || V::MR >= MANY_REGISTERS {
                            add_products::<V, K, ACROSS, K>(&input, list(), sums, 0);
                        } else {
                            for row in (0..K - 1).step_by(2) {
                                add_products::<V, K, ACROSS, 2>(&input, list(), sums, row);
                            }
                            add_products::<V, K, ACROSS, 1>(&input, list(), sums, K - 1);
                        }
                    }
                }
            }
        }
    }
}

/// Adds the product of every nonzero with its input patch to the `[K, ACROSS]` vectors of `sums`, in `ROWS` rows of
/// the kernel from `first` on.
///
/// # Safety
/// The processor has the instructions of `V`'s set.
#[inline(always)]
unsafe fn add_products<V: Simd, const K: usize, const ACROSS: usize, const ROWS: usize>(
    input: &Input,
    nonzeros: impl Iterator<Item = Nonzero>,
    sums: &mut [f32],
    first: usize,
) {
    assert!(sums.len() == K * ACROSS * V::LANES && first + ROWS <= K);
    // SAFETY: vectors of the set may exist, by the caller's promise. A nonzero's place is that of a
    // patch that lies in the tile with all its `K` rows and `K` columns (`Nonzeros::list`), and the
    // vectors of `sums` lie in it by the assertion.
    unsafe {
        let mut products = [[V::zero(); ACROSS]; ROWS];
        let start = input.as_ptr().add(first * side::<K>() * V::LANES);
        for nonzero in nonzeros {
            let gradient = V::splat(nonzero.gradient);
            let patch = start.add(nonzero.place as usize);
            for (row, products) in products.iter_mut().enumerate() {
                for (column, sum) in products.iter_mut().enumerate() {
                    let pixels = V::load(patch.add((row * side::<K>() + column) * V::LANES));
                    *sum = gradient.mul_add(pixels, *sum);
                }
            }
        }
        let mut sums = sums.as_mut_ptr().add(first * ACROSS * V::LANES);
        for product in products.as_flattened() {
            V::load(sums).add(*product).store(sums);
            sums = sums.add(V::LANES);
        }
    }
}
