//! Mixup and cutmix: two images of a batch become one, and so do their labels.

use super::{Augmentation, Kind, Size};
use crate::rng::{Rng, stream};

/// How the images of a batch are mixed.
pub(crate) struct Mix {
    /// The image that each is mixed with.
    partners: Vec<usize>,
    how: How,
}

enum How {
    /// The image's own share of the sum.
    Sum(f32),
    /// The rectangle of the partner: top, left, height and width.
    Rectangle([usize; 4]),
}

impl Mix {
    /// What is drawn for the batch that begins with the image at this place, of seed, epoch and index.
    pub(crate) fn draw(
        of: &Augmentation,
        len: usize,
        [height, width, _]: Size,
        place: (u64, usize, usize),
    ) -> Self {
        let mut rng = Augmentation::rng(place, stream::MIX);
        let mut partners: Vec<usize> = (0..len).collect();
        rng.shuffle(&mut partners);
        let [mixup, cutmix] = [Kind::Mixup, Kind::Cutmix].map(|kind| of.strength(kind));
        let cuts = cutmix > 0.0 && (mixup == 0.0 || rng.uniform() < 0.5);
        let own = beta(if cuts { cutmix } else { mixup }, &mut rng);
        let how = if cuts {
            let share = (1.0 - own).sqrt();
            let side = |len: usize| ((share * len as f64).round() as usize).min(len);
            let (rows, columns) = (side(height), side(width));
            How::Rectangle([
                rng.below(height - rows + 1),
                rng.below(width - columns + 1),
                rows,
                columns,
            ])
        } else {
            How::Sum(own as f32)
        };
        Self { partners, how }
    }

    /// Mixes the images of a batch.
    pub(crate) fn images(&self, batch: &mut [f32], [height, width, channels]: Size) {
        let len = height * width * channels;
        let before = batch.to_vec();
        for (image, &partner) in batch.chunks_exact_mut(len).zip(&self.partners) {
            let other = &before[partner * len..(partner + 1) * len];
            match self.how {
                How::Sum(own) => {
                    let pairs = image.iter_mut().zip(other);
                    pairs.for_each(|(value, other)| *value = other + (*value - other) * own);
                }
                How::Rectangle([top, left, rows, columns]) => {
                    for y in top..top + rows {
                        let row = (y * width + left) * channels;
                        let row = row..row + columns * channels;
                        image[row.clone()].copy_from_slice(&other[row]);
                    }
                }
            }
        }
    }

    /// The labels of the mixed images: a row of shares of `classes` for each.
    pub(crate) fn labels(&self, labels: &[usize], classes: usize, size: Size) -> Vec<f32> {
        let own = match self.how {
            How::Sum(own) => own,
            How::Rectangle([_, _, rows, columns]) => {
                1.0 - (rows * columns) as f32 / (size[0] * size[1]) as f32
            }
        };
        let mut rows = vec![0.0; labels.len() * classes];
        for (i, &partner) in self.partners.iter().enumerate() {
            rows[i * classes + labels[i]] += own;
            rows[i * classes + labels[partner]] += 1.0 - own;
        }
        rows
    }
}

/// A number from the beta distribution with both parameters `shape` (Jöhnk, 1964).
fn beta(shape: f64, rng: &mut Rng) -> f64 {
    loop {
        let [x, y] = [rng.uniform(), rng.uniform()].map(|u| u.powf(1.0 / shape));
        let sum = x + y;
        // Of small shapes both may be too small for a number.
        if sum > 0.0 && sum <= 1.0 {
            return x / sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_has_its_mean_and_variance() {
        for shape in [0.2, 1.0, 2.0] {
            let mut rng = Rng::new(1, 0);
            let drawn: Vec<f64> = (0..20_000).map(|_| beta(shape, &mut rng)).collect();
            let mean = drawn.iter().sum::<f64>() / 20_000.0;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
            assert!((mean - 0.5).abs() < 0.01, "{shape}: {mean}");
            assert!((variance - 0.25 / (2.0 * shape + 1.0)).abs() < 0.005, "{shape}: {variance}");
        }
    }

    #[test]
    fn labels_are_shares_of_what_is_seen() {
        let size = [4, 5, 1];
        for kind in [Kind::Mixup, Kind::Cutmix] {
            let of = Augmentation::none().with(kind, 1.0).unwrap();
            for first in 0..50 {
                let mix = Mix::draw(&of, 3, size, (27, 1, first));
                // Each image is of one value, its label.
                let mut batch: Vec<f32> = (0..3).flat_map(|i| [i as f32; 20]).collect();
                mix.images(&mut batch, size);
                let labels = mix.labels(&[0, 1, 2], 3, size);
                for (image, row) in batch.chunks(20).zip(labels.chunks(3)) {
                    let mean = image.iter().sum::<f32>() / 20.0;
                    let expected: f32 =
                        row.iter().enumerate().map(|(i, share)| i as f32 * share).sum();
                    assert!((mean - expected).abs() < 1e-5, "{image:?} {row:?}");
                    assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                }
            }
        }
    }
}
