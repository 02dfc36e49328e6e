//! Training curves: loss and accuracy side by side, one line for each series.
//!
//! Lines are labelled at their ends, so there is no legend. The loss axis starts at zero and the accuracy
//! axis spans 0 to 100 %, so that two pictures can be compared by eye. A value that is not finite leaves a
//! gap in its line; a missing validation set is passed as such values.

use super::axis::{loss, percent};
use super::header::{MARGIN, header};
use super::panel::{HIGH, Panel};
use super::series::{Baseline, Series, last_value};
use crate::notice::SYNTHETIC_IMAGES;
use crate::svg::Svg;

/// A pair of training curves.
#[derive(Clone, Debug, Default)]
pub struct CurvesSpec {
    /// The headline; it should name the data set.
    pub title: String,
    /// A line beneath it (images, seed, ...); may be empty.
    pub subtitle: String,
    /// Whether the data is the synthetic set, which the picture then states.
    pub synthetic: bool,
    /// Loss, one series for each line; a series' index determines its colour.
    pub loss: Vec<Series>,
    /// Accuracy, from 0 to 1.
    pub accuracy: Vec<Series>,
    /// Levels to compare the accuracy with, such as that of guessing.
    pub baselines: Vec<Baseline>,
}

const WIDTH: f64 = 1080.0;

/// Draws loss and accuracy over the epochs as an SVG document.
pub fn curves(spec: &CurvesSpec) -> String {
    let top = header_height(spec) + 54.0;
    let height = top + HIGH + 62.0;
    let mut svg = Svg::new(WIDTH, height, &spec.title, &describe(spec));
    header(&mut svg, WIDTH, &spec.title, &spec.subtitle, spec.synthetic);

    let half = (WIDTH - 2.0 * MARGIN - 28.0) / 2.0;
    let (panels, room) = both(spec);
    for (i, panel) in panels.iter().enumerate() {
        let left = MARGIN + i as f64 * (half + 28.0);
        panel.draw(&mut svg, left, top, half - room - 14.0);
    }
    svg.finish()
}

/// The width of a picture with one panel: readable without zooming also on a phone.
const NARROW: f64 = 440.0;

/// Draws loss and accuracy as two documents without header, for a page that lays them out and has its own
/// header.
pub fn panels(spec: &CurvesSpec) -> [String; 2] {
    let (panels, room) = both(spec);
    let top = 40.0;
    panels.map(|panel| {
        let title = format!("{}: {}", spec.title, panel.title);
        let mut svg = Svg::new(NARROW, top + HIGH + 52.0, &title, &describe(spec));
        panel.draw(&mut svg, 0.0, top, NARROW - room - 14.0);
        svg.finish()
    })
}

/// Both panels, and their common room for labels, which keeps their epochs aligned.
fn both(spec: &CurvesSpec) -> ([Panel<'_>; 2], f64) {
    let panels = [
        Panel { title: "Loss", series: &spec.loss, is_share: false, baselines: &[] },
        Panel {
            title: "Accuracy",
            series: &spec.accuracy,
            is_share: true,
            baselines: &spec.baselines,
        },
    ];
    let room = panels.iter().map(Panel::label_room).fold(20.0, f64::max);
    (panels, room)
}

/// The height of the header, measured by drawing it into a document that is thrown away.
fn header_height(spec: &CurvesSpec) -> f64 {
    let mut scratch = Svg::new(WIDTH, 1.0, "", "");
    header(&mut scratch, WIDTH, &spec.title, &spec.subtitle, spec.synthetic)
}

/// The description for screen readers: the last value of each line.
fn describe(spec: &CurvesSpec) -> String {
    let mut out = String::new();
    for (what, all, write) in [
        ("loss", &spec.loss, loss as fn(f64) -> String),
        ("accuracy", &spec.accuracy, percent as fn(f64) -> String),
    ] {
        for series in all {
            if let Some((epoch, value)) = last_value(&series.values) {
                let value = write(value);
                out += &format!("{} {what} after epoch {epoch}: {value}. ", series.name);
            }
        }
    }
    if spec.synthetic {
        out += SYNTHETIC_IMAGES;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::panel::DOTS_UP_TO;
    use crate::to_png;
    use resvg::usvg::roxmltree::Document;

    fn spec(epochs: usize) -> CurvesSpec {
        let fall = |e: usize| 0.7 * (-(e as f64) / 20.0).exp();
        CurvesSpec {
            title: "Training on same_backgrounds".into(),
            loss: vec![
                Series::new("training", (0..epochs).map(fall).collect()),
                Series::new("validation", (0..epochs).map(|e| fall(e) + 0.1).collect()),
            ],
            accuracy: vec![
                Series::new("training", (0..epochs).map(|e| 1.0 - fall(e)).collect()),
                Series::new("validation", vec![0.5; epochs]),
            ],
            baselines: vec![Baseline { name: "guessing".into(), accuracy: 0.5, dotted: false }],
            ..CurvesSpec::default()
        }
    }

    fn count(svg: &str, tag: &str) -> usize {
        let document = Document::parse(svg).expect("well-formed XML");
        document.descendants().filter(|n| n.has_tag_name(tag)).count()
    }

    #[test]
    fn every_length_is_well_formed_and_inside_the_picture() {
        for epochs in [0, 1, 2, 10, 40, 41, 1000] {
            let svg = curves(&spec(epochs));
            let document = Document::parse(&svg).expect("well-formed XML");
            let height: f64 = document.root_element().attribute("height").unwrap().parse().unwrap();
            let lines = if epochs > 1 { 4 } else { 0 };
            assert_eq!(count(&svg, "polyline"), lines, "{epochs} epochs");
            let dots = if epochs <= DOTS_UP_TO { 4 * epochs } else { 0 };
            assert_eq!(count(&svg, "circle"), dots, "{epochs} epochs");
            for node in document.descendants() {
                for (name, limit) in [("x", WIDTH), ("y", height), ("cx", WIDTH), ("cy", height)] {
                    if let Some(value) = node.attribute(name) {
                        let value: f64 = value.parse().unwrap();
                        assert!((0.0..=limit).contains(&value), "{name}={value}");
                    }
                }
            }
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }

    #[test]
    fn missing_values_are_gaps() {
        let mut one = spec(10);
        one.loss[1].values = vec![f64::NAN; 10];
        one.loss[0].values[4] = f64::INFINITY;
        one.accuracy[1].values.clear();
        let svg = curves(&one);
        // Training loss in two pieces, training accuracy in one, no validation at all.
        assert_eq!(count(&svg, "polyline"), 3);
        assert_eq!(count(&svg, "circle"), 9 + 10);
        assert!(!svg.contains(">validation<") && !svg.contains("NaN"));

        one.loss.clear();
        assert!(curves(&one).contains("no values"));
        // A single value between gaps is still visible.
        one.loss = vec![Series::new("training", [vec![f64::NAN; 60], vec![0.5]].concat())];
        one.accuracy.clear();
        assert_eq!(count(&curves(&one), "circle"), 1);
    }

    #[test]
    fn constant_and_extreme_series_have_an_axis() {
        for value in [0.0, 0.7, -2.0, 1e-9, 1e9, 1e99] {
            let mut one = spec(5);
            one.loss = vec![Series::new("training", vec![value; 5])];
            let svg = curves(&one);
            assert_eq!(count(&svg, "polyline"), 3, "{value}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{value}");
        }
    }

    #[test]
    fn panels_have_no_header_and_keep_to_their_width() {
        let mut one = spec(10);
        one.synthetic = true;
        for svg in panels(&one) {
            let document = Document::parse(&svg).expect("well-formed XML");
            assert!(!svg.contains(">STAND-IN DATA"), "the page says it");
            assert_eq!(document.root_element().attribute("width"), Some("440"));
            for node in document.descendants() {
                let x = node.attribute("x").or(node.attribute("cx"));
                assert!(x.is_none_or(|x| (0.0..=NARROW).contains(&x.parse().unwrap())), "{svg}");
            }
        }
    }

    #[test]
    fn bands_are_drawn_where_both_edges_are_known() {
        let mut one = spec(10);
        let values = one.loss[0].values.clone();
        let lower = values.iter().map(|v| v - 0.1).collect();
        let mut upper: Vec<f64> = values.iter().map(|v| v + 0.1).collect();
        upper[5] = f64::NAN;
        one.loss[0] = Series::new("training", values).with_band(lower, upper);
        assert_eq!(count(&curves(&one), "polygon"), 2);
    }

    #[test]
    fn a_band_below_zero_is_cut_at_the_axis() {
        let mut one = spec(10);
        let values = one.loss[0].values.clone();
        let lower = values.iter().map(|v| v - 5.0).collect();
        one.loss = vec![Series::new("training", values.clone()).with_band(lower, values)];
        let svg = curves(&one);
        let document = Document::parse(&svg).unwrap();
        let texts = || document.descendants().filter(|n| n.has_tag_name("text"));
        assert!(texts().any(|n| n.text() == Some("0.8")), "{svg}");
        assert!(!texts().any(|n| n.text().is_some_and(|t| t.starts_with('-'))), "{svg}");
    }

    #[test]
    fn labels_of_lines_that_end_together_stay_apart() {
        let mut one = spec(10);
        one.accuracy = (0..4).map(|i| Series::new(format!("run {i}"), vec![0.0; 10])).collect();
        let svg = curves(&one);
        let document = Document::parse(&svg).unwrap();
        let mut ys: Vec<f64> = document
            .descendants()
            .filter(|n| n.has_tag_name("tspan") && n.text().is_some_and(|t| t.starts_with("run")))
            .map(|n| n.parent().unwrap().attribute("y").unwrap().parse().unwrap())
            .collect();
        ys.sort_by(f64::total_cmp);
        assert_eq!(ys.len(), 4);
        assert!(ys.windows(2).all(|w| w[1] - w[0] >= 17.9), "{ys:?}");
    }

    #[test]
    fn the_synthetic_set_says_so_and_titles_are_drawn() {
        let mut one = spec(3);
        assert!(!curves(&one).contains("STAND-IN"));
        let plain = to_png(&curves(&one), 1.0).unwrap();
        one.title = "Training on <b>\"different\"</b> & more".into();
        let other = to_png(&curves(&one), 1.0).unwrap();
        assert_ne!(plain, other);
        one.synthetic = true;
        assert!(curves(&one).contains(">STAND-IN DATA"));
        assert_ne!(to_png(&curves(&one), 1.0).unwrap(), other);
    }
}
