//! Winograd's minimal filtering, F(4x4, 3x3): the forward pass and the input's gradient of 3x3
//! convolutions with stride 1. The weight's gradient is in `weight_gradient/`.
//!
//! A tile of 4x4 outputs is computed from a 6x6 patch of input. Patch and weights are transformed so
//! that the convolution becomes 36 products, one for each point of `transform.rs`, instead of 144 for
//! the direct sum. Summed over the input channels these are 36 small matrix products (`multiply.rs`);
//! the inverse transform of their results is the tile.
//!
//! Rows of tiles are independent tasks. Each keeps its data in cache and finishes its outputs,
//! including the fused max-pooling (`tiles.rs`), so neither the patches nor the feature map are ever
//! stored as a whole. The transformed weights (`weights.rs`) are computed at every call in training,
//! where weights change, and once for repeated predictions.
//!
//! The gradient of the input is the same convolution applied to the output's gradient, with the kernel
//! rotated by 180 degrees and the complementary padding.
//!
//! Rounding errors are about twice those of a direct sum: 5e-7 to 8e-7 of the results' root mean
//! square. A NaN or infinity spreads to all outputs of the tiles whose patch contains it.
//!
//! Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308. The points:
//! Alam et al.: Winograd Convolution for Deep Neural Networks: Efficient Point Selection,
//! doi:10.1145/3524069.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

mod multiply;
mod patch;
mod plan;
mod tiles;
mod transform;
pub(crate) mod weight_gradient;
mod weights;

use super::epilogue::Epilogue;
use super::{
    Accuracy, Conv2dForward, Conv2dInputGradient, Conv2dKernel, Output, OutputGradient, apply,
};
use crate::kernels::bounds::Bounds;
use crate::kernels::geometry::{Conv2dGeometry, Pool2dGeometry};
use crate::kernels::isa::{Isa, PerIsa};
use crate::kernels::{parallel, pool, simd};
use crate::tensor::{BufferPool, Tensor};
use patch::Source;
use plan::Plan;
use tiles::Rows;
use weights::Order;

/// Width and height of a tile, in outputs.
const TILE: usize = 4;

/// Width and height of a patch, in pixels.
const PATCH: usize = TILE + 2;

/// Points of the two-dimensional transform.
const POINTS: usize = PATCH * PATCH;

/// Winograd convolution with the vectors of one instruction set.
pub struct Winograd {
    /// The instruction set.
    pub isa: Isa,
}

impl Conv2dKernel for Winograd {
    fn name(&self) -> &'static str {
        self.isa.pick(PerIsa {
            portable: "winograd-portable",
            avx2: "winograd-avx2",
            avx512: "winograd-avx512",
            neon: "winograd-neon",
        })
    }

    fn isa(&self) -> Isa {
        self.isa
    }

    fn supports(&self, g: &Conv2dGeometry, _: Option<&Pool2dGeometry>) -> bool {
        // The input's gradient has the complementary padding, which must not be negative.
        let padding = g.pad_top.max(g.pad_left);
        is_3x3(g) && padding < 3 && transforms_pay(g)
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy::Transformed
    }
}

/// Whether it is a 3x3 convolution with stride 1 that has channels.
fn is_3x3(g: &Conv2dGeometry) -> bool {
    let sizes = (g.kernel_h, g.kernel_w, g.stride_h, g.stride_w);
    g.is_plain() && sizes == (3, 3, 1, 1) && g.in_c * g.out_c > 0
}

/// Whether the transformed weights, four times as many as the weights, are used often enough: once for each
/// tile of an image. The batch is left out, so that an image's result does not depend on it.
///
/// Measured beside `implicit` on two cores with AVX-512, in ms with packing: 0.61 and 0.76 for 128 channels
/// on 16 images of 8x8, 2.3 and 5.4 for 256, 2.2 and 4.2 for 256 on 4 of 14x14; but 2.1 and 1.7 for 256 on
/// 16 of 4x4 (one tile), and 12.3 and 6.6 for 512 on 4 of 7x7, whose weights do not fit into the cache.
fn transforms_pay(g: &Conv2dGeometry) -> bool {
    let tiles = g.out_h.div_ceil(TILE) * g.out_w.div_ceil(TILE);
    let weights = POINTS * g.in_c * g.out_c;
    tiles >= if weights > CACHED_WEIGHTS { 16 } else { 4 }
}

/// The number of transformed weights that stay in the L3 cache: 16 MB.
const CACHED_WEIGHTS: usize = 4 << 20;

impl Conv2dForward<f32> for Winograd {
    fn pack(
        &self,
        g: &Conv2dGeometry,
        w: &[f32],
        scratch: &BufferPool<f32>,
    ) -> Option<Tensor<f32>> {
        Some(weights::pack(self.isa, g, w, Order::Forward, scratch))
    }

    fn forward_packed(
        &self,
        g: &Conv2dGeometry,
        x: &[f32],
        packed: &[f32],
        b: Option<&[f32]>,
        out: Output<'_, f32>,
        scratch: &BufferPool<f32>,
    ) {
        // Rows and columns that the pooling drops are not computed.
        let size = match &out {
            Output::Dense { .. } => (g.out_h, g.out_w),
            Output::ReluMaxPool { pool: p, .. } => {
                ((p.out_h - 1) * p.stride_h + p.window_h, (p.out_w - 1) * p.stride_w + p.window_w)
            }
        };
        let plan = Plan::forward(g, size, self.isa);
        let task_rows = plan.task_rows * TILE;
        let run = |n: usize, top: usize, rows: usize, epilogue: Epilogue<'_>| {
            let source = Source { rows: &x[n * g.input_len()..][..g.input_len()], top: 0 };
            let (plan, weights) = (&plan, packed);
            let scratch = &mut scratch.scratch(plan.scratch_len());
            let rows = rows.div_ceil(TILE);
            simd::run(
                self.isa,
                Rows { plan, source, weights, bias: b, epilogue, top, rows, scratch },
            );
        };
        match out {
            Output::Dense { y, bounds, function } => {
                let row = g.out_w * g.out_c;
                let len = task_rows * row;
                parallel::for_each_tile(y, g.output_len(), len, |n, i, y| {
                    let (rows, out_w) = (y.len() / row, g.out_w);
                    run(n, i * task_rows, rows, Epilogue::Map { y: &mut *y, out_w, bounds });
                    apply(function, y);
                });
            }
            Output::ReluMaxPool { pool: p, y, argmax } if p.is_2x2() => {
                let row = p.out_w * p.channels;
                let len = task_rows / 2 * row;
                parallel::for_each_tile_pair(y, argmax, p.output_len(), len, |n, i, y, argmax| {
                    let rows = 2 * y.len() / row;
                    run(n, i * task_rows, rows, Epilogue::Pooled { y, argmax, out_w: p.out_w });
                });
            }
            Output::ReluMaxPool { pool: p, y, argmax } => {
                let p = Pool2dGeometry { in_w: plan.out_w, ..*p };
                let (image, row) = (p.output_len(), p.out_w * p.channels);
                // Bands start at tile boundaries; otherwise the rounding of an output would depend on
                // the split into bands.
                let whole =
                    (1..TILE).find(|n| (n * p.stride_h).is_multiple_of(TILE)).unwrap_or(TILE);
                let band = (task_rows / p.stride_h).max(1).next_multiple_of(whole);
                parallel::for_each_tile_pair(y, argmax, image, band * row, |n, i, y, argmax| {
                    let rows = (y.len() / row - 1) * p.stride_h + p.window_h;
                    let mut map = scratch.scratch(rows * plan.out_w * p.channels);
                    let (out_w, bounds) = (plan.out_w, Bounds::relu(None));
                    let epilogue = Epilogue::Map { y: &mut map, out_w, bounds };
                    run(n, i * band * p.stride_h, rows, epilogue);
                    pool::relu_max_rows(&p, &map, y, argmax);
                });
            }
        }
    }
}

impl Conv2dInputGradient<f32> for Winograd {
    fn backward_input(
        &self,
        g: &Conv2dGeometry,
        dy: OutputGradient<'_, f32>,
        w: &[f32],
        dx: &mut [f32],
        scratch: &BufferPool<f32>,
    ) {
        let plan = Plan::input_gradient(g, self.isa);
        let task_rows = plan.task_rows * TILE;
        let weights = weights::pack(self.isa, g, w, Order::Rotated180, scratch);
        let pitch = g.in_w * g.in_c;
        parallel::for_each_tile(dx, g.input_len(), task_rows * pitch, |n, i, dx| {
            let top = i * task_rows;
            let rows = (dx.len() / pitch).div_ceil(TILE);
            let touched = plan.rows_touched(top, rows);
            let rows_of_dy = dy.rows(g, n, &touched, scratch);
            let source = Source { rows: &rows_of_dy, top: touched.start };
            let (plan, weights, bias) = (&plan, weights.as_slice(), None);
            let epilogue = Epilogue::Map { y: dx, out_w: g.in_w, bounds: Bounds::none() };
            let scratch = &mut scratch.scratch(plan.scratch_len());
            simd::run(self.isa, Rows { plan, source, weights, bias, epilogue, top, rows, scratch });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::im2col::Im2col;
    use crate::kernels::geometry::{Conv2dOptions, Pool2dOptions};
    use crate::rng::Rng;

    /// Few processors that run the tests use plain arrays, so they are tested explicitly here.
    #[test]
    fn plain_arrays_agree_with_im2col() {
        let options = Conv2dOptions::default();
        let g = Conv2dGeometry::new(&[2, 13, 18, 5], &[9, 5, 3, 3], options).unwrap();
        let p = Pool2dGeometry::new(&g.output_dims(), Pool2dOptions::default()).unwrap();
        let rng = &mut Rng::new(1, 0);
        let mut random =
            |len| (0..len).map(|_| rng.uniform_in(-1.0, 1.0) as f32).collect::<Vec<_>>();
        let (x, w, b) = (random(2 * g.input_len()), random(g.weight_len()), random(g.out_c));
        let dy = random(2 * p.output_len());
        let scratch = BufferPool::new();
        let forward = |kernel: &dyn Conv2dForward<f32>| {
            let (mut y, mut argmax) = (vec![f32::NAN; dy.len()], vec![0; dy.len()]);
            let out = Output::ReluMaxPool { pool: &p, y: &mut y, argmax: &mut argmax };
            kernel.forward(&g, &x, &w, Some(&b), out, &scratch);
            (y, argmax)
        };
        let kernel = Winograd { isa: Isa::Portable };
        let ((y, argmax), (expected, expected_argmax)) = (forward(&kernel), forward(&Im2col));
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(close(&y, &expected));
        assert_eq!(argmax, expected_argmax);
        let backward = |kernel: &dyn Conv2dInputGradient<f32>| {
            let mut dx = vec![f32::NAN; x.len()];
            let gradient = OutputGradient::ReluMaxPool { pool: &p, dy: &dy, argmax: &argmax };
            kernel.backward_input(&g, gradient, &w, &mut dx, &scratch);
            dx
        };
        assert!(close(&backward(&kernel), &backward(&Im2col)));
    }
}
