//! Keypoints and their descriptors: local features that are robust to the changes of a copy.
//!
//! Keypoints are extrema of differences of Gaussians. A descriptor is a histogram of gradient
//! directions around the point. It is invariant to scaling, cropping elsewhere, and changes of
//! brightness or contrast; a tilt of up to about ten degrees changes it little. Quarter turns and
//! reflections permute its bits, so the pose in which a point is most similar to a fixed pattern is
//! stored as well: in this pose, the features of copies in any orientation match. Plain backgrounds
//! have no keypoints, so pictures are compared by their objects, not by the white around these,
//! where perceptual hashes of whole images collide.
//!
//! D. G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004. The 128 numbers
//! are reduced to one bit each, above or below their median: W. Zhou et al., "Scalar quantization
//! for large scale image search", 2012.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::luma::Luma;
use super::patch::{Descriptor, FRAME, POINT, Places, bins, descriptor, poses, tilted};
use crate::kernels::multiversion::{Multiversion, multiversion};
use std::cmp::Ordering;

/// The maximum number of features per image: those with the highest contrast.
pub const MAX_FEATURES: usize = 48;

/// The blur of the first level of an octave, in its pixels.
const SIGMA: f32 = 1.3;
/// The blur, in pixels, after which the picture may be subsampled by two with little loss.
const SMOOTH: f32 = 0.9;
/// The number of levels per octave that are searched for extrema.
const SCALES: usize = 2;
/// The maximum number of octaves.
const OCTAVES: usize = 4;
/// The minimum length of the shorter side of an octave.
const SHORTEST: usize = 12;
/// The number of regions along a side of a picture; keypoints are chosen from all regions in turn.
const REGIONS: usize = 4;
/// The level of the descriptor of the whole picture: its blur is half the distance of two samples.
const FRAME_LEVEL: usize = 3;
/// The minimum difference of Gaussians of an extremum, in grey levels.
const CONTRAST: f32 = 0.8;
/// The maximum ratio of principal curvatures: points on edges, which are poorly localised, are above it.
const EDGE_RATIO: f32 = 12.0;

/// A keypoint and its descriptors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature {
    /// Position in the small picture.
    pub x: f32,
    /// Position in the small picture.
    pub y: f32,
    /// The blur of the extremum, in pixels of the small picture.
    pub scale: f32,
    /// The two most likely poses of the patch, as indices into [`Symmetry::ALL`].
    pub poses: [u8; 2],
    /// The descriptor of the patch.
    pub descriptor: Descriptor,
    /// The descriptors of the patch tilted to either side.
    pub tilted: [Descriptor; 2],
}

/// At most [`MAX_FEATURES`] features of a small picture, those of highest contrast first, and a
/// descriptor of the whole picture scaled to a square; `None` if the picture is flat.
pub fn detect(picture: &Luma) -> (Vec<Feature>, Option<Descriptor>) {
    let mut base = picture.blurred((SIGMA * SIGMA - 0.25).sqrt());
    let (mut octaves, mut points) = (Vec::new(), Vec::new());
    while octaves.len() < OCTAVES && base.width.min(base.height) >= SHORTEST {
        let levels = levels(base);
        base = every_second(&levels[SCALES]);
        extrema(&levels, octaves.len(), &mut points);
        octaves.push(levels);
    }
    let frame =
        octaves.first().and_then(|levels: &Vec<Luma>| frame_descriptor(&levels[FRAME_LEVEL]));
    // Ties are broken by position, so that the order is the same on all machines.
    let place = |p: &Point| (p.octave, p.level, p.y, p.x);
    points.sort_unstable_by(|a, b| {
        let by_place = place(a).partial_cmp(&place(b)).unwrap_or(Ordering::Equal);
        b.contrast.total_cmp(&a.contrast).then(by_place)
    });
    let size = (picture.width as f32, picture.height as f32);
    let points = spread(points, size);
    let describe = |point: &Point| {
        let picture = &octaves[point.octave][point.level];
        let pixel = (1 << point.octave) as f32;
        let rows = Places::of_point(point.y, point.sigma, picture.height);
        let columns = Places::of_point(point.x, point.sigma, picture.width);
        let bins = bins(picture, &rows, &columns, &POINT)?;
        let (x, y) = (point.x * pixel, point.y * pixel);
        let scale = point.sigma * pixel;
        Some(Feature {
            x,
            y,
            scale,
            poses: poses(&bins),
            descriptor: descriptor(&bins),
            tilted: tilted(&bins),
        })
    };
    (points.iter().filter_map(describe).take(MAX_FEATURES).collect(), frame)
}

/// Sorts the points: first the one with the highest contrast of each region, then the second of
/// each, and so on. What is drawn over one region does not displace the points of others.
fn spread(points: Vec<Point>, (width, height): (f32, f32)) -> Vec<Point> {
    let mut counts = [[0_u32; REGIONS]; REGIONS];
    let mut ranked: Vec<(u32, Point)> = points
        .into_iter()
        .map(|point| {
            let pixel = (1 << point.octave) as f32;
            let region = |place: f32, len: f32| {
                ((place * pixel / len * REGIONS as f32) as usize).min(REGIONS - 1)
            };
            let count = &mut counts[region(point.y, height)][region(point.x, width)];
            *count += 1;
            (*count, point)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, point)| point).collect()
}

fn frame_descriptor(picture: &Luma) -> Option<Descriptor> {
    let (rows, columns) = (Places::over(picture.height), Places::over(picture.width));
    bins(picture, &rows, &columns, &FRAME).map(|bins| descriptor(&bins))
}

/// The levels of an octave: `base` and increasingly blurred versions, `SCALES + 3` in all.
fn levels(base: Luma) -> Vec<Luma> {
    let step = 2.0_f32.powf(1.0 / SCALES as f32);
    let mut levels = vec![base];
    let mut sigma = SIGMA;
    for i in 1..SCALES + 3 {
        let next = SIGMA * step.powi(i as i32);
        let more = (next * next - sigma * sigma).sqrt();
        let step = (sigma / SMOOTH) as usize;
        levels.push(levels[i - 1].blurred_by_every(step.max(1), more));
        sigma = next;
    }
    levels
}

fn every_second(picture: &Luma) -> Luma {
    let (width, height) = (picture.width.div_ceil(2), picture.height.div_ceil(2));
    let mut half = Luma::zeros(width, height);
    for (y, row) in half.pixels.chunks_exact_mut(width).enumerate() {
        let from = &picture.pixels[2 * y * picture.width..][..picture.width];
        for x in 0..width {
            row[x] = from[2 * x];
        }
    }
    half
}

/// An extremum.
struct Point {
    /// The absolute difference of Gaussians, in grey levels.
    contrast: f32,
    octave: usize,
    level: usize,
    /// Position in the octave.
    x: f32,
    /// Position in the octave.
    y: f32,
    /// The blur, in pixels of the octave.
    sigma: f32,
}

/// Adds the extrema of an octave.
fn extrema(levels: &[Luma], octave: usize, found: &mut Vec<Point>) {
    let width = levels[0].width;
    for level in 1..=SCALES {
        let [below, here, above] = [level - 1, level, level + 1].map(|level| Difference {
            fine: &levels[level].pixels,
            blurred: &levels[level + 1].pixels,
        });
        for i in multiversion(Peaks { width, here }) {
            let (i, value) = (i as usize, here.at(i as usize));
            if !stands_out(value, i, width, [below, above]) || is_edge(here, i, width) {
                continue;
            }
            let shift = |a: f32, b: f32, c: f32| {
                let curvature = a - 2.0 * b + c;
                if curvature == 0.0 { 0.0 } else { (0.5 * (a - c) / curvature).clamp(-0.5, 0.5) }
            };
            let dx = shift(here.at(i - 1), value, here.at(i + 1));
            let dy = shift(here.at(i - width), value, here.at(i + width));
            let ds = shift(below.at(i), value, above.at(i));
            let (x, y) = ((i % width) as f32 + dx, (i / width) as f32 + dy);
            let sigma = SIGMA * 2.0_f32.powf((level as f32 + ds) / SCALES as f32);
            found.push(Point { contrast: value.abs(), octave, level, x, y, sigma });
        }
    }
}

/// The difference of Gaussians: the next level minus this one.
#[derive(Clone, Copy)]
struct Difference<'a> {
    fine: &'a [f32],
    blurred: &'a [f32],
}

impl Difference<'_> {
    fn at(self, i: usize) -> f32 {
        self.blurred[i] - self.fine[i]
    }
}

/// Finds the pixels at which the difference exceeds [`CONTRAST`] and its eight neighbours.
struct Peaks<'a> {
    width: usize,
    here: Difference<'a>,
}

impl Multiversion for Peaks<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn run(self) -> Vec<u32> {
        let width = self.width;
        let height = self.here.fine.len() / width;
        let inner = width - 2;
        let mut peaks = Vec::new();
        // For the last three rows: the values, and the maximum and minimum of each three horizontal
        // neighbours.
        let mut values = vec![0.0_f32; 3 * width];
        let (mut largest, mut smallest) = (values.clone(), values.clone());
        let mut beyond = vec![0.0_f32; inner];
        let (mut most, mut least) = (beyond.clone(), beyond.clone());
        for y in 0..height {
            let start = y % 3 * width;
            let row = &mut values[start..][..width];
            subtract(row, &self.here.blurred[y * width..], &self.here.fine[y * width..]);
            side_by_side(&mut largest[start..][..inner], row, larger);
            side_by_side(&mut smallest[start..][..inner], row, smaller);
            if y < 2 {
                continue;
            }
            // The maximum includes the value itself, so a value that reaches it is an extremum.
            over(&mut most, &largest, width, |value| larger(value, CONTRAST), larger);
            over(&mut least, &smallest, width, |value| smaller(value, -CONTRAST), smaller);
            let middle = &values[(y - 1) % 3 * width + 1..][..inner];
            outside(&mut beyond, middle, &most, &least);
            for (number, some) in beyond.chunks(TOGETHER).enumerate() {
                if any_outside(some) {
                    for (x, _) in some.iter().enumerate().filter(|(_, beyond)| **beyond >= 0.0) {
                        peaks.push(((y - 1) * width + number * TOGETHER + x + 1) as u32);
                    }
                }
            }
        }
        peaks
    }
}

#[inline(always)]
fn subtract(out: &mut [f32], from: &[f32], what: &[f32]) {
    let (from, what) = (&from[..out.len()], &what[..out.len()]);
    for x in 0..out.len() {
        out[x] = from[x] - what[x];
    }
}

/// The maximum or minimum of each three horizontal neighbours.
#[inline(always)]
fn side_by_side(out: &mut [f32], row: &[f32], choose: impl Fn(f32, f32) -> f32) {
    let len = out.len();
    let (left, middle, right) = (&row[..len], &row[1..][..len], &row[2..][..len]);
    for x in 0..len {
        out[x] = choose(choose(left[x], right[x]), middle[x]);
    }
}

/// The maximum or minimum of each three vertical neighbours in `rows`, with a bound.
#[inline(always)]
fn over(
    out: &mut [f32],
    rows: &[f32],
    width: usize,
    bound: impl Fn(f32) -> f32,
    choose: impl Fn(f32, f32) -> f32,
) {
    let len = out.len();
    let (a, b, c) = (&rows[..len], &rows[width..][..len], &rows[2 * width..][..len]);
    for x in 0..len {
        out[x] = bound(choose(choose(a[x], b[x]), c[x]));
    }
}

/// How far each value exceeds its bounds; 0 or above for an extremum.
#[inline(always)]
fn outside(out: &mut [f32], values: &[f32], most: &[f32], least: &[f32]) {
    let len = out.len();
    let (values, most, least) = (&values[..len], &most[..len], &least[..len]);
    for x in 0..len {
        out[x] = larger(values[x] - most[x], least[x] - values[x]);
    }
}

/// The number of values of a row that are tested at once.
const TOGETHER: usize = 16;

#[inline(always)]
fn any_outside(some: &[f32]) -> bool {
    let mut any = 0;
    for &beyond in some {
        any |= u32::from(beyond >= 0.0);
    }
    any != 0
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Whether `value` is above, or below, all nine values around `i` in each of the `planes`.
fn stands_out(value: f32, i: usize, width: usize, planes: [Difference<'_>; 2]) -> bool {
    let sign = value.signum();
    let value = value * sign;
    planes.iter().all(|values| {
        [i - width, i, i + width]
            .iter()
            .all(|&row| (row - 1..=row + 1).all(|j| value > values.at(j) * sign))
    })
}

fn is_edge(plane: Difference<'_>, i: usize, width: usize) -> bool {
    let xx = plane.at(i - 1) + plane.at(i + 1) - 2.0 * plane.at(i);
    let yy = plane.at(i - width) + plane.at(i + width) - 2.0 * plane.at(i);
    let xy = 0.25
        * (plane.at(i + width + 1) + plane.at(i - width - 1)
            - plane.at(i + width - 1)
            - plane.at(i - width + 1));
    let (trace, determinant) = (xx + yy, xx * yy - xy * xy);
    determinant <= 0.0 || trace * trace * EDGE_RATIO >= (EDGE_RATIO + 1.0).powi(2) * determinant
}
