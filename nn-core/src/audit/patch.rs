//! Descriptors: the patch around a keypoint as a histogram of gradient directions, with one bit per bin.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::luma::Luma;
use super::shrink::MAX_SIDE;
use super::symmetry::Symmetry;
use crate::kernels::multiversion::{Multiversion, multiversion};
use crate::rng::Rng;
use std::f32::consts::FRAC_1_SQRT_2;
use std::sync::LazyLock;

/// The number of cells along a side of a patch.
pub const CELLS: usize = 4;
/// The number of directions per cell.
pub const DIRECTIONS: usize = 8;
/// The number of samples along a side of a patch.
pub const SAMPLES: usize = 16;
/// The distance of two samples, in units of the keypoint's scale.
const SPACING: f32 = 0.75;
/// The largest bin below which a patch is flat and has no descriptor, in grey levels.
const FLAT: f32 = 1e-3;

/// A descriptor: one bit per bin.
pub type Descriptor = u128;

/// The histogram of a patch, `[CELLS, CELLS, DIRECTIONS]`: the strength of the gradients in each
/// direction and cell.
pub type Bins = [f32; CELLS * CELLS * DIRECTIONS];

/// The side of a patch with a margin of one sample, for differences.
const SIDE: usize = SAMPLES + 2;

/// The weights of each sample along an axis for the two cells that it lies between.
type Shares = [[f32; 2]; SAMPLES];

/// The weights for the patch of a keypoint.
pub static POINT: LazyLock<Shares> = LazyLock::new(|| shares(128.0));
/// The weights for a whole picture.
pub static FRAME: LazyLock<Shares> = LazyLock::new(|| shares(200.0));

const PER_CELL: usize = SAMPLES / CELLS;

/// Linear interpolation between cells, times a Gaussian window `exp(-d^2 / spread)` of the distance
/// `d` from the centre of the patch.
fn shares(spread: f32) -> Shares {
    std::array::from_fn(|sample| {
        let window = (-(sample as f32 - (SAMPLES - 1) as f32 / 2.0).powi(2) / spread).exp();
        // In units of half a sample, from the centre of the lower cell.
        let place = (2 * sample + 1 + PER_CELL) % (2 * PER_CELL);
        let part = place as f32 / (2 * PER_CELL) as f32;
        [(1.0 - part) * window, part * window]
    })
}

/// The lower of the two cells that a sample lies between. Cell 0 is a padding cell before the first.
#[inline(always)]
fn low_cell(sample: usize) -> usize {
    (sample + PER_CELL / 2) / PER_CELL
}

/// The samples between the centres of a cell and the next.
#[inline(always)]
fn between(low: usize) -> std::ops::Range<usize> {
    let end = low * PER_CELL + PER_CELL / 2;
    end.saturating_sub(PER_CELL)..end.min(SAMPLES)
}

/// The sample positions along an axis of a picture: index of the pixel before, and interpolation weight.
pub struct Places {
    before: [usize; SIDE],
    part: [f32; SIDE],
}

impl Places {
    /// Samples with spacing `step` around `middle`, on an axis of `len` pixels, clamped to it.
    pub fn around(middle: f32, step: f32, len: usize) -> Self {
        let mut places = Self { before: [0; SIDE], part: [0.0; SIDE] };
        for i in 0..SIDE {
            let place = middle + (i as f32 - (SIDE - 1) as f32 / 2.0) * step;
            let place = place.clamp(0.0, (len - 1) as f32);
            places.before[i] = (place as usize).min(len - 2);
            places.part[i] = place - places.before[i] as f32;
        }
        places
    }

    /// Samples over a whole axis of `len` pixels.
    pub fn over(len: usize) -> Self {
        let last = (len - 1) as f32;
        Self::around(last / 2.0, last / (SIDE - 1) as f32, len)
    }

    /// Samples around a keypoint at `middle` with the scale `sigma`.
    pub fn of_point(middle: f32, sigma: f32, len: usize) -> Self {
        Self::around(middle, SPACING * sigma, len)
    }
}

/// The histogram of gradient directions in 4 x 4 cells of the picture at these positions. `None` if
/// it is flat.
pub fn bins(picture: &Luma, rows: &Places, columns: &Places, shares: &Shares) -> Option<Bins> {
    let bins = multiversion(Describe { picture, rows, columns, shares });
    bins.iter().any(|&bin| bin > FLAT).then_some(bins)
}

struct Describe<'a> {
    picture: &'a Luma,
    rows: &'a Places,
    columns: &'a Places,
    shares: &'a Shares,
}

impl Describe<'_> {
    /// The interpolated samples.
    #[inline(always)]
    fn patch(&self) -> [[f32; SIDE]; SIDE] {
        const { assert!(MAX_SIDE.is_power_of_two()) };
        let (width, columns) = (self.picture.width, self.columns);
        let from = columns.before[0];
        let len = columns.before[SIDE - 1] + 2 - from;
        let mut line = [0.0_f32; MAX_SIDE];
        let mut patch = [[0.0_f32; SIDE]; SIDE];
        for row in 0..SIDE {
            let above = &self.picture.pixels[self.rows.before[row] * width..][..2 * width];
            let (above, below) = (&above[from..][..len], &above[width + from..][..len]);
            let part = self.rows.part[row];
            for ((mixed, above), below) in line[..len].iter_mut().zip(above).zip(below) {
                *mixed = above + (below - above) * part;
            }
            for column in 0..SIDE {
                let left = columns.before[column] - from;
                let (left, right) = (line[left % MAX_SIDE], line[(left + 1) % MAX_SIDE]);
                patch[row][column] = left + (right - left) * columns.part[column];
            }
        }
        patch
    }
}

/// The unit vectors of the directions, at multiples of 45 degrees.
const COSINES: [f32; DIRECTIONS] =
    [1.0, FRAC_1_SQRT_2, 0.0, -FRAC_1_SQRT_2, -1.0, -FRAC_1_SQRT_2, 0.0, FRAC_1_SQRT_2];
const SINES: [f32; DIRECTIONS] =
    [0.0, FRAC_1_SQRT_2, 1.0, FRAC_1_SQRT_2, 0.0, -FRAC_1_SQRT_2, -1.0, -FRAC_1_SQRT_2];

impl Multiversion for Describe<'_> {
    type Output = Bins;

    /// A gradient contributes to a direction its component along that direction, minus the component of a
    /// gradient 45 degrees off, if positive. Every sample is distributed over the nearest cells.
    #[inline(always)]
    fn run(self) -> Bins {
        let patch = self.patch();
        let mut cells = [[[0.0_f32; DIRECTIONS]; CELLS]; CELLS + 2];
        for row in 0..SAMPLES {
            let (mut across, mut down) = ([0.0_f32; SAMPLES], [0.0_f32; SAMPLES]);
            let mut beyond = [0.0_f32; SAMPLES];
            for i in 0..SAMPLES {
                across[i] = patch[row + 1][i + 2] - patch[row + 1][i];
                down[i] = patch[row + 2][i + 1] - patch[row][i + 1];
                beyond[i] = (across[i] * across[i] + down[i] * down[i]).sqrt() * FRAC_1_SQRT_2;
            }
            // There is a padding cell before the first and after the last cell, whose content is discarded.
            let mut line = [[0.0_f32; DIRECTIONS]; CELLS + 1];
            let mut upper = [0.0_f32; DIRECTIONS];
            for low in 0..=CELLS {
                let mut lower = upper;
                upper = [0.0; DIRECTIONS];
                for i in between(low) {
                    for d in 0..DIRECTIONS {
                        let excess = across[i] * COSINES[d] + down[i] * SINES[d] - beyond[i];
                        let along = if excess > 0.0 { excess } else { 0.0 };
                        lower[d] += self.shares[i][0] * along;
                        upper[d] += self.shares[i][1] * along;
                    }
                }
                line[low] = lower;
            }
            let low = low_cell(row);
            for (cell, share) in [low, low + 1].into_iter().zip(self.shares[row]) {
                for column in 0..CELLS {
                    for d in 0..DIRECTIONS {
                        cells[cell][column][d] += share * line[column + 1][d];
                    }
                }
            }
        }
        let mut bins = [0.0; CELLS * CELLS * DIRECTIONS];
        for cell in 0..CELLS * CELLS {
            bins[cell * DIRECTIONS..][..DIRECTIONS]
                .copy_from_slice(&cells[cell / CELLS + 1][cell % CELLS]);
        }
        bins
    }
}

/// The descriptor of a histogram: one bit per bin, set if the bin is above the median.
pub fn descriptor(bins: &Bins) -> Descriptor {
    multiversion(AboveMedian(bins))
}

struct AboveMedian<'a>(&'a Bins);

impl Multiversion for AboveMedian<'_> {
    type Output = Descriptor;

    #[inline(always)]
    fn run(self) -> Descriptor {
        // The bit patterns of nonnegative floats are ordered like their values. The median is found
        // by a binary search over the bits: it is the largest number that half of the bins reach.
        let mut ordered = [0_u32; CELLS * CELLS * DIRECTIONS];
        for i in 0..ordered.len() {
            ordered[i] = self.0[i].to_bits();
        }
        let mut median = 0;
        for bit in (0..31).rev() {
            let next = median | 1 << bit;
            let mut reach = 0_u32;
            for i in 0..ordered.len() {
                reach += u32::from(ordered[i] >= next);
            }
            if reach >= ordered.len() as u32 / 2 {
                median = next;
            }
        }
        let mut descriptor = [0_u8; CELLS * CELLS];
        for cell in 0..CELLS * CELLS {
            for d in 0..DIRECTIONS {
                descriptor[cell] |= u8::from(ordered[cell * DIRECTIONS + d] > median) << d;
            }
        }
        Descriptor::from_le_bytes(descriptor)
    }
}

/// For each bit of a descriptor, the bit that it moves to if the patch is transformed by `symmetry`.
fn permutation(symmetry: Symmetry) -> [u8; 128] {
    let middle = (CELLS - 1) as f32 / 2.0;
    let mut to = [0; 128];
    for (bit, to) in to.iter_mut().enumerate() {
        let (cell, direction) = (bit / DIRECTIONS, bit % DIRECTIONS);
        let (row, column) = ((cell / CELLS) as f32 - middle, (cell % CELLS) as f32 - middle);
        let (x, y) = symmetry.apply(column, row);
        let direction =
            if symmetry.mirrored { DIRECTIONS / 2 + DIRECTIONS - direction } else { direction };
        let direction = (direction + symmetry.turns as usize * 2) % DIRECTIONS;
        let cell = (y + middle) as usize * CELLS + (x + middle) as usize;
        *to = (cell * DIRECTIONS + direction) as u8;
    }
    to
}

/// The descriptor of the patch transformed by `symmetry`.
pub fn moved(descriptor: Descriptor, symmetry: Symmetry) -> Descriptor {
    static CELL: LazyLock<[[u8; CELLS * CELLS]; 8]> = LazyLock::new(|| {
        Symmetry::ALL.map(|symmetry| {
            let to = permutation(symmetry);
            std::array::from_fn(|cell| to[cell * DIRECTIONS] / DIRECTIONS as u8)
        })
    });
    let cells = &CELL[symmetry.number()];
    let turn = u32::from(symmetry.turns) * 2;
    let mut to = [0; CELLS * CELLS];
    for (cell, &directions) in descriptor.to_le_bytes().iter().enumerate() {
        // A reflection reverses the directions: 0 becomes 4.
        let side =
            if symmetry.mirrored { directions.reverse_bits().rotate_left(5) } else { directions };
        to[cells[cell] as usize] = side.rotate_left(turn);
    }
    Descriptor::from_le_bytes(to)
}

/// The tilt for which tilted descriptors are computed, in radians: 13 degrees. Descriptors change
/// little within eight degrees of it.
pub const TILT: f32 = 0.227;

/// A cell of a tilted histogram: the cells that it is interpolated from, and their weights.
type Mixture = [(usize, f32); 4];

/// For a tilt to either side, the interpolation of each cell.
static TILTED: LazyLock<[[Mixture; CELLS * CELLS]; 2]> = LazyLock::new(|| {
    [-TILT, TILT].map(|angle| {
        let (sin, cos) = angle.sin_cos();
        let middle = (CELLS - 1) as f32 / 2.0;
        std::array::from_fn(|cell| {
            let (x, y) = ((cell % CELLS) as f32 - middle, (cell / CELLS) as f32 - middle);
            let (x, y) = (cos * x + sin * y + middle, cos * y - sin * x + middle);
            std::array::from_fn(|i| {
                let (column, of_column) = share(x, i % 2);
                let (row, of_row) = share(y, i / 2);
                let inside = 0..CELLS as i32;
                if inside.contains(&row) && inside.contains(&column) {
                    (row as usize * CELLS + column as usize, of_row * of_column)
                } else {
                    (0, 0.0)
                }
            })
        })
    })
});

/// The integer before a position, or the `next` one, and its interpolation weight.
fn share(place: f32, next: usize) -> (i32, f32) {
    let part = place - place.floor();
    (place.floor() as i32 + next as i32, if next == 0 { 1.0 - part } else { part })
}

/// Approximate descriptors of the patch tilted to either side: the cells are rotated around the
/// centre, and the directions with them.
pub fn tilted(bins: &Bins) -> [Descriptor; 2] {
    [0, 1].map(|side| descriptor(&multiversion(Tilted { bins, side })))
}

struct Tilted<'a> {
    bins: &'a Bins,
    side: usize,
}

impl Multiversion for Tilted<'_> {
    type Output = Bins;

    #[inline(always)]
    fn run(self) -> Bins {
        let by = TILT * DIRECTIONS as f32 / std::f32::consts::TAU;
        // Tilted to the left, directions come from the next one; tilted to the right, from the
        // previous one.
        let step = if self.side == 0 { 1 } else { DIRECTIONS - 1 };
        let mut tilted = [0.0; CELLS * CELLS * DIRECTIONS];
        for cell in 0..CELLS * CELLS {
            let mut mixed = [0.0_f32; DIRECTIONS];
            for (from, share) in TILTED[self.side][cell] {
                for d in 0..DIRECTIONS {
                    mixed[d] += share * self.bins[from * DIRECTIONS + d];
                }
            }
            for d in 0..DIRECTIONS {
                tilted[cell * DIRECTIONS + d] =
                    (1.0 - by) * mixed[d] + by * mixed[(d + step) % DIRECTIONS];
            }
        }
        tilted
    }
}

/// For each symmetry of the square, the fixed pattern transformed by it.
static POSES: LazyLock<[Bins; 8]> = LazyLock::new(|| {
    let mut rng = Rng::new(0, 0);
    let pattern: Bins = std::array::from_fn(|_| rng.uniform_in(-1.0, 1.0) as f32);
    Symmetry::ALL.map(|symmetry| {
        let to = permutation(symmetry);
        std::array::from_fn(|bin| pattern[to[bin] as usize])
    })
});

/// The two symmetries under which a patch is most similar to a fixed pattern, the best one first, as
/// indices into [`Symmetry::ALL`]. Transformed by it, the patches of copies in any orientation agree.
pub fn poses(bins: &Bins) -> [u8; 2] {
    let scores = multiversion(PoseScores(bins));
    let mut best = [0_u8, 1];
    if scores[1] > scores[0] {
        best = [1, 0];
    }
    for i in 2..8_u8 {
        if scores[i as usize] > scores[best[0] as usize] {
            best = [i, best[0]];
        } else if scores[i as usize] > scores[best[1] as usize] {
            best[1] = i;
        }
    }
    best
}

struct PoseScores<'a>(&'a Bins);

impl Multiversion for PoseScores<'_> {
    type Output = [f32; 8];

    #[inline(always)]
    fn run(self) -> [f32; 8] {
        const LANES: usize = 16;
        let mut scores = [0.0; 8];
        for (scores, pattern) in scores.iter_mut().zip(POSES.iter()) {
            let mut sums = [0.0_f32; LANES];
            for i in (0..pattern.len()).step_by(LANES) {
                for lane in 0..LANES {
                    sums[lane] += self.0[i + lane] * pattern[i + lane];
                }
            }
            *scores = sums.iter().sum();
        }
        scores
    }
}
