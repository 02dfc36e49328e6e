//! A grey picture: bilinear interpolation, halving, Gaussian blur.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use crate::kernels::multiversion::{Multiversion, multiversion};

/// The largest blur of one pass, in pixels.
pub const MOST_BLUR: f32 = 2.6;

/// A grey picture, `[height, width]`, values from 0 to 255, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Luma {
    /// The width.
    pub width: usize,
    /// The height.
    pub height: usize,
    /// `height * width` values.
    pub pixels: Vec<f32>,
}

impl Luma {
    /// Width and height.
    pub fn size(&self) -> (f32, f32) {
        (self.width as f32, self.height as f32)
    }

    /// A black picture.
    pub fn zeros(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0.0; width * height] }
    }

    /// The picture at half the width and height, each pixel the mean of four.
    pub fn half(&self) -> Self {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        let mut half = Self::zeros(width, height);
        for y in 0..height {
            let top = &self.pixels[2 * y * self.width..][..self.width];
            let bottom =
                &self.pixels[(2 * y + 1).min(self.height - 1) * self.width..][..self.width];
            for x in 0..width {
                let (left, right) = (2 * x, (2 * x + 1).min(self.width - 1));
                half.pixels[y * width + x] =
                    0.25 * (top[left] + top[right] + bottom[left] + bottom[right]);
            }
        }
        half
    }

    /// The picture blurred by a Gaussian of standard deviation `sigma` pixels, up to [`MOST_BLUR`];
    /// borders are extended.
    pub fn blurred(&self, sigma: f32) -> Self {
        self.blurred_by_every(1, sigma)
    }

    /// The same, sampled at every `step`-th pixel, which suffices for a picture that is already
    /// blurred by about `step` pixels.
    pub fn blurred_by_every(&self, step: usize, sigma: f32) -> Self {
        let sigma = sigma / step as f32;
        let reach = ((REACH * sigma).ceil().max(1.0) as usize).min(MOST_TAPS - 1);
        let mut taps: Vec<f32> =
            (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
        let sum = 2.0 * taps.iter().sum::<f32>() - taps[0];
        taps.iter_mut().for_each(|tap| *tap /= sum);
        multiversion(Blur { picture: self, taps: &taps, step })
    }
}

/// Bilinear interpolation at `N` positions: the four pixels around each.
pub struct Bilinear<const N: usize> {
    /// The index of the upper left pixel.
    corner: [u32; N],
    /// The horizontal interpolation weight, 0 to 1.
    x: [f32; N],
    /// The vertical interpolation weight.
    y: [f32; N],
}

impl<const N: usize> Bilinear<N> {
    /// For the positions `(x, y)`, clamped to `picture`, which must have at least two rows and columns.
    #[inline(always)]
    pub fn around(picture: &Luma, x: &[f32; N], y: &[f32; N]) -> Self {
        let mut places = Self { corner: [0; N], x: [0.0; N], y: [0.0; N] };
        for i in 0..N {
            let (x, left) = within(x[i], picture.width);
            let (y, top) = within(y[i], picture.height);
            places.corner[i] = integer(top * picture.width as f32 + left);
            (places.x[i], places.y[i]) = (x - left, y - top);
        }
        places
    }

    /// The pixels around position `i`: the upper two, then the lower two.
    #[inline(always)]
    fn corners(&self, picture: &Luma, i: usize) -> [f32; 4] {
        let width = picture.width;
        let pixels = &picture.pixels[self.corner[i] as usize..][..width + 2];
        [pixels[0], pixels[1], pixels[width], pixels[width + 1]]
    }

    /// The interpolated values at the positions.
    #[inline(always)]
    pub fn mixed(&self, picture: &Luma) -> [f32; N] {
        let mut corners = [[0.0; N]; 4];
        for i in 0..N {
            let found = self.corners(picture, i);
            for corner in 0..4 {
                corners[corner][i] = found[corner];
            }
        }
        let mut mixed = [0.0; N];
        for i in 0..N {
            let corners = [corners[0][i], corners[1][i], corners[2][i], corners[3][i]];
            mixed[i] = mixed_with_slopes(corners, self.x[i], self.y[i]).0;
        }
        mixed
    }

    /// The interpolated value at position `i`, and its gradient (right, down).
    #[inline(always)]
    pub fn mixed_with_slopes(&self, picture: &Luma, i: usize) -> (f32, f32, f32) {
        mixed_with_slopes(self.corners(picture, i), self.x[i], self.y[i])
    }
}

/// The value interpolated between four pixels, and its gradient (right, down).
#[inline(always)]
fn mixed_with_slopes(corners: [f32; 4], x: f32, y: f32) -> (f32, f32, f32) {
    let (upper_step, lower_step) = (corners[1] - corners[0], corners[3] - corners[2]);
    let (upper, lower) = (corners[0] + upper_step * x, corners[2] + lower_step * x);
    (upper + (lower - upper) * y, upper_step + (lower_step - upper_step) * y, lower - upper)
}

/// `place` clamped to a row of `len` pixels, and the pixel before it, which is never the last one.
#[inline(always)]
fn within(place: f32, len: usize) -> (f32, f32) {
    let (last, last_before) = ((len - 1) as f32, (len - 2) as f32);
    let place = if place > 0.0 { place } else { 0.0 };
    let place = if place < last { place } else { last };
    let before = place.floor();
    (place, if before < last_before { before } else { last_before })
}

/// Converts a whole number from 0 to 2^23 to an integer. An `as` cast would saturate, which
/// prevents vectorisation.
#[inline(always)]
pub fn integer(whole: f32) -> u32 {
    const UNITS: f32 = 8_388_608.0; // from here on, the last bit of the mantissa counts ones
    (whole + UNITS).to_bits() - UNITS.to_bits()
}

/// The radius of the Gaussian kernel, in standard deviations.
const REACH: f32 = 2.6;

/// A separable symmetric filter: along columns, then along rows.
struct Blur<'a> {
    picture: &'a Luma,
    /// The weights from the centre outwards, `step` pixels apart.
    taps: &'a [f32],
    step: usize,
}

impl Multiversion for Blur<'_> {
    type Output = Luma;

    #[inline(always)]
    fn run(self) -> Luma {
        let Luma { width, height, ref pixels } = *self.picture;
        let radius = (self.taps.len() - 1) * self.step;
        let mut blurred = Luma::zeros(width, height);
        let mut line = vec![0.0_f32; width + 2 * radius];
        let row = |y: usize| &pixels[y * width..][..width];
        for (y, out) in blurred.pixels.chunks_exact_mut(width).enumerate() {
            let mut pairs = [(row(y), row(y)); MOST_TAPS];
            for (i, pair) in pairs.iter_mut().enumerate().take(self.taps.len()) {
                let d = i * self.step;
                *pair = (row(y.saturating_sub(d)), row((y + d).min(height - 1)));
            }
            let (_, middle) = line.split_at_mut(radius);
            weighted(&mut middle[..width], self.taps, &pairs);
            let (first, last) = (line[radius], line[radius + width - 1]);
            line[..radius].fill(first);
            line[radius + width..].fill(last);
            let mut pairs = [(&line[radius..], &line[radius..]); MOST_TAPS];
            for (i, pair) in pairs.iter_mut().enumerate().take(self.taps.len()) {
                let d = i * self.step;
                *pair = (&line[radius - d..], &line[radius + d..]);
            }
            weighted(out, self.taps, &pairs);
        }
        blurred
    }
}

/// The maximum number of taps of a filter, from the centre outwards.
const MOST_TAPS: usize = 8;
/// The number of taps that are summed before the result is stored.
const AT_ONCE: usize = 5;

/// `out` becomes the first of `pairs` times the first tap, plus the sum of each further pair times its tap.
#[inline(always)]
fn weighted(out: &mut [f32], taps: &[f32], pairs: &[(&[f32], &[f32]); MOST_TAPS]) {
    let len = out.len();
    // Missing taps are 0.
    let mut first = [0.0; AT_ONCE];
    for (first, tap) in first.iter_mut().zip(taps) {
        *first = *tap;
    }
    let [(m, _), (a, b), (c, d), (e, f), (g, h), ..] = *pairs;
    let m = &m[..len];
    let (a, b, c, d) = (&a[..len], &b[..len], &c[..len], &d[..len]);
    let (e, f, g, h) = (&e[..len], &f[..len], &g[..len], &h[..len]);
    for i in 0..len {
        out[i] = first[0] * m[i]
            + first[1] * (a[i] + b[i])
            + first[2] * (c[i] + d[i])
            + first[3] * (e[i] + f[i])
            + first[4] * (g[i] + h[i]);
    }
    for i in AT_ONCE..taps.len().min(MOST_TAPS) {
        add_pair(out, taps[i], pairs[i]);
    }
}

#[inline(always)]
fn add_pair(out: &mut [f32], tap: f32, (one, other): (&[f32], &[f32])) {
    let (one, other) = (&one[..out.len()], &other[..out.len()]);
    for i in 0..out.len() {
        out[i] += tap * (one[i] + other[i]);
    }
}
