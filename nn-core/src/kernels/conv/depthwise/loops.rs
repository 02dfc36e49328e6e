//! The inner loops of depthwise convolutions.
//!
//! Pixels are `channels` numbers side by side, and channels do not mix. So the loops take a block of
//! channels of a few neighbouring pixels, whose sums stay in registers and which share the kernel's elements.
//! The usual kernels have loops of their own, in which neighbours share the pixels that they read, and the
//! padding is zeros. The last block of channels, and the last pixels of a row, may overlap the ones before, so
//! that they are whole; only pixels shorter than a vector are read in part.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `simd`

use super::reach::{GROUP, Group, Reach, Run};
use crate::kernels::bounds::Bounds;
use crate::kernels::simd::{Simd, SimdFn, prefetch};
use std::ops::Range;

/// The longest stride for which the next row of a target is prefetched.
const FAR: usize = 4;

/// The most pixels of the source that a run of the loops below sees.
const MAX_RUN: usize = (GROUP - 1) * 2 + 5;

/// Runs `$large` for blocks of `$vectors` vectors of `$channels` and `$small` for what is left over,
/// vector by vector; `$at` is the block's first channel.
macro_rules! for_each_block {
    ($V:ty, $channels:expr, |$at:ident| $vectors:literal: $large:expr, $small:expr) => {{
        let (channels, mut next) = ($channels, 0);
        while next + $vectors * <$V>::LANES <= channels {
            let $at = next;
            $large;
            next += $vectors * <$V>::LANES;
        }
        while next < channels {
            let $at = next.min(channels.saturating_sub(<$V>::LANES));
            $small;
            next += <$V>::LANES;
        }
    }};
}

/// Reads a vector of `from`, at `at`, or in part if a pixel has `len` channels, fewer than a vector.
///
/// # Safety
/// The processor has the instructions of `V`'s set, and `at + len` is at most the length of `from`.
#[inline(always)]
unsafe fn read<V: Simd>(from: &[f32], at: usize, len: usize) -> V {
    debug_assert!(at + len <= from.len());
    // SAFETY: the caller's promise.
    unsafe {
        if len == V::LANES { V::load(from.as_ptr().add(at)) } else { V::read(&from[at..at + len]) }
    }
}

/// A part of an image: pixels of `channels` numbers, in rows of `width`, from row `top` on.
#[derive(Clone, Copy)]
struct Rows<'a> {
    pixels: &'a [f32],
    top: usize,
    width: usize,
    channels: usize,
}

impl Rows<'_> {
    /// The place of a pixel.
    #[inline(always)]
    fn at(self, y: usize, x: usize) -> usize {
        ((y - self.top) * self.width + x) * self.channels
    }

    /// Prefetches what the next row of a target needs beyond what its row `y` does, of `len` channels from
    /// `channel` on of a group of `P` pixels: it lies a row behind the last number read, where the processor
    /// does not look by itself.
    #[inline(always)]
    fn prefetch_next<const P: usize>(
        self,
        (rows, y): (&Reach, usize),
        (columns, x): (&Reach, usize),
        channel: usize,
        len: usize,
    ) {
        let (pairs, below) = (rows.of(y), rows.steps().1);
        // What lies further away than a few pixels is of no use, and strides may be huge.
        if below.max(columns.steps().1) > FAR {
            return;
        }
        let ([(first, _), .., (last, _)], [(x, _), ..]) = (pairs, columns.of(x)) else { return };
        let last = *first.max(last);
        for row in last + 1..=last + below {
            for pixel in 0..P * columns.steps().1 {
                for i in (0..len).step_by(16) {
                    // Nothing is read where there is no such row.
                    let at = self.at(row, x + pixel) + channel + i;
                    prefetch(self.pixels.as_ptr().wrapping_add(at));
                }
            }
        }
    }
}

/// Each pixel of some rows of a target: the sum of the source's pixels it is connected with, each times
/// the kernel's element that connects them. The forward pass and the input's gradient differ only
/// in what is connected.
pub struct Connected<'a> {
    /// Rows of the source, from row `top` on.
    pub source: &'a [f32],
    pub top: usize,
    /// Pixels of a source row.
    pub source_w: usize,
    /// `[kernel row, kernel column, channel]`.
    pub weights: &'a [f32],
    pub kernel_w: usize,
    pub channels: usize,
    pub bias: Option<&'a [f32]>,
    pub bounds: Bounds<f32>,
    pub rows: &'a Reach,
    pub columns: &'a Reach,
    /// The number of the target's first row.
    pub first: usize,
    /// Pixels of a target row.
    pub target_w: usize,
    pub target: &'a mut [f32],
}

impl SimdFn for Connected<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(mut self) {
        let rows = self.checked_rows();
        // SAFETY: the caller's promise, and what was checked; runs of these columns are as said.
        unsafe {
            if self.columns.runs().is_empty() {
                return self.groups::<V>(rows);
            }
            match (self.kernel_w, self.columns.steps().1) {
                (3, 1) => self.runs::<V, 3, 1>(rows),
                (3, 2) => self.runs::<V, 3, 2>(rows),
                (5, 1) => self.runs::<V, 5, 1>(rows),
                (5, 2) => self.runs::<V, 5, 2>(rows),
                (7, 1) => self.runs::<V, 7, 1>(rows),
                _ => self.groups::<V>(rows),
            }
        }
    }
}

impl<'a> Connected<'a> {
    fn source(&self) -> Rows<'a> {
        let Self { source: pixels, top, source_w: width, channels, .. } = *self;
        Rows { pixels, top, width, channels }
    }

    /// The number of rows, after making sure that every pixel of the source, every element of the kernel and
    /// every pixel of the target that they need exists.
    fn checked_rows(&self) -> usize {
        let c = self.channels;
        let rows = self.target.len() / (c * self.target_w);
        let seen = self.rows.span(self.first..self.first + rows);
        assert!(self.top <= seen.start);
        assert!((seen.end - self.top) * self.source_w * c <= self.source.len());
        assert_eq!(self.columns.sizes(), [self.target_w, self.source_w, self.kernel_w]);
        let [.., kernel_h] = self.rows.sizes();
        assert_eq!(self.weights.len(), kernel_h * self.kernel_w * c);
        assert!(self.bias.is_none_or(|bias| bias.len() == c));
        rows
    }

    /// All pixels, group by group of columns.
    ///
    /// # Safety
    /// As for `block`, for so many rows.
    #[inline(always)]
    unsafe fn groups<V: Simd>(&mut self, rows: usize) {
        let groups = self.columns.groups();
        for row in 0..rows {
            for i in 0..groups.len() {
                let group = groups[i];
                // SAFETY: the caller's promise.
                unsafe {
                    if group.whole {
                        for_each_block!(
                            V,
                            self.channels,
                            |channel| 2: self.block::<V, 2, GROUP>(row, group, channel),
                            self.block::<V, 1, GROUP>(row, group, channel)
                        );
                    } else {
                        for_each_block!(
                            V,
                            self.channels,
                            |channel| 4: self.block::<V, 4, 1>(row, group, channel),
                            self.block::<V, 1, 1>(row, group, channel)
                        );
                    }
                }
            }
        }
    }

    /// All pixels, run by run of columns: the `K` elements of each row of the kernel meet pixels of the source
    /// side by side, which move by `S` from one pixel of the target to the next.
    ///
    /// # Safety
    /// As for `block`, for so many rows; the columns have runs, and are as said.
    #[inline(always)]
    unsafe fn runs<V: Simd, const K: usize, const S: usize>(&mut self, rows: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            for_each_block!(
                V,
                self.channels,
                |channel| 2: self.run_blocks::<V, 2, K, S>(rows, channel),
                self.run_blocks::<V, 1, K, S>(rows, channel)
            );
        }
    }

    /// `R` vectors of channels, from `channel` on, of all rows, as for `runs`: so the elements of the kernel and the
    /// rows that neighbours share usually stay in the L1 cache.
    ///
    /// # Safety
    /// As for `runs`.
    #[inline(always)]
    unsafe fn run_blocks<V: Simd, const R: usize, const K: usize, const S: usize>(
        &mut self,
        rows: usize,
        channel: usize,
    ) {
        let runs = self.columns.runs();
        for row in 0..rows {
            for i in 0..runs.len() {
                // SAFETY: the caller's promise.
                unsafe { self.run_block::<V, R, K, S>(row, runs[i], channel) };
            }
        }
    }

    /// `R` vectors of channels, from `channel` on, of a run: each pixel of the source is read once for all
    /// pixels of the run, and those in the padding left and right are 0: there an infinite weight gives NaN. Sums
    /// have the order of `block`.
    ///
    /// # Safety
    /// As for `runs`.
    #[inline(always)]
    unsafe fn run_block<V: Simd, const R: usize, const K: usize, const S: usize>(
        &mut self,
        row: usize,
        run: Run,
        channel: usize,
    ) {
        let c = self.channels;
        let len = V::LANES.min(c);
        let y = self.first + row;
        // SAFETY: the caller's promise, for every vector here.
        unsafe {
            let mut sums = self.begin::<V, R, GROUP>(channel);
            let rows = self.rows.of(y);
            let source = self.source();
            let step = if run.backwards { -1 } else { 1 };
            for i in 0..rows.len() {
                let (sy, ky) = rows[i];
                let weight = ky * self.kernel_w * c + channel;
                let mut pixels = [[V::zero(); R]; MAX_RUN];
                for t in 0..(GROUP - 1) * S + K {
                    let x = run.start.wrapping_add(t as isize * step) as usize; // below 0, it becomes huge
                    if x < self.source_w {
                        let at = source.at(sy, x) + channel;
                        for r in 0..R {
                            pixels[t][r] = read::<V>(self.source, at + r * V::LANES, len);
                        }
                    }
                }
                for j in 0..K {
                    for r in 0..R {
                        let w = read::<V>(self.weights, weight + j * c + r * V::LANES, len);
                        for p in 0..GROUP {
                            sums[p][r] = pixels[p * S + j][r].mul_add(w, sums[p][r]);
                        }
                    }
                }
            }
            self.end(row, run.first, run.backwards, channel, sums);
        }
    }

    /// `R` vectors of channels, from `channel` on, of the first `P` pixels of a group of a row of the target.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set, the row is below
    /// [`Connected::checked_rows`], and the channels exist.
    #[inline(always)]
    unsafe fn block<V: Simd, const R: usize, const P: usize>(
        &mut self,
        row: usize,
        group: Group,
        channel: usize,
    ) {
        let c = self.channels;
        let len = V::LANES.min(c);
        // SAFETY: the caller's promise, for every vector here.
        unsafe {
            let mut sums = self.begin::<V, R, P>(channel);
            let y = self.first + row;
            let at = ((self.rows, y), (self.columns, group.first));
            self.source().prefetch_next::<P>(at.0, at.1, channel, R * V::LANES);
            let (rows, columns) = (self.rows.of(y), self.columns.of(group.first));
            let (_, shift) = self.columns.steps();
            let source = self.source();
            for i in 0..rows.len() {
                let (sy, ky) = rows[i];
                for j in 0..columns.len() {
                    let (sx, kx) = columns[j];
                    let source = source.at(sy, sx) + channel;
                    let weight = (ky * self.kernel_w + kx) * c + channel;
                    for i in 0..R {
                        let w = read::<V>(self.weights, weight + i * V::LANES, len);
                        for p in 0..P {
                            let at = source + p * shift * c + i * V::LANES;
                            sums[p][i] = read::<V>(self.source, at, len).mul_add(w, sums[p][i]);
                        }
                    }
                }
            }
            self.end(row, group.first, false, channel, sums);
        }
    }

    /// The sums of `P` pixels before anything is added to them.
    ///
    /// # Safety
    /// As for `block`.
    #[inline(always)]
    unsafe fn begin<V: Simd, const R: usize, const P: usize>(&self, channel: usize) -> [[V; R]; P] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[V::zero(); R]; P];
            if let Some(bias) = self.bias {
                for r in 0..R {
                    let len = V::LANES.min(self.channels);
                    let bias = read::<V>(bias, channel + r * V::LANES, len);
                    for p in 0..P {
                        sums[p][r] = bias;
                    }
                }
            }
            sums
        }
    }

    /// Writes `P` pixels of a group that begins at `first`; from its last on if `backwards`.
    #[inline(always)]
    fn end<V: Simd, const R: usize, const P: usize>(
        &mut self,
        row: usize,
        first: usize,
        backwards: bool,
        channel: usize,
        sums: [[V; R]; P],
    ) {
        let (c, step) = (self.channels, self.columns.steps().0);
        let len = V::LANES.min(c);
        for p in 0..P {
            let place = if backwards { P - 1 - p } else { p };
            let pixel = row * self.target_w + first + place * step;
            for r in 0..R {
                let mut v = sums[p][r];
                if !self.bounds.is_none() {
                    v = self.bounds.clamp_vector(v);
                }
                let at = pixel * c + channel + r * V::LANES;
                v.write(&mut self.target[at..at + len]);
            }
        }
    }
}

/// The place of a channel's sums in [`Gradients`], with vectors of `lanes` lanes.
pub fn place_of(channel: usize, channels: usize, lanes: usize) -> usize {
    if channel < channels / lanes * lanes || channels < lanes {
        channel
    } else {
        channels.next_multiple_of(lanes) - channels + channel
    }
}

/// Adds to the gradients of weight and bias those from some rows of outputs.
///
/// Sums are whole vectors: those of the last block of channels lie behind those of the one before it, though
/// the blocks may overlap ([`place_of`]).
pub struct Gradients<'a> {
    /// The gradients of the rows.
    pub dy: &'a [f32],
    /// The numbers of the rows.
    pub targets: Range<usize>,
    /// Pixels of a row of outputs.
    pub y_w: usize,
    /// Rows of the input, from row `top` on.
    pub x: &'a [f32],
    pub top: usize,
    /// Pixels of an input row.
    pub x_w: usize,
    pub kernel_w: usize,
    pub channels: usize,
    pub rows: &'a Reach,
    pub columns: &'a Reach,
    /// `[kernel row, kernel column, place of the channel]`.
    pub dw: &'a mut [f32],
    /// `[place of the channel]`.
    pub db: &'a mut [f32],
}

impl SimdFn for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(mut self) {
        let (rows, groups) = (self.checked_rows(V::LANES), self.columns.groups());
        for row in 0..rows {
            for i in 0..groups.len() {
                let group = groups[i];
                let mut place = 0;
                while place < self.channels {
                    // SAFETY: the caller's promise, and what was checked.
                    unsafe {
                        if group.whole {
                            self.block::<V, GROUP>(row, group, place);
                        } else {
                            self.block::<V, 1>(row, group, place);
                        }
                    }
                    place += V::LANES;
                }
            }
        }
    }
}

impl Gradients<'_> {
    /// The number of rows, after making sure that every pixel and every sum that they need exists.
    fn checked_rows(&self, lanes: usize) -> usize {
        let c = self.channels;
        let seen = self.rows.span(self.targets.clone());
        assert!(self.targets.len() * self.y_w * c <= self.dy.len());
        assert!(self.top <= seen.start);
        assert!((seen.end - self.top) * self.x_w * c <= self.x.len());
        assert_eq!(self.columns.sizes(), [self.y_w, self.x_w, self.kernel_w]);
        let ([.., kernel_h], padded) = (self.rows.sizes(), c.next_multiple_of(lanes));
        assert_eq!(self.dw.len(), kernel_h * self.kernel_w * padded);
        assert_eq!(self.db.len(), padded);
        self.targets.len()
    }

    /// A vector of channels, whose sums are at `place`, of the first `P` outputs of a group of a row.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set, the row is below
    /// [`Gradients::checked_rows`], and `place` is a multiple of its lanes, below the number of channels.
    #[inline(always)]
    unsafe fn block<V: Simd, const P: usize>(&mut self, row: usize, group: Group, place: usize) {
        let c = self.channels;
        let (len, padded) = (V::LANES.min(c), c.next_multiple_of(V::LANES));
        let channel = place.min(c.saturating_sub(V::LANES));
        let y = self.targets.start + row;
        let (rows, columns) = (self.rows.of(y), self.columns.of(group.first));
        let (step, shift) = self.columns.steps();
        let Self { x: pixels, top, x_w: width, channels, .. } = *self;
        let input = Rows { pixels, top, width, channels };
        input.prefetch_next::<P>((self.rows, y), (self.columns, group.first), channel, len);
        let (dw, db) = (self.dw.as_mut_ptr(), self.db.as_mut_ptr());
        // SAFETY: the caller's promise, for every vector here.
        unsafe {
            let mut dy = [V::zero(); P];
            for p in 0..P {
                let pixel = row * self.y_w + group.first + p * step;
                dy[p] = read::<V>(self.dy, pixel * c + channel, len);
                prefetch(self.dy.as_ptr().wrapping_add((pixel + self.y_w) * c + channel));
            }
            let mut sum = dy[0];
            for p in 1..P {
                sum = sum.add(dy[p]);
            }
            V::load(db.add(place)).add(sum).store(db.add(place));
            for i in 0..rows.len() {
                let (iy, ky) = rows[i];
                for j in 0..columns.len() {
                    let (ix, kx) = columns[j];
                    let x = input.at(iy, ix) + channel;
                    let mut sum = read::<V>(self.x, x, len).mul(dy[0]);
                    for p in 1..P {
                        sum = read::<V>(self.x, x + p * shift * c, len).mul_add(dy[p], sum);
                    }
                    let to = dw.add((ky * self.kernel_w + kx) * padded + place);
                    V::load(to).add(sum).store(to);
                }
            }
        }
    }
}
