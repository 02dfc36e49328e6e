//! A small SVG writer: escaping, numbers, text measurement, and the shapes that the figures need.
//!
//! All text from outside (class names, titles) passes through [`escape`], so the output is always
//! well-formed XML. Coordinates are pixels, y downwards, written with at most two decimals.

use std::fmt::Write as _;

/// A colour, with the class by which a style sheet can change it (empty: the colour is fixed).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour {
    pub hex: &'static str,
    pub class: &'static str,
}

const fn fixed(hex: &'static str) -> Colour {
    Colour { hex, class: "" }
}

pub const PAPER: Colour = Colour { hex: "#ffffff", class: "plot-paper" };
pub const TEXT: Colour = Colour { hex: "#1b1f24", class: "plot-text" };
pub const MUTED: Colour = Colour { hex: "#59636e", class: "plot-muted" };
pub const GRID: Colour = Colour { hex: "#e4e7eb", class: "plot-grid" };
pub const AXIS: Colour = Colour { hex: "#8b949e", class: "plot-axis" };
pub const NOTICE: Colour = fixed("#7a4300");
pub const NOTICE_PAPER: Colour = fixed("#ffefcc");

/// Line colours, by the index of the series: blue, vermilion, green, purple.
pub const SERIES: [Colour; 4] =
    [fixed("#0072b2"), fixed("#c04d00"), fixed("#00805e"), fixed("#a2467f")];

/// The font families to try in order; the first is the one used for PNG files.
pub const FONTS: &str =
    "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// Which point of a text's baseline its position refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Anchor {
    #[default]
    Start,
    Middle,
    End,
}

/// The style of a text.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    size: f64,
    bold: bool,
    colour: Colour,
    anchor: Anchor,
    turn: f64,
}

impl Text {
    /// Regular, left-aligned text of `size` pixels.
    pub fn new(size: f64) -> Self {
        Self { size, bold: false, colour: TEXT, anchor: Anchor::Start, turn: 0.0 }
    }

    pub fn bold(mut self) -> Self {
        self.bold = true;
        self
    }

    pub fn colour(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    pub fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    /// Rotates the text clockwise about its anchor, in degrees.
    pub fn turn(mut self, degrees: f64) -> Self {
        self.turn = degrees;
        self
    }
}

/// An SVG document being written.
pub struct Svg {
    out: String,
}

impl Svg {
    /// Starts a document with a background; `title` and `description` are for screen readers.
    pub fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        let (w, h) = (num(width), num(height));
        let mut out = String::with_capacity(16 << 10);
        // An `aria-label`, not a `<title>`, which would be shown on hover instead of those of the marks.
        let label = [title, description].map(str::trim);
        let label =
            label.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(". ");
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{}\" font-family=\"{FONTS}\">\n\
             <desc>{}</desc>",
            escape(&label),
            escape(description),
        );
        let mut svg = Self { out };
        svg.rect(0.0, 0.0, width, height, PAPER, "");
        svg
    }

    /// Closes the document.
    pub fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }

    fn put(&mut self, args: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(args);
    }

    /// A filled rectangle; a non-empty `tip` is shown on hover.
    pub fn rect(&mut self, x: f64, y: f64, w: f64, h: f64, fill: Colour, tip: &str) {
        let (x, y, w, h, fill) = (num(x), num(y), num(w), num(h), paint("fill", fill));
        self.put(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{fill}"));
        self.close("rect", tip);
    }

    /// A rectangle with a computed colour, `#rrggbb`.
    pub fn cell(&mut self, x: f64, y: f64, w: f64, h: f64, hex: &str, tip: &str) {
        let (x, y, w, h) = (num(x), num(y), num(w), num(h));
        self.put(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{}\"",
            escape(hex)
        ));
        self.close("rect", tip);
    }

    /// A box with round corners and a thin border.
    pub fn rounded(&mut self, x: f64, y: f64, w: f64, h: f64, fill: Colour, stroke: Colour) {
        let (x, y, w, h) = (num(x), num(y), num(w), num(h));
        self.put(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"6\"{} stroke=\"{}\"/>\n",
            paint("fill", fill),
            stroke.hex,
        ));
    }

    /// A straight line; `dash` as in `stroke-dasharray`, empty for a solid one.
    pub fn line(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        colour: Colour,
        wide: f64,
        dash: &str,
    ) {
        let dash =
            if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        self.put(format_args!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{} stroke-width=\"{}\"{dash}/>\n",
            num(from.0),
            num(from.1),
            num(to.0),
            num(to.1),
            paint("stroke", colour),
            num(wide),
        ));
    }

    /// An open line through all points.
    pub fn polyline(&mut self, points: &[(f64, f64)], colour: Colour, wide: f64) {
        self.put(format_args!(
            "<polyline points=\"{}\" fill=\"none\"{} stroke-width=\"{}\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n",
            join(points),
            paint("stroke", colour),
            num(wide),
        ));
    }

    /// A cubic curve with two control points.
    pub fn curve(
        &mut self,
        from: (f64, f64),
        [a, b]: [(f64, f64); 2],
        to: (f64, f64),
        colour: Colour,
        wide: f64,
    ) {
        self.put(format_args!(
            "<path d=\"M{} C{}\" fill=\"none\"{} stroke-width=\"{}\"/>\n",
            join(&[from]),
            join(&[a, b, to]),
            paint("stroke", colour),
            num(wide),
        ));
    }

    /// A translucent area.
    pub fn area(&mut self, points: &[(f64, f64)], colour: Colour) {
        self.put(format_args!(
            "<polygon points=\"{}\"{} fill-opacity=\"0.18\"/>\n",
            join(points),
            paint("fill", colour)
        ));
    }

    /// A dot in the line's colour, hollow or filled; `tip` is shown on hover.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, colour: Colour, hollow: bool, tip: &str) {
        let fill = if hollow { PAPER } else { colour };
        self.put(format_args!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{} stroke=\"{}\" stroke-width=\"1.75\"",
            num(at.0),
            num(at.1),
            num(radius),
            paint("fill", fill),
            colour.hex,
        ));
        self.close("circle", tip);
    }

    /// One line of text with its baseline at `y`.
    pub fn text(&mut self, x: f64, y: f64, text: &str, style: &Text) {
        self.open_text(x, y, style);
        self.put(format_args!("{}</text>\n", escape(text)));
    }

    /// A bold text followed by a regular one, such as a name and its value.
    pub fn pair(&mut self, x: f64, y: f64, strong: &str, plain: &str, style: &Text) {
        self.open_text(x, y, style);
        self.put(format_args!(
            "<tspan font-weight=\"600\">{}</tspan> {}</text>\n",
            escape(strong),
            escape(plain)
        ));
    }

    fn open_text(&mut self, x: f64, y: f64, style: &Text) {
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if style.bold { " font-weight=\"600\"" } else { "" };
        let (x, y) = (num(x), num(y));
        let turn = if style.turn == 0.0 {
            String::new()
        } else {
            format!(" transform=\"rotate({} {x} {y})\"", num(style.turn))
        };
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"{weight}{anchor}{}{turn}>",
            num(style.size),
            paint("fill", style.colour),
        ));
    }

    fn close(&mut self, tag: &str, tip: &str) {
        if tip.is_empty() {
            self.put(format_args!("/>\n"));
        } else {
            self.put(format_args!("><title>{}</title></{tag}>\n", escape(tip)));
        }
    }
}

fn paint(attribute: &str, colour: Colour) -> String {
    let Colour { hex, class } = colour;
    if class.is_empty() {
        format!(" {attribute}=\"{hex}\"")
    } else {
        format!(" class=\"{class}\" {attribute}=\"{hex}\"")
    }
}

fn join(points: &[(f64, f64)]) -> String {
    let mut out = String::with_capacity(points.len() * 14);
    for (i, &(x, y)) in points.iter().enumerate() {
        let gap = if i == 0 { "" } else { " " };
        let _ = write!(out, "{gap}{},{}", num(x), num(y));
    }
    out
}

/// A coordinate with at most two decimals and no trailing zeros.
fn num(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// Escapes text for element content and quoted attributes.
///
/// Line breaks and tabs become spaces, and other control characters, which XML does not allow, become
/// U+FFFD. Invisible characters that change the writing direction are removed.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Advance widths of Inter Regular for U+0020 to U+007E, in thousandths of the font size.
#[rustfmt::skip]
const ADVANCE: [u16; 95] = [
    281, 278, 403, 631, 638, 812, 639, 222, 362, 362, 500, 659, 280, 460, 276, 357,
    625, 464, 605, 636, 642, 608, 624, 571, 616, 624, 276, 280, 659, 659, 659, 507,
    936, 676, 651, 727, 719, 598, 587, 743, 740, 264, 543, 652, 562, 889, 753, 761,
    635, 761, 639, 638, 642, 741, 676, 949, 642, 665, 625, 362, 357, 362, 469, 452,
    497, 564, 621, 558, 621, 582, 361, 609, 591, 237, 237, 544, 237, 869, 585, 597,
    609, 609, 372, 523, 364, 581, 557, 812, 540, 557, 541, 362, 327, 362, 659,
];

/// The width of a line of text, in pixels: exact except for kerning for ASCII in the built-in font, an
/// upper estimate for everything else.
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    let thousandths: f64 = text
        .chars()
        .map(|c| match c {
            ' '..='~' => f64::from(ADVANCE[c as usize - 0x20]),
            '·' => 280.0,
            // Scripts with full-width characters, and pictographs.
            '\u{1100}'..='\u{11FF}' | '\u{2E80}'..='\u{FFEF}' | '\u{1F000}'.. => 1000.0,
            _ => 660.0,
        })
        .sum();
    thousandths / 1000.0 * size * if bold { 1.04 } else { 1.0 }
}

/// Shortens the text to `room` pixels: keeps its beginning and end around an ellipsis.
///
/// The end is kept because class folders often differ only there.
pub fn fit(text: &str, room: f64, size: f64, bold: bool) -> String {
    if text_width(text, size, bold) <= room {
        return text.to_string();
    }
    let chars: Vec<char> = text.chars().collect();
    for keep in (1..chars.len()).rev() {
        let tail = keep / 3;
        let cut: String =
            chars[..keep - tail].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect();
        if text_width(&cut, size, bold) <= room {
            return cut;
        }
    }
    "…".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped() {
        let text = escape("<script>&\"'\u{0}\u{1b}\u{202e}x\ty");
        assert_eq!(text, "&lt;script&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}x y");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(num(1.0), "1");
        assert_eq!(num(-0.001), "0");
        assert_eq!(num(12.345), "12.35");
        assert_eq!(num(100.0), "100");
    }

    #[test]
    fn fitting_keeps_both_ends_and_respects_the_room() {
        assert_eq!(fit("husky", 100.0, 12.0, false), "husky");
        let long = "n02110185-Siberian_husky";
        let cut = fit(long, 90.0, 12.0, false);
        assert!(cut.starts_with("n02") && cut.ends_with("sky") && cut.contains('…'), "{cut}");
        assert!(text_width(&cut, 12.0, false) <= 90.0);
        assert_eq!(fit(long, 1.0, 12.0, false), "…");
        assert_eq!(fit("", 0.0, 12.0, false), "");
    }

    /// The table of widths must match the built-in font.
    #[test]
    fn widths_match_the_font() {
        use resvg::usvg;
        for sample in ["husky and wolf", "0123456789 %", "Training on same_backgrounds"] {
            let mut svg = Svg::new(800.0, 100.0, "", "");
            svg.text(0.0, 50.0, sample, &Text::new(40.0));
            let tree = crate::png::parse(&svg.finish()).expect("valid");
            fn find(group: &usvg::Group) -> Option<f64> {
                group.children().iter().find_map(|node| match node {
                    usvg::Node::Text(text) => Some(f64::from(text.bounding_box().width())),
                    usvg::Node::Group(group) => find(group),
                    _ => None,
                })
            }
            let drawn = find(tree.root()).expect("a text");
            let guess = text_width(sample, 40.0, false);
            assert!((drawn / guess - 1.0).abs() < 0.02, "{sample}: {drawn} against {guess}");
        }
    }
}
