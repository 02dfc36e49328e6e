//! Overlays with captions: next to the original with a colour bar, or many in a grid.

use super::blend::{outline, overlay};
use super::jet::jet;
use super::resize::fitted;
use crate::error::Result;
use crate::notice::{SYNTHETIC_IMAGE, SYNTHETIC_IMAGES};
use crate::png::to_image;
use crate::svg::{Anchor, Colour, MUTED, NOTICE, Svg, TEXT, Text, fit};
use image::RgbImage;
use image::imageops;
use nn_core::Tensor;
use nn_core::data::Mask;

/// One image, its heat map and its caption.
pub struct HeatFigure<'a> {
    /// The image.
    pub image: &'a RgbImage,
    /// The normalised map (values from 0 to 1), of any size.
    pub heat: &'a Tensor,
    /// The mask taken for the animal, to be outlined.
    pub subject: Option<&'a Mask>,
    /// The image's name: its file.
    pub title: &'a str,
    /// The class with its probability.
    pub class: &'a str,
    /// A further line.
    pub note: &'a str,
    /// Whether the image is of the synthetic set, which the picture then states.
    pub synthetic: bool,
}

/// The most overlays on one [`grid`].
pub const GRID_MOST: usize = 48;

/// Pixels per SVG unit.
const SCALE: f64 = 1.5;
const MARGIN: f64 = 20.0;
/// The longer side of each of the two images side by side.
const SIDE: f64 = 320.0;
const GAP: f64 = 12.0;
const BAR: f64 = 14.0;
/// Room for the numbers between the bar and the picture's edge.
const BAR_LABELS: f64 = 30.0;

const TILE: f64 = 132.0;
const TILE_GAP: f64 = 4.0;
const TILE_PAIRS: usize = 4;
const TILE_TEXT: f64 = 38.0;

/// Draws the image and its overlay side by side, with the caption above them.
///
/// # Errors
/// No input causes one; only if the picture cannot be rendered.
pub fn side_by_side(figure: &HeatFigure<'_>) -> Result<RgbImage> {
    let image = fitted(figure.image, SIDE * SCALE)?;
    let (wide, high) = (f64::from(image.width()) / SCALE, f64::from(image.height()) / SCALE);
    // The caption needs room, however narrow the image.
    let pair = 2.0 * wide + GAP;
    let inner = pair.max(420.0);
    let width = MARGIN + inner + GAP + BAR + BAR_LABELS + MARGIN;
    let top = if figure.synthetic { 100.0 } else { 82.0 };
    let height = top + high.max(80.0) + MARGIN;
    let left = MARGIN + (inner - pair) / 2.0;

    let described = format!("{}: {}", figure.title, figure.class);
    let mut svg = Svg::new(width, height, &described, figure.note);
    let room = width - 2.0 * MARGIN;
    let mut line = |y: f64, text: &str, size: f64, bold: bool, colour: Colour| {
        let style = Text::new(size).colour(colour);
        let style = if bold { style.bold() } else { style };
        svg.text(MARGIN, y, &fit(text, room, size, bold), &style);
    };
    line(30.0, figure.class, 17.0, true, TEXT);
    line(50.0, figure.title, 13.0, false, TEXT);
    line(68.0, figure.note, 12.0, false, MUTED);
    if figure.synthetic {
        line(87.0, SYNTHETIC_IMAGE, 12.0, true, NOTICE);
    }
    colour_bar(&mut svg, MARGIN + inner + GAP, top, high.max(80.0));

    let mut picture = to_image(&svg.finish(), SCALE as f32)?;
    let pixels = |units: f64| (units * SCALE).round() as i64;
    let mut heat = overlay(&image, figure.heat);
    let mut image = image;
    if let Some(subject) = figure.subject {
        outline(&mut image, subject);
        outline(&mut heat, subject);
    }
    imageops::replace(&mut picture, &image, pixels(left), pixels(top));
    imageops::replace(&mut picture, &heat, pixels(left + wide + GAP), pixels(top));
    Ok(picture)
}

/// The steps of a colour bar, from no heat to the most: position (0 to 1) and colour.
fn bar_steps() -> impl Iterator<Item = (f64, String)> {
    const STEPS: u32 = 64;
    (0..STEPS).map(|i| {
        let [r, g, b] = jet(f64::from(i) / f64::from(STEPS - 1));
        (f64::from(i) / f64::from(STEPS), format!("#{r:02x}{g:02x}{b:02x}"))
    })
}

/// A vertical colour bar: which colour stands for how much heat.
fn colour_bar(svg: &mut Svg, x: f64, y: f64, high: f64) {
    for (place, hex) in bar_steps() {
        // Each step is drawn from its lower end to the top and covered by the next, so that no background
        // shows between two.
        svg.cell(x, y, BAR, high * (1.0 - place), &hex, "");
    }
    let style = Text::new(11.0).colour(MUTED);
    for (label, share) in [("1", 0.0), ("0.5", 0.5), ("0", 1.0)] {
        svg.text(x + BAR + 5.0, y + 9.0 + share * (high - 10.0), label, &style);
    }
}

/// A horizontal colour bar, whose right end and numbers end before `right`.
fn small_colour_bar(svg: &mut Svg, right: f64, y: f64) {
    let (wide, high) = (120.0, 8.0);
    let left = right - wide - 14.0;
    for (place, hex) in bar_steps() {
        svg.cell(left + place * wide, y - high, wide * (1.0 - place), high, &hex, "");
    }
    let style = Text::new(11.0).colour(MUTED);
    svg.text(right - 8.0, y, "1", &style);
    svg.text(left - 6.0, y, "0", &style.anchor(Anchor::End));
}

/// Draws up to [`GRID_MOST`] images beside their overlays, each pair with its caption beneath.
///
/// # Errors
/// No input causes one; only if the picture cannot be rendered.
pub fn grid(title: &str, note: &str, shown: &[HeatFigure<'_>]) -> Result<RgbImage> {
    let shown = &shown[..shown.len().min(GRID_MOST)];
    let columns = shown.len().clamp(1, TILE_PAIRS);
    let pair = 2.0 * TILE + TILE_GAP;
    let (step_x, step_y) = (pair + MARGIN, TILE + TILE_TEXT + 8.0);
    let synthetic = shown.iter().any(|one| one.synthetic);
    let top = if synthetic { 84.0 } else { 66.0 };
    // One column alone is too narrow for the title.
    let width = (MARGIN + columns as f64 * step_x).max(420.0);
    let height = top + shown.len().div_ceil(columns) as f64 * step_y + MARGIN / 2.0;
    let mut svg = Svg::new(width, height, title, note);
    small_colour_bar(&mut svg, width - MARGIN, 32.0);
    let room = width - 2.0 * MARGIN - 160.0;
    svg.text(MARGIN, 32.0, &fit(title, room, 17.0, true), &Text::new(17.0).bold());
    svg.text(MARGIN, 51.0, &fit(note, room, 12.0, false), &Text::new(12.0).colour(MUTED));
    if synthetic {
        let style = Text::new(12.0).bold().colour(NOTICE);
        svg.text(MARGIN, 70.0, &fit(SYNTHETIC_IMAGES, room, 12.0, true), &style);
    }
    let place =
        |i: usize| (MARGIN + (i % columns) as f64 * step_x, top + (i / columns) as f64 * step_y);
    for (i, one) in shown.iter().enumerate() {
        let (x, y) = place(i);
        let middle = x + pair / 2.0;
        let strong = Text::new(12.0).bold().anchor(Anchor::Middle);
        let plain = Text::new(11.0).colour(MUTED).anchor(Anchor::Middle);
        svg.text(middle, y + TILE + 14.0, &fit(one.class, pair, 12.0, true), &strong);
        svg.text(middle, y + TILE + 29.0, &fit(one.title, pair, 11.0, false), &plain);
    }
    let mut picture = to_image(&svg.finish(), SCALE as f32)?;
    for (i, one) in shown.iter().enumerate() {
        let (x, y) = place(i);
        let image = fitted(one.image, TILE * SCALE)?;
        let (wide, high) = (f64::from(image.width()) / SCALE, f64::from(image.height()) / SCALE);
        let centred = |x: f64| {
            let at = (x + (TILE - wide) / 2.0, y + (TILE - high) / 2.0);
            ((at.0 * SCALE).round() as i64, (at.1 * SCALE).round() as i64)
        };
        let (left, right) = (centred(x), centred(x + TILE + TILE_GAP));
        let mut heat = overlay(&image, one.heat);
        if let Some(subject) = one.subject {
            outline(&mut heat, subject);
        }
        imageops::replace(&mut picture, &image, left.0, left.1);
        imageops::replace(&mut picture, &heat, right.0, right.1);
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn shown<'a>(image: &'a RgbImage, heat: &'a Tensor) -> HeatFigure<'a> {
        let (title, class) = ("folder/husky_1.jpeg", "husky 98.1 %");
        HeatFigure { image, heat, subject: None, title, class, note: "Grad-CAM", synthetic: false }
    }

    fn heat() -> Tensor {
        Tensor::from_vec([2, 2], vec![0.0, 0.0, 1.0, 1.0]).unwrap()
    }

    #[test]
    fn the_original_stands_beside_the_overlay_and_the_bar() {
        for (w, h) in [(40, 30), (30, 40), (1000, 10), (1, 700)] {
            let image = RgbImage::from_pixel(w, h, Rgb([10, 200, 90]));
            let picture = side_by_side(&shown(&image, &heat())).unwrap();
            let count = |wanted: [u8; 3]| picture.pixels().filter(|p| p.0 == wanted).count();
            let small = fitted(&image, SIDE * SCALE).unwrap();
            let area = (small.width() * small.height()) as usize;
            assert!(count([10, 200, 90]) >= area, "{w} x {h}");
            let blended = overlay(&small, &heat());
            let (first, last) = (blended.get_pixel(0, 0).0, blended.pixels().next_back().unwrap());
            assert!(count(first) > 0 && count(last.0) > 0);
            assert!(count(jet(0.0)) > 15 && count(jet(1.0)) > 15, "no bar");
            let dark = picture.pixels().filter(|p| p.0.iter().all(|&v| v < 60)).count();
            assert!(dark > 300, "no caption");
        }
    }

    #[test]
    fn a_synthetic_image_is_called_one() {
        let (image, heat) = (RgbImage::new(20, 20), heat());
        let plain = side_by_side(&shown(&image, &heat)).unwrap();
        let told = HeatFigure { synthetic: true, ..shown(&image, &heat) };
        assert!(side_by_side(&told).unwrap().height() > plain.height());
        assert!(grid("t", "n", &[told]).unwrap().height() > 0);
    }

    #[test]
    fn grids_of_any_number_have_a_place_for_each() {
        let (image, heat) = (RgbImage::from_pixel(30, 20, Rgb([10, 200, 90])), heat());
        let small = fitted(&image, TILE * SCALE).unwrap();
        let area = (small.width() * small.height()) as usize;
        for count in [1, 3, 4, 5, GRID_MOST, GRID_MOST + 3] {
            let all: Vec<_> = (0..count).map(|_| shown(&image, &heat)).collect();
            let picture = grid("Grad-CAM", "", &all).unwrap();
            let found = picture.pixels().filter(|p| p.0 == [10, 200, 90]).count();
            assert_eq!(found, count.min(GRID_MOST) * area);
        }
        assert!(grid("empty", "", &[]).is_ok());
    }
}
