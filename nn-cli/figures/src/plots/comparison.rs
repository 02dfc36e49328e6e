//! A plot of accuracies, one below the other, each with its interval: the result of an experiment.

use super::axis::percent;
use super::header::{MARGIN, header};
use super::series::Baseline;
use crate::svg::{self, Anchor, Svg, Text, fit, text_width};

/// Accuracies to compare.
#[derive(Clone, Debug, Default)]
pub struct ComparisonSpec {
    /// The headline.
    pub title: String,
    /// A line beneath it; may be empty.
    pub subtitle: String,
    /// Whether any of the data is the synthetic set, which the picture then states.
    pub synthetic: bool,
    /// From top to bottom.
    pub rows: Vec<ComparisonRow>,
    /// The label of the hollow diamonds in the key.
    pub reference: String,
}

/// One accuracy.
#[derive(Clone, Debug)]
pub struct ComparisonRow {
    /// Which model on which images.
    pub name: String,
    /// A line beneath the name.
    pub detail: String,
    /// From 0 to 1, as are all values below.
    pub accuracy: f64,
    /// The lower and the upper end of its 95 % interval.
    pub interval: (f64, f64),
    /// The individual values of which it is the mean; empty if there is only one.
    pub each: Vec<f64>,
    /// The accuracy that others published, drawn as a hollow diamond.
    pub reference: f64,
    /// Levels to compare it with, such as the accuracy of guessing on these images.
    pub baselines: Vec<Baseline>,
}

const WIDTH: f64 = 900.0;
const ROW: f64 = 72.0;
/// Width for the names.
const NAMES: f64 = 300.0;
/// Width for the accuracy at the right.
const VALUES: f64 = 84.0;

/// Draws the accuracies as an SVG document.
pub fn comparison(spec: &ComparisonSpec) -> String {
    let mut scratch = Svg::new(WIDTH, 1.0, "", "");
    let head = header(&mut scratch, WIDTH, &spec.title, &spec.subtitle, spec.synthetic);
    let top = head + 26.0;
    let bottom = top + ROW * spec.rows.len() as f64;
    let height = bottom + 78.0;
    let mut svg = Svg::new(WIDTH, height, &spec.title, &describe(spec));
    header(&mut svg, WIDTH, &spec.title, &spec.subtitle, spec.synthetic);

    let (left, right) = (MARGIN + NAMES, WIDTH - MARGIN - VALUES);
    let x = |share: f64| left + (right - left) * share.clamp(0.0, 1.0);
    let small = Text::new(12.0).colour(svg::MUTED);
    for mark in [0.0, 0.25, 0.5, 0.75, 1.0] {
        svg.line((x(mark), top), (x(mark), bottom), svg::GRID, 1.0, "");
        svg.text(x(mark), bottom + 18.0, &percent(mark), &small.anchor(Anchor::Middle));
    }
    svg.line((left, bottom), (right, bottom), svg::AXIS, 1.25, "");

    let colour = svg::SERIES[0];
    for (i, row) in spec.rows.iter().enumerate() {
        let y = top + ROW * (i as f64 + 0.5);
        for line in &row.baselines {
            let (at, from, to) = (x(line.accuracy), y - ROW / 2.0, y + ROW / 2.0);
            svg.line((at, from), (at, to), svg::AXIS, 1.5, line.dash());
        }
        let room = NAMES - 20.0;
        let name = fit(&row.name, room, 15.0, true);
        svg.text(MARGIN, y - 3.0, &name, &Text::new(15.0).bold());
        svg.text(MARGIN, y + 17.0, &fit(&row.detail, room, 12.0, false), &small);
        let (low, high) = (x(row.interval.0), x(row.interval.1));
        svg.line((low, y), (high, y), colour, 3.0, "");
        for end in [low, high] {
            svg.line((end, y - 7.0), (end, y + 7.0), colour, 2.0, "");
        }
        for &one in &row.each {
            svg.dot((x(one), y + 15.0), 2.5, svg::MUTED, false, &percent(one));
        }
        diamond(&mut svg, (x(row.reference), y - 15.0));
        let tip = format!(
            "{}: {}, 95 % interval {} to {}",
            row.name,
            percent(row.accuracy),
            percent(row.interval.0),
            percent(row.interval.1)
        );
        svg.dot((x(row.accuracy), y), 7.0, colour, false, &tip);
        let value = Text::new(20.0).bold().anchor(Anchor::End);
        svg.text(WIDTH - MARGIN, y + 7.0, &percent(row.accuracy), &value);
    }
    key(&mut svg, spec, left, bottom + 52.0);
    svg.finish()
}

/// A hollow diamond around `at`.
fn diamond(svg: &mut Svg, (x, y): (f64, f64)) {
    let r = 5.5;
    let points = [(x, y - r), (x + r, y), (x, y + r), (x - r, y), (x, y - r)];
    svg.polyline(&points, svg::SERIES[1], 2.0);
}

/// Draws the key of the marks.
fn key(svg: &mut Svg, spec: &ComparisonSpec, left: f64, y: f64) {
    let style = Text::new(12.0).colour(svg::MUTED);
    let several = spec.rows.iter().any(|row| !row.each.is_empty());
    let mut x = left - 60.0;
    let mut word = |svg: &mut Svg, text: &str, draw: &dyn Fn(&mut Svg, f64)| {
        draw(svg, x + 8.0);
        svg.text(x + 22.0, y + 4.0, text, &style);
        x += 22.0 + text_width(text, 12.0, false) + 24.0;
    };
    word(svg, "accuracy, 95 % interval", &|svg, x| {
        svg.line((x - 10.0, y), (x + 10.0, y), svg::SERIES[0], 3.0, "");
        svg.dot((x, y), 5.0, svg::SERIES[0], false, "");
    });
    if several {
        word(svg, "one seed", &|svg, x| svg.dot((x, y), 2.5, svg::MUTED, false, ""));
    }
    word(svg, &spec.reference, &|svg, x| diamond(svg, (x, y)));
    let mut named: Vec<&Baseline> = Vec::new();
    for line in spec.rows.iter().flat_map(|row| &row.baselines) {
        if !named.iter().any(|known| known.name == line.name) {
            named.push(line);
        }
    }
    for line in named {
        word(svg, &line.name, &|svg, x| {
            svg.line((x, y - 8.0), (x, y + 8.0), svg::AXIS, 1.5, line.dash());
        });
    }
}

/// The description, for screen readers.
fn describe(spec: &ComparisonSpec) -> String {
    spec.rows.iter().fold(String::new(), |text, row| {
        text + &format!(
            "{}: {} (95 % interval {} to {}; {} {}). ",
            row.name,
            percent(row.accuracy),
            percent(row.interval.0),
            percent(row.interval.1),
            spec.reference,
            percent(row.reference)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::to_png;
    use resvg::usvg::roxmltree::Document;

    fn spec(each: Vec<f64>, baselines: &[Baseline]) -> ComparisonSpec {
        let row = |name: &str, accuracy: f64| ComparisonRow {
            name: name.into(),
            detail: "20 images".into(),
            accuracy,
            interval: ((accuracy - 0.2).max(0.0), (accuracy + 0.1).min(1.0)),
            each: each.clone(),
            reference: 0.0,
            baselines: baselines.to_vec(),
        };
        ComparisonSpec {
            title: "With leakage and without".into(),
            rows: vec![row("all right", 1.0), row("<all> wrong & more", 0.0), row("half", 0.5)],
            reference: "the notebook".into(),
            ..ComparisonSpec::default()
        }
    }

    #[test]
    fn everything_is_inside_the_picture_and_described() {
        let dashed = Baseline { name: "largest class".into(), accuracy: 0.95, dotted: false };
        let dotted = Baseline { name: "uniform guessing".into(), accuracy: 0.5, dotted: true };
        for (each, baselines) in
            [(vec![], vec![dashed.clone()]), (vec![0.0, 0.5, 1.0], vec![dashed, dotted])]
        {
            let svg = comparison(&spec(each.clone(), &baselines));
            let document = Document::parse(&svg).expect("well-formed XML");
            for node in document.descendants() {
                for name in ["x", "cx", "x1", "x2"] {
                    let value = node.attribute(name).map(|value| value.parse::<f64>().unwrap());
                    assert!(value.is_none_or(|value| (0.0..=WIDTH).contains(&value)), "{svg}");
                }
            }
            let dots = document.descendants().filter(|n| n.has_tag_name("circle")).count();
            let key = if each.is_empty() { 1 } else { 2 };
            assert_eq!(dots, 3 * (1 + each.len()) + key);
            assert!(svg.contains("half: 50 % (95 % interval 30 % to 60 %; the notebook 0 %)"));
            let drawn = document.descendants().filter(|n| n.has_attribute("stroke-dasharray"));
            let lines = baselines.len();
            assert_eq!(drawn.count(), 3 * lines + lines, "a line in each row, and in the key");
            assert!(to_png(&svg, 1.0).is_ok());
        }
    }
}
