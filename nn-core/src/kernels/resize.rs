//! Resizing of images, channels-last: the nearest pixel, or bilinear interpolation.

use super::multiversion::{Multiversion, multiversion};
use super::parallel::{CHUNK, for_each_chunk, for_each_tile};
use crate::tensor::Element;
use serde::{Deserialize, Serialize};

/// How a resized image gets its values; the formulas are those of PyTorch's `interpolate`.
///
/// Along each side, from `from` to `to` pixels, output pixel `i` lies at an input position:
///
/// | | position of output pixel `i` |
/// |---|---|
/// | `Nearest` | `floor(i * from / to)` |
/// | `Bilinear { align_corners: false }` | `(i + 0.5) * from / to - 0.5`, at least 0 |
/// | `Bilinear { align_corners: true }` | `i * (from - 1) / (to - 1)`, 0 if `to` is 1 |
///
/// Between pixels, bilinear interpolation weighs the two neighbours by their distance; beyond the last
/// pixel it is the last one. A smaller image is made in the same way, without averaging.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// The nearest pixel at or before the position.
    #[default]
    Nearest,
    /// Linear interpolation between the four neighbours.
    Bilinear {
        /// Whether the centres of the corner pixels stay where they are, instead of the corners of the
        /// image.
        align_corners: bool,
    },
}

/// A resizing of `[batch, from.0, from.1, channels]` to `[batch, to.0, to.1, channels]`. No size is 0.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names are the documentation
pub struct Resize2d {
    pub from: (usize, usize),
    pub to: (usize, usize),
    pub channels: usize,
    pub interpolation: Interpolation,
}

/// Where an output row or column gets its values from.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Source {
    first: usize,
    second: usize,
    /// The weight of `second`; that of `first` is the rest.
    share: f64,
}

impl Interpolation {
    /// The sources of the `to` pixels of one side.
    fn sources(self, from: usize, to: usize) -> Vec<Source> {
        let last = from - 1;
        let at = |position: f64| {
            let first = (position as usize).min(last);
            let second = (first + 1).min(last);
            Source { first, second, share: position - first as f64 }
        };
        let source = |i: usize| match self {
            Self::Nearest => {
                // In integers, so that no rounding picks the pixel before. The product fits into 128 bits.
                let first = (i as u128 * from as u128 / to as u128) as usize;
                Source { first, second: first, share: 0.0 }
            }
            Self::Bilinear { align_corners: false } => {
                at(((i as f64 + 0.5) * (from as f64 / to as f64) - 0.5).max(0.0))
            }
            Self::Bilinear { align_corners: true } => {
                at(i as f64 * (last as f64 / (to - 1).max(1) as f64))
            }
        };
        (0..to).map(source).collect()
    }
}

impl Resize2d {
    fn input_len(&self) -> usize {
        self.from.0 * self.from.1 * self.channels
    }

    /// The sources of rows and columns.
    fn sources(&self) -> [Vec<Source>; 2] {
        [(self.from.0, self.to.0), (self.from.1, self.to.1)]
            .map(|(from, to)| self.interpolation.sources(from, to))
    }
}

/// Resizes the images `x` to `y`.
pub fn forward<T: Element>(r: &Resize2d, x: &[T], y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let [rows, columns] = r.sources();
    let pitch = r.from.1 * r.channels;
    for_each_chunk(y, r.to.1 * r.channels, |row, y| {
        let image = &x[row / r.to.0 * r.input_len()..][..r.input_len()];
        let source = rows[row % r.to.0];
        let upper = &image[source.first * pitch..][..pitch];
        if r.interpolation == Interpolation::Nearest {
            for (y, column) in y.chunks_exact_mut(r.channels).zip(&columns) {
                y.copy_from_slice(&upper[column.first * r.channels..][..r.channels]);
            }
        } else {
            let lower = &image[source.second * pitch..][..pitch];
            let share = T::from_f64(source.share);
            multiversion(BlendRow { upper, lower, share, columns: &columns, y });
        }
    });
}

/// One row of an output: a blend of two rows.
struct BlendRow<'a, T> {
    upper: &'a [T],
    lower: &'a [T],
    /// The weight of the lower row.
    share: T,
    columns: &'a [Source],
    y: &'a mut [T],
}

impl<T: Element> Multiversion for BlendRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { upper, lower, share, columns, y } = self;
        let c = y.len() / columns.len();
        let rest = T::one() - share;
        for (y, column) in y.chunks_exact_mut(c).zip(columns) {
            let (left, right) = (column.first * c, column.second * c);
            let corners = [&upper[left..][..c], &upper[right..][..c]];
            let below = [&lower[left..][..c], &lower[right..][..c]];
            let of_right = T::from_f64(column.share);
            let of_left = T::one() - of_right;
            for i in 0..c {
                let above = corners[0][i] * of_left + corners[1][i] * of_right;
                let under = below[0][i] * of_left + below[1][i] * of_right;
                y[i] = above * rest + under * share;
            }
        }
    }
}

/// The gradient of the input: each output's gradient, shared out as its value was put together.
pub fn backward<T: Element>(r: &Resize2d, dy: &[T], dx: &mut [T]) {
    if dx.is_empty() {
        return;
    }
    let [rows, columns] = r.sources();
    let (pitch, row) = (r.from.1 * r.channels, r.to.1 * r.channels);
    // A band of input rows belongs to one task, which adds up in double precision and in a fixed order.
    let band = (CHUNK / pitch).max(1);
    for_each_tile(dx, r.input_len(), band * pitch, |n, tile, dx| {
        let top = tile * band;
        let bottom = top + dx.len() / pitch;
        let mut sums = vec![0.0; dx.len()];
        let first = rows.partition_point(|source| source.second < top);
        for (oy, source) in rows.iter().enumerate().skip(first) {
            if source.first >= bottom {
                break;
            }
            let dy = &dy[(n * r.to.0 + oy) * row..][..row];
            for (y, share) in [(source.first, 1.0 - source.share), (source.second, source.share)] {
                if share != 0.0 && (top..bottom).contains(&y) {
                    let sums = &mut sums[(y - top) * pitch..][..pitch];
                    multiversion(ShareRow { dy, share, columns: &columns, sums });
                }
            }
        }
        dx.iter_mut().zip(&sums).for_each(|(dx, &sum)| *dx = T::from_f64(sum));
    });
}

/// Adds `share` of the gradient of one output row to one input row.
struct ShareRow<'a, T> {
    dy: &'a [T],
    share: f64,
    columns: &'a [Source],
    sums: &'a mut [f64],
}

impl<T: Element> Multiversion for ShareRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { dy, share, columns, sums } = self;
        let c = dy.len() / columns.len();
        for (dy, column) in dy.chunks_exact(c).zip(columns) {
            let weights = [(column.first, 1.0 - column.share), (column.second, column.share)];
            for (x, weight) in weights {
                if weight != 0.0 {
                    let sums = &mut sums[x * c..][..c];
                    for i in 0..c {
                        sums[i] += dy[i].as_f64() * (weight * share);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions in the input that the sources stand for.
    fn positions(interpolation: Interpolation, from: usize, to: usize) -> Vec<f64> {
        let sources = interpolation.sources(from, to);
        sources.iter().map(|s| s.first as f64 + s.share * (s.second - s.first) as f64).collect()
    }

    #[test]
    fn positions_are_those_of_pytorch() {
        let nearest = |from, to| positions(Interpolation::Nearest, from, to);
        assert_eq!(nearest(2, 4), [0., 0., 1., 1.]);
        assert_eq!(nearest(3, 5), [0., 0., 1., 1., 2.]);
        assert_eq!(nearest(5, 3), [0., 1., 3.]);
        for (from, to) in [(14, 20), (3, 9), (7, 49), (10, 1000)] {
            let expected: Vec<_> = (0..to).map(|i| (i * from / to) as f64).collect();
            assert_eq!(nearest(from, to), expected);
        }
        let corners =
            |from, to| positions(Interpolation::Bilinear { align_corners: false }, from, to);
        assert_eq!(corners(2, 4), [0., 0.25, 0.75, 1.]);
        assert_eq!(corners(4, 2), [0.5, 2.5]);
        assert_eq!(corners(1, 3), [0., 0., 0.]);
        let centres =
            |from, to| positions(Interpolation::Bilinear { align_corners: true }, from, to);
        assert_eq!(centres(3, 5), [0., 0.5, 1., 1.5, 2.]);
        assert_eq!(centres(5, 1), [0.]);
        assert_eq!(centres(1, 2), [0., 0.]);
    }

    #[test]
    fn stored_forms() {
        let stored = |i: Interpolation| serde_json::to_string(&i).unwrap();
        assert_eq!(stored(Interpolation::Nearest), r#""nearest""#);
        let bilinear = Interpolation::Bilinear { align_corners: true };
        assert_eq!(stored(bilinear), r#"{"bilinear":{"align_corners":true}}"#);
    }
}
