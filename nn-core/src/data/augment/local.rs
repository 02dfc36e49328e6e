//! Noise, blur and erased rectangles.

use super::{Augmentation, Kind, Size};
use crate::rng::Rng;

/// Applies what is drawn. Values stay from 0 to 255.
pub(super) fn apply(
    of: &Augmentation,
    image: &mut [f32],
    size: Size,
    rng: &mut Rng,
    spare: &mut Vec<f32>,
) {
    let most = of.strength(Kind::Blur);
    if most > 0.0 {
        blur(image, size, rng.uniform_in(0.0, most), spare);
    }
    let most = of.strength(Kind::Noise);
    if most > 0.0 {
        let deviation = rng.uniform_in(0.0, most);
        for value in image.iter_mut() {
            *value = (*value + (deviation * rng.normal()) as f32).clamp(0.0, 255.0);
        }
    }
    let share = of.strength(Kind::Erase);
    if share > 0.0 && rng.uniform() < share {
        erase(image, size, rng);
    }
}

/// A Gaussian blur, cut off after three standard deviations; the image is continued by its border.
fn blur(image: &mut [f32], [height, width, channels]: Size, deviation: f64, spare: &mut Vec<f32>) {
    let reach = (3.0 * deviation).ceil() as usize;
    if reach == 0 {
        return;
    }
    let weight = |i: usize| {
        let distance = i as f64 - reach as f64;
        (-0.5 * (distance / deviation).powi(2)).exp()
    };
    let sum: f64 = (0..=2 * reach).map(weight).sum();
    let weights: Vec<f32> = (0..=2 * reach).map(|i| (weight(i) / sum) as f32).collect();
    // Along rows, whose pixels are `channels` apart, then along columns.
    for (len, step) in [(width, channels), (height, width * channels)] {
        spare.clear();
        spare.extend_from_slice(image);
        for (at, value) in image.iter_mut().enumerate() {
            let place = at / step % len;
            let first = at - place * step;
            let taken = |i: usize| (place + i).saturating_sub(reach).min(len - 1);
            let near = weights.iter().enumerate();
            *value = near.map(|(i, weight)| weight * spare[first + taken(i) * step]).sum();
        }
    }
}

/// Fills a rectangle of 2 to 33 % of the area, of a shape from 3:10 to 10:3, with the image's mean colour.
fn erase(image: &mut [f32], [height, width, channels]: Size, rng: &mut Rng) {
    let area = rng.uniform_in(0.02, 0.33) * (height * width) as f64;
    let shape = rng.uniform_in((0.3_f64).ln(), (1.0_f64 / 0.3).ln()).exp();
    let side = |wanted: f64, most: usize| (wanted.round() as usize).clamp(1, most);
    let (rows, columns) = (side((area * shape).sqrt(), height), side((area / shape).sqrt(), width));
    let (top, left) = (rng.below(height - rows + 1), rng.below(width - columns + 1));
    let mut mean = vec![0.0_f64; channels];
    for pixel in image.chunks_exact(channels) {
        mean.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let mean: Vec<f32> = mean.iter().map(|sum| (sum / (height * width) as f64) as f32).collect();
    for row in image.chunks_exact_mut(width * channels).skip(top).take(rows) {
        for pixel in row.chunks_exact_mut(channels).skip(left).take(columns) {
            pixel.copy_from_slice(&mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_the_mean_of_what_is_far_from_borders() {
        let size = [9, 9, 2];
        let mut image = vec![0.0; 9 * 9 * 2];
        image[(4 * 9 + 4) * 2] = 100.0;
        blur(&mut image, size, 0.8, &mut Vec::new());
        let sum = |c: usize| image.iter().skip(c).step_by(2).sum::<f32>();
        assert!((sum(0) - 100.0).abs() < 1e-3 && sum(1) == 0.0);
        assert!(image[(4 * 9 + 4) * 2] > image[(4 * 9 + 5) * 2]);
        let flat = vec![7.0; 9 * 9 * 2];
        let mut blurred = flat.clone();
        blur(&mut blurred, size, 3.0, &mut Vec::new());
        for (a, b) in flat.iter().zip(&blurred) {
            approx::assert_abs_diff_eq!(a, b, epsilon = 1e-4);
        }
    }
}
