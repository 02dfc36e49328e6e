//! One panel of the training curves: axes, lines, bands and the labels at the lines' ends.

use super::axis::{epoch_ticks, loss, percent, tick_labels, ticks};
use super::series::{Baseline, Series, is_drawable, last_value};
use crate::svg::{self, Anchor, Colour, Svg, Text, fit, text_width};

/// Height of the plotting area.
pub const HIGH: f64 = 280.0;
/// Width of the tick labels left of the plotting area.
const AXIS_ROOM: f64 = 52.0;
const LABEL_SIZE: f64 = 13.0;
/// Up to this many epochs, each epoch has a dot.
pub const DOTS_UP_TO: usize = 40;

/// The content of a panel.
pub struct Panel<'a> {
    /// `Loss` or `Accuracy`.
    pub title: &'static str,
    /// The lines, in the order of their colours.
    pub series: &'a [Series],
    /// Whether the values are shares: shown as percentages, on an axis from 0 to 1.
    pub is_share: bool,
    /// Levels to compare the values with, as shares.
    pub baselines: &'a [Baseline],
}

/// Maps epochs and values to positions on the page.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    epochs: usize,
    low: f64,
    high: f64,
}

impl Frame {
    fn x(&self, epoch: usize) -> f64 {
        if self.epochs < 2 {
            return (self.left + self.right) / 2.0;
        }
        // A margin, so that the first dots do not lie on the axis.
        let (from, to) = (self.left + 8.0, self.right);
        from + (to - from) * (epoch - 1) as f64 / (self.epochs - 1) as f64
    }

    fn y(&self, value: f64) -> f64 {
        self.top + HIGH * (1.0 - (value - self.low) / (self.high - self.low))
    }
}

impl Panel<'_> {
    fn write(&self, value: f64) -> String {
        if self.is_share { percent(value) } else { loss(value) }
    }

    /// The label at the end of a line: its name, shortened if it is long, and its last value.
    fn end_label(&self, series: &Series) -> Option<(String, String)> {
        let (_, value) = last_value(&series.values)?;
        Some((fit(&series.name, 130.0, LABEL_SIZE, true), self.write(value)))
    }

    /// The width of the longest label at the end of a line.
    pub fn label_room(&self) -> f64 {
        let labels = self.series.iter().filter_map(|s| self.end_label(s));
        labels
            .chain(self.baselines.iter().map(|line| (line.name.clone(), percent(line.accuracy))))
            .map(|(name, value)| {
                text_width(&name, LABEL_SIZE, true) + text_width(&value, LABEL_SIZE, false) + 6.0
            })
            .fold(0.0, f64::max)
    }

    /// The range of the vertical axis. Bands may extend it upwards, but not below zero: a loss is never
    /// negative, even where the mean minus the spread is.
    fn range(&self) -> Option<(f64, f64)> {
        let values =
            self.series.iter().flat_map(|s| &s.values).copied().filter(|v| is_drawable(*v));
        let bands = self.series.iter().filter_map(|s| s.band.as_ref());
        let upper =
            bands.flat_map(|b| &b.upper).copied().filter(|v| is_drawable(*v) && !self.is_share);
        let low = values.clone().reduce(f64::min)?.min(0.0);
        let high = values.chain(upper).fold(if self.is_share { 1.0 } else { low }, f64::max);
        Some((low, high))
    }

    /// Draws the panel: its plotting area is `HIGH` high from `top` on and extends to `left + wide`; labels
    /// may extend further right.
    pub fn draw(&self, svg: &mut Svg, left: f64, top: f64, wide: f64) {
        svg.text(left, top - 18.0, self.title, &Text::new(15.0).bold());
        let range = self.range();
        let (low, high) = range.unwrap_or((0.0, 1.0));
        let marks = ticks(low, high, if self.is_share { 5 } else { 6 });
        let frame = Frame {
            left: left + AXIS_ROOM,
            right: left + wide,
            top,
            epochs: self.series.iter().map(|s| s.values.len()).max().unwrap_or(0),
            low: marks[0],
            high: marks[marks.len() - 1],
        };
        self.axes(svg, &frame, &marks);
        if range.is_none() {
            let middle = (frame.left + frame.right) / 2.0;
            let style = Text::new(14.0).colour(svg::MUTED).anchor(Anchor::Middle);
            svg.text(middle, top + HIGH / 2.0, "no values", &style);
            return;
        }
        for (series, colour) in self.series.iter().zip(svg::SERIES.into_iter().cycle()) {
            band(svg, &frame, series, colour);
        }
        for (i, series) in self.series.iter().enumerate() {
            self.line(svg, &frame, series, svg::SERIES[i % svg::SERIES.len()], i % 2 == 1);
        }
        self.end_labels(svg, &frame);
    }

    fn axes(&self, svg: &mut Svg, frame: &Frame, marks: &[f64]) {
        let small = Text::new(12.0).colour(svg::MUTED);
        let labels = if self.is_share {
            marks.iter().map(|&m| percent(m)).collect()
        } else {
            tick_labels(marks)
        };
        for (&mark, label) in marks.iter().zip(&labels) {
            let y = frame.y(mark);
            let (colour, wide) =
                if mark == frame.low { (svg::AXIS, 1.25) } else { (svg::GRID, 1.0) };
            svg.line((frame.left, y), (frame.right, y), colour, wide, "");
            svg.text(frame.left - 10.0, y + 4.2, label, &small.anchor(Anchor::End));
        }
        let bottom = frame.top + HIGH;
        let room = ((frame.right - frame.left) / 30.0) as usize;
        for epoch in epoch_ticks(frame.epochs, room.min(10)) {
            let x = frame.x(epoch);
            svg.line((x, bottom), (x, bottom + 5.0), svg::AXIS, 1.25, "");
            svg.text(x, bottom + 20.0, &epoch.to_string(), &small.anchor(Anchor::Middle));
        }
        let middle = (frame.left + frame.right) / 2.0;
        svg.text(middle, bottom + 42.0, "epoch", &small.anchor(Anchor::Middle));

        for line in self.baselines {
            let y = frame.y(line.accuracy);
            svg.line((frame.left, y), (frame.right, y), svg::AXIS, 1.25, line.dash());
        }
    }

    fn line(&self, svg: &mut Svg, frame: &Frame, series: &Series, colour: Colour, hollow: bool) {
        // Every second line is thinner, with smaller, hollow dots: where two lines coincide, the
        // first still shows around the second.
        let (wide, radius) = if hollow { (2.0, 3.2) } else { (3.25, 4.5) };
        let lighter = match frame.epochs {
            0..=15 => 1.0,
            16..=100 => 0.8,
            _ => 0.65,
        };
        let (wide, radius) = (wide * lighter, radius * lighter);
        let what = self.title.to_lowercase();
        for (start, run) in runs(&series.values) {
            let points: Vec<(f64, f64)> =
                run.iter().enumerate().map(|(i, &v)| (frame.x(start + i), frame.y(v))).collect();
            if points.len() > 1 {
                svg.polyline(&points, colour, wide);
            }
            // A single value between two gaps is only visible as a dot.
            if frame.epochs <= DOTS_UP_TO || points.len() == 1 {
                for (i, (&point, &value)) in points.iter().zip(run).enumerate() {
                    let (epoch, value) = (start + i, self.write(value));
                    let tip = format!("epoch {epoch}: {} {what} {value}", series.name);
                    svg.dot(point, radius, colour, hollow, &tip);
                }
            }
        }
    }

    /// Labels the lines at their ends, moving labels apart where they would overlap.
    fn end_labels(&self, svg: &mut Svg, frame: &Frame) {
        let apart = LABEL_SIZE + 5.0;
        let mut labels: Vec<_> = self
            .series
            .iter()
            .zip(svg::SERIES.into_iter().cycle())
            .filter_map(|(s, colour)| {
                let (_, value) = last_value(&s.values)?;
                Some((frame.y(value), colour, self.end_label(s)?))
            })
            .collect();
        for line in self.baselines {
            let label = (line.name.clone(), percent(line.accuracy));
            labels.push((frame.y(line.accuracy), svg::MUTED, label));
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Moves overlapping labels down, then back up from the bottom edge.
        for i in 1..labels.len() {
            labels[i].0 = labels[i].0.max(labels[i - 1].0 + apart);
        }
        let mut limit = frame.top + HIGH;
        for label in labels.iter_mut().rev() {
            label.0 = label.0.min(limit);
            limit = label.0 - apart;
        }
        let style = Text::new(LABEL_SIZE);
        for (y, colour, (name, value)) in labels {
            svg.pair(frame.right + 12.0, y + 4.5, &name, &value, &style.colour(colour));
        }
    }
}

/// The runs of consecutive drawable values, each with the epoch it starts at.
fn runs(values: &[f64]) -> Vec<(usize, &[f64])> {
    let mut epoch = 1;
    let mut out = Vec::new();
    for run in values.chunk_by(|a, b| is_drawable(*a) == is_drawable(*b)) {
        if is_drawable(run[0]) {
            out.push((epoch, run));
        }
        epoch += run.len();
    }
    out
}

fn band(svg: &mut Svg, frame: &Frame, series: &Series, colour: Colour) {
    let Some(band) = &series.band else { return };
    // The band covers an epoch only if both of its edges are drawable.
    let both: Vec<f64> =
        band.lower.iter().zip(&band.upper).map(|(l, u)| (u - l).abs() + l.abs()).collect();
    for (start, run) in runs(&both) {
        let epochs = start..start + run.len();
        let y = |edge: f64| frame.y(edge.clamp(frame.low, frame.high));
        let upper = epochs.clone().map(|e| (frame.x(e), y(band.upper[e - 1])));
        let lower = epochs.rev().map(|e| (frame.x(e), y(band.lower[e - 1])));
        let mut points: Vec<(f64, f64)> = upper.chain(lower).collect();
        if let [top, bottom] = points[..] {
            // A single epoch has no width: draw it as wide as an error bar.
            points = vec![
                (top.0 - 6.0, top.1),
                (top.0 + 6.0, top.1),
                (bottom.0 + 6.0, bottom.1),
                (bottom.0 - 6.0, bottom.1),
            ];
        }
        svg.area(&points, colour);
    }
}
