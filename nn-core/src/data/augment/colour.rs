//! Brightness, contrast, saturation and hue.

use super::{Augmentation, Kind, Size};
use crate::rng::Rng;

/// The weights of red, green and blue in grey (ITU-R BT.601), as PIL and torchvision have them.
const GREY: [f32; 3] = [0.299, 0.587, 0.114];

/// Applies what is drawn. Values stay from 0 to 255.
pub(super) fn apply(of: &Augmentation, image: &mut [f32], [_, _, channels]: Size, rng: &mut Rng) {
    let mut drawn = |kind: Kind| {
        let most = of.strength(kind);
        (most > 0.0).then(|| rng.uniform_in(-most, most))
    };
    let factors = [Kind::Brightness, Kind::Contrast, Kind::Saturation]
        .map(|kind| drawn(kind).map(|by| (1.0 + by) as f32));
    let hue = drawn(Kind::Hue).map(f64::to_radians);
    let [brightness, contrast, saturation] = factors;
    if let Some(factor) = brightness {
        image.iter_mut().for_each(|value| *value = (*value * factor).clamp(0.0, 255.0));
    }
    if let Some(factor) = contrast {
        let grey: f64 = match channels {
            3 => image.chunks_exact(3).map(|pixel| f64::from(grey(pixel))).sum(),
            _ => image.iter().map(|&value| f64::from(value)).sum(),
        };
        let mean = (grey / (image.len() / if channels == 3 { 3 } else { 1 }) as f64) as f32;
        let apart = |value: f32| (mean + (value - mean) * factor).clamp(0.0, 255.0);
        image.iter_mut().for_each(|value| *value = apart(*value));
    }
    if channels != 3 {
        return;
    }
    if let Some(factor) = saturation {
        for pixel in image.chunks_exact_mut(3) {
            let grey = grey(pixel);
            let apart = |value: f32| (grey + (value - grey) * factor).clamp(0.0, 255.0);
            pixel.iter_mut().for_each(|value| *value = apart(*value));
        }
    }
    if let Some(angle) = hue {
        turn(image, angle);
    }
}

fn grey(pixel: &[f32]) -> f32 {
    pixel.iter().zip(GREY).map(|(value, weight)| value * weight).sum()
}

/// Turns the colours by an angle around the axis of greys; brightness stays: a rotation in the space YIQ of NTSC.
fn turn(image: &mut [f32], angle: f64) {
    let (sin, cos) = (angle.sin() as f32, angle.cos() as f32);
    for pixel in image.chunks_exact_mut(3) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]];
        let y = grey(pixel);
        let i = 0.596 * r - 0.274 * g - 0.322 * b;
        let q = 0.211 * r - 0.523 * g + 0.312 * b;
        let (i, q) = (i * cos - q * sin, i * sin + q * cos);
        pixel[0] = (y + 0.956 * i + 0.621 * q).clamp(0.0, 255.0);
        pixel[1] = (y - 0.272 * i - 0.647 * q).clamp(0.0, 255.0);
        pixel[2] = (y - 1.106 * i + 1.703 * q).clamp(0.0, 255.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greys_have_no_hue_and_a_whole_turn_changes_nothing() {
        let mut greys = [0.0, 0.0, 0.0, 128.0, 128.0, 128.0, 255.0, 255.0, 255.0];
        let before = greys;
        turn(&mut greys, 1.0);
        for (a, b) in greys.iter().zip(before) {
            assert!((a - b).abs() < 0.2, "{greys:?}");
        }
        let mut colours = [200.0, 100.0, 50.0];
        turn(&mut colours, std::f64::consts::TAU);
        for (a, b) in colours.iter().zip([200.0, 100.0, 50.0]) {
            assert!((a - b).abs() < 0.5, "{colours:?}");
        }
        // A third of a turn brings red to where green or blue was largest.
        let mut red = [180.0, 60.0, 60.0];
        turn(&mut red, std::f64::consts::TAU / 3.0);
        assert!(red[0] < red[1].max(red[2]), "{red:?}");
    }
}
