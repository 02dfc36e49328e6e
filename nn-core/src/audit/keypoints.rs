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
                found.push(Point { contrast: value.abs(), octave, level, x, y, sigma });
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
