//! What makes a picture recognisable: local features that survive a copy's changes.
//!
//! Points that stand out from their surroundings at some scale (extrema of differences of Gaussians)
//! are described by the directions of the gradients around them, relative to the dominant one. The
//! description is the same after scaling, turning, cropping elsewhere, and a change of brightness or
//! contrast; mirroring permutes it. Plain backgrounds have no such points, so pictures are compared
//! by what is on them, not by the white around it, where perceptual hashes of whole images collide.
//!
//! D. G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004. The 128 numbers
//! are kept as one bit each, above or below their median: W. Zhou et al., "Scalar quantization for
//! large scale image search", 2012.

use super::luma::Luma;
use std::cmp::Ordering;

/// The most features kept of an image: those of highest contrast.
pub const MAX_FEATURES: usize = 48;

/// Blur of an octave's first level, in its pixels.
const SIGMA: f32 = 1.3;
/// Levels per octave in which extrema are looked for.
const SCALES: usize = 2;
/// Halvings of the picture, at most, plus one.
const OCTAVES: usize = 4;
/// An octave's shortest side.
const SHORTEST: usize = 16;
/// The least difference of Gaussians that counts, in grey levels.
const CONTRAST: f32 = 0.8;
/// The largest ratio of principal curvatures: beyond it lies an edge, along which a point slides.
const EDGE_RATIO: f32 = 12.0;
/// Cells of a description along a side, and directions of each.
const CELLS: usize = 4;
const DIRECTIONS: usize = 8;
/// Samples along a side of the described patch.
const SAMPLES: usize = 16;
/// Distance of two samples, in units of the point's scale.
const SPACING: f32 = 0.75;
/// A second direction is described as well if it is nearly as strong as the dominant one.
const SECOND_PEAK: f32 = 0.8;

/// A description of 128 bits.
pub type Code = u128;

/// A point of an image and what it looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature {
    /// Position in the small picture.
    pub x: f32,
    /// Position in the small picture.
    pub y: f32,
    /// Size, as the blur at which it stands out, in pixels of the small picture.
    pub scale: f32,
    /// Dominant direction, in radians.
    pub angle: f32,
    /// What is around it.
    pub code: Code,
}

/// The features of a small picture, the clearest first, at most [`MAX_FEATURES`].
pub fn features(picture: &Luma) -> Vec<Feature> {
    let mut found: Vec<(f32, Feature)> = Vec::new();
    let mut base = picture.blurred((SIGMA * SIGMA - 0.25).sqrt());
    let mut pixel = 1.0;
    for _ in 0..OCTAVES {
        if base.width.min(base.height) < SHORTEST {
            break;
        }
        let levels = levels(base);
        octave(&levels, pixel, &mut found);
        base = every_second(&levels[SCALES]);
        pixel *= 2.0;
    }
    // Ties are broken by place, so that the order is the same everywhere.
    let place = |f: &Feature| (f.y, f.x, f.angle);
    found.sort_by(|(a, f), (b, g)| {
        let by_place = place(f).partial_cmp(&place(g)).unwrap_or(Ordering::Equal);
        b.total_cmp(a).then(by_place)
    });
    found.truncate(MAX_FEATURES);
    found.into_iter().map(|(_, feature)| feature).collect()
}

/// The picture as a whole, pressed into a square, described like a point. None if it is flat.
pub fn frame_code(picture: &Luma) -> Option<Code> {
    let side = |len: usize| (len as f32 - 1.0) / (SAMPLES + 1) as f32;
    let (dx, dy) = (side(picture.width), side(picture.height));
    let blurred = picture.blurred((0.5 * dx.max(dy)).max(0.5));
    let patch = Patch::new(|row, column| blurred.at(column as f32 * dx, row as f32 * dy));
    describe(&patch, 100.0)
}

/// Blurred versions of an octave's first level, `SCALES + 3` of them.
fn levels(base: Luma) -> Vec<Luma> {
    let step = 2.0_f32.powf(1.0 / SCALES as f32);
    let mut levels = vec![base];
    let mut sigma = SIGMA;
    for i in 1..SCALES + 3 {
        let next = SIGMA * step.powi(i as i32);
        levels.push(levels[i - 1].blurred((next * next - sigma * sigma).sqrt()));
        sigma = next;
    }
    levels
}

fn every_second(picture: &Luma) -> Luma {
    let (width, height) = (picture.width.div_ceil(2), picture.height.div_ceil(2));
    let rows = picture.pixels.chunks_exact(picture.width).step_by(2);
    let pixels = rows.flat_map(|row| row.iter().copied().step_by(2)).collect();
    Luma { width, height, pixels }
}

/// Adds the features of an octave, one of whose pixels spans `pixel` of the small picture.
fn octave(levels: &[Luma], pixel: f32, found: &mut Vec<(f32, Feature)>) {
    let (width, height) = (levels[0].width, levels[0].height);
    let difference = |i: usize| -> Vec<f32> {
        levels[i + 1].pixels.iter().zip(&levels[i].pixels).map(|(b, a)| b - a).collect()
    };
    let differences: Vec<Vec<f32>> = (0..SCALES + 2).map(difference).collect();
    for level in 1..=SCALES {
        let [below, here, above] = [-1, 0, 1].map(|d| &differences[(level as i32 + d) as usize]);
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let i = y * width + x;
                let value = here[i];
                if value.abs() < CONTRAST || !is_extremum(value, i, width, [here, below, above]) {
                    continue;
                }
                if is_edge(here, i, width) {
                    continue;
                }
                let shift = |a: f32, b: f32, c: f32| {
                    let curvature = a - 2.0 * b + c;
                    if curvature == 0.0 {
                        0.0
                    } else {
                        (0.5 * (a - c) / curvature).clamp(-0.5, 0.5)
                    }
                };
                let dx = shift(here[i - 1], value, here[i + 1]);
                let dy = shift(here[i - width], value, here[i + width]);
                let ds = shift(below[i], value, above[i]);
                let (x, y) = (x as f32 + dx, y as f32 + dy);
                let sigma = SIGMA * 2.0_f32.powf((level as f32 + ds) / SCALES as f32);
                for angle in dominant_directions(&levels[level], x, y, sigma) {
                    let patch = Patch::around(&levels[level], x, y, sigma, angle);
                    if let Some(code) = describe(&patch, 64.0) {
                        let (x, y, scale) = (x * pixel, y * pixel, sigma * pixel);
                        found.push((value.abs(), Feature { x, y, scale, angle, code }));
                    }
                }
            }
        }
    }
}

/// Whether the value at `i` is above, or below, all its 26 neighbours in place and scale.
fn is_extremum(value: f32, i: usize, width: usize, planes: [&[f32]; 3]) -> bool {
    let sign = value.signum();
    let value = value * sign;
    planes.iter().enumerate().all(|(plane, values)| {
        [i - width, i, i + width].iter().all(|&row| {
            (row - 1..=row + 1).all(|j| (plane == 0 && j == i) || value > values[j] * sign)
        })
    })
}

fn is_edge(plane: &[f32], i: usize, width: usize) -> bool {
    let xx = plane[i - 1] + plane[i + 1] - 2.0 * plane[i];
    let yy = plane[i - width] + plane[i + width] - 2.0 * plane[i];
    let xy = 0.25
        * (plane[i + width + 1] + plane[i - width - 1]
            - plane[i + width - 1]
            - plane[i - width + 1]);
    let (trace, determinant) = (xx + yy, xx * yy - xy * xy);
    determinant <= 0.0 || trace * trace * EDGE_RATIO >= (EDGE_RATIO + 1.0).powi(2) * determinant
}

/// Samples of a picture on a square grid, with a margin of one for differences.
struct Patch([[f32; SAMPLES + 2]; SAMPLES + 2]);

impl Patch {
    fn new(sample: impl Fn(usize, usize) -> f32) -> Self {
        let mut patch = [[0.0; SAMPLES + 2]; SAMPLES + 2];
        for (row, values) in patch.iter_mut().enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value = sample(row, column);
            }
        }
        Self(patch)
    }

    /// The surroundings of a point, turned so that `angle` points to the right.
    fn around(picture: &Luma, x: f32, y: f32, sigma: f32, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        let step = SPACING * sigma;
        let middle = (SAMPLES + 1) as f32 / 2.0;
        Self::new(|row, column| {
            let (u, v) = ((column as f32 - middle) * step, (row as f32 - middle) * step);
            picture.at(x + cos * u - sin * v, y + sin * u + cos * v)
        })
    }

    /// Calls `f(row, column, gx, gy)` with the gradient at each sample.
    fn gradients(&self, mut f: impl FnMut(usize, usize, f32, f32)) {
        for row in 0..SAMPLES {
            for column in 0..SAMPLES {
                let gx = self.0[row + 1][column + 2] - self.0[row + 1][column];
                let gy = self.0[row + 2][column + 1] - self.0[row][column + 1];
                f(row, column, gx, gy);
            }
        }
    }
}

/// `exp(-d^2 / spread)` of a sample's distance `d` from the middle of the patch.
fn window(row: usize, column: usize, spread: f32) -> f32 {
    let from_middle = |i: usize| i as f32 - (SAMPLES - 1) as f32 / 2.0;
    (-(from_middle(row).powi(2) + from_middle(column).powi(2)) / spread).exp()
}

/// The direction most gradients around a point have, and a second one if it is nearly as strong.
fn dominant_directions(picture: &Luma, x: f32, y: f32, sigma: f32) -> Vec<f32> {
    const BINS: usize = 36;
    let mut histogram = [0.0_f32; BINS];
    Patch::around(picture, x, y, sigma, 0.0).gradients(|row, column, gx, gy| {
        let weight = gx.hypot(gy) * window(row, column, 18.0);
        let turn = gy.atan2(gx) / std::f32::consts::TAU * BINS as f32 + BINS as f32;
        let (low, part) = (turn.floor(), turn - turn.floor());
        histogram[low as usize % BINS] += weight * (1.0 - part);
        histogram[(low as usize + 1) % BINS] += weight * part;
    });
    let mut smooth = [0.0_f32; BINS];
    for (i, value) in smooth.iter_mut().enumerate() {
        let at = |d: usize| histogram[(i + BINS + d - 2) % BINS];
        *value = (at(0) + at(4)) * 0.0625 + (at(1) + at(3)) * 0.25 + at(2) * 0.375;
    }
    let neighbours = |i: usize| (smooth[(i + BINS - 1) % BINS], smooth[(i + 1) % BINS]);
    let mut peaks: Vec<(f32, f32)> = (0..BINS)
        .filter_map(|i| {
            let (value, (left, right)) = (smooth[i], neighbours(i));
            let curvature = left - 2.0 * value + right;
            (value > left && value >= right && curvature < 0.0).then(|| {
                let bin = i as f32 + 0.5 * (left - right) / curvature;
                (value, bin / BINS as f32 * std::f32::consts::TAU)
            })
        })
        .collect();
    peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
    let strongest = peaks.first().map_or(0.0, |peak| peak.0);
    peaks.truncate(2);
    peaks.retain(|peak| peak.0 >= SECOND_PEAK * strongest);
    peaks.into_iter().map(|(_, angle)| angle).collect()
}

/// Histograms of gradient directions in 4 x 4 cells, each sample shared between the nearest cells and
/// directions, one bit for each: above the median or not. None if there is no gradient.
fn describe(patch: &Patch, spread: f32) -> Option<Code> {
    let mut bins = [0.0_f32; CELLS * CELLS * DIRECTIONS];
    patch.gradients(|row, column, gx, gy| {
        let weight = gx.hypot(gy) * window(row, column, 2.0 * spread);
        let turn = gy.atan2(gx) / std::f32::consts::TAU * DIRECTIONS as f32 + DIRECTIONS as f32;
        let (low, part) = (turn.floor() as usize, turn - turn.floor());
        for (cell_row, share_row) in cells(row) {
            for (cell_column, share_column) in cells(column) {
                let cell = (cell_row * CELLS + cell_column) * DIRECTIONS;
                let weight = weight * share_row * share_column;
                bins[cell + low % DIRECTIONS] += weight * (1.0 - part);
                bins[cell + (low + 1) % DIRECTIONS] += weight * part;
            }
        }
    });
    let mut sorted = bins;
    sorted.sort_by(f32::total_cmp);
    if sorted[bins.len() - 1] <= 1e-3 {
        return None;
    }
    let median = sorted[bins.len() / 2];
    Some(bins.iter().enumerate().fold(0, |code, (i, &bin)| code | Code::from(bin > median) << i))
}

/// The two cells along an axis that a sample is shared between, and its shares.
fn cells(sample: usize) -> [(usize, f32); 2] {
    let place = (sample as f32 + 0.5) * CELLS as f32 / SAMPLES as f32 - 0.5;
    let low = place.floor();
    let part = place - low;
    let cell = |cell: f32, share: f32| {
        if (0.0..CELLS as f32).contains(&cell) { (cell as usize, share) } else { (0, 0.0) }
    };
    [cell(low, 1.0 - part), cell(low + 1.0, part)]
}

/// One of the eight ways to lay a square on itself: columns reversed, then quarter turns clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symmetry {
    /// Whether left and right change places first.
    pub mirrored: bool,
    /// Quarter turns clockwise after that, 0 to 3.
    pub turns: u8,
}

impl Symmetry {
    /// All eight.
    pub const ALL: [Self; 8] = {
        let mut all = [Self { mirrored: false, turns: 0 }; 8];
        let mut i = 0;
        while i < 8 {
            all[i] = Self { mirrored: i >= 4, turns: (i % 4) as u8 };
            i += 1;
        }
        all
    };

    /// Where `(x, y)`, relative to the middle and y pointing down, comes to lie.
    pub fn apply(self, x: f32, y: f32) -> (f32, f32) {
        let x = if self.mirrored { -x } else { x };
        match self.turns {
            0 => (x, y),
            1 => (-y, x),
            2 => (-x, -y),
            _ => (y, -x),
        }
    }

    /// For each bit of a code, the bit that it becomes.
    pub fn permutation(self) -> [u8; 128] {
        let middle = (CELLS - 1) as f32 / 2.0;
        let mut to = [0; 128];
        for (bit, to) in to.iter_mut().enumerate() {
            let (cell, direction) = (bit / DIRECTIONS, bit % DIRECTIONS);
            let (row, column) = ((cell / CELLS) as f32 - middle, (cell % CELLS) as f32 - middle);
            let (x, y) = self.apply(column, row);
            let direction =
                if self.mirrored { DIRECTIONS / 2 + DIRECTIONS - direction } else { direction };
            let direction = (direction + self.turns as usize * 2) % DIRECTIONS;
            let cell = (y + middle) as usize * CELLS + (x + middle) as usize;
            *to = (cell * DIRECTIONS + direction) as u8;
        }
        to
    }
}

/// The code with each bit moved to where `permutation` says.
pub fn permuted(code: Code, permutation: &[u8; 128]) -> Code {
    let moved = |(bit, &to): (usize, &u8)| ((code >> bit) & 1) << to;
    permutation.iter().enumerate().map(moved).fold(0, |all, bit| all | bit)
}
