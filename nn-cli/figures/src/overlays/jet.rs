//! The colour map jet, as in matplotlib: dark blue, blue, cyan, yellow, red, dark red.
//!
//! The reference shows heat in it. It is a poor scale for reading values, because its brightness rises and
//! falls, so a colour bar is drawn beside it wherever there is room.

use std::array;
use std::sync::LazyLock;

/// The points of each channel's piecewise linear function: `(position, value)`, both from 0 to 1.
const RED: [(f64, f64); 5] = [(0.0, 0.0), (0.35, 0.0), (0.66, 1.0), (0.89, 1.0), (1.0, 0.5)];
const GREEN: [(f64, f64); 6] =
    [(0.0, 0.0), (0.125, 0.0), (0.375, 1.0), (0.64, 1.0), (0.91, 0.0), (1.0, 0.0)];
const BLUE: [(f64, f64); 5] = [(0.0, 0.5), (0.11, 1.0), (0.34, 1.0), (0.65, 0.0), (1.0, 0.0)];

/// The 256 colours, from no heat to the most.
static COLOURS: LazyLock<[[u8; 3]; 256]> = LazyLock::new(|| array::from_fn(colour));

/// The colour of `heat`, from 0 to 1 (clamped), in 256 steps.
pub fn jet(heat: f64) -> [u8; 3] {
    // The cast saturates to 0..=255, and turns NaN into 0.
    COLOURS[usize::from((heat * 256.0) as u8)]
}

/// The colour of step `step`, from 0 to 255.
fn colour(step: usize) -> [u8; 3] {
    let at = step as f64 / 255.0;
    let value = |points: &[(f64, f64)]| {
        let pair = points.windows(2).find(|pair| at <= pair[1].0);
        let share = pair.map_or(0.0, |pair| {
            let [(from, low), (to, high)] = [pair[0], pair[1]];
            low + (high - low) * (at - from) / (to - from)
        });
        (share * 255.0) as u8
    };
    [value(&RED), value(&GREEN), value(&BLUE)]
}

#[cfg(test)]
mod tests {
    use super::jet;

    #[test]
    fn colours_are_matplotlibs() {
        // np.uint8(matplotlib.colormaps["jet"](heat)[:3] * 255)
        for (heat, expected) in [
            (0.0, [0, 0, 127]),
            (0.1, [0, 0, 241]),
            (0.25, [0, 128, 255]),
            (0.4, [41, 255, 205]),
            (0.5, [124, 255, 121]),
            (0.75, [255, 148, 0]),
            (0.9, [241, 7, 0]),
            (1.0, [127, 0, 0]),
        ] {
            // Where theirs rounds to just below a whole number, ours may not.
            let near =
                jet(heat).into_iter().zip(expected).all(|(a, b): (u8, u8)| a.abs_diff(b) <= 1);
            assert!(near, "{heat}: {:?} is not {expected:?}", jet(heat));
        }
        assert_eq!((jet(-1.0), jet(7.0), jet(f64::NAN)), (jet(0.0), jet(1.0), jet(0.0)));
    }
}
