//! A contact sheet: images in rows and columns, with a line of text above each column and beneath each row.

use super::fitted;
use crate::Result;
use crate::png::to_image;
use crate::svg::{Anchor, MUTED, Svg, Text, fit};
use image::{RgbImage, imageops};

/// Pixels of the picture to a unit of the drawing.
const SCALE: f64 = 2.0;

/// The side of an image, the gap between two, and the margin.
const TILE: f64 = 120.0;
const GAP: f64 = 6.0;
const MARGIN: f64 = 20.0;

/// The height of the title and of the names of columns, and that of a row's text.
const TOP: f64 = 84.0;
const TEXT: f64 = 22.0;

/// A row of a contact sheet.
pub struct SheetRow {
    /// The text beneath it.
    pub text: String,
    /// An image for each column.
    pub images: Vec<RgbImage>,
}

/// Draws a contact sheet.
///
/// # Errors
/// No input causes one; only if the picture cannot be rendered.
pub fn sheet(title: &str, note: &str, columns: &[String], rows: &[SheetRow]) -> Result<RgbImage> {
    let step = TILE + GAP;
    let width = (2.0 * MARGIN + columns.len() as f64 * step - GAP).max(420.0);
    let height = TOP + rows.len() as f64 * (TILE + TEXT) + MARGIN;
    let mut svg = Svg::new(width, height, title, note);
    let room = width - 2.0 * MARGIN;
    svg.text(MARGIN, 32.0, &fit(title, room, 17.0, true), &Text::new(17.0).bold());
    svg.text(MARGIN, 51.0, &fit(note, room, 12.0, false), &Text::new(12.0).colour(MUTED));
    let left = |column: usize| MARGIN + column as f64 * step;
    let top = |row: usize| TOP + row as f64 * (TILE + TEXT);
    for (i, name) in columns.iter().enumerate() {
        let style = Text::new(11.0).bold().anchor(Anchor::Middle);
        svg.text(left(i) + TILE / 2.0, TOP - 8.0, &fit(name, TILE, 11.0, true), &style);
    }
    for (i, row) in rows.iter().enumerate() {
        let style = Text::new(11.0).colour(MUTED);
        svg.text(MARGIN, top(i) + TILE + 14.0, &fit(&row.text, room, 11.0, false), &style);
    }
    let mut picture = to_image(&svg.finish(), SCALE as f32)?;
    for (y, row) in rows.iter().enumerate() {
        for (x, image) in row.images.iter().take(columns.len()).enumerate() {
            let image = fitted(image, TILE * SCALE)?;
            let middle = |at: f64, side: u32| at * SCALE + (TILE * SCALE - f64::from(side)) / 2.0;
            let at = (middle(left(x), image.width()), middle(top(y), image.height()));
            imageops::replace(&mut picture, &image, at.0.round() as i64, at.1.round() as i64);
        }
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn each_image_has_its_place() {
        let tile = |value: u8| RgbImage::from_pixel(30, 30, Rgb([10, value, 90]));
        let row = |first: u8| SheetRow {
            text: "a.png".into(),
            images: vec![tile(first), tile(first + 1)],
        };
        let columns = ["as it is".to_string(), "epoch 1".into()];
        let picture = sheet("Training images", "flip", &columns, &[row(100), row(200)]).unwrap();
        let area = (TILE * SCALE) as usize * (TILE * SCALE) as usize;
        for value in [100, 101, 200, 201] {
            let found = picture.pixels().filter(|pixel| pixel.0 == [10, value, 90]).count();
            assert_eq!(found, area, "{value}");
        }
        assert!(sheet("none", "", &[], &[]).is_ok());
    }
}
