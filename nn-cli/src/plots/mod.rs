//! Pictures for reports and talks: training curves, confusion matrices and accuracies beside one
//! another, as SVG and as PNG.
//!
//! [`curves()`], [`confusion()`] and [`comparison()`] return a complete SVG document; [`to_png`] draws any of them with the
//! font that is built into the program, so no machine needs fonts, fontconfig or a display. The same
//! input gives the same bytes. Colours are told apart by colour-blind readers (after Okabe and Ito,
//! 2008), and every picture of the stand-in set says that it is one.
//!
//! Elements that carry the page's own colours have a class (`plot-paper`, `plot-text`, `plot-muted`,
//! `plot-grid`, `plot-axis`), so that a page with a dark theme can restyle an inlined SVG: a style
//! rule wins over the attribute. Marks and cells carry a `<title>`, which browsers show on hover.

mod comparison;
mod confusion;
mod curves;
mod panel;
mod png;
mod scale;
mod series;
pub(crate) mod svg;

pub use comparison::{ComparisonRow, ComparisonSpec, comparison};
pub use confusion::{ConfusionSpec, confusion};
pub use curves::{CurvesSpec, curves, panels};
pub use png::{FACES, to_image, to_png};
pub use series::{Band, Baseline, Series};

use svg::{Anchor, Svg, Text, fit};

/// What a picture of the stand-in set says, in a box that cannot be overlooked.
const STAND_IN: &str = "STAND-IN DATA · rendered images, not photographs";

/// Left and right margin of every picture.
const MARGIN: f64 = 32.0;

/// Draws title, subtitle and the stand-in notice from `left` on; returns the height they take. Without
/// a title there is none of them: the picture is part of a page that says it all.
fn header(svg: &mut Svg, width: f64, title: &str, subtitle: &str, stand_in: bool) -> f64 {
    if title.is_empty() {
        return 0.0;
    }
    let room = width - 2.0 * MARGIN;
    let mut y = 44.0;
    svg.text(MARGIN, y, &fit(title, room, 22.0, true), &Text::new(22.0).bold());
    if !subtitle.is_empty() {
        y += 26.0;
        svg.text(MARGIN, y, &fit(subtitle, room, 14.0, false), &Text::new(14.0).colour(svg::MUTED));
    }
    if stand_in {
        y += 16.0;
        let label = fit(STAND_IN, room - 24.0, 13.0, true);
        let wide = svg::text_width(&label, 13.0, true) + 28.0;
        svg.rounded(MARGIN, y, wide, 28.0, svg::NOTICE_PAPER, svg::NOTICE);
        svg.text(
            MARGIN + wide / 2.0,
            y + 18.5,
            &label,
            &Text::new(13.0).bold().colour(svg::NOTICE).anchor(Anchor::Middle),
        );
        y += 28.0;
    }
    y
}

/// How wide a picture must be to show its header uncut, within reason.
fn header_width(title: &str, subtitle: &str, stand_in: bool) -> f64 {
    let notice = if stand_in { svg::text_width(STAND_IN, 13.0, true) + 30.0 } else { 0.0 };
    let text = svg::text_width(title, 22.0, true).max(svg::text_width(subtitle, 14.0, false));
    text.max(notice) + 2.0 * MARGIN + 8.0
}
