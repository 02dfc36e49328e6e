//! A grey picture, and what is done with it: read between pixels, halved, blurred.

#![allow(clippy::needless_range_loop)] // hot loops count, as in `kernels/simd.rs`

use crate::kernels::widest::{Loops, widest};

/// A grey picture, values from 0 to 255, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Luma {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width` values.
    pub pixels: Vec<f32>,
}

impl Luma {
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

    /// The value between pixels, whose centres lie at whole numbers; beyond the border, that of the
    /// border.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (tx, ty) = (x - left as f32, y - top as f32);
        let right = (left + 1).min(self.width - 1);
        let bottom = (top + 1).min(self.height - 1);
        let (top, bottom) = (top * self.width, bottom * self.width);
        let pixel = |i: usize| self.pixels[i];
        let upper = pixel(top + left) + (pixel(top + right) - pixel(top + left)) * tx;
        let lower = pixel(bottom + left) + (pixel(bottom + right) - pixel(bottom + left)) * tx;
        upper + (lower - upper) * ty
    }

    /// Blurred by a Gaussian of standard deviation `sigma` pixels; borders are continued.
    pub fn blurred(&self, sigma: f32) -> Self {
        self.blurred_by_every(1, sigma)
    }

    /// The same, from every `step`-th pixel around, which suffices where the picture is smooth: where
    /// it has been blurred by about as many pixels before.
    pub fn blurred_by_every(&self, step: usize, sigma: f32) -> Self {
        let sigma = sigma / step as f32;
        let reach = (REACH * sigma).ceil().max(1.0) as usize;
        let mut taps: Vec<f32> =
            (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
        let sum = 2.0 * taps.iter().sum::<f32>() - taps[0];
        taps.iter_mut().for_each(|tap| *tap /= sum);
        widest(Blur { picture: self, taps: &taps, step })
    }
}

/// Standard deviations after which a Gaussian ends.
const REACH: f32 = 2.6;

/// A symmetric filter along rows, then along columns.
struct Blur<'a> {
    picture: &'a Luma,
    /// The weights from the middle outwards, `step` pixels apart.
    taps: &'a [f32],
    step: usize,
}

/// Pixels of a row that are summed at once.
const LANES: usize = 16;

impl Loops for Blur<'_> {
    type Output = Luma;

    #[inline(always)]
    fn run(self) -> Luma {
        let (width, height) = (self.picture.width, self.picture.height);
        let (reach, step) = (self.taps.len() - 1, self.step);
        let radius = reach * step;
        let stride = width.next_multiple_of(LANES);
        let mut across = vec![0.0_f32; stride * height];
        let mut padded = vec![0.0_f32; stride + 2 * radius];
        for y in 0..height {
            let row = &self.picture.pixels[y * width..][..width];
            padded[..radius].fill(row[0]);
            padded[radius..radius + width].copy_from_slice(row);
            padded[radius + width..].fill(row[width - 1]);
            for x in (0..stride).step_by(LANES) {
                let mut sums = scaled(self.taps[0], &padded[x + radius..]);
                for i in 1..=reach {
                    let d = i * step;
                    let (left, right) = (&padded[x + radius - d..], &padded[x + radius + d..]);
                    add_pair(&mut sums, self.taps[i], left, right);
                }
                across[y * stride + x..][..LANES].copy_from_slice(&sums);
            }
        }
        let mut blurred = Luma::zeros(width, height);
        for y in 0..height {
            for x in (0..stride).step_by(LANES) {
                let mut sums = scaled(self.taps[0], &across[y * stride + x..]);
                for i in 1..=reach {
                    let d = i * step;
                    let (above, below) = (y.saturating_sub(d), (y + d).min(height - 1));
                    let (above, below) =
                        (&across[above * stride + x..], &across[below * stride + x..]);
                    add_pair(&mut sums, self.taps[i], above, below);
                }
                let len = LANES.min(width - x);
                blurred.pixels[y * width + x..][..len].copy_from_slice(&sums[..len]);
            }
        }
        blurred
    }
}

#[inline(always)]
fn scaled(tap: f32, values: &[f32]) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    let values = &values[..LANES];
    for i in 0..LANES {
        sums[i] = tap * values[i];
    }
    sums
}

#[inline(always)]
fn add_pair(sums: &mut [f32; LANES], tap: f32, one: &[f32], other: &[f32]) {
    let (one, other) = (&one[..LANES], &other[..LANES]);
    for i in 0..LANES {
        sums[i] += tap * (one[i] + other[i]);
    }
}
