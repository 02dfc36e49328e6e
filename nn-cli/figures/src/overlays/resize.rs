//! Resizes pictures.

use crate::error::{Error, Result};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::buffer::ConvertBuffer;
use image::{RgbImage, RgbaImage};

/// `image` resized to `width` x `height` pixels. Shrinking averages all source pixels that a pixel covers;
/// enlarging interpolates between them.
///
/// # Errors
/// No input causes one.
pub fn resized(image: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    let (old_width, old_height) = image.dimensions();
    let four: RgbaImage = image.convert(); // the library is built for pixels of four bytes alone
    let from = ImageRef::new(old_width, old_height, four.as_raw(), PixelType::U8x4);
    let mut to = Image::new(width, height, PixelType::U8x4);
    let filter = ResizeAlg::Convolution(FilterType::CatmullRom);
    let options = ResizeOptions::new().resize_alg(filter).use_alpha(false);
    let from = from.map_err(|problem| Error::Resize(problem.to_string()))?;
    let resized = Resizer::new().resize(&from, &mut to, &options);
    resized.map_err(|problem| Error::Resize(problem.to_string()))?;
    let to = RgbaImage::from_raw(width, height, to.into_vec());
    let to = to.ok_or(Error::Size { width, height })?;
    Ok(to.convert())
}

/// `image` resized so that its longer side has `side` pixels, keeping its aspect ratio.
///
/// # Errors
/// No input causes one.
pub fn fitted(image: &RgbImage, side: f64) -> Result<RgbImage> {
    let (width, height) = image.dimensions();
    let scale = side / f64::from(width.max(height));
    let scaled = |len: u32| ((f64::from(len) * scale).round() as u32).max(1);
    resized(image, scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn pixels_become_means_and_one_colour_stays() {
        // Stripes narrower than the pixels after shrinking.
        let stripes = RgbImage::from_fn(400, 30, |x, _| Rgb([255 * (x % 2) as u8, 90, 7]));
        let small = resized(&stripes, 40, 10).unwrap();
        assert_eq!(small.dimensions(), (40, 10));
        for pixel in small.pixels() {
            assert!(pixel.0[0].abs_diff(128) <= 8 && pixel.0[1..] == [90, 7], "{pixel:?}");
        }
        let plain = RgbImage::from_pixel(3, 2, Rgb([200, 10, 31]));
        for (width, height) in [(1, 1), (3, 2), (50, 1), (7, 300)] {
            let other = resized(&plain, width, height).unwrap();
            assert!(other.pixels().all(|pixel| pixel.0 == [200, 10, 31]));
        }
    }

    #[test]
    fn the_aspect_is_kept_as_far_as_pixels_go() {
        for (from, to) in [
            ((40, 30), (100, 75)),
            ((30, 40), (75, 100)),
            ((1000, 10), (100, 1)),
            ((1, 700), (1, 100)),
            ((5000, 2500), (100, 50)),
        ] {
            let image = RgbImage::new(from.0, from.1);
            assert_eq!(fitted(&image, 100.0).unwrap().dimensions(), to);
        }
    }
}
