//! The position of a tile in the input and in the pooled map, and a compact copy of its input.

use super::side;
use crate::kernels::simd::{MAX_LANES, Simd};
use crate::tensor::{Buffer, BufferPool};
use std::ops::Range;

/// The position and size of a tile.
pub struct Tile {
    /// The index of its first window in the pooled map, counted over all images.
    pub window: usize,
    /// Stride between rows of windows, in windows.
    pub windows_pitch: usize,
    /// The index of its image's first pixel in the input, counted over all images.
    pub image: usize,
    /// The height and width of the input.
    pub height: usize,
    pub width: usize,
    /// The row and column of its first pixel, negative in the padding.
    pub top: isize,
    pub left: isize,
    /// Rows of windows.
    pub rows: usize,
    /// Columns of windows.
    pub columns: usize,
}

impl Tile {
    /// The index of the first pixel of the image's row that the tile has as its row `row`; `None` in the padding.
    fn row(&self, row: usize) -> Option<usize> {
        let y = usize::try_from(self.top + row as isize).ok().filter(|&y| y < self.height)?;
        Some(self.image + y * self.width)
    }

    /// Which of `count` columns of the tile's pixels lie in the input, and the first one's column there.
    fn columns(&self, count: usize) -> (Range<usize>, usize) {
        let inside = |column: isize| (column - self.left).clamp(0, count as isize) as usize;
        let columns = inside(0)..inside(self.width as isize);
        let first = self.left + columns.start as isize;
        (columns, first.clamp(0, self.width as isize) as usize)
    }
}

/// The input of a tile: a vector for each of its pixels, row by row. Tiles at the border have fewer pixels and leave
/// the rest unchanged.
pub struct Input {
    memory: Buffer<f32>,
    /// A row of pixels with zeros around, where some lie in the padding.
    line: Buffer<f32>,
}

impl Input {
    #[inline(always)]
    pub fn new<V: Simd, const K: usize>(in_c: usize, scratch: &BufferPool<f32>) -> Self {
        let mut memory = scratch.scratch(side::<K>() * side::<K>() * V::LANES);
        // Pixels outside every tile are never used in a product; zeros keep them independent of earlier
        // contents of the buffer.
        memory.fill(0.0);
        Self { memory, line: scratch.scratch(side::<K>() * in_c + MAX_LANES) }
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
    pub unsafe fn copy_channels<V: Simd, const K: usize>(
        &mut self,
        tile: &Tile,
        x: &[f32],
        in_c: usize,
        channels: Range<usize>,
    ) {
        let (inside, first) = tile.columns(2 * tile.columns + K - 1);
        for row in 0..2 * tile.rows + K - 1 {
            let to = self.row::<V, K>(row);
            let Some(from) = tile.row(row) else {
                to.fill(0.0);
                continue;
            };
            to[..inside.start * V::LANES].fill(0.0);
            to[inside.end * V::LANES..].fill(0.0);
            let pixels = x[(from + first) * in_c..].chunks_exact(in_c).take(inside.len());
            let to = to[inside.start * V::LANES..].chunks_exact_mut(V::LANES);
            for (pixel, to) in pixels.zip(to) {
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
    pub unsafe fn copy_rows<V: Simd, const K: usize>(
        &mut self,
        tile: &Tile,
        x: &[f32],
        in_c: usize,
    ) {
        let columns = 2 * tile.columns;
        let (inside, first) = tile.columns(columns + K - 1);
        let padded = inside.len() < columns + K - 1;
        if padded {
            self.line.fill(0.0);
        }
        for row in 0..2 * tile.rows + K - 1 {
            let Some(from) = tile.row(row) else {
                self.row::<V, K>(row).fill(0.0);
                continue;
            };
            let mut from = &x[(from + first) * in_c..];
            if padded {
                let place = inside.start * in_c..inside.end * in_c;
                self.line[place.clone()].copy_from_slice(&from[..place.len()]);
                from = &self.line;
            }
            let at = row * side::<K>() * V::LANES;
            let to = self.memory[at..at + columns * V::LANES].chunks_exact_mut(V::LANES);
            for (column, to) in to.enumerate() {
                // SAFETY: the caller's promise.
                unsafe { V::read(&from[column * in_c..]) }.write(to);
            }
        }
    }

    /// The vectors of a row of pixels.
    #[inline(always)]
    fn row<V: Simd, const K: usize>(&mut self, row: usize) -> &mut [f32] {
        let from = row * side::<K>() * V::LANES;
        &mut self.memory[from..from + side::<K>() * V::LANES]
    }
}
