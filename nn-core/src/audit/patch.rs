//! What is around a point, in 128 bits.

#![allow(clippy::needless_range_loop)] // hot loops count, as in `kernels/simd.rs`

use super::luma::Luma;
use crate::kernels::widest::{Loops, widest};
use std::f32::consts::{PI, TAU};
use std::sync::LazyLock;

/// Cells of a description along a side.
pub const CELLS: usize = 4;
/// Directions of a cell.
pub const DIRECTIONS: usize = 8;
/// Samples along a side of the described patch.
pub const SAMPLES: usize = 16;
/// Distance of two samples, in units of the point's scale.
const SPACING: f32 = 0.75;
/// A second direction is described as well if it is nearly as strong as the dominant one.
const SECOND_PEAK: f32 = 0.8;
/// Directions in which the dominant one is looked for.
const BINS: usize = 36;
/// The strongest gradients below which there is nothing to describe, in grey levels.
const FLAT: f32 = 1e-3;

/// A description.
pub type Code = u128;

/// A patch with a margin of one for differences.
const SIDE: usize = SAMPLES + 2;
const AREA: usize = SAMPLES * SAMPLES;

/// How much each sample counts, by its distance from the middle.
type Window = [f32; AREA];

/// The windows in use.
pub struct Windows {
    /// To find the dominant direction.
    direction: Window,
    /// To describe a point.
    pub point: Window,
    /// To describe a whole picture.
    pub frame: Window,
}

/// Computed once.
pub static WINDOWS: LazyLock<Windows> = LazyLock::new(|| Windows {
    direction: window(18.0),
    point: window(128.0),
    frame: window(200.0),
});

/// `exp(-d^2 / spread)` of each sample's distance `d` from the middle of the patch.
fn window(spread: f32) -> Window {
    let from_middle = |i: usize| (i as f32 - (SAMPLES - 1) as f32 / 2.0).powi(2);
    std::array::from_fn(|i| (-(from_middle(i / SAMPLES) + from_middle(i % SAMPLES)) / spread).exp())
}

/// Samples of a picture on a square grid.
pub struct Patch([f32; SIDE * SIDE]);

impl Patch {
    /// A patch of what `sample` gives for each row and column.
    pub fn new(sample: impl Fn(usize, usize) -> f32) -> Self {
        Self(std::array::from_fn(|i| sample(i / SIDE, i % SIDE)))
    }

    /// The surroundings of a point, turned so that `angle` points to the right.
    pub fn around(picture: &Luma, x: f32, y: f32, sigma: f32, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        let step = SPACING * sigma;
        let middle = (SAMPLES + 1) as f32 / 2.0;
        let (across, down) = (cos * step, sin * step);
        let place = |row: usize, column: usize| {
            let (u, v) = (column as f32 - middle, row as f32 - middle);
            (x + across * u - down * v, y + down * u + across * v)
        };
        let corners = [(0, 0), (0, SIDE - 1), (SIDE - 1, 0), (SIDE - 1, SIDE - 1)];
        let inside = corners.iter().all(|&(row, column)| {
            let (x, y) = place(row, column);
            x >= 0.0
                && y >= 0.0
                && x < (picture.width - 1) as f32 - 1e-3
                && y < (picture.height - 1) as f32 - 1e-3
        });
        if inside {
            let width = picture.width;
            Self::new(|row, column| {
                let (x, y) = place(row, column);
                let (left, top) = (x.max(0.0) as usize, y.max(0.0) as usize);
                let (tx, ty) = (x - left as f32, y - top as f32);
                let cell = &picture.pixels[top * width + left..][..width + 2];
                let upper = cell[0] + (cell[1] - cell[0]) * tx;
                let lower = cell[width] + (cell[width + 1] - cell[width]) * tx;
                upper + (lower - upper) * ty
            })
        } else {
            Self::new(|row, column| {
                let (x, y) = place(row, column);
                picture.at(x, y)
            })
        }
    }
}

/// Length and direction of the gradient at each sample.
struct Gradients {
    /// Lengths, times the window.
    weights: [f32; AREA],
    /// Directions in turns, from 0 to 1.
    turns: [f32; AREA],
}

impl Gradients {
    #[inline(always)]
    fn new(patch: &Patch, window: &Window) -> Self {
        let (mut gx, mut gy) = ([0.0; AREA], [0.0; AREA]);
        for row in 0..SAMPLES {
            let line = |row: usize| &patch.0[row * SIDE..][..SIDE];
            let (above, here, below) = (line(row), line(row + 1), line(row + 2));
            for column in 0..SAMPLES {
                gx[row * SAMPLES + column] = here[column + 2] - here[column];
                gy[row * SAMPLES + column] = below[column + 1] - above[column + 1];
            }
        }
        let mut gradients = Self { weights: [0.0; AREA], turns: [0.0; AREA] };
        for i in 0..AREA {
            gradients.weights[i] = (gx[i] * gx[i] + gy[i] * gy[i]).sqrt() * window[i];
            gradients.turns[i] = turn(gx[i], gy[i]);
        }
        gradients
    }
}

/// The direction of a gradient in turns, from 0 to 1, to within 0.0001. A polynomial, which the
/// compiler turns into vectors and which is the same everywhere.
#[inline(always)]
fn turn(x: f32, y: f32) -> f32 {
    let (wide, tall) = (x.abs(), y.abs());
    let ratio = wide.min(tall) / (wide.max(tall) + 1e-30);
    let square = ratio * ratio;
    let angle =
        ((-0.046_496_475 * square + 0.159_314_22) * square - 0.327_622_76) * square * ratio + ratio;
    let angle = if tall > wide { PI / 2.0 - angle } else { angle };
    let angle = if x < 0.0 { PI - angle } else { angle };
    let turn = angle * (1.0 / TAU);
    if y < 0.0 { 1.0 - turn } else { turn }
}

struct Directions<'a>(&'a Patch);

impl Loops for Directions<'_> {
    type Output = [f32; BINS];

    /// How strong the gradients of each direction are.
    #[inline(always)]
    fn run(self) -> [f32; BINS] {
        let gradients = Gradients::new(self.0, &WINDOWS.direction);
        let mut histogram = [0.0_f32; BINS + 2];
        for i in 0..AREA {
            let bin = gradients.turns[i] * BINS as f32;
            let low = (bin as usize).min(BINS);
            let upper = gradients.weights[i] * (bin - low as f32);
            histogram[low] += gradients.weights[i] - upper;
            histogram[low + 1] += upper;
        }
        // A whole turn is none.
        histogram[0] += histogram[BINS];
        histogram[1] += histogram[BINS + 1];
        std::array::from_fn(|i| histogram[i])
    }
}

/// The direction most gradients of an upright patch have, and a second one if it is nearly as strong.
pub fn dominant_directions(patch: &Patch) -> impl Iterator<Item = f32> + use<> {
    let histogram = widest(Directions(patch));
    let smooth: [f32; BINS] = std::array::from_fn(|i| {
        let at = |d: usize| histogram[(i + BINS + d - 2) % BINS];
        (at(0) + at(4)) * 0.0625 + (at(1) + at(3)) * 0.25 + at(2) * 0.375
    });
    let mut peaks = [(0.0, 0.0); 2];
    for i in 0..BINS {
        let (value, left, right) =
            (smooth[i], smooth[(i + BINS - 1) % BINS], smooth[(i + 1) % BINS]);
        let curvature = left - 2.0 * value + right;
        if value > left && value >= right && curvature < 0.0 && value > peaks[1].0 {
            let bin = i as f32 + 0.5 * (left - right) / curvature;
            peaks[1] = (value, bin / BINS as f32 * TAU);
            if value > peaks[0].0 {
                peaks.swap(0, 1);
            }
        }
    }
    let least = SECOND_PEAK * peaks[0].0;
    peaks.into_iter().filter(move |peak| peak.0 > 0.0 && peak.0 >= least).map(|peak| peak.1)
}

struct Describe<'a> {
    patch: &'a Patch,
    window: &'a Window,
}

/// Directions of a cell, with room for the one after the last and for whole vectors.
const ROOM: usize = 16;

impl Loops for Describe<'_> {
    type Output = [f32; CELLS * CELLS * DIRECTIONS];

    /// The histogram of directions in each cell, every sample shared between the nearest cells and
    /// directions.
    #[inline(always)]
    fn run(self) -> Self::Output {
        let gradients = Gradients::new(self.patch, self.window);
        let mut cells = [[[0.0_f32; ROOM]; CELLS]; CELLS];
        for row in 0..SAMPLES {
            let mut line = [[0.0_f32; ROOM]; CELLS];
            for column in 0..SAMPLES {
                let i = row * SAMPLES + column;
                let bin = gradients.turns[i] * DIRECTIONS as f32;
                let low = (bin as usize).min(DIRECTIONS);
                let upper = gradients.weights[i] * (bin - low as f32);
                let lower = gradients.weights[i] - upper;
                for (cell, share) in nearest_cells(column) {
                    line[cell][low] += lower * share;
                    line[cell][low + 1] += upper * share;
                }
            }
            for (cell, share) in nearest_cells(row) {
                for column in 0..CELLS {
                    for direction in 0..ROOM {
                        cells[cell][column][direction] += share * line[column][direction];
                    }
                }
            }
        }
        let mut bins = [0.0; CELLS * CELLS * DIRECTIONS];
        for cell in 0..CELLS * CELLS {
            let directions = &mut cells[cell / CELLS][cell % CELLS];
            // A whole turn is none.
            directions[0] += directions[DIRECTIONS];
            directions[1] += directions[DIRECTIONS + 1];
            bins[cell * DIRECTIONS..][..DIRECTIONS].copy_from_slice(&directions[..DIRECTIONS]);
        }
        bins
    }
}

/// Histograms of gradient directions in 4 x 4 cells, one bit for each bin: above the median or not.
/// None if there is no gradient.
pub fn describe(patch: &Patch, window: &Window) -> Option<Code> {
    let bins = widest(Describe { patch, window });
    let mut sorted = bins;
    let (_, &mut median, above) = sorted.select_nth_unstable_by(bins.len() / 2, f32::total_cmp);
    if above.iter().all(|&bin| bin <= FLAT) {
        return None;
    }
    Some(bins.iter().enumerate().fold(0, |code, (i, &bin)| code | Code::from(bin > median) << i))
}

/// The two cells along an axis that a sample is shared between, and its shares.
#[inline(always)]
fn nearest_cells(sample: usize) -> [(usize, f32); 2] {
    const PER_CELL: usize = SAMPLES / CELLS;
    // In halves of a sample, from the middle of the cell before the first.
    let place = 2 * sample + 1 + PER_CELL;
    let (low, part) = (place / (2 * PER_CELL), (place % (2 * PER_CELL)) as f32);
    let part = part / (2 * PER_CELL) as f32;
    [
        if low == 0 { (0, 0.0) } else { (low - 1, 1.0 - part) },
        if low == CELLS { (0, 0.0) } else { (low, part) },
    ]
}
