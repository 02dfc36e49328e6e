//! Cheap statistics of the pixels: colours, sharpness, border and corners.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::super::shrink::Small;
use super::frame::frame;
use super::grey;
use crate::data::Rgb8;
use crate::kernels::multiversion::{Multiversion, multiversion};

/// The width of the ring along the border, as a share of the shorter side.
const RING: f64 = 0.05;
/// The number of rows that sharpness is measured in.
const ROWS: usize = 48;
/// The number of pixels per row that sharpness is measured in.
const COLUMNS: usize = 1_024;
/// The sides of the squares in the corners, in pixels of the original image.
pub const CORNERS: [usize; 3] = [1, 4, 16];

/// The upper left, upper right, lower left and lower right corner.
pub const CORNER_NAMES: [&str; 4] = ["upper left", "upper right", "lower left", "lower right"];

/// Statistics of the pixels, in grey levels unless stated otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tones {
    /// Mean red, green and blue.
    pub mean: [f64; 3],
    /// Median red, green and blue of the border ring, then the interquartile range of each.
    pub ring: [f64; 6],
    /// The mean saturation: the difference between the strongest and the weakest channel of a pixel.
    pub saturation: f64,
    /// The standard deviation of the grey levels.
    pub contrast: f64,
    /// The first percentile of red, green and blue of the small picture.
    pub darkest: [f64; 3],
    /// The 99th percentile, likewise.
    pub brightest: [f64; 3],
    /// The ratio of squared second differences along rows to squared first differences: 0 for
    /// smooth shades, 3 for noise.
    pub sharpness: f64,
    /// The mean absolute second difference along rows.
    pub fine_detail: f64,
    /// Blockiness: steps between 8 x 8 blocks relative to steps within blocks.
    pub blocks: f64,
    /// The standard deviation of grey in the outermost line of pixels, of the least and of the most
    /// uniform side.
    pub line_spread: [f64; 2],
    /// The mean grey of the outermost line of pixels minus that of the third.
    pub line_step: f64,
    /// The width of a plain frame, in pixels; 0 for none.
    pub frame: usize,
    /// The mean grey of the square in each corner, for each side of [`CORNERS`].
    pub corner: [[f64; 3]; 4],
    /// The same, minus the grey around the square.
    pub corner_step: [[f64; 3]; 4],
    /// The standard deviation of grey in these squares.
    pub corner_spread: [[f64; 3]; 4],
}

impl Tones {
    /// The statistics of an image, with its small picture `small`.
    pub fn new(image: &Rgb8, small: &Small) -> Self {
        let mut tones = Self::default();
        tones.look_at_colours(small);
        tones.look_at_ring(small);
        tones.look_at_rows(image);
        tones.look_at_lines(image);
        tones.look_at_corners(image);
        tones.frame = frame(image);
        tones
    }

    fn look_at_colours(&mut self, small: &Small) {
        let n = small.planes[0].len() as f64;
        let Colourfulness { saturation, grey, squares } = multiversion(OfColours(small));
        self.saturation = saturation / n;
        self.contrast = (squares / n - (grey / n).powi(2)).max(0.0).sqrt();
        for (c, plane) in small.planes.iter().enumerate() {
            self.mean[c] = multiversion(Sum(plane)) / n;
            let mut histogram = [0_usize; 256];
            plane.iter().for_each(|&value| histogram[value as usize & 255] += 1);
            let rank = plane.len().div_ceil(100);
            self.darkest[c] = ranked(histogram.iter().copied(), rank) as f64;
            self.brightest[c] = 255.0 - ranked(histogram.iter().rev().copied(), rank) as f64;
        }
    }

    /// By ranks, which are robust if the subject touches the border somewhere.
    fn look_at_ring(&mut self, small: &Small) {
        let (width, height) = (small.width, small.height);
        let ring = ((width.min(height) as f64 * RING).round() as usize).max(1);
        for (c, plane) in small.planes.iter().enumerate() {
            let mut histogram = [0_usize; 256];
            let mut add = |values: &[f32]| {
                values.iter().for_each(|&value| histogram[value as usize & 255] += 1);
            };
            for (y, row) in plane.chunks_exact(width).enumerate() {
                if y >= ring && y + ring < height && width > 2 * ring {
                    add(&row[..ring]);
                    add(&row[width - ring..]);
                } else {
                    add(row);
                }
            }
            let n: usize = histogram.iter().sum();
            let quarter = |k: usize| ranked(histogram.iter().copied(), (k * n).div_ceil(4)) as f64;
            self.ring[c] = quarter(2);
            self.ring[c + 3] = quarter(3) - quarter(1);
        }
    }

    /// From the green channel of some evenly spaced rows.
    fn look_at_rows(&mut self, image: &Rgb8) {
        let (width, height) = (image.width(), image.height());
        let taken = width.min(COLUMNS);
        // Starts at a block boundary.
        let from = (width - taken) / 2 / 8 * 8;
        let rows = height.min(ROWS);
        let mut sums = Steps::default();
        let mut line = vec![0_i32; taken];
        for i in 0..rows {
            let y = i * height / rows;
            let row = &image.pixels()[(y * width + from) * 3..][..taken * 3];
            let row = multiversion(RowSteps { row, line: &mut line });
            sums.first += row.first;
            sums.second += row.second;
            sums.fine += row.fine;
            sums.all += row.all;
            sums.between += row.between;
        }
        let steps = (rows * taken.saturating_sub(2)) as u64;
        let between = (sums.between, (rows * (taken.saturating_sub(2) / 8)) as u64);
        let within = (sums.all - sums.between, steps - between.1);
        let Steps { first, second, fine, .. } = sums;
        let share = |sum: u64, n: u64| if n == 0 { 0.0 } else { sum as f64 / n as f64 };
        self.sharpness = share(second, first);
        self.fine_detail = share(fine, steps);
        let within = share(within.0, within.1);
        self.blocks = if within > 0.0 { share(between.0, between.1) / within } else { 1.0 };
    }

    fn look_at_lines(&mut self, image: &Rgb8) {
        let (right, bottom) = (image.width() - 1, image.height() - 1);
        let side = |x: [usize; 2], y: [usize; 2]| {
            let mut moments = Moments::default();
            (y[0]..=y[1]).for_each(|y| (x[0]..=x[1]).for_each(|x| moments.add(grey(image, x, y))));
            moments
        };
        let lines = |d: usize| {
            let (x, y) = (d.min(right / 2), d.min(bottom / 2));
            let (left, right, top, bottom) = (x, right - x, y, bottom - y);
            [
                side([left, right], [top, top]),
                side([left, right], [bottom, bottom]),
                side([left, left], [top, bottom]),
                side([right, right], [top, bottom]),
            ]
        };
        let (outer, third) = (lines(0), lines(2));
        let spreads = outer.each_ref().map(Moments::spread);
        self.line_spread = [
            spreads.iter().copied().fold(0.0, f64::max),
            spreads.iter().copied().fold(f64::INFINITY, f64::min),
        ];
        let mean = |lines: &[Moments; 4]| lines.iter().map(Moments::mean).sum::<f64>() / 4.0;
        self.line_step = mean(&outer) - mean(&third);
    }

    fn look_at_corners(&mut self, image: &Rgb8) {
        let (width, height) = (image.width(), image.height());
        for corner in 0..4 {
            for (s, &side) in CORNERS.iter().enumerate() {
                let (mut inside, mut around) = (Moments::default(), Moments::default());
                for v in 0..(2 * side).min(height) {
                    for u in 0..(2 * side).min(width) {
                        let x = if corner % 2 == 0 { u } else { width - 1 - u };
                        let y = if corner / 2 == 0 { v } else { height - 1 - v };
                        let square = if u < side && v < side { &mut inside } else { &mut around };
                        square.add(grey(image, x, y));
                    }
                }
                self.corner[corner][s] = inside.mean();
                self.corner_step[corner][s] = inside.mean() - around.mean();
                self.corner_spread[corner][s] = inside.spread();
            }
        }
    }
}

/// Sums over the differences along rows.
#[derive(Default)]
struct Steps {
    /// Squared first and second differences.
    first: u64,
    second: u64,
    /// Absolute second differences.
    fine: u64,
    /// Absolute first differences: all, and those across the boundaries of 8 x 8 blocks.
    all: u64,
    between: u64,
}

/// The differences of the green channel along a row, without the last one.
struct RowSteps<'a> {
    row: &'a [u8],
    line: &'a mut [i32],
}

impl Multiversion for RowSteps<'_> {
    type Output = Steps;

    #[inline(always)]
    fn run(self) -> Steps {
        let line = self.line;
        let (pixels, _) = self.row.as_chunks::<3>();
        for (value, rgb) in line.iter_mut().zip(pixels) {
            *value = i32::from(rgb[1]);
        }
        let len = line.len().saturating_sub(2);
        if len == 0 {
            return Steps::default();
        }
        let (here, next, last) = (&line[..len], &line[1..][..len], &line[2..][..len]);
        // The sums of 1,024 differences fit in 32 bits.
        let (mut first, mut second, mut fine, mut all) = (0_u32, 0_u32, 0_u32, 0_u32);
        for x in 0..len {
            let step = next[x] - here[x];
            let bend = last[x] - next[x] - step;
            first += (step * step) as u32;
            second += (bend * bend) as u32;
            fine += bend.unsigned_abs();
            all += step.unsigned_abs();
        }
        let mut between = 0;
        for x in (7..len).step_by(8) {
            between += (next[x] - here[x]).unsigned_abs();
        }
        Steps {
            first: first.into(),
            second: second.into(),
            fine: fine.into(),
            all: all.into(),
            between: between.into(),
        }
    }
}

/// The bin that contains the value with this rank, counted from 1.
fn ranked(histogram: impl Iterator<Item = usize>, rank: usize) -> usize {
    let mut seen = 0;
    histogram
        .take_while(|count| {
            seen += count;
            seen < rank
        })
        .count()
}

/// Sums of values and of their squares.
#[derive(Default)]
struct Moments {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.n += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.n.max(1.0)
    }

    fn spread(&self) -> f64 {
        (self.squares / self.n.max(1.0) - self.mean().powi(2)).max(0.0).sqrt()
    }
}

/// The number of partial sums, for SIMD.
const LANES: usize = 16;

/// The sum of all values.
struct Sum<'a>(&'a [f32]);

impl Multiversion for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut sums = [0.0_f64; LANES];
        let (all, rest) = self.0.as_chunks::<LANES>();
        for values in all {
            for lane in 0..LANES {
                sums[lane] += f64::from(values[lane]);
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value)).sum::<f64>()
    }
}

/// Sums over the pixels: of saturation, of grey levels and of their squares.
struct Colourfulness {
    saturation: f64,
    grey: f64,
    squares: f64,
}

/// Computes these sums.
struct OfColours<'a>(&'a Small);

impl Multiversion for OfColours<'_> {
    type Output = Colourfulness;

    #[inline(always)]
    fn run(self) -> Colourfulness {
        let [red, green, blue] = &self.0.planes;
        let mut sums = [[0.0_f64; LANES]; 3];
        let pixels = red.chunks(LANES).zip(green.chunks(LANES)).zip(blue.chunks(LANES));
        for ((red, green), blue) in pixels {
            for lane in 0..red.len() {
                let (r, g, b) = (red[lane], green[lane], blue[lane]);
                let grey = f64::from(0.299 * r + 0.587 * g + 0.114 * b);
                sums[0][lane] += f64::from(r.max(g).max(b) - r.min(g).min(b));
                sums[1][lane] += grey;
                sums[2][lane] += grey * grey;
            }
        }
        let [saturation, grey, squares] = sums.map(|sums| sums.iter().sum());
        Colourfulness { saturation, grey, squares }
    }
}
