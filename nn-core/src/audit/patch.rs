//! Descriptors: what is around a keypoint, as a histogram of gradient directions of one bit per bin.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::luma::Luma;
use super::shrink::MAX_SIDE;
use super::symmetry::Symmetry;
use crate::kernels::multiversion::{Multiversion, multiversion};
use crate::rng::Rng;
use std::f32::consts::FRAC_1_SQRT_2;
use std::sync::LazyLock;

/// Cells of a description along a side.
pub const CELLS: usize = 4;
/// Directions of a cell.
pub const DIRECTIONS: usize = 8;
/// Samples along a side of the described patch.
pub const SAMPLES: usize = 16;
/// Distance of two samples, in units of the point's scale.
const SPACING: f32 = 0.75;
/// The strongest gradients below which there is nothing to describe, in grey levels.
const FLAT: f32 = 1e-3;

/// A description.
pub type Descriptor = u128;

/// How strong the gradients of each direction are in each cell: what a description is made from.
pub type Bins = [f32; CELLS * CELLS * DIRECTIONS];

/// A patch with a margin of one for differences.
const SIDE: usize = SAMPLES + 2;

/// How much each sample along an axis counts in the two cells that it lies between.
type Shares = [[f32; 2]; SAMPLES];

/// To describe a point.
pub static POINT: LazyLock<Shares> = LazyLock::new(|| shares(128.0));
/// To describe a whole picture.
pub static FRAME: LazyLock<Shares> = LazyLock::new(|| shares(200.0));

const PER_CELL: usize = SAMPLES / CELLS;

/// Samples count by `exp(-d^2 / spread)` of their distance `d` from the middle of the patch.
fn shares(spread: f32) -> Shares {
    std::array::from_fn(|sample| {
        let window = (-(sample as f32 - (SAMPLES - 1) as f32 / 2.0).powi(2) / spread).exp();
        // In halves of a sample, from the middle of the lower cell.
        let place = (2 * sample + 1 + PER_CELL) % (2 * PER_CELL);
        let part = place as f32 / (2 * PER_CELL) as f32;
        [(1.0 - part) * window, part * window]
    })
}

/// The lower of the two cells that a sample lies between. Cell 0 is one before the first.
#[inline(always)]
fn low_cell(sample: usize) -> usize {
    (sample + PER_CELL / 2) / PER_CELL
}

/// The samples between a cell and the next.
#[inline(always)]
fn between(low: usize) -> std::ops::Range<usize> {
    let end = low * PER_CELL + PER_CELL / 2;
    end.saturating_sub(PER_CELL)..end.min(SAMPLES)
}

/// Where samples lie along an axis of a picture: between which pixels, and how far.
pub struct Places {
    before: [usize; SIDE],
    part: [f32; SIDE],
}

impl Places {
    /// Samples `step` apart around `middle`, on `len` pixels; those beyond the border are on it.
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

    /// Samples over all of `len` pixels.
    pub fn over(len: usize) -> Self {
        let last = (len - 1) as f32;
        Self::around(last / 2.0, last / (SIDE - 1) as f32, len)
    }

    /// Samples around a point at `middle` that stands out at `sigma`.
    pub fn of_point(middle: f32, sigma: f32, len: usize) -> Self {
        Self::around(middle, SPACING * sigma, len)
    }
}

/// Histograms of gradient directions in 4 x 4 cells of the picture there. None if there is no
/// gradient.
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
    /// The samples.
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

/// The directions, in eighths of a turn.
const COSINES: [f32; DIRECTIONS] =
    [1.0, FRAC_1_SQRT_2, 0.0, -FRAC_1_SQRT_2, -1.0, -FRAC_1_SQRT_2, 0.0, FRAC_1_SQRT_2];
const SINES: [f32; DIRECTIONS] =
    [0.0, FRAC_1_SQRT_2, 1.0, FRAC_1_SQRT_2, 0.0, -FRAC_1_SQRT_2, -1.0, -FRAC_1_SQRT_2];

impl Multiversion for Describe<'_> {
    type Output = Bins;

    /// A gradient counts for a direction by what it has along it, beyond what one an eighth of a
    /// turn away would have; every sample is shared between the nearest cells.
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
            // Cells have one before the first and one after the last, where nothing is kept.
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

/// One bit for each bin: above the median or not.
pub fn descriptor(bins: &Bins) -> Descriptor {
    multiversion(AboveMedian(bins))
}

struct AboveMedian<'a>(&'a Bins);

impl Multiversion for AboveMedian<'_> {
    type Output = Descriptor;

    #[inline(always)]
    fn run(self) -> Descriptor {
        // Numbers that are not negative are ordered as their bits are. The median is found bit by
        // bit: it is the largest number that half of the bins reach.
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

/// For each bit of a descriptor, the bit that it becomes if the patch is laid so.
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

/// `descriptor` as it would be if the patch were laid so.
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
        // A mirror reverses the directions, of which 0 becomes 4.
        let side =
            if symmetry.mirrored { directions.reverse_bits().rotate_left(5) } else { directions };
        to[cells[cell] as usize] = side.rotate_left(turn);
    }
    Descriptor::from_le_bytes(to)
}

/// How far a picture is tilted to be looked for as a tilted copy, in radians: 13 degrees. Descriptions
/// change little within eight degrees of that.
pub const TILT: f32 = 0.227;

/// A cell of a tilted description: the cells it is made of, and their shares.
type Mixture = [(usize, f32); 4];

/// For a tilt to either side, what each cell is made of.
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

/// The whole number before a place, or the `next` one, and its share.
fn share(place: f32, next: usize) -> (i32, f32) {
    let part = place - place.floor();
    (place.floor() as i32 + next as i32, if next == 0 { 1.0 - part } else { part })
}

/// The descriptors that a patch has once it is tilted to either side, about: its cells are turned around the
/// middle, and the directions in them.
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
        // To the left, directions are taken from the one after; to the right, from the one before.
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

/// For each way to lay a square on itself, the pattern that the bins are held against.
static POSES: LazyLock<[Bins; 8]> = LazyLock::new(|| {
    let mut rng = Rng::new(0, 0);
    let pattern: Bins = std::array::from_fn(|_| rng.uniform_in(-1.0, 1.0) as f32);
    Symmetry::ALL.map(|symmetry| {
        let to = permutation(symmetry);
        std::array::from_fn(|bin| pattern[to[bin] as usize])
    })
});

/// The two ways to lay a patch that make it most like a fixed pattern, the better one first, as
/// numbers of [`Symmetry::ALL`]. A copy laid otherwise is most like it laid the same way.
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
