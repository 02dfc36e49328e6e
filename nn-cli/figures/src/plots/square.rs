//! Curves of two shares: ROC and precision-recall curves, reliability diagrams.
//!
//! Both axes span 0 to 100 % and are as long as each other, so that areas and distances from the diagonal are seen
//! as they are. Lines are named, with a number each, beneath the picture.

use super::axis::percent;
use super::header::{MARGIN, header, header_width};
use crate::notice::SYNTHETIC_IMAGES;
use crate::svg::{self, Anchor, Colour, Svg, Text, fit, text_width};

/// A picture of lines between shares.
#[derive(Clone, Debug, Default)]
pub struct SquareSpec {
    /// The headline; without it the picture is part of a page.
    pub title: String,
    /// A line beneath it; may be empty.
    pub subtitle: String,
    /// Whether the data is the synthetic set, which the picture then states.
    pub synthetic: bool,
    /// What the horizontal axis shows.
    pub x: String,
    /// What the vertical axis shows.
    pub y: String,
    /// The name of the diagonal from 0 to 100 %, if it is drawn.
    pub diagonal: Option<String>,
    /// The lines, in the order of their colours.
    pub lines: Vec<SquareLine>,
}

/// One line.
#[derive(Clone, Debug, Default)]
pub struct SquareLine {
    /// Its name.
    pub name: String,
    /// What is said of it beside its name: `AUC 0.93`.
    pub value: String,
    /// Its corners, in their order; others than finite ones are left out.
    pub corners: Vec<(f64, f64)>,
    /// Points that are marked on it.
    pub points: Vec<SquarePoint>,
}

/// A marked point.
#[derive(Clone, Debug, Default)]
pub struct SquarePoint {
    /// Where it is.
    pub at: (f64, f64),
    /// The ends of its interval, upwards and downwards.
    pub range: Option<(f64, f64)>,
    /// How large its dot is, from 0 to 1.
    pub weight: f64,
    /// What is said of it on hover.
    pub tip: String,
}

/// The side of the square.
const SIDE: f64 = 320.0;
/// The room left of it for its axis.
const BEFORE: f64 = 74.0;
const AFTER: f64 = 20.0;
/// The room beneath it for its axis.
const BELOW: f64 = 62.0;
const ROW: f64 = 22.0;
const NAME_SIZE: f64 = 13.0;

/// The position of the square on the page.
#[derive(Clone, Copy)]
struct Frame {
    left: f64,
    top: f64,
}

impl Frame {
    fn at(self, (x, y): (f64, f64)) -> (f64, f64) {
        let within = |share: f64| share.clamp(0.0, 1.0) * SIDE;
        (self.left + within(x), self.top + SIDE - within(y))
    }
}

/// Draws `spec` as an SVG document.
pub fn square(spec: &SquareSpec) -> String {
    let content = BEFORE + SIDE + AFTER;
    let width = match spec.title.is_empty() {
        true => content,
        false => {
            let wanted = header_width(&spec.title, &spec.subtitle, spec.synthetic).min(1000.0);
            (content + 2.0 * MARGIN).max(wanted).ceil()
        }
    };
    let draw_header =
        |svg: &mut Svg| header(svg, width, &spec.title, &spec.subtitle, spec.synthetic);
    let top = draw_header(&mut Svg::new(width, 1.0, "", "")) + 24.0;
    let rows = spec.lines.len() + usize::from(spec.diagonal.is_some());
    let height = top + SIDE + BELOW + ROW * rows as f64 + 8.0;
    let mut svg = Svg::new(width, height, &spec.title, &describe(spec));
    draw_header(&mut svg);
    let left = ((width - content) / 2.0 + BEFORE).round();
    let frame = Frame { left, top };
    axes(&mut svg, frame, spec);
    let colours = || spec.lines.iter().zip(svg::SERIES.into_iter().cycle()).enumerate();
    for (i, (line, colour)) in colours() {
        draw(&mut svg, frame, line, colour, i % 2 == 1);
    }
    let mut y = top + SIDE + BELOW + 12.0;
    let room = width - left - AFTER;
    for (i, (line, colour)) in colours() {
        key(&mut svg, (left, y), colour, if i % 2 == 1 { 2.0 } else { 3.25 }, "");
        let beside = room - 34.0 - text_width(&line.value, NAME_SIZE, false) - 6.0;
        let name = fit(&line.name, beside, NAME_SIZE, true);
        svg.pair(left + 34.0, y, &name, &line.value, &Text::new(NAME_SIZE).colour(colour));
        y += ROW;
    }
    if let Some(name) = &spec.diagonal {
        key(&mut svg, (left, y), svg::AXIS, 1.25, "5 4");
        let name = fit(name, room - 34.0, NAME_SIZE, false);
        svg.text(left + 34.0, y, &name, &Text::new(NAME_SIZE).colour(svg::MUTED));
    }
    svg.finish()
}

/// A short piece of a line, beside its name.
fn key(svg: &mut Svg, (x, y): (f64, f64), colour: Colour, wide: f64, dash: &str) {
    svg.line((x, y - 4.5), (x + 26.0, y - 4.5), colour, wide, dash);
}

fn axes(svg: &mut Svg, frame: Frame, spec: &SquareSpec) {
    let small = Text::new(12.0).colour(svg::MUTED);
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (colour, wide) = if share == 0.0 { (svg::AXIS, 1.25) } else { (svg::GRID, 1.0) };
        svg.line(frame.at((0.0, share)), frame.at((1.0, share)), colour, wide, "");
        svg.line(frame.at((share, 0.0)), frame.at((share, 1.0)), colour, wide, "");
        let (x, y) = frame.at((share, share));
        svg.text(frame.left - 10.0, y + 4.2, &percent(share), &small.anchor(Anchor::End));
        let below = frame.top + SIDE + 20.0;
        svg.text(x, below, &percent(share), &small.anchor(Anchor::Middle));
    }
    let heading = Text::new(NAME_SIZE).bold().anchor(Anchor::Middle);
    let (x, y) = frame.at((0.5, 0.5));
    svg.text(x, frame.top + SIDE + 44.0, &fit(&spec.x, SIDE, NAME_SIZE, true), &heading);
    let beside = frame.left - BEFORE + 14.0;
    svg.text(beside, y, &fit(&spec.y, SIDE, NAME_SIZE, true), &heading.turn(-90.0));
    if spec.diagonal.is_some() {
        svg.line(frame.at((0.0, 0.0)), frame.at((1.0, 1.0)), svg::AXIS, 1.25, "5 4");
    }
}

fn draw(svg: &mut Svg, frame: Frame, line: &SquareLine, colour: Colour, thin: bool) {
    // Every second line is thinner, so that the first still shows where two coincide.
    let wide = if thin { 2.0 } else { 3.25 };
    let is_place = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let corners = line.corners.iter().copied().filter(is_place).map(|corner| frame.at(corner));
    let corners: Vec<_> = corners.collect();
    for point in line.points.iter().filter(|point| is_place(&point.at)) {
        if let Some((low, high)) = point.range {
            let x = point.at.0;
            svg.line(frame.at((x, low)), frame.at((x, high)), colour, 1.25, "");
        }
    }
    if corners.len() > 1 {
        svg.polyline(&corners, colour, wide);
    }
    for point in line.points.iter().filter(|point| is_place(&point.at)) {
        let radius = 3.0 + 6.0 * point.weight.clamp(0.0, 1.0).sqrt();
        svg.dot(frame.at(point.at), radius, colour, false, &point.tip);
    }
}

/// The description, for screen readers.
fn describe(spec: &SquareSpec) -> String {
    let mut out = format!("{} against {}.", spec.y, spec.x);
    for line in &spec.lines {
        out += &format!(" {}: {}.", line.name, line.value);
    }
    if spec.synthetic {
        out += &format!(" {SYNTHETIC_IMAGES}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::to_png;
    use resvg::usvg::roxmltree::Document;

    fn spec(lines: usize) -> SquareSpec {
        let line = |at: usize| SquareLine {
            name: format!("<class {at}> {}", "long".repeat(30)),
            value: "AUC 0.75".into(),
            corners: vec![(0.0, 0.0), (0.25, 0.75), (f64::NAN, 0.5), (1.0, 1.0)],
            points: vec![SquarePoint {
                at: (0.5, 0.75),
                range: Some((-0.25, 2.0)),
                weight: 1.0,
                tip: "12 images".into(),
            }],
        };
        SquareSpec {
            title: "birds: ROC curve".into(),
            x: "false positive rate".into(),
            y: "true positive rate".into(),
            diagonal: Some("guessing".into()),
            lines: (0..lines).map(line).collect(),
            ..SquareSpec::default()
        }
    }

    #[test]
    fn everything_lies_within_the_picture() {
        for lines in [0, 1, 5] {
            for title in ["", "birds"] {
                let svg = square(&SquareSpec { title: title.into(), ..spec(lines) });
                let document = Document::parse(&svg).expect("well-formed XML");
                let size = |name| -> f64 {
                    document.root_element().attribute(name).unwrap().parse().unwrap()
                };
                let count = |tag| document.descendants().filter(|n| n.has_tag_name(tag)).count();
                assert_eq!((count("polyline"), count("circle")), (lines, lines));
                for node in document.descendants() {
                    for (names, limit) in [
                        (["x", "x1", "x2", "cx"], size("width")),
                        (["y", "y1", "y2", "cy"], size("height")),
                    ] {
                        for value in names.iter().filter_map(|name| node.attribute(*name)) {
                            let value: f64 = value.parse().unwrap();
                            assert!((0.0..=limit).contains(&value), "{value} of {limit}");
                        }
                    }
                }
                assert!(!svg.contains("NaN") && !svg.contains("<class"));
                assert!(to_png(&svg, 1.0).is_ok());
            }
        }
    }

    #[test]
    fn the_drawing_is_told_in_words() {
        let svg = square(&SquareSpec { synthetic: true, ..spec(1) });
        assert!(svg.contains("true positive rate against false positive rate"));
        assert!(svg.contains("AUC 0.75") && svg.contains(SYNTHETIC_IMAGES));
    }
}
