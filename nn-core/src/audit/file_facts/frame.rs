//! Detection of a plain frame around a picture.

use super::{grey, grey_of};
use crate::data::Rgb8;

/// The widest frame, in pixels.
const WIDEST: usize = 64;
/// The tolerance for the frame's grey level, which JPEG compression changes.
const NEAR: f64 = 20.0;
/// The minimum share of the pixels of a ring that must have the frame's grey level.
const PLAIN: f64 = 0.95;
/// The maximum share of the pixels just within the frame with that grey level: with more of them,
/// it is the background.
const WITHIN: f64 = 0.5;

/// The width of the frame around an image, in pixels; 0 if there is none. A plain background of the
/// subject is no frame.
pub fn frame(image: &Rgb8) -> usize {
    let widest = WIDEST.min((image.width().min(image.height()) - 1) / 2);
    let mut outermost = ring(image, 0);
    let middle = outermost.len() / 2;
    let colour = *outermost.select_nth_unstable_by(middle, f64::total_cmp).1;
    let near = |ring: &[f64]| {
        let near = ring.iter().filter(|&&value| (value - colour).abs() <= NEAR).count();
        near as f64 / ring.len() as f64
    };
    // Most images have no frame.
    if near(&outermost) < PLAIN {
        return 0;
    }
    let of_frame = |distance: usize| near(&ring(image, distance));
    // The pixel next to the frame may be interpolated.
    let ends = |width: usize| of_frame((width + 1).min(widest)) <= WITHIN;
    match (1..widest).find(|&distance| of_frame(distance) < PLAIN) {
        Some(width) if ends(width) => width,
        _ => 0,
    }
}

/// The grey levels of all pixels at this distance from the nearest side.
fn ring(image: &Rgb8, distance: usize) -> Vec<f64> {
    let (right, bottom) = (image.width() - 1 - distance, image.height() - 1 - distance);
    let mut ring = Vec::with_capacity(2 * (image.width() + image.height()));
    for y in [distance, bottom] {
        let row = &image.pixels()[y * image.width() * 3..][distance * 3..(right + 1) * 3];
        ring.extend(row.as_chunks::<3>().0.iter().map(|&rgb| grey_of(rgb)));
    }
    for x in [distance, right] {
        ring.extend((distance..=bottom).map(|y| grey(image, x, y)));
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of 40 x 30 pixels, striped where `striped` is true, else plain.
    fn image(striped: impl Fn(usize, usize) -> bool) -> Rgb8 {
        let pixels = (0..30).flat_map(|y| (0..40).map(move |x| (x, y)));
        let value = |(x, y)| if striped(x, y) { [40, 200][(x + y) / 3 % 2] } else { 250 };
        Rgb8::new(30, 40, pixels.flat_map(|place| [value(place); 3]).collect()).unwrap()
    }

    #[test]
    fn frames_are_measured_and_backgrounds_are_none() {
        for width in [0, 1, 4, 10] {
            let inner = |at: usize, len: usize| at >= width && at + width < len;
            let framed = image(|x, y| inner(x, 40) && inner(y, 30));
            assert_eq!(frame(&framed), width);
        }
        let inner = |at: usize| (8..20).contains(&at);
        assert_eq!(frame(&image(|x, y| inner(x) && inner(y))), 0);
        assert_eq!(frame(&image(|_, _| false)), 0);
    }
}
