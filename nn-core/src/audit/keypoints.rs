//! Keypoints and their descriptors: local features that survive a copy's changes.
//!
//! Points that stand out from their surroundings at some scale (extrema of differences of Gaussians)
//! are described by the directions of the gradients around them. The description is the same after
//! scaling, cropping elsewhere, and a change of brightness or contrast; quarter turns and mirrors
//! permute it, so it is told as well how it would be laid to be most like a fixed pattern: there,
//! copies laid in any way meet; a tilt of up to about ten degrees does little. Plain backgrounds
//! have no such points, so pictures are compared by what is on them, not by the white around it,
//! where perceptual hashes of whole images collide.
//!
//! D. G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004. The 128 numbers
//! are kept as one bit each, above or below their median: W. Zhou et al., "Scalar quantization for
//! large scale image search", 2012.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::luma::Luma;
use super::patch::{Descriptor, FRAME, POINT, Places, bins, descriptor, poses, tilted};
use crate::kernels::multiversion::{Multiversion, multiversion};
use std::cmp::Ordering;

/// The most features kept of an image: those of highest contrast.
pub const MAX_FEATURES: usize = 48;

/// Blur of an octave's first level, in its pixels.
const SIGMA: f32 = 1.3;
/// The blur, in pixels, after which every second pixel holds nearly all there is.
const SMOOTH: f32 = 0.9;
/// Levels per octave in which extrema are looked for.
const SCALES: usize = 2;
/// Halvings of the picture, at most, plus one.
const OCTAVES: usize = 4;
/// An octave's shortest side.
const SHORTEST: usize = 12;
/// Regions along a side of a picture, each of which has its say in turn.
const REGIONS: usize = 4;
/// The level at which the whole picture is described: blurred by half the distance of two samples.
const FRAME_LEVEL: usize = 3;
/// The least difference of Gaussians that counts, in grey levels.
const CONTRAST: f32 = 0.8;
/// The largest ratio of principal curvatures: beyond it lies an edge, along which a point slides.
const EDGE_RATIO: f32 = 12.0;

/// A point of an image and what it looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature {
    /// Position in the small picture.
    pub x: f32,
    /// Position in the small picture.
    pub y: f32,
    /// Size, as the blur at which it stands out, in pixels of the small picture.
    pub scale: f32,
    /// The two likeliest poses of what is around it, as numbers of [`Symmetry::ALL`].
    pub poses: [u8; 2],
    /// What is around it.
    pub descriptor: Descriptor,
    /// The same once it is tilted to either side.
    pub tilted: [Descriptor; 2],
}

/// The features of a small picture, the clearest first, at most [`MAX_FEATURES`], and the picture as
/// a whole, pressed into a square and described like a point; no such descriptor if it is flat.
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
    // Ties are broken by place, so that the order is the same everywhere.
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

/// The clearest point of each region of a picture first, then the second of each, and so on: what is
/// written over a part of it leaves the points of the rest in front.
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

/// Blurred versions of an octave's first level, `SCALES + 3` of them.
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

/// A place that stands out.
struct Point {
    /// By how much, in grey levels.
    contrast: f32,
    octave: usize,
    level: usize,
    /// Position in the octave.
    x: f32,
    /// Position in the octave.
    y: f32,
    /// Size, in pixels of the octave.
    sigma: f32,
}

/// Adds the points of an octave.
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

/// What a level has more than the one before it.
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

/// Where a difference is clearly above, or below, the eight values around.
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
        // Of the last three rows: the values, and the largest and smallest of each three side by side.
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
            // No value is above the largest, its own among them: it stands out if it is that.
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

/// The one to choose of each three values side by side.
#[inline(always)]
fn side_by_side(out: &mut [f32], row: &[f32], choose: impl Fn(f32, f32) -> f32) {
    let len = out.len();
    let (left, middle, right) = (&row[..len], &row[1..][..len], &row[2..][..len]);
    for x in 0..len {
        out[x] = choose(choose(left[x], right[x]), middle[x]);
    }
}

/// The one to choose of each three values of `rows` one above the other, within a bound.
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

/// How far each value lies outside its bounds.
#[inline(always)]
fn outside(out: &mut [f32], values: &[f32], most: &[f32], least: &[f32]) {
    let len = out.len();
    let (values, most, least) = (&values[..len], &most[..len], &least[..len]);
    for x in 0..len {
        out[x] = larger(values[x] - most[x], least[x] - values[x]);
    }
}

/// Values of a row that are looked at together.
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

/// Whether `value` is above, or below, the nine values around `i` in each plane.
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
