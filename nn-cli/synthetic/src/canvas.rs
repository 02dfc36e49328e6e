//! A canvas for soft, hairy shapes.
//!
//! Shapes are given in *units* (an animal is about one unit tall) and mapped to pixels by
//! [`Canvas::place`]; y points down. `tiny-skia` rasterises a path to coverage. Colours are blended here in
//! `f32` with premultiplied alpha, so that many faint layers do not vanish by rounding.

use nn_core::rng::Rng;
use tiny_skia::{FillRule, Mask, Path, PathBuilder, Point, Stroke, Transform};

/// A colour: red, green and blue, each from 0 to 1.
pub type Ink = [f32; 3];

/// Linear interpolation from `a` (`t` = 0) to `b` (`t` = 1).
pub fn mix(a: Ink, b: Ink, t: f32) -> Ink {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t)
}

/// `ink` multiplied by `gain`: lighter if `gain > 1`, else darker.
pub fn shade(ink: Ink, gain: f32) -> Ink {
    ink.map(|v| (v * gain).clamp(0.0, 1.0))
}

/// A square picture with alpha: premultiplied red, green, blue and coverage for each pixel, row by row.
#[derive(Clone)]
pub struct Canvas {
    /// Width and height in pixels.
    pub size: u32,
    /// The transform from units to pixels.
    pub place: Transform,
    /// The pixels.
    pub pixels: Vec<[f32; 4]>,
}

/// Half-open pixel ranges `[x0, x1) x [y0, y1)`.
#[derive(Clone, Copy)]
struct Window {
    x0: usize,
    y0: usize,
    x1: usize,
    y1: usize,
}

/// The appearance of a coat of hair.
#[derive(Clone, Copy)]
pub struct Hair {
    /// Length in units.
    pub length: f32,
    /// Standard deviation of the relative brightness of single hairs.
    pub grizzle: f32,
    /// Hairs tried per pixel of the painted area's bounding box, in a picture of 256 x 256 pixels.
    pub density: f32,
}

impl Canvas {
    /// An empty (transparent) canvas of `size` x `size` pixels.
    pub fn new(size: u32, place: Transform) -> Self {
        Self { size, place, pixels: vec![[0.0; 4]; (size * size) as usize] }
    }

    /// Runs `draw` with `inner` applied to shapes before [`Canvas::place`], to place a head on its body for
    /// instance.
    pub fn placed(&mut self, inner: Transform, draw: impl FnOnce(&mut Self)) {
        let outer = self.place;
        self.place = outer.pre_concat(inner);
        draw(self);
        self.place = outer;
    }

    /// An empty canvas with the same size and transform.
    pub fn layer(&self) -> Self {
        Self::new(self.size, self.place)
    }

    /// Pixels per unit.
    pub fn scale(&self) -> f32 {
        let t = self.place;
        (t.sx * t.sy - t.kx * t.ky).abs().sqrt()
    }

    /// Fills `path` with `ink` over the existing content.
    pub fn fill(&mut self, path: &Path, ink: Ink) {
        self.cover(path, 0.0, |pixel, cover| lay(pixel, ink, cover));
    }

    /// Tints the existing content inside `path` with `ink`, with an edge blurred over `soft` units;
    /// coverage does not change.
    pub fn tint(&mut self, path: &Path, ink: Ink, opacity: f32, soft: f32) {
        self.cover(path, soft, |pixel, cover| {
            let t = cover * opacity;
            for c in 0..3 {
                pixel[c] += (ink[c] * pixel[3] - pixel[c]) * t;
            }
        });
    }

    /// Fills `path`, with an edge blurred over `soft` units, over the existing content.
    pub fn haze(&mut self, path: &Path, ink: Ink, opacity: f32, soft: f32) {
        self.cover(path, soft, |pixel, cover| lay(pixel, ink, cover * opacity));
    }

    /// Draws a line of `width` units along `path`.
    pub fn line(&mut self, path: &Path, ink: Ink, width: f32) {
        let stroke = Stroke {
            width,
            line_cap: tiny_skia::LineCap::Round,
            line_join: tiny_skia::LineJoin::Round,
            ..Stroke::default()
        };
        if let Some(outline) = path.stroke(&stroke, self.scale()) {
            self.fill(&outline, ink);
        }
    }

    /// Paints `other` over this canvas.
    pub fn over(&mut self, other: &Self) {
        for (under, top) in self.pixels.iter_mut().zip(&other.pixels) {
            for c in 0..4 {
                under[c] = top[c] + under[c] * (1.0 - top[3]);
            }
        }
    }

    /// Covers the painted area with hairs in its own colours. `flow` maps a position in units to the
    /// direction of growth (its length is ignored). Hairs at the edge extend beyond the area.
    pub fn comb(&mut self, rng: &mut Rng, hair: Hair, flow: impl Fn(Point) -> Point) {
        let Some(back) = self.place.invert() else { return };
        let Some(w) = self.painted() else { return };
        let skin = self.pixels.clone();
        let (width, height) = (w.x1 - w.x0, w.y1 - w.y0);
        let px = self.size as f32 / 256.0;
        let tries = (hair.density * (width * height) as f32 / (px * px)) as usize;
        for _ in 0..tries {
            let x = w.x0 as f64 + rng.uniform() * width as f64;
            let y = w.y0 as f64 + rng.uniform() * height as f64;
            let gain = 1.0 + hair.grizzle * rng.normal() as f32;
            let (bend, stretch) = (rng.normal() as f32, rng.uniform_in(0.6, 1.2) as f32);
            let base = skin[y as usize * self.size as usize + x as usize];
            if base[3] < 0.6 {
                continue;
            }
            let root = Point::from_xy(x as f32, y as f32);
            let mut at = root;
            back.map_point(&mut at);
            let along = flow(at);
            let t = self.place;
            let (dx, dy) = (t.sx * along.x + t.kx * along.y, t.ky * along.x + t.sy * along.y);
            let norm = (dx * dx + dy * dy).sqrt().max(1e-6);
            let length = hair.length * self.scale() * stretch;
            let (ux, uy) = (dx / norm, dy / norm);
            let bow = 0.22 * bend;
            let tip = Point::from_xy(
                root.x + length * (ux - uy * bow),
                root.y + length * (uy + ux * bow),
            );
            let ink = shade([base[0] / base[3], base[1] / base[3], base[2] / base[3]], gain);
            self.strand(root, tip, 0.15 * bend * length, 0.75 * px, ink, 0.55);
        }
    }

    /// Draws one tapering hair or blade of grass, in pixels: from `root` to `tip`, bent sideways by `bow`,
    /// `width` wide at the root.
    pub fn strand(&mut self, root: Point, tip: Point, bow: f32, width: f32, ink: Ink, alpha: f32) {
        let (dx, dy) = (tip.x - root.x, tip.y - root.y);
        let length = (dx * dx + dy * dy).sqrt();
        if !(0.3..1e4).contains(&length) {
            return;
        }
        let steps = (length * 1.25).ceil() as usize;
        for i in 0..=steps {
            let t = i as f32 / steps as f32;
            let side = 4.0 * t * (1.0 - t) * bow / length;
            let (x, y) = (root.x + dx * t - dy * side, root.y + dy * t + dx * side);
            let thick = width * (1.0 - 0.75 * t);
            self.dab(x, y, thick, ink, alpha * thick.min(1.0));
        }
    }

    /// Draws a soft dot, `width` pixels wide, at a position in pixels.
    fn dab(&mut self, x: f32, y: f32, width: f32, ink: Ink, alpha: f32) {
        let reach = 0.5 * width.max(1.0) + 0.5;
        let size = self.size as i32;
        let (x0, x1) = ((x - reach).floor() as i32, (x + reach).floor() as i32);
        let (y0, y1) = ((y - reach).floor() as i32, (y + reach).floor() as i32);
        for py in y0.max(0)..=y1.min(size - 1) {
            let wy = (reach - (py as f32 + 0.5 - y).abs()).clamp(0.0, 1.0);
            for px in x0.max(0)..=x1.min(size - 1) {
                let wx = (reach - (px as f32 + 0.5 - x).abs()).clamp(0.0, 1.0);
                lay(&mut self.pixels[(py * size + px) as usize], ink, alpha * wx * wy);
            }
        }
    }

    /// Rasterises `path`, blurs its coverage over `soft` units and calls `blend` with each covered pixel
    /// and its coverage.
    fn cover(&mut self, path: &Path, soft: f32, mut blend: impl FnMut(&mut [f32; 4], f32)) {
        let Some(path) = path.clone().transform(self.place) else { return };
        let Some(mut mask) = Mask::new(self.size, self.size) else { return };
        mask.fill_path(&path, FillRule::Winding, true, Transform::identity());
        let (size, radius) = (self.size as usize, (soft * self.scale() * 0.5).round() as usize);
        let bounds = path.bounds();
        let clip = |v: f32| v.clamp(0.0, size as f32) as usize;
        let margin = 3.0 * radius as f32 + 2.0;
        let w = Window {
            x0: clip(bounds.left() - margin),
            y0: clip(bounds.top() - margin),
            x1: clip(bounds.right() + margin),
            y1: clip(bounds.bottom() + margin),
        };
        let mut cover = Vec::with_capacity((w.x1 - w.x0) * (w.y1 - w.y0));
        for y in w.y0..w.y1 {
            let row = &mask.data()[y * size..][w.x0..w.x1];
            cover.extend(row.iter().map(|&v| f32::from(v) / 255.0));
        }
        blur(&mut cover, w.x1 - w.x0, radius);
        for (row, y) in cover.chunks(usize::max(1, w.x1 - w.x0)).zip(w.y0..w.y1) {
            for (&value, pixel) in row.iter().zip(&mut self.pixels[y * size..][w.x0..w.x1]) {
                if value > 0.002 {
                    blend(pixel, value);
                }
            }
        }
    }

    /// The smallest window that contains everything painted.
    fn painted(&self) -> Option<Window> {
        let size = self.size as usize;
        let mut w = Window { x0: size, y0: size, x1: 0, y1: 0 };
        for (i, pixel) in self.pixels.iter().enumerate() {
            if pixel[3] > 0.5 {
                let (x, y) = (i % size, i / size);
                w.x0 = w.x0.min(x);
                w.x1 = w.x1.max(x + 1);
                w.y0 = w.y0.min(y);
                w.y1 = w.y1.max(y + 1);
            }
        }
        (w.x1 > w.x0).then_some(w)
    }
}

/// Blends `ink` with coverage `cover` over `pixel`.
fn lay(pixel: &mut [f32; 4], ink: Ink, cover: f32) {
    for c in 0..3 {
        pixel[c] += (ink[c] - pixel[c]) * cover;
    }
    pixel[3] += (1.0 - pixel[3]) * cover;
}

/// Blurs an image with one channel and rows of `width` by three box blurs of `radius`, approximately a
/// Gaussian. Edge values are replicated outside.
pub fn blur(picture: &mut [f32], width: usize, radius: usize) {
    if radius == 0 || width == 0 || picture.is_empty() {
        return;
    }
    let height = picture.len() / width;
    let mut line = vec![0.0; width.max(height)];
    for _ in 0..3 {
        for row in 0..height {
            box_blur(&mut picture[row * width..], 1, width, radius, &mut line);
        }
        for column in 0..width {
            box_blur(&mut picture[column..], width, height, radius, &mut line);
        }
    }
}

/// One box blur along `count` values with the given `stride`.
fn box_blur(values: &mut [f32], stride: usize, count: usize, radius: usize, line: &mut [f32]) {
    for i in 0..count {
        line[i] = values[i * stride];
    }
    let at = |i: isize| line[i.clamp(0, count as isize - 1) as usize];
    let reach = radius as isize;
    let mut sum: f32 = (-reach..=reach).map(at).sum();
    for i in 0..count {
        values[i * stride] = sum / (2 * radius + 1) as f32;
        let i = i as isize;
        sum += at(i + reach + 1) - at(i - reach);
    }
}

/// Appends the smooth (Catmull-Rom) curve from the second of four points to the third.
fn segment(path: &mut PathBuilder, [p0, p1, p2, p3]: [(f32, f32); 4]) {
    path.cubic_to(
        p1.0 + (p2.0 - p0.0) / 6.0,
        p1.1 + (p2.1 - p0.1) / 6.0,
        p2.0 - (p3.0 - p1.0) / 6.0,
        p2.1 - (p3.1 - p1.1) / 6.0,
        p2.0,
        p2.1,
    );
}

/// A closed, smooth outline through `points` (Catmull-Rom).
pub fn blob(points: &[(f32, f32)]) -> Path {
    let n = points.len();
    let at = |i: usize| points[i % n];
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    for i in 0..n {
        segment(&mut path, [at(i + n - 1), at(i), at(i + 1), at(i + 2)]);
    }
    path.close();
    finish(path)
}

/// An open, smooth line through `points` (Catmull-Rom).
pub fn curve(points: &[(f32, f32)]) -> Path {
    let last = points.len() - 1;
    let at = |i: isize| points[i.clamp(0, last as isize) as usize];
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    for i in 0..last as isize {
        segment(&mut path, [at(i - 1), at(i), at(i + 1), at(i + 2)]);
    }
    finish(path)
}

/// A limb: a smooth tube through `(x, y, radius)`, with round ends.
pub fn tube(joints: &[(f32, f32, f32)]) -> Path {
    let last = joints.len() - 1;
    let at = |i: isize| joints[i.clamp(0, last as isize) as usize];
    let mut path = PathBuilder::new();
    const STEPS: usize = 7;
    for i in 0..last as isize {
        let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        for step in 0..=STEPS {
            let t = step as f32 / STEPS as f32;
            let spline = |a: f32, b: f32, c: f32, d: f32| {
                b + 0.5
                    * t
                    * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
            };
            let radius = b.2 + (c.2 - b.2) * t;
            path.push_circle(spline(a.0, b.0, c.0, d.0), spline(a.1, b.1, c.1, d.1), radius);
        }
    }
    finish(path)
}

/// An ellipse around `(x, y)` with radii `rx`, `ry`.
pub fn oval(x: f32, y: f32, rx: f32, ry: f32) -> Path {
    let mut path = PathBuilder::new();
    if let Some(frame) = tiny_skia::Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry) {
        path.push_oval(frame);
    }
    finish(path)
}

/// The finished path. If its coordinates give no valid path, a dot too small to see.
pub fn finish(path: PathBuilder) -> Path {
    path.finish().unwrap_or_else(|| {
        let speck = tiny_skia::Rect::from_xywh(0.0, 0.0, 1e-6, 1e-6);
        PathBuilder::from_rect(speck.expect("a speck has positive sides"))
    })
}
