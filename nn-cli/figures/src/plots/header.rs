//! The header of every plot: title, subtitle, and the notice that the data is synthetic.

use crate::notice::SYNTHETIC_IMAGES;
use crate::svg::{self, Anchor, Svg, Text, fit};

/// Left and right margin of every picture.
pub const MARGIN: f64 = 32.0;

/// Draws title, subtitle and the notice of synthetic data, starting at `left`; returns the header's height.
/// Without a title nothing is drawn: such a picture is part of a page with its own header.
pub fn header(svg: &mut Svg, width: f64, title: &str, subtitle: &str, synthetic: bool) -> f64 {
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
    if synthetic {
        y += 16.0;
        let label = fit(SYNTHETIC_IMAGES, room - 24.0, 13.0, true);
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

/// The width at which a picture shows its whole header, within a limit.
pub fn header_width(title: &str, subtitle: &str, synthetic: bool) -> f64 {
    let notice = if synthetic { svg::text_width(SYNTHETIC_IMAGES, 13.0, true) + 30.0 } else { 0.0 };
    let text = svg::text_width(title, 22.0, true).max(svg::text_width(subtitle, 14.0, false));
    text.max(notice) + 2.0 * MARGIN + 8.0
}
