//! The inner loops: register tiles of some pixels by a few vectors of channels.

use super::plan::{Phase, Plan};
use crate::kernels::bounds::Bounds;
use crate::kernels::simd::{MANY_REGISTERS, MAX_LANES, Simd, SimdFn};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Source elements summed between two visits of the target: the weights they meet fill 64 KB.
const CHUNK: usize = 256;

/// Channels of the widest block.
const WIDEST: usize = 4 * MAX_LANES;

/// Rows of the tallest register tile of `vectors` vectors. The sums, a row of weights and one input fill
/// 29 of 32 registers, or 15 of 16.
const fn tallest<V: Simd>(vectors: usize) -> usize {
    match vectors {
        4 => 6,
        2 if V::MR < MANY_REGISTERS => V::MR,
        _ => 12,
    }
}

/// Adjacent elements of the source under the kernel: the distance from the pixel, and their number.
type Run = (isize, usize);

/// A part of the target of one image: some rows, and some blocks of channels.
pub struct Task<'a> {
    pub plan: &'a Plan,
    /// The rows of the source that the part sees, [`Plan::pitch`] apart, with padding if there is any.
    pub band: &'a [f32],
    /// The row of the source at which `band` begins.
    pub top: isize,
    pub weights: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub bounds: Bounds<f32>,
    /// The rows of the target.
    pub rows: Range<usize>,
    /// The blocks, counted through the groups.
    pub blocks: Range<usize>,
    /// The first of the rows: `rows.len()` rows of the target, of which no one else writes the blocks'
    /// channels.
    pub target: *mut f32,
}

impl SimdFn for Task<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let plan = self.plan;
        let blocks = &plan.blocks;
        for (rows, taps, phase) in self.alike() {
            let pixels = self.pixels(phase, &rows);
            let runs = self.runs(phase, &taps);
            let (all, before) = (phase.tap_count() * plan.depth, taps.start * plan.depth);
            let taken = taps.len() * plan.depth;
            for block in self.blocks.clone() {
                let (group, (first, vectors)) =
                    (block / blocks.len(), blocks[block % blocks.len()]);
                let start = group * plan.group_weights()
                    + phase.weights
                    + (first * all + vectors * before) * V::LANES;
                let weights = &self.weights[start..start + taken * vectors * V::LANES];
                let channel = group * plan.width + first * V::LANES;
                let channels = (vectors * V::LANES).min(plan.width - first * V::LANES);
                let mut begin = [0.0; WIDEST];
                if let Some(bias) = self.bias {
                    begin[..channels].copy_from_slice(&bias[channel..channel + channels]);
                }
                let block = Block {
                    begin,
                    bounds: self.bounds,
                    source: self.band.as_ptr().wrapping_add(group * plan.depth),
                    target: self.target.wrapping_add(channel),
                    channels,
                    pixels: &pixels,
                };
                // SAFETY: the caller's promise; pixels and runs lie in the band, as `runs` and `pixels`
                // asserted, and the block's channels in their pixels.
                unsafe {
                    match vectors {
                        4 if V::MR >= MANY_REGISTERS => block.run::<V, 4>(&runs, weights),
                        2 => block.run::<V, 2>(&runs, weights),
                        _ => block.run::<V, 1>(&runs, weights),
                    }
                }
            }
        }
    }
}

impl Task<'_> {
    /// The rows of each phase, in pieces that see the same taps besides padding: the rows, counted in the
    /// phase, and the taps.
    fn alike(&self) -> Vec<(Range<usize>, Range<usize>, &Phase)> {
        let mut pieces: Vec<(Range<usize>, Range<usize>, &Phase)> = Vec::new();
        for phase in &self.plan.phases {
            let across = phase.columns.taps.len();
            let mut begun = false;
            for y in phase.rows.inside(&self.rows) {
                let at = |tap: &(usize, isize)| (y * phase.rows.stride) as isize + tap.1;
                let first = phase.rows.taps.partition_point(|tap| at(tap) < 0);
                let height = self.plan.source.height as isize;
                let end = phase.rows.taps.partition_point(|tap| at(tap) < height).max(first);
                let taps = first * across..end * across;
                match pieces.last_mut() {
                    Some((rows, same, _)) if begun && *same == taps => rows.end = y + 1,
                    _ => pieces.push((y..y + 1, taps, phase)),
                }
                begun = true;
            }
        }
        pieces
    }

    /// Pixels of a phase: where each begins in the band and in the target, counted from `target`.
    fn pixels(&self, phase: &Phase, rows: &Range<usize>) -> Vec<(usize, usize)> {
        let plan = self.plan;
        // A pixel may begin outside the band; the runs lead back into it.
        let place = |y: usize, x: usize| {
            let row = (y * phase.rows.stride) as isize - self.top;
            let column = (x * phase.columns.stride) as isize - plan.columns.start;
            let pitch = plan.columns.len() as isize;
            (row * pitch + column) * plan.source.channels as isize
        };
        let mut pixels = Vec::with_capacity(rows.len() * phase.columns.count);
        for y in rows.clone() {
            let row = phase.rows.first + y * phase.rows.step - self.rows.start;
            for x in 0..phase.columns.count {
                let column = phase.columns.first + x * phase.columns.step;
                let to = row * plan.target.row() + column * plan.target.channels;
                pixels.push((place(y, x) as usize, to));
            }
        }
        if let (Some(seen), Some(columns)) =
            (phase.rows.span(rows), phase.columns.span(&(0..phase.columns.count)))
        {
            assert!(seen.start >= self.top && columns.start >= plan.columns.start);
            assert!(columns.end <= plan.columns.end);
            assert!((seen.end - self.top) as usize * plan.pitch() <= self.band.len());
        }
        pixels
    }

    /// What a pixel of the phase sees under some taps, in pieces of at most [`CHUNK`] elements.
    fn runs(&self, phase: &Phase, taps: &Range<usize>) -> Vec<Run> {
        let plan = self.plan;
        let mut runs: Vec<Run> = Vec::new();
        let pitch = plan.columns.len() as isize;
        for (_, y, x) in phase.taps(plan.kernel_w).skip(taps.start).take(taps.len()) {
            let mut at = (y * pitch + x) * plan.source.channels as isize;
            let mut left = plan.depth;
            if let Some((start, len)) = runs.last_mut()
                && *start + *len as isize == at
            {
                let more = left.min(CHUNK.saturating_sub(*len));
                *len += more;
                (at, left) = (at + more as isize, left - more);
            }
            while left > 0 {
                runs.push((at, left.min(CHUNK)));
                (at, left) = (at + left.min(CHUNK) as isize, left - left.min(CHUNK));
            }
        }
        runs
    }
}

/// A block of the target's channels, at some pixels.
struct Block<'a> {
    /// What the sums begin with: the bias, or zeros.
    begin: [f32; WIDEST],
    bounds: Bounds<f32>,
    /// The source, at the group's first channel.
    source: *const f32,
    /// The target, at the block's first channel.
    target: *mut f32,
    channels: usize,
    pixels: &'a [(usize, usize)],
}

impl Block<'_> {
    /// Computes all pixels, [`CHUNK`] elements of the source after the other: their weights then stay in
    /// the cache for all pixels. Each sum goes on from where the last chunk left it, so its additions
    /// have the same order as in one go.
    ///
    /// # Safety
    /// The processor has the instructions of `V`'s set. Every run lies in the source at every pixel, and
    /// `channels` elements of the target are this block's alone at every pixel.
    #[inline(always)]
    unsafe fn run<V: Simd, const N: usize>(&self, runs: &[Run], weights: &[f32]) {
        let (mut from, mut used) = (0, 0);
        loop {
            let (mut to, mut taken) = (from, 0);
            while to < runs.len() && (to == from || taken + runs[to].1 <= CHUNK) {
                taken += runs[to].1;
                to += 1;
            }
            let step = Step {
                runs: &runs[from..to],
                weights: &weights[used..used + taken * N * V::LANES],
                first: from == 0,
                last: to == runs.len(),
            };
            let (count, rows) = (self.pixels.len(), tallest::<V>(N));
            let tiles = count.div_ceil(rows);
            for tile in 0..tiles {
                let pixels = &self.pixels[tile * count / tiles..(tile + 1) * count / tiles];
                // SAFETY: the caller's promise.
                unsafe { self.rows::<V, N>(pixels, &step) };
            }
            if step.last {
                return;
            }
            (from, used) = (to, used + taken * N * V::LANES);
        }
    }

    /// Computes one register tile, compiled for several numbers of rows.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn rows<V: Simd, const N: usize>(&self, pixels: &[(usize, usize)], step: &Step<'_>) {
        // Evaluated at compile time, so that narrow sets get no code for more rows.
        macro_rules! at_least {
            ($($r:literal)*) => {
                match pixels.len() {
                    // SAFETY: the caller's promise.
                    $(rows if rows <= $r && $r <= tallest::<V>(N) => unsafe {
                        self.tile::<V, N, $r>(pixels, step)
                    },)*
                    rows => unreachable!("{rows} rows in a register tile"),
                }
            };
        }
        at_least!(1 2 3 4 5 6 8 10 12);
    }

    /// Computes a register tile of `R` rows. If there are fewer pixels, the last is computed several times.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn tile<V: Simd, const N: usize, const R: usize>(
        &self,
        pixels: &[(usize, usize)],
        step: &Step<'_>,
    ) {
        assert!(!pixels.is_empty() && pixels.len() <= R);
        let mut places = [pixels[pixels.len() - 1]; R];
        places[..pixels.len()].copy_from_slice(pixels);
        let inputs = places.map(|(from, _)| self.source.wrapping_add(from));
        let outputs = places.map(|(_, to)| self.target.wrapping_add(to));
        let first = [self.begin.as_ptr(); R];
        // SAFETY: the caller's promise. The weights have a row of `N` vectors for every element of the
        // runs, as `run` cut them; `begin` and each row of `whole` have `N` vectors. A pixel that is computed
        // several times is written as often, with the same numbers.
        unsafe {
            if self.channels == N * V::LANES {
                let begin = if step.first { first } else { outputs.map(<*mut f32>::cast_const) };
                self.sum::<V, N, R>(inputs, begin, outputs, step);
                return;
            }
            // The last vector is not whole: the sums go through memory where it is.
            let mut whole = MaybeUninit::<[[[f32; MAX_LANES]; N]; R]>::uninit();
            let rows = whole.as_mut_ptr().cast::<f32>();
            let rows: [_; R] = std::array::from_fn(|r| rows.add(r * N * MAX_LANES));
            if !step.first {
                for r in 0..R {
                    outputs[r].copy_to_nonoverlapping(rows[r], self.channels);
                    rows[r].add(self.channels).write_bytes(0, N * V::LANES - self.channels);
                }
            }
            let begin = if step.first { first } else { rows.map(<*mut f32>::cast_const) };
            self.sum::<V, N, R>(inputs, begin, rows, step);
            for r in 0..R {
                rows[r].copy_to_nonoverlapping(outputs[r], self.channels);
            }
        }
    }

    /// Adds the products of a chunk to the sums at `begin`, and writes them to `end`: `N` vectors a row.
    ///
    /// # Safety
    /// As for `run`; every row of `begin` is readable, and of `end` writable.
    #[inline(always)]
    unsafe fn sum<V: Simd, const N: usize, const R: usize>(
        &self,
        inputs: [*const f32; R],
        begin: [*const f32; R],
        end: [*mut f32; R],
        step: &Step<'_>,
    ) {
        // Only loops that are unrolled may touch the sums: an index known at run time alone would keep them
        // in memory.
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[V::zero(); N]; R];
            for r in 0..R {
                for j in 0..N {
                    sums[r][j] = V::load(begin[r].add(j * V::LANES));
                }
            }
            let mut w = step.weights.as_ptr();
            for &(offset, len) in step.runs {
                let mut x = inputs;
                for r in 0..R {
                    x[r] = x[r].wrapping_offset(offset);
                }
                for k in 0..len {
                    let mut weights = [V::zero(); N];
                    for j in 0..N {
                        weights[j] = V::load(w.add(j * V::LANES));
                    }
                    w = w.add(N * V::LANES);
                    for r in 0..R {
                        let v = V::splat(*x[r].add(k));
                        for j in 0..N {
                            sums[r][j] = v.mul_add(weights[j], sums[r][j]);
                        }
                    }
                }
            }
            if step.last && !self.bounds.is_none() {
                for r in 0..R {
                    for j in 0..N {
                        sums[r][j] = self.bounds.clamp_vector(sums[r][j]);
                    }
                }
            }
            for r in 0..R {
                for j in 0..N {
                    sums[r][j].store(end[r].add(j * V::LANES));
                }
            }
        }
    }
}

/// A chunk of the sums.
struct Step<'a> {
    runs: &'a [Run],
    weights: &'a [f32],
    first: bool,
    last: bool,
}
