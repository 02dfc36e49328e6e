//! Blends heat maps over images and draws outlines on them.

use super::jet::jet;
use image::{Rgb, RgbImage};
use nn_core::Tensor;
use nn_core::data::Mask;
use nn_core::explain::place;
use nn_core::model::ReceptiveField;

/// The opacity of the heat map over the image.
const ALPHA: f64 = 0.5;

/// Blends `heat` `[height, width]`, with values from 0 to 1, in jet colours over `image`, resized to its
/// size.
pub fn overlay(image: &RgbImage, heat: &Tensor) -> RgbImage {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let &[rows, columns] = heat.dims() else { return image.clone() };
    let heat = place(heat, ReceptiveField::even((rows, columns), (height, width)), height, width);
    let mut out = image.clone();
    for (pixel, &heat) in out.pixels_mut().zip(heat.as_slice()) {
        let blend = |under: u8, over: u8| {
            // Adding 0.5 rounds to the nearest integer, because the cast truncates.
            (f64::from(under) * (1.0 - ALPHA) + f64::from(over) * ALPHA + 0.5) as u8
        };
        let (under, over) = (pixel.0, jet(heat.into()));
        *pixel = Rgb([0, 1, 2].map(|c| blend(under[c], over[c])));
    }
    out
}

/// The length of an outline's dashes, in pixels.
const DASH: u32 = 5;

/// Draws the border of `mask`, resized to the size of `image`: two pixels wide, in black and white dashes
/// that are visible on any background.
pub fn outline(image: &mut RgbImage, mask: &Mask) {
    let (width, height) = image.dimensions();
    let Ok(mask) = mask.resized(height as usize, width as usize) else { return };
    let at = |x: u32, y: u32| mask.values()[(y * width + x) as usize];
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let here = at(x, y);
        let beside = [
            (x > 0).then(|| at(x - 1, y)),
            (y > 0).then(|| at(x, y - 1)),
            (x + 1 < width).then(|| at(x + 1, y)),
            (y + 1 < height).then(|| at(x, y + 1)),
        ];
        if beside.into_iter().flatten().any(|other| other != here) {
            *pixel = Rgb([if ((x + y) / DASH).is_multiple_of(2) { 255 } else { 0 }; 3]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_follow_the_mask_and_no_border_of_the_image() {
        let mut image = RgbImage::from_pixel(40, 20, Rgb([9, 9, 9]));
        outline(&mut image, &Mask::new(1, 2, vec![true, false]).unwrap());
        for (x, _, pixel) in image.enumerate_pixels() {
            let is_line = pixel.0 == [0; 3] || pixel.0 == [255; 3];
            assert_eq!(is_line, x == 19 || x == 20, "{x}: {pixel:?}");
        }
        let seen: std::collections::BTreeSet<_> = image.pixels().map(|p| p.0).collect();
        assert_eq!(seen.len(), 3, "black, white, and the image");
    }

    #[test]
    fn overlays_are_half_image_and_half_heat() {
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([100, 10 * x as u8, 200 * y as u8]));
        let heat = Tensor::from_vec([1, 2], vec![0.0, 1.0]).unwrap();
        let out = overlay(&image, &heat);
        // Jet runs from dark blue over green to dark red.
        assert_eq!(out.get_pixel(0, 0).0, [50, 0, 64]);
        assert_eq!(out.get_pixel(2, 1).0, [114, 10, 100]);
        // The middle of three pixels lies between the centres of two cells.
        let middle = jet(0.5);
        assert_eq!(out.get_pixel(1, 0).0[0], ((100.0 + f64::from(middle[0])) / 2.0).round() as u8);
    }
}
