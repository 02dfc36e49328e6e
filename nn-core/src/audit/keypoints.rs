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
use super::patch::{Code, Patch, SAMPLES, WINDOWS, describe, dominant_directions};
use crate::kernels::widest::{Loops, widest};
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
const SHORTEST: usize = 16;
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
    /// Dominant direction, in radians.
    pub angle: f32,
    /// What is around it.
    pub code: Code,
}

/// The features of a small picture, the clearest first, at most [`MAX_FEATURES`].
pub fn features(picture: &Luma) -> Vec<Feature> {
    let mut base = picture.blurred((SIGMA * SIGMA - 0.25).sqrt());
    let (mut octaves, mut points) = (Vec::new(), Vec::new());
    while octaves.len() < OCTAVES && base.width.min(base.height) >= SHORTEST {
        let levels = levels(base);
        base = every_second(&levels[SCALES]);
        extrema(&levels, octaves.len(), &mut points);
        octaves.push(levels);
    }
    // Ties are broken by place, so that the order is the same everywhere.
    let place = |p: &Point| (p.octave, p.level, p.y, p.x);
    points.sort_unstable_by(|a, b| {
        let by_place = place(a).partial_cmp(&place(b)).unwrap_or(Ordering::Equal);
        b.contrast.total_cmp(&a.contrast).then(by_place)
    });
    let mut found = Vec::with_capacity(MAX_FEATURES);
    for point in points {
        let picture = &octaves[point.octave][point.level];
        let pixel = (1 << point.octave) as f32;
        let upright = Patch::around(picture, point.x, point.y, point.sigma, 0.0);
        for angle in dominant_directions(&upright) {
            if found.len() == MAX_FEATURES {
                return found;
            }
            let patch = Patch::around(picture, point.x, point.y, point.sigma, angle);
            if let Some(code) = describe(&patch, &WINDOWS.point) {
                let (x, y) = (point.x * pixel, point.y * pixel);
                found.push(Feature { x, y, scale: point.sigma * pixel, angle, code });
            }
        }
    }
    found
}

/// The picture as a whole, pressed into a square, described like a point. None if it is flat.
pub fn frame_code(picture: &Luma) -> Option<Code> {
    let half = picture.half();
    let side = |len: usize| (len as f32 - 1.0) / (SAMPLES + 1) as f32;
    let (dx, dy) = (side(half.width), side(half.height));
    let blurred = half.blurred((0.5 * dx.max(dy)).max(0.5));
    let patch = Patch::new(|row, column| blurred.at(column as f32 * dx, row as f32 * dy));
    describe(&patch, &WINDOWS.frame)
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
    let rows = picture.pixels.chunks_exact(picture.width).step_by(2);
    let pixels = rows.flat_map(|row| row.iter().copied().step_by(2)).collect();
    Luma { width, height, pixels }
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
    let differences: Vec<Vec<f32>> = levels.windows(2).map(difference).collect();
    for level in 1..=SCALES {
        let [below, here, above] = [-1, 0, 1].map(|d| &differences[(level as i32 + d) as usize]);
        for i in widest(Peaks { width, here }) {
            let (i, value) = (i as usize, here[i as usize]);
            if !stands_out(value, i, width, [below, above]) || is_edge(here, i, width) {
                continue;
            }
            let shift = |a: f32, b: f32, c: f32| {
                let curvature = a - 2.0 * b + c;
                if curvature == 0.0 { 0.0 } else { (0.5 * (a - c) / curvature).clamp(-0.5, 0.5) }
            };
            let dx = shift(here[i - 1], value, here[i + 1]);
            let dy = shift(here[i - width], value, here[i + width]);
            let ds = shift(below[i], value, above[i]);
            let (x, y) = ((i % width) as f32 + dx, (i / width) as f32 + dy);
            let sigma = SIGMA * 2.0_f32.powf((level as f32 + ds) / SCALES as f32);
            found.push(Point { contrast: value.abs(), octave, level, x, y, sigma });
        }
    }
}

fn difference(levels: &[Luma]) -> Vec<f32> {
    levels[1].pixels.iter().zip(&levels[0].pixels).map(|(b, a)| b - a).collect()
}

/// Where a plane is clearly above, or below, the eight values around.
struct Peaks<'a> {
    width: usize,
    here: &'a [f32],
}

impl Loops for Peaks<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn run(self) -> Vec<u32> {
        let width = self.width;
        let (mut peaks, mut is_peak) = (Vec::new(), vec![0_u8; width - 2]);
        for y in 1..self.here.len() / width - 1 {
            let row = |y: usize, x: usize| &self.here[y * width + x..][..width - 2];
            let (a, b, c) = (row(y - 1, 0), row(y - 1, 1), row(y - 1, 2));
            let (d, e, f) = (row(y, 0), row(y, 1), row(y, 2));
            let (g, h, i) = (row(y + 1, 0), row(y + 1, 1), row(y + 1, 2));
            let mut any = 0;
            for x in 0..width - 2 {
                let most = a[x].max(b[x]).max(c[x]).max(d[x]).max(f[x]).max(g[x]).max(h[x]);
                let least = a[x].min(b[x]).min(c[x]).min(d[x]).min(f[x]).min(g[x]).min(h[x]);
                let (most, least) = (most.max(i[x]).max(CONTRAST), least.min(i[x]).min(-CONTRAST));
                is_peak[x] = u8::from(e[x] > most) | u8::from(e[x] < least);
                any |= is_peak[x];
            }
            if any != 0 {
                let of_row = is_peak.iter().enumerate().filter(|(_, is)| **is != 0);
                peaks.extend(of_row.map(|(x, _)| (y * width + x + 1) as u32));
            }
        }
        peaks
    }
}

/// Whether `value` is above, or below, the nine values around `i` in each plane.
fn stands_out(value: f32, i: usize, width: usize, planes: [&[f32]; 2]) -> bool {
    let sign = value.signum();
    let value = value * sign;
    planes.iter().all(|values| {
        [i - width, i, i + width]
            .iter()
            .all(|&row| (row - 1..=row + 1).all(|j| value > values[j] * sign))
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
