//! Resizing for networks. What becomes of the aspect ratio is a [`ResizeMode`](super::ResizeMode): by default it is not
//! kept. How pixels are computed is a [`Resampling`]: plain, as follows, or as `resample.rs` does.
//!
//! Plain is bilinear and bit-identical to `tf.image.resize`. Pixel centres are at half-integers. There is no
//! antialiasing, and the result is not rounded. Output index `i` of an axis is sampled at the input position
//!
//! ```text
//! s = (i + 0.5) * (in / out) - 0.5        lower = max(floor(s), 0)
//! t = s - floor(s)                        upper = min(ceil(s), in - 1)
//! ```
//!
//! and the value is `top + (bottom - top) * ty`, where `top = tl + (tr - tl) * tx` and `bottom`
//! likewise. All is computed in f32 and in this order, since another order rounds differently.

use super::channels::{Channels, Raster, grey};
use super::decode::Rgb8;
use super::resample::resample;
use super::resize_mode::Resampling;
use super::resize_rule::{Axis, BORDER, Resize, no_size};
use crate::error::Result;

/// The source of one output row or column: two input rows or columns, and the interpolation weight.
struct Source {
    lower: usize,
    upper: usize,
    weight: f32,
}

/// The sources of the outputs along an axis of `in_len` inputs.
fn sources(in_len: usize, axis: Axis) -> Vec<Source> {
    let scale = in_len as f32 / axis.resized as f32;
    let source = |i: usize| {
        let position = (i as f32 + 0.5) * scale - 0.5;
        let floor = position.floor();
        // Casts of negative floats saturate at 0, which is the `max` of the rule.
        Source {
            lower: (floor as usize).min(in_len - 1),
            upper: (position.ceil() as usize).min(in_len - 1),
            weight: position - floor,
        }
    };
    (axis.first..axis.first + axis.len).map(source).collect()
}

/// `image` resized: `[height, width, 3]`, `height * width * 3` values in `0.0..=255.0`, rows from the top.
///
/// # Errors
/// If the height or width is 0, or their product overflows.
///
/// ```
/// use nn_core::data::{Rgb8, resize_bilinear};
/// let image = Rgb8::new(1, 2, vec![0, 0, 0, 255, 255, 255])?; // a black and a white pixel
/// let wider = resize_bilinear(&image, 1, 4)?;
/// assert_eq!(wider[..3], [0.0; 3]);
/// assert_eq!(wider[3..6], [63.75; 3]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn resize_bilinear(image: &Rgb8, height: usize, width: usize) -> Result<Vec<f32>> {
    network_input(image, Channels::Rgb, Resize::default(), height, width)
}

/// `image` as a network takes it, in its channels and then resized as `resize` says (a
/// [`ResizeMode`](super::ResizeMode) alone stands for plain interpolation): `[height, width, channels]`, values in `0.0..=255.0`, rows from the top.
///
/// # Errors
/// If the height or width is 0, or their product overflows.
///
/// ```
/// use nn_core::data::{Channels, ResizeMode, Rgb8, network_input};
/// let image = Rgb8::new(1, 2, vec![0, 0, 0, 255, 0, 0])?; // a black and a red pixel
/// assert_eq!(network_input(&image, Channels::Grey, ResizeMode::Squash, 1, 2)?, [0.0, 76.0]);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub fn network_input(
    image: &Rgb8,
    channels: Channels,
    resize: impl Into<Resize>,
    height: usize,
    width: usize,
) -> Result<Vec<f32>> {
    let (from, to) = ((image.height(), image.width()), (height, width));
    let (mut out, resize) = (output(channels, height, width)?, resize.into());
    match channels {
        Channels::Rgb => resize_values::<3>(image.pixels(), from, resize, &mut out, to),
        Channels::Grey => resize_values::<1>(&grey(image), from, resize, &mut out, to),
    }
    Ok(out)
}

/// Room for an image of this size.
fn output(channels: Channels, height: usize, width: usize) -> Result<Vec<f32>> {
    let len = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels.count()));
    match len.filter(|&len| len > 0) {
        Some(len) => Ok(vec![0.0; len]),
        None => Err(no_size(height, width)),
    }
}

/// `image` resized into `out`, which must have `height * width * channels` elements, at least one.
pub(super) fn resize_into(
    image: &Raster,
    resize: Resize,
    out: &mut [f32],
    height: usize,
    width: usize,
) {
    let (from, to) = ((image.height, image.width), (height, width));
    match image.channels {
        Channels::Rgb => resize_values::<3>(&image.values, from, resize, out, to),
        Channels::Grey => resize_values::<1>(&image.values, from, resize, out, to),
    }
}

/// Resizes `values`, `[from.0, from.1, CHANNELS]`, into `out`, `[to.0, to.1, CHANNELS]`.
fn resize_values<const CHANNELS: usize>(
    values: &[u8],
    from: (usize, usize),
    resize: Resize,
    out: &mut [f32],
    to: (usize, usize),
) {
    debug_assert_eq!(out.len(), to.0 * to.1 * CHANNELS);
    let axes @ [vertical, horizontal] = resize.axes(from, to);
    if vertical.len < to.0 || horizontal.len < to.1 {
        out.fill(f32::from(BORDER));
    }
    if resize.resampling != Resampling::Plain {
        return resample::<CHANNELS>(values, from, axes, resize.resampling, out, to.1);
    }
    let stride = from.1 * CHANNELS;
    let columns: Vec<Source> = sources(from.1, horizontal)
        .into_iter()
        .map(|s| Source { lower: s.lower * CHANNELS, upper: s.upper * CHANNELS, ..s })
        .collect();
    let rows = sources(from.0, vertical);
    let out_rows = out.chunks_exact_mut(to.1 * CHANNELS).skip(vertical.before);
    for (out_row, row) in out_rows.zip(&rows) {
        let out_row = &mut out_row[horizontal.before * CHANNELS..];
        let top = &values[row.lower * stride..][..stride];
        let bottom = &values[row.upper * stride..][..stride];
        for (pixel, column) in out_row.chunks_exact_mut(CHANNELS).zip(&columns) {
            let (left, right) = (column.lower, column.upper);
            let corners = [
                &top[left..left + CHANNELS],
                &top[right..right + CHANNELS],
                &bottom[left..left + CHANNELS],
                &bottom[right..right + CHANNELS],
            ];
            for (c, value) in pixel.iter_mut().enumerate() {
                let [tl, tr, bl, br] = corners.map(|corner| f32::from(corner[c]));
                let top = tl + (tr - tl) * column.weight;
                let bottom = bl + (br - bl) * column.weight;
                *value = top + (bottom - top) * row.weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ResizeMode;
    use super::*;

    /// The image of the fixtures; see their script.
    fn formula(height: usize, width: usize) -> Rgb8 {
        let pixel = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
        Rgb8::new(height, width, (0..height * width * 3).map(pixel).collect()).unwrap()
    }

    fn hash(values: &[f32]) -> String {
        let start = 14_695_981_039_346_656_037_u64;
        let step = |h: u64, v: &f32| (h ^ u64::from(v.to_bits())).wrapping_mul(1_099_511_628_211);
        format!("{:016x}", values.iter().fold(start, step))
    }

    #[test]
    fn grey_is_taken_before_the_image_is_resized() {
        // Two pixels of luma 29 and 76: their mean is 52.5, while the luma of the mean colour is 53.
        let image = Rgb8::new(1, 2, vec![0, 0, 255, 255, 0, 0]).unwrap();
        assert_eq!(
            network_input(&image, Channels::Grey, ResizeMode::Squash, 1, 1).unwrap(),
            [52.5]
        );
        let image = formula(7, 5);
        let grey = Raster::of(image.clone(), Channels::Grey);
        let alike = grey.values.iter().flat_map(|&value| [value; 3]).collect();
        let alike = resize_bilinear(&Rgb8::new(7, 5, alike).unwrap(), 9, 4).unwrap();
        let one: Vec<f32> = alike.chunks_exact(3).map(|pixel| pixel[0]).collect();
        assert_eq!(network_input(&image, Channels::Grey, ResizeMode::Squash, 9, 4).unwrap(), one);
    }

    #[test]
    fn agrees_with_tensorflow_bit_for_bit() {
        let fixtures = include_str!("../../../tests/fixtures/resize/cases.json");
        let fixtures: serde_json::Value = serde_json::from_str(fixtures).unwrap();
        let cases = fixtures["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 16);
        for case in cases {
            let size = |key: &str| [0, 1].map(|i| case[key][i].as_u64().unwrap() as usize);
            let ([in_h, in_w], [out_h, out_w]) = (size("input"), size("output"));
            let out = resize_bilinear(&formula(in_h, in_w), out_h, out_w).unwrap();
            if let Some(bits) = case["bits"].as_array() {
                assert_eq!(bits.len(), out.len());
                for (i, (expected, value)) in bits.iter().zip(&out).enumerate() {
                    let expected = f32::from_bits(expected.as_u64().unwrap() as u32);
                    assert_eq!(expected.to_bits(), value.to_bits(), "{i} of {case}: {value}");
                }
            }
            assert_eq!(
                hash(&out),
                case["hash"].as_str().unwrap(),
                "{in_h}x{in_w}, {out_h}x{out_w}"
            );
        }
    }

    #[test]
    fn agrees_with_pillow_bit_for_bit() {
        let fixtures = include_str!("../../../tests/fixtures/resize/pillow.json");
        let fixtures: serde_json::Value = serde_json::from_str(fixtures).unwrap();
        let cases = fixtures.as_array().unwrap();
        assert_eq!(cases.len(), 42);
        for case in cases {
            let size = |key: &str| [0, 1].map(|i| case[key][i].as_u64().unwrap() as usize);
            let ([in_h, in_w], [out_h, out_w]) = (size("input"), size("output"));
            let resize: Resize = case["resize"].as_str().unwrap().parse().unwrap();
            let channels: Channels = case["channels"].as_str().unwrap().parse().unwrap();
            let out = network_input(&formula(in_h, in_w), channels, resize, out_h, out_w).unwrap();
            if let Some(levels) = case["levels"].as_array() {
                let levels = levels.iter().map(|level| level.as_u64().unwrap() as f32);
                assert_eq!(out, levels.collect::<Vec<_>>(), "{case}");
            }
            assert_eq!(hash(&out), case["hash"].as_str().unwrap(), "{case}");
        }
    }

    /// The formulas of the module's documentation, pixel by pixel, without tables.
    fn transcription(image: &Rgb8, height: usize, width: usize) -> Vec<f32> {
        let at = |y: f32, x: f32, c: usize| {
            let y = y.clamp(0.0, (image.height() - 1) as f32) as usize;
            let x = x.clamp(0.0, (image.width() - 1) as f32) as usize;
            f32::from(image.pixels()[(y * image.width() + x) * 3 + c])
        };
        let mut out = Vec::new();
        for i in 0..height {
            let y = (i as f32 + 0.5) * (image.height() as f32 / height as f32) - 0.5;
            for j in 0..width {
                let x = (j as f32 + 0.5) * (image.width() as f32 / width as f32) - 0.5;
                let (tx, ty) = (x - x.floor(), y - y.floor());
                for c in 0..3 {
                    let (tl, tr) = (at(y.floor(), x.floor(), c), at(y.floor(), x.ceil(), c));
                    let (bl, br) = (at(y.ceil(), x.floor(), c), at(y.ceil(), x.ceil(), c));
                    let (top, bottom) = (tl + (tr - tl) * tx, bl + (br - bl) * tx);
                    out.push(top + (bottom - top) * ty);
                }
            }
        }
        out
    }

    #[test]
    fn agrees_with_the_rule_bit_for_bit() {
        for (in_h, in_w, h, w) in [(1, 1, 3, 2), (2, 3, 5, 7), (17, 31, 8, 8), (6, 4, 6, 4)] {
            let image = formula(in_h, in_w);
            assert_eq!(resize_bilinear(&image, h, w).unwrap(), transcription(&image, h, w));
        }
    }

    #[test]
    fn a_crop_is_the_middle_of_the_resized_image() {
        for (in_h, in_w, h, w) in [(17, 31, 14, 14), (9, 6, 21, 14), (5, 5, 7, 7)] {
            let image = formula(in_h, in_w);
            let [vertical, horizontal] = Resize::from(ResizeMode::Crop).axes((in_h, in_w), (h, w));
            let whole = transcription(&image, vertical.resized, horizontal.resized);
            let row = |y: usize| {
                let first = 3 * ((vertical.first + y) * horizontal.resized + horizontal.first);
                &whole[first..first + 3 * w]
            };
            let expected: Vec<f32> = (0..h).flat_map(row).copied().collect();
            let cropped = network_input(&image, Channels::Rgb, ResizeMode::Crop, h, w).unwrap();
            assert_eq!(cropped, expected, "{in_h} x {in_w} to {h} x {w}");
        }
    }

    #[test]
    fn a_letterbox_is_the_resized_image_between_borders() {
        for (in_h, in_w, h, w) in [(17, 31, 12, 14), (31, 17, 12, 14), (5, 5, 7, 7), (1, 9, 4, 4)] {
            let image = formula(in_h, in_w);
            let [vertical, horizontal] =
                Resize::from(ResizeMode::Letterbox).axes((in_h, in_w), (h, w));
            let inner = transcription(&image, vertical.len, horizontal.len);
            let boxed = network_input(&image, Channels::Rgb, ResizeMode::Letterbox, h, w).unwrap();
            for (i, &value) in boxed.iter().enumerate() {
                let (y, x, c) = (i / 3 / w, i / 3 % w, i % 3);
                let (y, x) = (y.wrapping_sub(vertical.before), x.wrapping_sub(horizontal.before));
                let expected = match y < vertical.len && x < horizontal.len {
                    true => inner[(y * horizontal.len + x) * 3 + c],
                    false => 114.0,
                };
                assert_eq!(value, expected, "{i} of {in_h} x {in_w} to {h} x {w}");
            }
        }
    }

    #[test]
    fn an_equal_size_changes_nothing() {
        let image = formula(5, 9);
        let same: Vec<f32> = image.pixels().iter().map(|&p| f32::from(p)).collect();
        assert_eq!(resize_bilinear(&image, 5, 9).unwrap(), same);
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for (height, width) in [(0, 4), (4, 0), (usize::MAX, 2)] {
            let message = resize_bilinear(&formula(2, 2), height, width).unwrap_err().to_string();
            assert!(message.contains("image size must be"), "{message}");
        }
    }
}
