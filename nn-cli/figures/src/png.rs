//! Renders SVG to PNG with the built-in fonts, independent of the fonts of the machine.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use image::{Rgb, RgbImage};
use resvg::{tiny_skia, usvg};

/// Inter, reduced to the characters that labels need; see `fonts/README.md`.
static REGULAR: &[u8] = include_bytes!("../fonts/Inter-Regular.ttf");
static SEMI_BOLD: &[u8] = include_bytes!("../fonts/Inter-SemiBold.ttf");

/// The built-in fonts by their CSS weight, for pages that include pictures.
pub static FONTS: [(u16, &[u8]); 2] = [(400, REGULAR), (600, SEMI_BOLD)];

/// The longest side of a picture, in pixels: a larger picture is of no use and needs gigabytes.
const LONGEST_SIDE: f32 = 16_384.0;

fn fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(REGULAR.to_vec());
        fonts.load_font_data(SEMI_BOLD.to_vec());
        fonts.set_sans_serif_family("Inter");
        Arc::new(fonts)
    };
    Arc::clone(FONTS.get_or_init(load))
}

/// Parses an SVG document.
pub fn parse(svg: &str) -> Result<usvg::Tree> {
    let options =
        usvg::Options { fontdb: fonts(), font_family: "Inter".into(), ..Default::default() };
    Ok(usvg::Tree::from_str(svg, &options)?)
}

/// Renders an SVG document and encodes it as PNG, with `scale` pixels for each SVG unit: 2 is right for
/// slides and high-resolution screens.
///
/// # Errors
/// If `svg` is not valid, or if `scale` is not a positive number that keeps both sides within
/// 16,384 pixels.
pub fn to_png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    draw(svg, scale)?.encode_png().map_err(|problem| Error::Encode(problem.to_string()))
}

/// Renders an SVG document to an image that can be drawn on; transparent parts become white.
///
/// # Errors
/// Those of [`to_png`].
pub fn to_image(svg: &str, scale: f32) -> Result<RgbImage> {
    let pixels = draw(svg, scale)?;
    let mut image = RgbImage::new(pixels.width(), pixels.height());
    for (out, pixel) in image.pixels_mut().zip(pixels.pixels()) {
        let behind = 255 - pixel.alpha();
        *out = Rgb([pixel.red(), pixel.green(), pixel.blue()].map(|v| v.saturating_add(behind)));
    }
    Ok(image)
}

fn draw(svg: &str, scale: f32) -> Result<tiny_skia::Pixmap> {
    let tree = parse(svg)?;
    let (width, height) = (tree.size().width() * scale, tree.size().height() * scale);
    let refused = Error::Scale { scale, limit: LONGEST_SIDE, width, height };
    // Written so that NaN fails too.
    if !(scale > 0.0 && width.max(height) <= LONGEST_SIDE) {
        return Err(refused);
    }
    let (width, height) = (width.ceil().max(1.0) as u32, height.ceil().max(1.0) as u32);
    let mut pixels = tiny_skia::Pixmap::new(width, height).ok_or(refused)?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::{Svg, Text};

    fn picture(text: &str) -> String {
        let mut svg = Svg::new(200.0, 60.0, "", "");
        svg.text(10.0, 40.0, text, &Text::new(24.0));
        svg.finish()
    }

    fn dark_pixels(svg: &str) -> usize {
        let png = to_png(svg, 1.0).expect("a picture");
        let pixels = tiny_skia::Pixmap::decode_png(&png).expect("a PNG");
        assert_eq!((pixels.width(), pixels.height()), (200, 60));
        pixels.pixels().iter().filter(|p| p.red() < 128).count()
    }

    #[test]
    fn text_is_drawn_with_the_built_in_font() {
        assert_eq!(dark_pixels(&picture("")), 0);
        assert!(dark_pixels(&picture("wolf")) > 100);
        assert_ne!(to_png(&picture("wolf"), 1.0).unwrap(), to_png(&picture("woIf"), 1.0).unwrap());
        // Characters beyond ASCII must have glyphs of their own, not all the same empty box.
        for pair in [["ä", "ö"], ["λ", "π"], ["ж", "ш"], ["→", "≤"], ["ł", "ő"]] {
            let [a, b] = pair.map(|t| to_png(&picture(t), 1.0).unwrap());
            assert_ne!(a, b, "{pair:?}");
        }
    }

    #[test]
    fn bold_is_heavier() {
        let draw = |style: Text| {
            let mut svg = Svg::new(200.0, 60.0, "", "");
            svg.text(10.0, 40.0, "Accuracy", &style);
            dark_pixels(&svg.finish())
        };
        assert!(draw(Text::new(24.0).bold()) > draw(Text::new(24.0)) * 11 / 10);
    }

    #[test]
    fn a_bad_scale_or_document_is_an_error() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e6] {
            let message = to_png(&picture("x"), scale).unwrap_err().to_string();
            assert!(message.contains("scale"), "{message}");
        }
        assert!(to_png("<svg", 1.0).is_err());
        assert!(to_png(&picture("x"), 1e-9).is_ok());
    }
}
