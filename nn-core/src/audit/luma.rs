//! The small grey picture in which copies are looked for.
//!
//! Every image is brought to about the same number of pixels, its aspect kept, so that a copy of
//! another size becomes nearly the same picture. Shrinking averages over areas, which is what makes
//! fine noise, compression and the resampling of another program matter little.

use crate::data::Rgb8;

/// Pixels of a small picture, about: 128 x 128.
const AREA: f64 = 16_384.0;

/// The shortest side of a small picture, whatever the aspect.
const MIN_SIDE: usize = 12;

/// The longest side of a small picture, whatever the aspect.
const MAX_SIDE: usize = 512;

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

    /// `image` in grey (Rec. 601 weights) and at the size in which copies are looked for.
    pub fn small(image: &Rgb8) -> Self {
        let (width, height) = small_size(image.width(), image.height());
        let columns = spans(image.width(), width);
        let mut grey = vec![0.0; image.width()];
        let mut narrow = Self::zeros(width, image.height());
        let rows = image.pixels().chunks_exact(image.width() * 3);
        for (out, row) in narrow.pixels.chunks_exact_mut(width).zip(rows) {
            for (grey, rgb) in grey.iter_mut().zip(row.chunks_exact(3)) {
                let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
                *grey = (77 * r + 150 * g + 29 * b) as f32;
            }
            for (out, span) in out.iter_mut().zip(&columns) {
                *out = span.mean(&grey);
            }
        }
        let mut small = Self::zeros(width, height);
        let rows = spans(image.height(), height);
        for (out, span) in small.pixels.chunks_exact_mut(width).zip(&rows) {
            for y in span.from..span.to {
                add_scaled(out, &narrow.pixels[y * width..][..width], span.weight(y) / 256.0);
            }
            out.iter_mut().for_each(|value| *value = value.round());
        }
        small
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
        let radius = (3.0 * sigma).ceil().max(1.0) as usize;
        let mut taps: Vec<f32> = (0..=2 * radius)
            .map(|i| (-0.5 * ((i as f32 - radius as f32) / sigma).powi(2)).exp())
            .collect();
        let sum: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);

        let (width, height) = (self.width, self.height);
        let mut across = Self::zeros(width, height);
        let mut padded = vec![0.0; width + 2 * radius];
        for (out, row) in across.pixels.chunks_exact_mut(width).zip(self.pixels.chunks_exact(width))
        {
            padded[..radius].fill(row[0]);
            padded[radius..radius + width].copy_from_slice(row);
            padded[radius + width..].fill(row[width - 1]);
            for (i, &tap) in taps.iter().enumerate() {
                add_scaled(out, &padded[i..i + width], tap);
            }
        }
        let mut blurred = Self::zeros(width, height);
        for (y, out) in blurred.pixels.chunks_exact_mut(width).enumerate() {
            for (i, &tap) in taps.iter().enumerate() {
                let from = (y + i).saturating_sub(radius).min(height - 1);
                add_scaled(out, &across.pixels[from * width..][..width], tap);
            }
        }
        blurred
    }
}

fn add_scaled(out: &mut [f32], values: &[f32], factor: f32) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out += factor * value;
    }
}

/// Width and height of the small picture.
fn small_size(width: usize, height: usize) -> (usize, usize) {
    let scale = (AREA / (width as f64 * height as f64)).sqrt();
    let side = |len: usize| ((len as f64 * scale).round() as usize).clamp(MIN_SIDE, MAX_SIDE);
    (side(width), side(height))
}

/// The inputs `from..to` whose mean an output is; the first and the last count by a part.
struct Span {
    from: usize,
    to: usize,
    first: f32,
    last: f32,
    whole: f32,
}

impl Span {
    fn weight(&self, i: usize) -> f32 {
        if i == self.from {
            self.first
        } else if i + 1 == self.to {
            self.last
        } else {
            self.whole
        }
    }

    fn mean(&self, values: &[f32]) -> f32 {
        match &values[self.from..self.to] {
            [first, middle @ .., last] => {
                first * self.first + middle.iter().sum::<f32>() * self.whole + last * self.last
            }
            [only] => only * self.first,
            [] => 0.0,
        }
    }
}

/// The spans of `out_len` outputs over `in_len` inputs. Where outputs are more than inputs, two
/// inputs are mixed by their distance.
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
