//! Where the pixels of an augmented image come from: flips, turns, slants, zooms, shifts and crops as one resampling.

use super::{Augmentation, Kind, Size};
use crate::rng::Rng;

/// An affine map from places of the new image to places of the old one, both from -1 to 1 from border to border,
/// `(x, y)`: `matrix * (x, y) + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine {
    matrix: [[f64; 2]; 2],
    shift: [f64; 2],
}

/// What is drawn for an image.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    flips: [bool; 2],
    affine: Option<Affine>,
}

/// The attempts to find a part of the wanted area and shape within the image.
const ATTEMPTS: usize = 10;

fn drawn(of: &Augmentation, [height, width, _]: Size, rng: &mut Rng) -> Drawn {
    let strength = |kind| of.strength(kind);
    let flips = [Kind::Flip, Kind::FlipVertical]
        .map(|kind| strength(kind) > 0.0 && rng.uniform() < strength(kind));
    let mut is_moved = false;
    let mut either_way = |kind: Kind, rng: &mut Rng| {
        let most = strength(kind);
        is_moved |= most > 0.0;
        if most > 0.0 { rng.uniform_in(-most, most) } else { 0.0 }
    };
    let angle = either_way(Kind::Rotate, rng).to_radians();
    let slant = either_way(Kind::Shear, rng).to_radians().tan();
    let zoom = 1.0 + either_way(Kind::Zoom, rng);
    // Sides are from -1 to 1.
    let shift = [0, 1].map(|_| 2.0 * either_way(Kind::Translate, rng));
    let crop = (strength(Kind::Crop) > 0.0).then(|| part(strength(Kind::Crop), height, width, rng));
    if !is_moved && crop.is_none() {
        return Drawn { flips, affine: None };
    }
    // A turn keeps shapes: sides are compared in pixels.
    let (sin, cos) = (angle.sin() / zoom, angle.cos() / zoom);
    let aspect = width as f64 / height as f64;
    // The slanted image is turned.
    let matrix = [[cos, (slant * cos - sin) / aspect], [sin * aspect, cos + slant * sin]];
    let ([size_x, size_y], middle) = crop.unwrap_or(([1.0, 1.0], [0.0, 0.0]));
    let row = |row: [f64; 2]| [row[0] * size_x, row[1] * size_y];
    let moved = |row: [f64; 2], shift: f64| row[0] * middle[0] + row[1] * middle[1] + shift;
    let shift = [moved(matrix[0], shift[0]), moved(matrix[1], shift[1])];
    let affine = Affine { matrix: matrix.map(row), shift };
    Drawn { flips, affine: Some(affine) }
}

/// A part of an image of which at most the share `cut` of the area is cut away, of a shape from 3:4 to 4:3 of the
/// image's: the shares of the sides, and its middle from -1 to 1.
fn part(cut: f64, height: usize, width: usize, rng: &mut Rng) -> ([f64; 2], [f64; 2]) {
    // Large enough for a pixel.
    let least = [1.0 / width as f64, 1.0 / height as f64];
    for _ in 0..ATTEMPTS {
        let area = rng.uniform_in(1.0 - cut, 1.0);
        let shape = rng.uniform_in((0.75_f64).ln(), (4.0_f64 / 3.0).ln()).exp();
        let sides = [(area * shape).sqrt(), (area / shape).sqrt()];
        if sides.iter().zip(least).all(|(&side, least)| (least..=1.0).contains(&side)) {
            return (sides, sides.map(|side| rng.uniform_in(side - 1.0, 1.0 - side)));
        }
    }
    ([1.0, 1.0], [0.0, 0.0])
}

/// Applies what is drawn.
pub(super) fn apply(
    of: &Augmentation,
    image: &mut [f32],
    size: Size,
    rng: &mut Rng,
    spare: &mut Vec<f32>,
) {
    let Drawn { flips: [horizontal, vertical], affine } = drawn(of, size, rng);
    let [height, width, channels] = size;
    if horizontal {
        for row in image.chunks_exact_mut(width * channels) {
            for x in 0..width / 2 {
                let (left, right) = (x * channels, (width - 1 - x) * channels);
                (0..channels).for_each(|c| row.swap(left + c, right + c));
            }
        }
    }
    if vertical {
        let row = width * channels;
        for y in 0..height / 2 {
            let (above, below) = image.split_at_mut((height - 1 - y) * row);
            above[y * row..(y + 1) * row].swap_with_slice(&mut below[..row]);
        }
    }
    if let Some(affine) = affine {
        spare.clear();
        spare.extend_from_slice(image);
        resample(spare, image, size, &affine);
    }
}

/// Bilinear, with the image mirrored at its borders: mirrored texture looks like the rest, where a colour would be a new
/// thing to see.
fn resample(from: &[f32], to: &mut [f32], [height, width, channels]: Size, affine: &Affine) {
    let place = |i: usize, len: usize| (2 * i + 1) as f64 / len as f64 - 1.0;
    let pixel = |at: f64, len: usize| (at + 1.0) * len as f64 / 2.0 - 0.5;
    let Affine { matrix: [mx, my], shift } = affine;
    for y in 0..height {
        let v = place(y, height);
        for x in 0..width {
            let u = place(x, width);
            let [sx, sy] = [
                pixel(mx[0] * u + mx[1] * v + shift[0], width),
                pixel(my[0] * u + my[1] * v + shift[1], height),
            ];
            let (x0, x1, fx) = neighbours(sx, width);
            let (y0, y1, fy) = neighbours(sy, height);
            let at = |y: usize, x: usize, c: usize| from[(y * width + x) * channels + c];
            for c in 0..channels {
                let upper = at(y0, x0, c) + (at(y0, x1, c) - at(y0, x0, c)) * fx;
                let lower = at(y1, x0, c) + (at(y1, x1, c) - at(y1, x0, c)) * fx;
                to[(y * width + x) * channels + c] = upper + (lower - upper) * fy;
            }
        }
    }
}

/// The pixels on both sides of a place, and how far it is from the first to the second.
fn neighbours(at: f64, len: usize) -> (usize, usize, f32) {
    let floor = at.floor();
    (mirrored(floor, len), mirrored(floor + 1.0, len), (at - floor) as f32)
}

/// The pixel that lies at a whole place, mirrored at the borders: `cba|abc|cba`.
fn mirrored(at: f64, len: usize) -> usize {
    let round = 2 * len;
    let at = at.rem_euclid(round as f64) as usize % round;
    if at < len { at } else { round - 1 - at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_mirror() {
        let all: Vec<usize> = (-4..7).map(|at| mirrored(f64::from(at), 3)).collect();
        assert_eq!(all, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(mirrored(-1e18, 1), 0);
    }

    #[test]
    fn a_quarter_turn_exchanges_sides() {
        for (height, width) in [(4, 4), (6, 6)] {
            let image: Vec<f32> = (0..height * width).map(|i| i as f32).collect();
            let mut turned = vec![0.0; image.len()];
            let affine = Affine { matrix: [[0.0, -1.0], [1.0, 0.0]], shift: [0.0, 0.0] };
            resample(&image, &mut turned, [height, width, 1], &affine);
            for y in 0..height {
                for x in 0..width {
                    let expected = image[x * width + (width - 1 - y)];
                    assert!((turned[y * width + x] - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn a_part_is_where_it_says() {
        // The right half, stretched over the width.
        let image: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let affine = Affine { matrix: [[0.5, 0.0], [0.0, 1.0]], shift: [0.5, 0.0] };
        let mut part = vec![0.0; 8];
        resample(&image, &mut part, [1, 8, 1], &affine);
        assert_eq!(part, [3.75, 4.25, 4.75, 5.25, 5.75, 6.25, 6.75, 7.0]);
    }
}
