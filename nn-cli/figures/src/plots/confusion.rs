//! The confusion matrix: a row for each true class, a column for each predicted one.
//!
//! Correct predictions are blue and wrong ones orange, darker the larger their share of the row, so that the
//! pattern is seen before any number is read. Cells show counts and row percentages as far as they have room;
//! hovering shows both for every cell that is not zero.

use super::axis::percent;
use super::header::{MARGIN, header, header_width};
use crate::notice::SYNTHETIC_IMAGES;
use crate::svg::{self, Anchor, Colour, Svg, Text, fit, text_width};

/// A confusion matrix and its texts.
#[derive(Clone, Debug, Default)]
pub struct ConfusionSpec {
    /// The headline; it should name the data set and the split. If empty, no header is drawn, for a page
    /// that has its own.
    pub title: String,
    /// The line beneath it; if empty, the accuracy.
    pub subtitle: String,
    /// The lower and the upper end of the accuracy's 95 % interval, shown with the accuracy.
    pub interval: Option<(f64, f64)>,
    /// Whether the data is the synthetic set, which the picture then states.
    pub synthetic: bool,
    /// The classes' names as shown, in the order of rows and columns.
    pub classes: Vec<String>,
    /// `counts[true][predicted]`; missing entries count as zero.
    pub counts: Vec<Vec<u64>>,
}

impl ConfusionSpec {
    /// The number of images of class `row` that were predicted as class `column`.
    pub fn count(&self, row: usize, column: usize) -> u64 {
        self.counts.get(row).and_then(|r| r.get(column)).copied().unwrap_or(0)
    }

    /// The number of images of class `row`.
    pub fn row_total(&self, row: usize) -> u64 {
        (0..self.classes.len()).map(|c| self.count(row, c)).sum()
    }

    /// The number of correct predictions, and of all.
    fn score(&self) -> (u64, u64) {
        let n = self.classes.len();
        ((0..n).map(|i| self.count(i, i)).sum(), (0..n).map(|i| self.row_total(i)).sum())
    }

    fn summary(&self) -> String {
        let (correct, total) = self.score();
        if total == 0 {
            return "no images".into();
        }
        let accuracy = percent(correct as f64 / total as f64);
        let interval = self.interval.map_or(String::new(), |(low, high)| {
            format!(" (95 % interval {:.0} to {:.0} %)", low * 100.0, high * 100.0)
        });
        format!("{correct} of {total} right: {accuracy}{interval}")
    }
}

/// The longest label beside the rows and beneath the columns, in pixels.
const ROW_LABEL: f64 = 190.0;
const COLUMN_LABEL: f64 = 130.0;

/// The minimum width of a picture without header: the width of the colour key.
const NARROW: f64 = 400.0;

/// Draws a confusion matrix as an SVG document.
pub fn confusion(spec: &ConfusionSpec) -> String {
    let n = spec.classes.len();
    let subtitle = if spec.subtitle.is_empty() { spec.summary() } else { spec.subtitle.clone() };
    let cell = ((330.0 + 17.0 * n as f64) / n.max(1) as f64).clamp(9.0, 128.0).floor();
    let side = cell * n as f64;
    let size = (cell * 0.5).clamp(7.0, 14.0);

    let named = |room: f64| -> Vec<String> {
        spec.classes.iter().map(|c| fit(c, room, size, false)).collect()
    };
    let longest =
        |names: &[String]| names.iter().map(|c| text_width(c, size, false)).fold(0.0, f64::max);
    let rows = named(ROW_LABEL);
    let columns = named(COLUMN_LABEL);
    let level = longest(&columns) <= cell - 8.0;
    // Slanted names extend to the left of their column and below it.
    let slant = longest(&columns) * std::f64::consts::FRAC_1_SQRT_2;
    let below = if level { 30.0 } else { slant + size + 12.0 };
    let mut before = 34.0 + longest(&rows) + 12.0;
    if !level {
        before = before.max(slant + 12.0 - cell / 2.0);
    }
    let totals: Vec<String> = (0..n).map(|r| spec.row_total(r).to_string()).collect();
    let after = 14.0 + longest(&totals).max(text_width("images", 12.0, false)) + 8.0;

    let content = before + side + after + 2.0 * MARGIN;
    let width = if spec.title.is_empty() {
        content.max(NARROW)
    } else {
        let wanted = header_width(&spec.title, &subtitle, spec.synthetic).min(1000.0);
        content.max(wanted).max(520.0).ceil()
    };
    let top =
        header(&mut Svg::new(width, 1.0, "", ""), width, &spec.title, &subtitle, spec.synthetic)
            + 48.0;
    let height = (top + side + below + 82.0).ceil();

    let mut about = format!("{}. {}", subtitle.trim_end_matches('.'), describe(spec));
    if spec.synthetic {
        about = format!("{about} {}", SYNTHETIC_IMAGES);
    }
    let mut svg = Svg::new(width, height, &spec.title, &about);
    header(&mut svg, width, &spec.title, &subtitle, spec.synthetic);
    let left = ((width - (before + side + after)) / 2.0 + before).round();
    let grid = Grid { left, top, cell, n };

    grid.cells(&mut svg, spec);
    grid.lines(&mut svg);

    let name = Text::new(size);
    let muted = Text::new(12.0).colour(svg::MUTED);
    for i in 0..n {
        let middle = (i as f64 + 0.5) * cell;
        let y = top + middle + size * 0.36;
        svg.text(left - 10.0, y, &rows[i], &name.anchor(Anchor::End));
        svg.text(left + side + 14.0, y, &totals[i], &name.colour(svg::MUTED));
        let x = left + middle;
        if level {
            svg.text(x, top + side + 20.0, &columns[i], &name.anchor(Anchor::Middle));
        } else {
            let (x, y) = (x + size * 0.4, top + side + size + 2.0);
            svg.text(x, y, &columns[i], &name.anchor(Anchor::End).turn(-45.0));
        }
    }
    svg.text(left + side + 14.0, top - 10.0, "images", &muted);
    let heading = Text::new(13.0).bold().anchor(Anchor::Middle);
    let x = left - before + 18.0;
    svg.text(x, top + side / 2.0, "true class", &heading.turn(-90.0));
    svg.text(left + side / 2.0, top + side + below + 18.0, "predicted class", &heading);
    key(&mut svg, left + side / 2.0, height - 26.0);
    svg.finish()
}

/// Up to this many classes the description lists every count.
const COUNTED_UP_TO: usize = 12;

/// The description, for screen readers.
fn describe(spec: &ConfusionSpec) -> String {
    let n = spec.classes.len();
    let mut out = format!("Confusion matrix of {n} classes.");
    if n > COUNTED_UP_TO {
        return out;
    }
    for (row, class) in spec.classes.iter().enumerate() {
        let called = (0..n).filter(|&column| spec.count(row, column) > 0);
        let called: Vec<String> = called
            .map(|column| format!("{} called {}", spec.count(row, column), spec.classes[column]))
            .collect();
        let called = if called.is_empty() { "no images".into() } else { called.join(", ") };
        out += &format!(" {class}: {called}.");
    }
    out
}

struct Grid {
    left: f64,
    top: f64,
    cell: f64,
    n: usize,
}

impl Grid {
    fn cells(&self, svg: &mut Svg, spec: &ConfusionSpec) {
        let Self { left, top, cell, n } = *self;
        svg.rect(left, top, cell * n as f64, cell * n as f64, svg::PAPER, "");
        for row in 0..n {
            let total = spec.row_total(row);
            for column in 0..n {
                let count = spec.count(row, column);
                let (x, y) = (left + column as f64 * cell, top + row as f64 * cell);
                let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
                let right = row == column;
                let dark = count > 0 && is_dark(right, share);
                if count > 0 {
                    let tip = format!(
                        "{} called {}: {count} of {total} ({})",
                        spec.classes[row],
                        spec.classes[column],
                        percent(share)
                    );
                    svg.cell(x, y, cell, cell, &shade(right, share), &tip);
                } else if right {
                    // The diagonal stays visible also where its counts are zero.
                    svg.cell(x, y, cell, cell, &shade(true, 0.0), "");
                }
                self.numbers(
                    svg,
                    (x + cell / 2.0, y + cell / 2.0),
                    (count, total),
                    share,
                    dark,
                    right,
                );
            }
        }
    }

    /// Writes what fits into the cell: count and percentage, the count, or nothing.
    fn numbers(
        &self,
        svg: &mut Svg,
        (x, y): (f64, f64),
        (count, total): (u64, u64),
        share: f64,
        dark: bool,
        on_diagonal: bool,
    ) {
        let cell = self.cell;
        let strong = if dark { LIGHT } else { svg::TEXT };
        // On a shaded cell the text colour must not change with the page's theme.
        let strong = if count > 0 && !dark { DARK } else { strong };
        let text = count.to_string();
        let with_percent = cell >= 44.0 && total > 0;
        let mut size = if with_percent { cell * 0.27 } else { cell * 0.42 }.clamp(8.0, 30.0);
        let wide = text_width(&text, size, true);
        size *= ((cell - 4.0) / wide).min(1.0);
        if size < 6.5 {
            return;
        }
        if count == 0 {
            // Zeros are pale. Small cells leave them out, because they would hide the other numbers.
            if cell >= 32.0 {
                let ink = if on_diagonal { ZERO } else { svg::MUTED };
                let style = Text::new(size).colour(ink).anchor(Anchor::Middle);
                svg.text(x, y + size * 0.36, "0", &style);
            }
            return;
        }
        let style = Text::new(size).bold().colour(strong).anchor(Anchor::Middle);
        if !with_percent {
            svg.text(x, y + size * 0.36, &text, &style);
            return;
        }
        let small = (size * 0.55).clamp(9.5, 15.0);
        svg.text(x, y + size * 0.36 - small * 0.62, &text, &style);
        let style = Text::new(small).colour(strong).anchor(Anchor::Middle);
        let below = y + size * 0.36 + small * 0.72;
        svg.text(x, below, &share_in_cell(share, cell, small), &style);
    }

    fn lines(&self, svg: &mut Svg) {
        let Self { left, top, cell, n } = *self;
        let side = cell * n as f64;
        let wide = if cell < 20.0 { 0.5 } else { 1.0 };
        for i in 0..=n {
            let at = i as f64 * cell;
            let edge = i == 0 || i == n;
            let colour = if edge { svg::AXIS } else { svg::GRID };
            svg.line((left, top + at), (left + side, top + at), colour, wide, "");
            svg.line((left + at, top), (left + at, top + side), colour, wide, "");
        }
    }
}

/// A percentage, with one decimal if that fits.
fn share_in_cell(share: f64, cell: f64, size: f64) -> String {
    let exact = percent(share);
    if text_width(&exact, size, false) <= cell - 6.0 {
        exact
    } else {
        format!("{:.0} %", share * 100.0)
    }
}

const LIGHT: Colour = Colour { hex: "#ffffff", class: "" };
/// The colour of a zero on the diagonal, whose cell is pale in either theme.
const ZERO: Colour = Colour { hex: "#59636e", class: "" };
const DARK: Colour = Colour { hex: "#1b1f24", class: "" };

/// The colour of a cell with this `share` of its row.
fn shade(right: bool, share: f64) -> String {
    let (from, to) = if right {
        ([0xea, 0xf3, 0xfa], [0x00, 0x4f, 0x86])
    } else {
        ([0xff, 0xf1, 0xe2], [0xb8, 0x45, 0x00])
    };
    let mut out = String::from("#");
    for (a, b) in from.into_iter().zip(to) {
        let value = f64::from(a) + (f64::from(b) - f64::from(a)) * share.clamp(0.0, 1.0);
        out += &format!("{:02x}", value.round() as u8);
    }
    out
}

/// Whether white text is more readable than dark text on the cell, by the cell's relative luminance.
fn is_dark(right: bool, share: f64) -> bool {
    let hex = shade(right, share);
    let part = |i: usize| f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or(255)) / 255.0;
    let linear = |v: f64| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let y = 0.2126 * linear(part(1)) + 0.7152 * linear(part(3)) + 0.0722 * linear(part(5));
    // Compares the contrast with white to that with near-black (WCAG 2: (a + 0.05) / (b + 0.05)).
    1.05 / (y + 0.05) > (y + 0.05) / 0.063
}

/// The colour key, centred on `x`.
fn key(svg: &mut Svg, x: f64, y: f64) {
    let style = Text::new(12.0).colour(svg::MUTED);
    let (steps, step, high) = (10, 7.0, 10.0);
    let bar = f64::from(steps) * step;
    let labels = ["right", "wrong"];
    let text = "0 to 100 % of the true class";
    let widths = labels.map(|l| text_width(l, 12.0, false) + 6.0 + bar + 18.0);
    let total = widths[0] + widths[1] + text_width(text, 12.0, false);
    let mut at = x - total / 2.0;
    at = at.max(MARGIN);
    for (label, right) in labels.into_iter().zip([true, false]) {
        svg.text(at, y, label, &style);
        at += text_width(label, 12.0, false) + 6.0;
        for i in 0..steps {
            let share = f64::from(i) / f64::from(steps - 1);
            svg.cell(at, y - high + 1.0, step + 0.4, high, &shade(right, share), "");
            at += step;
        }
        at += 18.0;
    }
    svg.text(at, y, text, &style);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::to_png;
    use resvg::usvg::roxmltree::Document;

    fn spec(n: usize) -> ConfusionSpec {
        ConfusionSpec {
            title: "Confusion matrix".into(),
            classes: (0..n).map(|i| format!("class {i}")).collect(),
            counts: (0..n)
                .map(|i| (0..n).map(|j| ((i * 7 + j * 3) % 5) as u64).collect())
                .collect(),
            ..ConfusionSpec::default()
        }
    }

    fn texts(svg: &str) -> Vec<String> {
        let document = Document::parse(svg).expect("well-formed XML");
        let all = document.descendants().filter(|n| n.has_tag_name("text"));
        all.map(|n| n.text().unwrap_or("").to_string()).collect()
    }

    #[test]
    fn two_classes_show_counts_shares_and_the_interval() {
        let mut one = spec(2);
        one.counts = vec![vec![9, 1], vec![1, 9]];
        one.interval = Some((0.699, 0.972));
        let all = texts(&confusion(&one));
        for expected in ["9", "1", "90 %", "10 %", "10", "class 0", "class 1"] {
            assert!(all.iter().any(|t| t == expected), "{expected} is missing in {all:?}");
        }
        assert!(all.contains(&"18 of 20 right: 90 % (95 % interval 70 to 97 %)".into()), "{all:?}");
    }

    #[test]
    fn hostile_names_are_harmless() {
        let names = [
            "<script>alert(1)</script>",
            "a & b",
            "\"quoted\" 'too'",
            "\u{202e}שלום עולם",
            "",
            &"very long name ".repeat(40),
            "bell\u{7}\u{1b}[31mred",
            "]]>",
            "日本語",
        ];
        let mut one = spec(names.len());
        one.classes = names.iter().map(|n| n.to_string()).collect();
        one.title = names.concat();
        let svg = confusion(&one);
        let document = Document::parse(&svg).expect("well-formed XML");
        assert!(!document.descendants().any(|n| n.has_tag_name("script")));
        let all = texts(&svg);
        assert!(all.iter().any(|t| t.starts_with("<scr")), "{all:?}");
        assert!(all.iter().any(|t| t == "a & b"));
        assert!(!svg.contains('\u{1b}') && !svg.contains('\u{202e}'));
        assert!(to_png(&svg, 1.0).is_ok());
    }

    #[test]
    fn any_number_of_classes_is_drawn_inside_the_picture() {
        for n in [0, 1, 2, 3, 5, 10, 30, 100] {
            let svg = confusion(&spec(n));
            let document = Document::parse(&svg).expect("well-formed XML");
            let root = document.root_element();
            let size = |name| root.attribute(name).unwrap().parse::<f64>().unwrap();
            let (width, height) = (size("width"), size("height"));
            for node in document.descendants() {
                let read = |name| node.attribute(name).and_then(|v| v.parse::<f64>().ok());
                if let (Some(x), Some(y)) = (read("x"), read("y")) {
                    let (w, h) = (read("width").unwrap_or(0.0), read("height").unwrap_or(0.0));
                    assert!(x >= 0.0 && y >= 0.0 && x + w <= width && y + h <= height, "{n}");
                }
            }
            assert!(!svg.contains("NaN"));
        }
    }

    #[test]
    fn ragged_counts_and_empty_rows_are_zeros() {
        let mut one = spec(3);
        one.counts = vec![vec![2], vec![]];
        let svg = confusion(&one);
        let all = texts(&svg);
        assert!(all.contains(&"2 of 2 right: 100 %".into()), "{all:?}");
        assert_eq!(all.iter().filter(|t| *t == "0").count(), 8 + 2);
        one.counts.clear();
        assert!(texts(&confusion(&one)).contains(&"no images".into()));
    }

    #[test]
    fn text_on_every_shade_is_readable() {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        let light = |hex: &str| {
            let p = |i: usize| linear(u8::from_str_radix(&hex[i..i + 2], 16).unwrap());
            0.2126 * p(1) + 0.7152 * p(3) + 0.0722 * p(5)
        };
        for right in [true, false] {
            for percent in 0..=100 {
                let share = f64::from(percent) / 100.0;
                let ink = if is_dark(right, share) { LIGHT } else { DARK };
                let (a, b) = (light(&shade(right, share)), light(ink.hex));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.0, "{right} {percent}: {contrast}");
            }
        }
    }
}
