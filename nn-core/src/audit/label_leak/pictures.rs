//! Small grey pictures resized to one size, and their statistics per pixel.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::in_parallel;
use crate::audit::luma::Luma;
use crate::kernels::multiversion::{Multiversion, multiversion};
use std::collections::HashMap;

/// Local differences are clamped to this many grey levels.
const MOST_DIFFERENCE: f32 = 60.0;
/// The radius of the neighbourhood of a pixel.
const AROUND: usize = 2;
/// The minimum share of a picture that one grey level must cover to count as a plain background.
const GROUND_SHARE: f64 = 0.2;

/// Small pictures of one size.
pub struct Pictures {
    /// The width.
    pub width: usize,
    /// The number of pixels of a picture.
    pub places: usize,
    /// Grey levels, `[pictures, places]`.
    grey: Vec<u8>,
    /// Local differences (pixel minus the mean of its neighbourhood), `[pictures, places]`.
    local: Vec<i8>,
    /// The grey level of the plain background of each picture, if it has one.
    pub ground: Vec<Option<i32>>,
}

impl Pictures {
    /// Resizes all pictures to the most common size.
    pub fn new(pictures: &[Luma]) -> Self {
        let mut sizes: HashMap<(usize, usize), usize> = HashMap::new();
        pictures.iter().for_each(|p| *sizes.entry((p.width, p.height)).or_default() += 1);
        let common = sizes.into_iter().max_by_key(|&(size, count)| (count, size));
        let (width, height) = common.map_or((1, 1), |(size, _)| size);
        let places = width * height;
        let each = in_parallel(pictures.len(), |i| {
            let fitted = fitted(&pictures[i], width, height);
            let grey: Vec<u8> = fitted.pixels.iter().map(|&v| v as u8).collect();
            (grey, local(&fitted), ground(&fitted))
        });
        let mut all =
            Self { width, places, grey: Vec::new(), local: Vec::new(), ground: Vec::new() };
        for (grey, local, ground) in each {
            all.grey.extend(grey);
            all.local.extend(local);
            all.ground.push(ground);
        }
        all
    }

    /// The grey levels of a picture.
    pub fn grey(&self, i: usize) -> &[u8] {
        &self.grey[i * self.places..][..self.places]
    }

    /// The local differences of a picture.
    pub fn local(&self, i: usize) -> &[i8] {
        &self.local[i * self.places..][..self.places]
    }

    /// The sum of a picture's local differences times `pattern`.
    pub fn product(&self, i: usize, pattern: &[f32]) -> f64 {
        multiversion(Products { local: self.local(i), pattern, squared: false })
    }

    /// The sum of the squares of a picture's local differences times `weights`.
    pub fn squares(&self, i: usize, weights: &[f32]) -> f64 {
        multiversion(Products { local: self.local(i), pattern: weights, squared: true })
    }

    /// The sums over some pictures.
    pub fn sums(&self, of: &[usize]) -> PlaceSums {
        let grey = self.sums_of(of, |i| self.grey(i));
        PlaceSums { n: of.len() as f64, grey, local: self.sums_of(of, |i| self.local(i)) }
    }

    fn sums_of<'a, T: Copy + Into<f32> + 'a>(
        &'a self,
        of: &[usize],
        values: impl Fn(usize) -> &'a [T],
    ) -> [Vec<f32>; 2] {
        let mut sums = [0, 1].map(|_| vec![0.0_f32; self.places]);
        for &i in of {
            multiversion(AddTo { sums: &mut sums, values: values(i) });
        }
        sums
    }
}

/// Adds values, and their squares, to sums.
struct AddTo<'a, T> {
    sums: &'a mut [Vec<f32>; 2],
    values: &'a [T],
}

impl<T: Copy + Into<f32>> Multiversion for AddTo<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [sums, squares] = self.sums;
        for ((&value, sum), square) in self.values.iter().zip(sums).zip(squares) {
            let value: f32 = value.into();
            *sum += value;
            *square += value * value;
        }
    }
}

/// Computes the sum of local differences, or of their squares, times a pattern.
struct Products<'a> {
    local: &'a [i8],
    pattern: &'a [f32],
    squared: bool,
}

impl Multiversion for Products<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        const LANES: usize = 16;
        let mut sums = [0.0_f32; LANES];
        for (local, pattern) in self.local.chunks(LANES).zip(self.pattern.chunks(LANES)) {
            for lane in 0..local.len() {
                let value = f32::from(local[lane]);
                sums[lane] += pattern[lane] * if self.squared { value * value } else { value };
            }
        }
        sums.iter().map(|&sum| f64::from(sum)).sum()
    }
}

/// Sums of values and of their squares, per pixel.
pub struct PlaceSums {
    /// The number of pictures.
    pub n: f64,
    /// The sums for grey levels.
    pub grey: [Vec<f32>; 2],
    /// The sums for local differences.
    pub local: [Vec<f32>; 2],
}

impl PlaceSums {
    /// Mean and variance of the grey level at a pixel.
    pub fn grey_at(&self, place: usize) -> (f64, f64) {
        moments(self.n, [0, 1].map(|i: usize| f64::from(self.grey[i][place])))
    }

    /// Mean and variance of the local difference at a pixel.
    pub fn local_at(&self, place: usize) -> (f64, f64) {
        moments(self.n, [0, 1].map(|i: usize| f64::from(self.local[i][place])))
    }

    /// The sums without some of the pictures.
    pub fn without(&self, some: &Self) -> Self {
        let difference = |all: &[Vec<f32>; 2], some: &[Vec<f32>; 2]| {
            [0, 1].map(|i: usize| all[i].iter().zip(&some[i]).map(|(a, b)| a - b).collect())
        };
        Self {
            n: self.n - some.n,
            grey: difference(&self.grey, &some.grey),
            local: difference(&self.local, &some.local),
        }
    }
}

/// Mean and variance.
fn moments(n: f64, [sum, squares]: [f64; 2]) -> (f64, f64) {
    let mean = sum / n.max(1.0);
    (mean, (squares / n.max(1.0) - mean * mean).max(0.0))
}

/// `picture` resized by nearest-neighbour sampling.
fn fitted(picture: &Luma, width: usize, height: usize) -> Luma {
    if (picture.width, picture.height) == (width, height) {
        return picture.clone();
    }
    let mut fitted = Luma::zeros(width, height);
    for y in 0..height {
        let row = (2 * y + 1) * picture.height / (2 * height) * picture.width;
        for x in 0..width {
            let from = row + (2 * x + 1) * picture.width / (2 * width);
            fitted.pixels[y * width + x] = picture.pixels[from];
        }
    }
    fitted
}

/// Each pixel minus the mean of its neighbourhood.
fn local(picture: &Luma) -> Vec<i8> {
    multiversion(Local(picture))
}

struct Local<'a>(&'a Luma);

impl Multiversion for Local<'_> {
    type Output = Vec<i8>;

    #[inline(always)]
    fn run(self) -> Vec<i8> {
        let Luma { width, height, ref pixels } = *self.0;
        let mut local = vec![0; width * height];
        // Sums over the rows of the neighbourhood, with a margin on either side.
        let mut sums = vec![0.0_f32; width + 2 * AROUND];
        for (y, local) in local.chunks_exact_mut(width).enumerate() {
            let (from, to) = (y.saturating_sub(AROUND), (y + AROUND + 1).min(height));
            sums.fill(0.0);
            for row in pixels[from * width..to * width].chunks_exact(width) {
                for (sum, value) in sums[AROUND..].iter_mut().zip(row) {
                    *sum += value;
                }
            }
            let row = &pixels[y * width..][..width];
            for x in 0..width {
                let mut sum = 0.0;
                for beside in 0..2 * AROUND + 1 {
                    sum += sums[x + beside];
                }
                let columns = (x + AROUND + 1).min(width) - x.saturating_sub(AROUND);
                let difference = row[x] - sum / ((to - from) * columns) as f32;
                local[x] = difference.clamp(-MOST_DIFFERENCE, MOST_DIFFERENCE).round() as i8;
            }
        }
        local
    }
}

/// The grey level that covers much of a picture, if any.
fn ground(picture: &Luma) -> Option<i32> {
    let mut histogram = [0_usize; 256];
    picture.pixels.iter().for_each(|&v| histogram[v as usize & 255] += 1);
    let near = |v: usize| histogram[v.saturating_sub(2)..(v + 3).min(256)].iter().sum::<usize>();
    let most = (0..256).max_by_key(|&v| near(v))?;
    (near(most) as f64 >= GROUND_SHARE * picture.pixels.len() as f64).then_some(most as i32)
}
