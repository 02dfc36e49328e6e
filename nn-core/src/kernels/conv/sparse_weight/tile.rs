//! The position of a tile in the input and in the pooled map, and a compact copy of its input.

use super::SIDE;
use crate::kernels::simd::Simd;
use crate::tensor::{Buffer, BufferPool};
use std::ops::Range;

/// The position and size of a tile.
pub struct Tile {
    /// The index of its first window in the pooled map, counted over all images.
    pub window: usize,
    /// Stride between rows of windows, in windows.
    pub windows_pitch: usize,
    /// The index of its first pixel in the input, counted over all images.
    pub pixel: usize,
    /// Stride between rows of pixels, in pixels.
    pub pixels_pitch: usize,
    /// Rows of windows.
    pub rows: usize,
    /// Columns of windows.
    pub columns: usize,
}

/// The input of a tile: a vector for each of its `SIDE x SIDE` pixels, row by row. Tiles at the border
/// have fewer pixels and leave the rest unchanged.
pub struct Input {
    memory: Buffer<f32>,
}

impl Input {
    #[inline(always)]
    pub fn new<V: Simd>(scratch: &BufferPool<f32>) -> Self {
        let mut memory = scratch.scratch(SIDE * SIDE * V::LANES);
        // Pixels outside every tile are never used in a product; zeros keep them independent of earlier
        // contents of the buffer.
        memory.fill(0.0);
        Self { memory }
    }

    /// A pointer to the first element of the first vector.
    #[inline(always)]
    pub fn as_ptr(&self) -> *const f32 {
        self.memory.as_ptr()
    }

    /// Copies `channels` of every pixel, at most as many as lanes. Remaining lanes are zero.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    pub unsafe fn copy_channels<V: Simd>(
        &mut self,
        tile: &Tile,
        x: &[f32],
        in_c: usize,
        channels: Range<usize>,
    ) {
        for row in 0..2 * tile.rows + 2 {
            let from = (tile.pixel + row * tile.pixels_pitch) * in_c;
            let pixels = x[from..].chunks_exact(in_c).take(2 * tile.columns + 2);
            for (pixel, to) in pixels.zip(self.row::<V>(row)) {
                // SAFETY: the caller's promise.
                unsafe { V::read(&pixel[channels.clone()]) }.write(to);
            }
        }
    }

    /// Copies for every pixel the input under a kernel row that starts there, `[column, channel]`,
    /// which fits into a vector. Remaining lanes hold whatever follows in the input.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set.
    #[inline(always)]
    pub unsafe fn copy_rows<V: Simd>(&mut self, tile: &Tile, x: &[f32], in_c: usize) {
        for row in 0..2 * tile.rows + 2 {
            let from = (tile.pixel + row * tile.pixels_pitch) * in_c;
            let columns = 2 * tile.columns;
            for (column, to) in self.row::<V>(row).take(columns).enumerate() {
                // SAFETY: the caller's promise.
                unsafe { V::read(&x[from + column * in_c..]) }.write(to);
            }
        }
    }

    /// The vectors of a row of pixels.
    #[inline(always)]
    fn row<V: Simd>(&mut self, row: usize) -> impl Iterator<Item = &mut [f32]> {
        let from = row * SIDE * V::LANES;
        self.memory[from..from + SIDE * V::LANES].chunks_exact_mut(V::LANES)
    }
}
