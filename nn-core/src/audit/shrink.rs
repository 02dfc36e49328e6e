//! The small picture that all comparisons use.
//!
//! Every image is scaled to about the same number of pixels, with its aspect ratio kept, so that
//! copies of different sizes become nearly equal. Area averaging reduces the influence of noise,
//! compression and the resampling of other programs. This is the only pass over all pixels: copies,
//! colours and the border are then computed from the small picture.

#![allow(clippy::needless_range_loop)] // loops run over an index, see `kernels/simd.rs`

use super::luma::Luma;
use crate::data::Rgb8;
use crate::kernels::multiversion::{Multiversion, multiversion};

/// The approximate number of pixels of a small picture: 100 x 100.
const AREA: f64 = 10_000.0;

/// The minimum length of a side of a small picture, for any aspect ratio.
const MIN_SIDE: usize = 12;

/// The maximum length of a side of a small picture, for any aspect ratio.
pub const MAX_SIDE: usize = 512;

/// A small picture in colour.
#[derive(Debug, Clone, PartialEq)]
pub struct Small {
    /// The width.
    pub width: usize,
    /// The height.
    pub height: usize,
    /// Red, green and blue, each `[height, width]` with values from 0 to 255.
    pub planes: [Vec<f32>; 3],
}

impl Small {
    /// `image` scaled down, or up if it is smaller than the small picture.
    pub fn new(image: &Rgb8) -> Self {
        multiversion(Shrink(image))
    }

    /// Converts to grey (Rec. 601 weights), rounded to whole numbers.
    pub fn luma(&self) -> Luma {
        multiversion(Grey(self))
    }
}

struct Grey<'a>(&'a Small);

impl Multiversion for Grey<'_> {
    type Output = Luma;

    #[inline(always)]
    fn run(self) -> Luma {
        let Small { width, height, planes: [red, green, blue] } = self.0;
        let mut luma = Luma::zeros(*width, *height);
        let rgb = red.iter().zip(green).zip(blue);
        for (grey, ((red, green), blue)) in luma.pixels.iter_mut().zip(rgb) {
            *grey = (0.299 * red + 0.587 * green + 0.114 * blue + 0.5).floor();
        }
        luma
    }
}

struct Shrink<'a>(&'a Rgb8);

impl Multiversion for Shrink<'_> {
    type Output = Small;

    /// First along rows, with the channels interleaved, then along columns.
    #[inline(always)]
    fn run(self) -> Small {
        let image = self.0;
        let (width, height) = small_size(image.width(), image.height());
        let columns = spans(image.width(), width);
        let row_len = image.width() * 3;
        let mut sums = vec![0.0_f32; row_len];
        let mut planes = [(); 3].map(|()| vec![0.0; width * height]);
        for (row, rows) in spans(image.height(), height).iter().enumerate() {
            let spanned = &image.pixels()[rows.from * row_len..rows.to * row_len];
            mean_of_rows(&mut sums, spanned, rows);
            let [red, green, blue] = &mut planes;
            let at = row * width;
            let (red, green) = (&mut red[at..][..width], &mut green[at..][..width]);
            let blue = &mut blue[at..][..width];
            for (((span, red), green), blue) in columns.iter().zip(red).zip(green).zip(blue) {
                [*red, *green, *blue] = span.mean(&sums);
            }
        }
        Small { width, height, planes }
    }
}

/// The number of columns whose sums stay in registers.
const STRIP: usize = 64;
/// The number of bytes whose sum fits in 16 bits.
const SUMMED: usize = 257;

/// The mean of the rows of `span`, each as long as `mean`.
#[inline(always)]
fn mean_of_rows(mean: &mut [f32], rows: &[u8], span: &Span) {
    let len = mean.len();
    let (strips, rest) = mean.as_chunks_mut::<STRIP>();
    for (number, strip) in strips.iter_mut().enumerate() {
        mean_of_strips(strip, |row| &rows[row * len + number * STRIP..], rows.len() / len, span);
    }
    let from = len - rest.len();
    for (x, value) in rest.iter_mut().enumerate() {
        let of_one = std::array::from_mut(value);
        mean_of_strips(of_one, |row| &rows[row * len + from + x..], rows.len() / len, span);
    }
}

/// The mean of the first `N` values of `n` rows.
#[inline(always)]
fn mean_of_strips<'a, const N: usize>(
    mean: &mut [f32; N],
    row: impl Fn(usize) -> &'a [u8],
    n: usize,
    span: &Span,
) {
    let (first, last) = (&row(0)[..N], &row(n - 1)[..N]);
    // Rows between the first and the last have the same weight.
    let mut middle = [0.0_f32; N];
    for from in (1..n.max(2) - 1).step_by(SUMMED) {
        let mut sums = [0_u16; N];
        for y in from..(from + SUMMED).min(n - 1) {
            let row = &row(y)[..N];
            for x in 0..N {
                sums[x] += u16::from(row[x]);
            }
        }
        for x in 0..N {
            middle[x] += f32::from(sums[x]);
        }
    }
    for x in 0..N {
        mean[x] = span.first * f32::from(first[x]);
    }
    if n > 1 {
        for x in 0..N {
            mean[x] += span.whole * middle[x] + span.last * f32::from(last[x]);
        }
    }
}

/// The width and height of the small picture.
fn small_size(width: usize, height: usize) -> (usize, usize) {
    let scale = (AREA / (width as f64 * height as f64)).sqrt();
    let side = |len: usize| ((len as f64 * scale).round() as usize).clamp(MIN_SIDE, MAX_SIDE);
    (side(width), side(height))
}

/// The inputs `from..to` that an output averages; the first and the last have fractional weights.
struct Span {
    from: usize,
    to: usize,
    first: f32,
    last: f32,
    whole: f32,
}

impl Span {
    /// The mean of these columns of an RGB row.
    #[inline(always)]
    fn mean(&self, row: &[f32]) -> [f32; 3] {
        let (colours, _) = row[self.from * 3..self.to * 3].as_chunks::<3>();
        let (first, rest) = colours.split_at(1);
        let mut mean = first[0];
        for value in &mut mean {
            *value *= self.first;
        }
        if let Some((last, middle)) = rest.split_last() {
            let mut sum = [0.0; 3];
            for rgb in middle {
                for c in 0..3 {
                    sum[c] += rgb[c];
                }
            }
            for c in 0..3 {
                mean[c] += self.whole * sum[c] + self.last * last[c];
            }
        }
        mean
    }
}

/// The spans of `out_len` outputs over `in_len` inputs. If there are more outputs than inputs, two
/// inputs are interpolated.
fn spans(in_len: usize, out_len: usize) -> Vec<Span> {
    let scale = in_len as f64 / out_len as f64;
    (0..out_len)
        .map(|i| {
            if scale <= 1.0 {
                let centre = ((i as f64 + 0.5) * scale - 0.5).clamp(0.0, (in_len - 1) as f64);
                let from = centre as usize;
                let last = (centre - from as f64) as f32;
                let to = (from + 2).min(in_len);
                let last = if to == from + 2 { last } else { 0.0 };
                return Span { from, to, first: 1.0 - last, last, whole: 0.0 };
            }
            let (start, end) = (i as f64 * scale, (i + 1) as f64 * scale);
            let from = start as usize;
            let to = (end.ceil() as usize).clamp(from + 1, in_len);
            let first = ((from + 1) as f64).min(end) - start;
            let last = end - (to - 1) as f64;
            let share = |part: f64| (part / scale) as f32;
            Span { from, to, first: share(first), last: share(last), whole: share(1.0) }
        })
        .collect()
}
