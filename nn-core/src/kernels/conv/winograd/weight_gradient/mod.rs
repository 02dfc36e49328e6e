//! Winograd's minimal filtering, F(3x3, 4x4): the weight gradient of 3x3 convolutions with stride 1.
//!
//! The weight gradient is a correlation of the input with the output's gradient. A tile of 4x4 gradients is
//! a filter on its 6x6 patch of input, and adds to the nine taps. Patch and tile are transformed so that the
//! correlation becomes 36 products (`transform.rs`) instead of 144. The products are summed over the tiles
//! before they are transformed back, so for each point the sum is one matrix product: inputs times gradients,
//! over tiles.
//!
//! The tiles are worked on in chunks that stay in the caches:
//!
//! 1. `gather`: transform patches and tiles, in bands of tile rows.
//! 2. `products`: for some input channels and a block of output channels, sum the products of all tiles at
//!    each point, transform them back, and add them to the taps.
//!
//! Each sum has one owner, and chunks are added in order, so results do not depend on the number of threads.
//!
//! Measured on one core with AVX-512 (peak 272), in GFLOP/s of the direct sum, beside `implicit`: 502 and 220 for
//! 64 channels on 16 images of 16x16, 583 and 217 for 128 channels on 4 of 28x28, 442 and 214 for 256 on 4 of
//! 14x14, 214 and 163 for 512 on 4 of 7x7.

mod gather;
mod products;

use super::patch::Source;
use super::plan::Plan;
use super::{POINTS, TILE, Winograd, is_3x3};
use crate::kernels::conv::{Accuracy, Conv2dKernel, Conv2dWeightGradient, OutputGradient};
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::Isa;
use crate::kernels::parallel;
use crate::kernels::parallel::prelude::*;
use crate::kernels::simd;
use crate::tensor::BufferPool;
use gather::Gather;
use products::Group;

/// Taps of the kernel.
const TAPS: usize = 9;

/// The approximate number of tiles in a band.
const BAND: usize = 32;

/// The most tiles in a chunk: sums of more lose accuracy.
const MAX_CHUNK: usize = 128;

/// The least tiles in a chunk, if there are as many: with fewer, the sums would be read and written more
/// often than is worth it.
const MIN_CHUNK: usize = 96;

/// The number of elements of a chunk, where that leaves enough tiles: 8 MB.
const CACHED: usize = 2 << 20;

/// The least channels for which transforms pay: the harmonic mean of input and output channels. The
/// transforms of a tile cost as much as its input and output channels together, and save as much as their
/// product. Measured: it takes as long as `implicit` with a mean of 16 and of 24 (1.0 and 1.1 times), 0.95
/// times as long with 26 (16 and 64 channels), 0.73 times with 32, half as long with 64.
const MIN_CHANNELS: usize = 25;

/// The least positions of a tile, on average, for which transforms pay: a tile takes 36 products, a position 9.
/// Measured beside `implicit`, with 512 channels: 1.3 times as long on maps of 2x2, 0.9 times on 3x3 (one tile),
/// as long on 5x5 (four tiles of six positions), 0.76 times on 7x7.
const MIN_POSITIONS: usize = 8;

/// Winograd's weight gradient with the vectors of one instruction set.
pub struct WinogradWeight {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for WinogradWeight {
    fn name(&self) -> &'static str {
        Winograd { isa: self.isa }.name()
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn supports(&self, g: &Conv2dGeometry, _: Option<&Pool2dGeometry>) -> bool {
        is_3x3(g)
    }

    fn pays(&self, g: &Conv2dGeometry) -> bool {
        let tiles = g.out_h.div_ceil(TILE) * g.out_w.div_ceil(TILE);
        2 * g.in_c * g.out_c >= MIN_CHANNELS * (g.in_c + g.out_c)
            && g.out_h * g.out_w >= MIN_POSITIONS * tiles
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Transformed
    }
}

/// The sizes of a weight gradient, and the layout of its scratch memory.
struct Sizes {
    /// The patches of a band.
    plan: Plan,
    /// Output rows.
    out_h: usize,
    /// Bands of an image.
    bands: usize,
    /// Bands of all images.
    all: usize,
    /// Bands of a chunk.
    chunk: usize,
    /// Input channels of a group.
    group: usize,
}

impl Sizes {
    fn new(g: &Conv2dGeometry, isa: Isa) -> Self {
        let (rows, columns) = (g.out_h.div_ceil(TILE), g.out_w.div_ceil(TILE));
        let task_rows = (BAND / columns).clamp(1, rows);
        let plan = Plan {
            in_h: g.in_h,
            in_w: g.in_w,
            depth: g.in_c,
            pad_top: g.pad_top,
            pad_left: g.pad_left,
            out_w: g.out_w,
            channels: g.out_c,
            lanes: simd::lanes(isa),
            together: task_rows * columns,
            task_rows,
        };
        let bands = rows.div_ceil(task_rows);
        let mut sizes = Self {
            plan,
            out_h: g.out_h,
            bands,
            all: g.batch * bands,
            chunk: 1,
            group: g.in_c.div_ceil(g.in_c.div_ceil(simd::tile_rows(isa))),
        };
        let fit = CACHED / (sizes.inputs_len() + sizes.gradients_len());
        let tiles = sizes.plan.together;
        let fit = fit.clamp(MIN_CHUNK.div_ceil(tiles), (MAX_CHUNK / tiles).max(1));
        // Chunks of nearly equal numbers of bands.
        sizes.chunk = sizes.all.div_ceil(sizes.all.div_ceil(fit));
        sizes
    }

    /// Elements of the transformed input of a band: `[point][tile][input channel]`.
    fn inputs_len(&self) -> usize {
        POINTS * self.plan.v_points()
    }

    /// Elements of the transformed gradient of a band at one point: `[block][tile][channel of the block]`.
    fn gradients_points(&self) -> usize {
        self.plan.blocks() * self.plan.together * self.plan.width()
    }

    /// Elements of the transformed gradient of a band: all points, and then the sum of the gradients of each
    /// channel.
    fn gradients_len(&self) -> usize {
        POINTS * self.gradients_points() + self.plan.blocks() * self.plan.width()
    }

    /// Elements of the sums of a block of output channels: `[input channel][tap][channel of the block]`.
    fn block_len(&self) -> usize {
        self.plan.depth * self.row_len()
    }

    /// Elements of the sums of a block's input channel.
    fn row_len(&self) -> usize {
        TAPS * self.plan.width()
    }

    /// Rows of tiles in band `band` of an image.
    fn rows(&self, band: usize) -> usize {
        let rows = self.out_h.div_ceil(TILE);
        (rows - band * self.plan.task_rows).min(self.plan.task_rows)
    }

    /// Tiles in band `band` of all.
    fn tiles(&self, band: usize) -> usize {
        self.rows(band % self.bands) * self.plan.columns()
    }
}

impl Conv2dWeightGradient<f32> for WinogradWeight {
    fn backward_weight(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        dy: OutputGradient<'_, f32>,
        dw: &mut [f32],
        db: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        if g.batch * g.output_len() == 0 {
            dw.fill(0.0);
            db.fill(0.0);
            return;
        }
        let sizes = Sizes::new(g, self.isa);
        let (inputs_len, gradients_len) = (sizes.inputs_len(), sizes.gradients_len());
        let mut inputs = scratch.scratch(sizes.chunk * inputs_len);
        let mut gradients = scratch.scratch(sizes.chunk * gradients_len);
        let mut sums = scratch.scratch(sizes.plan.blocks() * sizes.block_len());
        sums.fill(0.0);
        db.fill(0.0);
        for first in (0..sizes.all).step_by(sizes.chunk) {
            let bands = first..(first + sizes.chunk).min(sizes.all);
            let parts = inputs
                .par_chunks_exact_mut(inputs_len)
                .zip(gradients.par_chunks_exact_mut(gradients_len));
            parts.enumerate().for_each(|(i, (inputs, gradients))| {
                let band = first + i;
                if band >= bands.end {
                    return;
                }
                let (image, top) = (band / sizes.bands, band % sizes.bands * sizes.plan.task_rows);
                let rows = top * TILE..((top + sizes.rows(band % sizes.bands)) * TILE).min(g.out_h);
                let gradient = dy.rows(g, image, &rows, scratch);
                let source = Source { rows: &x[image * g.input_len()..][..g.input_len()], top: 0 };
                let zeros = &mut scratch.scratch(g.in_c);
                zeros.fill(0.0);
                let work = Gather {
                    sizes: &sizes,
                    source,
                    gradient: &gradient,
                    top: rows.start,
                    zeros,
                    inputs,
                    gradients,
                };
                simd::run(self.isa, work);
            });
            let (inputs, gradients) = (&*inputs, &*gradients);
            for gradients in gradients.chunks_exact(gradients_len).take(bands.len()) {
                for (sum, part) in
                    db.iter_mut().zip(&gradients[POINTS * sizes.gradients_points()..])
                {
                    *sum += part;
                }
            }
            let group_len = sizes.group * sizes.row_len();
            parallel::for_each_tile(
                &mut sums,
                sizes.block_len(),
                group_len,
                |block, group, sums| {
                    let products = &mut scratch.scratch(sizes.group * sizes.plan.m_pitch());
                    let first = group * sizes.group;
                    let work = Group {
                        sizes: &sizes,
                        bands: bands.clone(),
                        inputs,
                        gradients,
                        block,
                        first,
                        products,
                        sums,
                    };
                    simd::run(self.isa, work);
                },
            );
        }
        unpack(&sizes, &sums, dw);
    }
}

/// Sums of taps that are copied together, so that both sides stay in the L1 cache.
const TOGETHER: usize = 16;

/// Copies the sums to `dw`, `[out, in, 3, 3]`.
fn unpack(sizes: &Sizes, sums: &[f32], dw: &mut [f32]) {
    let (width, row) = (sizes.plan.width(), sizes.plan.depth * TAPS);
    dw.par_chunks_mut(width * row).enumerate().for_each(|(block, dw)| {
        let sums = &sums[block * sizes.block_len()..][..sizes.block_len()];
        for (i, sums) in sums.chunks(TOGETHER * width).enumerate() {
            for (lane, dw) in dw.chunks_exact_mut(row).enumerate() {
                let taps = dw[i * TOGETHER..].iter_mut();
                for (tap, sums) in taps.zip(sums.chunks_exact(width)) {
                    *tap = sums[lane];
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::geometry::Conv2dOptions;

    #[test]
    fn an_empty_batch_has_a_gradient_of_zeros() {
        let g = Conv2dGeometry::new(&[0, 8, 8, 32], &[32, 32, 3, 3], Conv2dOptions::default());
        let (g, kernel) = (g.unwrap(), WinogradWeight { isa: Isa::Portable });
        assert!(kernel.supports(&g, None));
        let (mut dw, mut db) = (vec![f32::NAN; g.weight_len()], vec![f32::NAN; g.out_c]);
        let dy = OutputGradient::Dense(&[]);
        kernel.backward_weight(&g, &[], dy, &mut dw, &mut db, &BufferPool::new());
        assert!(dw.iter().chain(&db).all(|&v| v == 0.0));
    }
}
