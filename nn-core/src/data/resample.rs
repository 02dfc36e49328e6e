//! Antialiased resizing, bit-identical to Pillow's (and so to torchvision's of Pillow's images).
//!
//! An output pixel is a weighted mean of all input pixels under a filter, which is as much wider than the output's
//! pixels are apart as the image shrinks. First along rows, then along columns; both give whole grey levels. Weights
//! add up to 1 and are rounded to multiples of 2^-22, sums to the nearest level.

use super::resize_mode::Resampling;
use super::resize_rule::Axis;

/// The bits of a weight behind the point.
const BITS: u32 = 22;

/// The input pixels that an output pixel is made of.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// The distance from its middle at which a filter ends, in pixels of the image that is not shrunk.
fn support(resampling: Resampling) -> f64 {
    match resampling {
        Resampling::Bicubic => 2.0,
        _ => 1.0,
    }
}

/// The filter at this distance: a triangle, or the cubic convolution of Keys (1981) with a = -1/2.
fn filter(resampling: Resampling, distance: f64) -> f64 {
    const A: f64 = -0.5;
    let x = distance.abs();
    match resampling {
        Resampling::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        Resampling::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        Resampling::Bicubic => 0.0,
        _ => (1.0 - x).max(0.0),
    }
}

/// The windows of the outputs along an axis of `in_len` inputs.
fn windows(in_len: usize, axis: Axis, resampling: Resampling) -> Vec<Window> {
    let scale = in_len as f64 / axis.resized as f64;
    let stretch = scale.max(1.0);
    let reach = support(resampling) * stretch;
    let window = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        // Casts saturate at 0.
        let first = (centre - reach + 0.5) as usize;
        let end = ((centre + reach + 0.5) as usize).min(in_len);
        let weight = |x: usize| filter(resampling, (x as f64 - centre + 0.5) * stretch.recip());
        let weights: Vec<f64> = (first..end).map(weight).collect();
        // In order: another rounds differently.
        let sum: f64 = weights.iter().fold(0.0, |sum, weight| sum + weight);
        let fixed = |weight: &f64| (weight / sum * f64::from(1 << BITS)).round() as i32;
        Window { first, weights: weights.iter().map(fixed).collect() }
    };
    (axis.first..axis.first + axis.len).map(window).collect()
}

/// A grey level from a sum of pixels times weights.
fn level(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// What a sum starts with, so that it is rounded.
const HALF: i32 = 1 << (BITS - 1);

/// Resizes `values`, `[from.0, from.1, CHANNELS]`, into the part of `out`, `[any, row, CHANNELS]`, that the axes, the
/// vertical one first, say.
pub(super) fn resample<const CHANNELS: usize>(
    values: &[u8],
    from: (usize, usize),
    axes: [Axis; 2],
    resampling: Resampling,
    out: &mut [f32],
    row: usize,
) {
    let [vertical, horizontal] = axes;
    let [rows, columns] = [(from.0, vertical), (from.1, horizontal)]
        .map(|(len, axis)| windows(len, axis, resampling));
    let end = |window: &Window| window.first + window.weights.len();
    // Rows that no output looks at are left out.
    let first = rows.iter().map(|window| window.first).min().unwrap_or(0);
    let last = rows.iter().map(end).max().unwrap_or(0);
    let narrow_row = horizontal.len * CHANNELS;
    let mut narrow = vec![0; (last - first) * narrow_row];
    for (out, row) in narrow.chunks_exact_mut(narrow_row).zip(first..last) {
        let values = &values[row * from.1 * CHANNELS..][..from.1 * CHANNELS];
        for (pixel, window) in out.chunks_exact_mut(CHANNELS).zip(&columns) {
            let mut sums = [HALF; CHANNELS];
            let seen = values[window.first * CHANNELS..].chunks_exact(CHANNELS);
            for (value, weight) in seen.zip(&window.weights) {
                for (sum, value) in sums.iter_mut().zip(value) {
                    *sum += i32::from(*value) * weight;
                }
            }
            pixel.iter_mut().zip(sums).for_each(|(pixel, sum)| *pixel = level(sum));
        }
    }
    let mut sums = vec![HALF; narrow_row];
    let out = out.chunks_exact_mut(row * CHANNELS).skip(vertical.before);
    for (out, window) in out.zip(&rows) {
        sums.fill(HALF);
        let seen = narrow[(window.first - first) * narrow_row..].chunks_exact(narrow_row);
        for (values, weight) in seen.zip(&window.weights) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += i32::from(*value) * weight;
            }
        }
        let out = &mut out[horizontal.before * CHANNELS..];
        out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = f32::from(level(*sum)));
    }
}
