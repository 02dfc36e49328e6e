//! The epilogue of the convolution kernels: ReLU, max-pooling and writing of outputs, straight from
//! registers.

use crate::kernels::bounds::Bounds;
use crate::kernels::pool;
use crate::kernels::simd::Simd;

/// The rows of one image that a task owns, with all channels. Outputs arrive as windows of 2x2 pixels,
/// a vector of channels at a time; pixels outside the rows or columns are dropped.
pub(super) enum Epilogue<'a> {
    /// Rows of the feature map.
    Map {
        /// The rows.
        y: &'a mut [f32],
        /// Pixels in a row.
        out_w: usize,
        /// The bounds of its values.
        bounds: Bounds<f32>,
    },
    /// Rows of the feature map after ReLU and max-pooling.
    Pooled {
        /// The rows.
        y: &'a mut [f32],
        /// The argmax of each window.
        argmax: &'a mut [u8],
        /// Windows in a row.
        out_w: usize,
    },
}

impl Epilogue<'_> {
    /// Writes window `x` of the `y`-th row of windows: of `channels` channels, those from `channel` on.
    #[inline(always)]
    pub fn write<V: Simd>(
        &mut self,
        (y, x): (usize, usize),
        (channel, channels): (usize, usize),
        window: [V; 4],
    ) {
        match self {
            Epilogue::Map { y: map, out_w, bounds } => {
                for (place, &v) in window.iter().enumerate() {
                    let (y, x) = (2 * y + place / 2, 2 * x + place % 2);
                    let at = (y * *out_w + x) * channels;
                    if x < *out_w && at < map.len() {
                        let v = if bounds.is_none() { v } else { bounds.clamp_vector(v) };
                        v.write(&mut map[at + channel..at + channels]);
                    }
                }
            }
            Epilogue::Pooled { y: pooled, argmax, out_w } => {
                let at = (y * *out_w + x) * channels;
                if x < *out_w && at < pooled.len() {
                    let (best, index) = pool::relu_max(window);
                    best.write(&mut pooled[at + channel..at + channels]);
                    index.write_bytes(&mut argmax[at + channel..at + channels]);
                }
            }
        }
    }
}
