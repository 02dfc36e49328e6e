//! The losses of a sweep over learning rates: how to choose one.
//!
//! The learning rate has a logarithmic axis. Single losses are dots, their smoothed course is a line, and the suggested
//! rate is marked. The loss axis ends at what is of interest: diverging losses are far beyond.

use super::axis::{loss, tick_labels, ticks};
use super::header::{MARGIN, header};
use super::panel::HIGH;
use super::series::is_drawable;
use crate::svg::{self, Anchor, Svg, Text};

/// A sweep over learning rates.
#[derive(Clone, Debug, Default)]
pub struct RatesSpec {
    /// The headline; it should name the data set.
    pub title: String,
    /// A line beneath it; may be empty.
    pub subtitle: String,
    /// Whether the data is the synthetic set, which the picture then states.
    pub synthetic: bool,
    /// Learning rate, loss and smoothed loss of each step, in the order of the rates, which are above 0.
    pub steps: Vec<[f64; 3]>,
    /// The suggested learning rate, if there is one.
    pub suggestion: Option<f64>,
}

const WIDTH: f64 = 760.0;
/// Width of the tick labels left of the plotting area.
const AXIS_ROOM: f64 = 52.0;

/// Draws the losses over the learning rates as an SVG document.
pub fn rates(spec: &RatesSpec) -> String {
    let mut scratch = Svg::new(WIDTH, 1.0, "", "");
    let top = header(&mut scratch, WIDTH, &spec.title, &spec.subtitle, spec.synthetic) + 44.0;
    let mut svg = Svg::new(WIDTH, top + HIGH + 62.0, &spec.title, &describe(spec));
    header(&mut svg, WIDTH, &spec.title, &spec.subtitle, spec.synthetic);

    let (left, right, bottom) = (MARGIN + AXIS_ROOM, WIDTH - MARGIN, top + HIGH);
    let powers = powers(&spec.steps);
    let (from, to) = (powers[0], powers[powers.len() - 1]);
    let x = |rate: f64| left + (right - left) * (rate.log10() - from) / (to - from);
    let marks = ticks(0.0, highest(&spec.steps), 6);
    let high = marks[marks.len() - 1];
    let y = |value: f64| bottom - HIGH * value.min(high) / high;

    let small = Text::new(12.0).colour(svg::MUTED);
    for (&mark, label) in marks.iter().zip(&tick_labels(&marks)) {
        let (colour, wide) = if mark == 0.0 { (svg::AXIS, 1.25) } else { (svg::GRID, 1.0) };
        svg.line((left, y(mark)), (right, y(mark)), colour, wide, "");
        svg.text(left - 10.0, y(mark) + 4.2, label, &small.anchor(Anchor::End));
    }
    for power in powers {
        // Parsed, so that it is the number nearest to the power of ten.
        let rate: f64 = format!("1e{power}").parse().unwrap_or(1.0);
        let at = x(rate);
        svg.line((at, bottom), (at, bottom + 5.0), svg::AXIS, 1.25, "");
        svg.text(at, bottom + 20.0, &rate.to_string(), &small.anchor(Anchor::Middle));
    }
    let middle = (left + right) / 2.0;
    svg.text(middle, bottom + 42.0, "learning rate", &small.anchor(Anchor::Middle));
    svg.text(MARGIN, top - 16.0, "Loss", &Text::new(15.0).bold());

    let drawable = |&&[rate, loss, smoothed]: &&[f64; 3]| {
        rate > 0.0 && [rate, loss, smoothed].into_iter().all(is_drawable)
    };
    for [rate, value, _] in spec.steps.iter().filter(drawable).filter(|step| step[1] <= high) {
        let tip = format!("learning rate {rate:.2e}: loss {}", loss(*value));
        svg.dot((x(*rate), y(*value)), 1.8, svg::MUTED, false, &tip);
    }
    let line: Vec<_> = spec.steps.iter().filter(drawable).map(|s| (x(s[0]), y(s[2]))).collect();
    if line.len() > 1 {
        svg.polyline(&line, svg::SERIES[0], 2.6);
    }
    if let Some(rate) = spec.suggestion.filter(|rate| is_drawable(*rate) && *rate > 0.0) {
        svg.line((x(rate), top), (x(rate), bottom), svg::SERIES[1], 2.0, "5 4");
        let label = format!("suggested: {rate}");
        let style = Text::new(13.0).bold().colour(svg::SERIES[1]).anchor(Anchor::Middle);
        svg.text(x(rate).clamp(left + 70.0, right - 70.0), top - 8.0, &label, &style);
    }
    svg.finish()
}

/// The powers of ten that span the rates: at least two.
fn powers(steps: &[[f64; 3]]) -> Vec<f64> {
    let powers = steps.iter().map(|step| step[0].log10()).filter(|power| power.is_finite());
    let low = powers.clone().fold(f64::INFINITY, f64::min).min(0.0);
    let high = powers.fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = (low.floor(), high.max(low + 1.0).ceil());
    (0..=(high - low) as usize).map(|i| low + i as f64).collect()
}

/// The top of the loss axis: a half above the smoothed loss of the first steps, or above all if they are lower.
fn highest(steps: &[[f64; 3]]) -> f64 {
    let smoothed = || steps.iter().map(|step| step[2]).filter(|value| is_drawable(*value));
    let first = smoothed().take(1 + steps.len() / 10).fold(0.0, f64::max);
    smoothed().fold(0.0, f64::max).min(1.5 * first).max(f64::MIN_POSITIVE)
}

fn describe(spec: &RatesSpec) -> String {
    match spec.suggestion {
        Some(rate) => format!("The loss falls most steeply at a learning rate of {rate}."),
        None => "The loss falls at no learning rate.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::to_png;

    fn spec() -> RatesSpec {
        let step = |i: i32| {
            let rate = 10f64.powf(-7.0 + f64::from(i) * 0.08);
            [
                rate,
                0.7 - 0.004 * f64::from(i),
                if i == 99 { 1e9 } else { 0.7 - 0.004 * f64::from(i) },
            ]
        };
        RatesSpec {
            title: "Learning rates".into(),
            steps: (0..100).map(step).collect(),
            suggestion: Some(0.001),
            ..RatesSpec::default()
        }
    }

    #[test]
    fn the_suggestion_is_marked_and_all_lies_on_the_page() {
        let svg = rates(&spec());
        for part in ["suggested: 0.001", ">0.0000001<", ">10<", "learning rate", "<polyline"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 100);
        assert!(to_png(&svg, 1.0).is_ok());
        assert!(!rates(&RatesSpec { suggestion: None, ..spec() }).contains("suggested"));
    }

    #[test]
    fn numbers_that_cannot_be_drawn_leave_a_picture() {
        for steps in [vec![], vec![[1e-3, f64::NAN, f64::INFINITY]], vec![[1.0, 0.0, 0.0]; 3]] {
            let svg = rates(&RatesSpec { steps, suggestion: None, ..spec() });
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(to_png(&svg, 1.0).is_ok());
        }
    }
}
