//! Draws backgrounds: grass, snow or plain white. The background is the leaking cue.
//!
//! Scenes vary in season, light, horizon and vegetation, but grass and snow are never mistaken for each other.
//! All lengths are fractions of the picture's size.

use crate::canvas::{Canvas, Ink, blob, finish, mix, oval, shade};
use nn_core::rng::Rng;
use serde::{Deserialize, Serialize};
use tiny_skia::{Path, PathBuilder, Point, Transform};

/// What the animal stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// A meadow or a lawn.
    Grass,
    /// Snow.
    Snow,
    /// Pure white, 255 in every pixel.
    White,
}

/// A background being painted.
pub struct Scene {
    ground: Ground,
    /// The picture behind the animal.
    pub canvas: Canvas,
    /// The height at which sky or trees end, as a fraction from the top; negative if the ground fills the
    /// picture.
    horizon: f32,
    near: Ink,
    far: Ink,
    dark: Ink,
    /// The colour of the light, which also falls on the animal.
    pub light: Ink,
    tall: f32,
}

impl Scene {
    /// A random background of `size` pixels.
    pub fn draw(ground: Ground, size: u32, rng: &mut Rng) -> Self {
        let canvas = Canvas::new(size, Transform::from_scale(size as f32, size as f32));
        let sky = rng.uniform() < 0.6;
        let horizon = if sky { rng.uniform_in(0.08, 0.42) as f32 } else { -0.2 };
        let dim = rng.uniform_in(0.72, 1.12) as f32;
        let (near, far, dark): (Ink, Ink, Ink) = match ground {
            Ground::Grass => {
                // From a fresh lawn to a dry meadow.
                let dry = (rng.uniform().powi(2) * 0.9) as f32;
                let fresh = [0.27, 0.47, 0.13];
                let hay = [0.60, 0.54, 0.27];
                let near = mix(fresh, hay, dry);
                (
                    shade(near, dim),
                    shade(mix(near, [0.52, 0.64, 0.30], 0.5), dim),
                    shade(near, 0.38 * dim),
                )
            }
            Ground::Snow => {
                let blue = rng.uniform_in(0.0, 0.10) as f32;
                let near =
                    shade([0.93 - blue, 0.95 - 0.4 * blue, 0.98], 0.70 + 0.30 * dim.min(1.0));
                (near, shade(near, 0.96), [0.55, 0.62, 0.74])
            }
            Ground::White => ([1.0; 3], [1.0; 3], [1.0; 3]),
        };
        let light = match ground {
            Ground::White => [1.0; 3],
            _ => {
                let warm = 0.05 * rng.normal().clamp(-2.0, 2.0) as f32;
                let gain = 0.68 + 0.32 * dim.min(1.05);
                [gain * (1.0 + warm), gain, gain * (1.0 - warm)]
            }
        };
        let tall = rng.uniform_in(0.02, 0.085) as f32;
        let mut scene = Self { ground, canvas, horizon, near, far, dark, light, tall };
        match ground {
            Ground::Grass => scene.meadow(rng),
            Ground::Snow => scene.snow(rng),
            Ground::White => scene.canvas.pixels.fill([1.0; 4]),
        }
        scene
    }

    /// The distance of the ground at height `y`: 0 at the lower edge, 1 at the horizon.
    fn distance(&self, y: f32) -> f32 {
        ((1.0 - y) / (1.0 - self.horizon)).clamp(0.0, 1.0)
    }

    /// Fills every pixel: `ink` gets the position (fractions) and three noise values, one for each of
    /// `scales`.
    fn flood(&mut self, rng: &mut Rng, scales: [f32; 3], ink: impl Fn(f32, f32, [f32; 3]) -> Ink) {
        let size = self.canvas.size;
        let noises = scales.map(|scale| noise(size, scale, rng));
        for (i, pixel) in self.canvas.pixels.iter_mut().enumerate() {
            let x = (i as u32 % size) as f32 / size as f32;
            let y = (i as u32 / size) as f32 / size as f32;
            let [r, g, b] = ink(x, y, [noises[0][i], noises[1][i], noises[2][i]]);
            *pixel = [r, g, b, 1.0];
        }
    }

    fn meadow(&mut self, rng: &mut Rng) {
        let (near, far, dark, horizon) = (self.near, self.far, self.dark, self.horizon);
        self.flood(rng, [0.30, 0.09, 0.02], |_, y, n| {
            let t = ((1.0 - y) / (1.0 - horizon)).clamp(0.0, 1.0);
            let base = mix(mix(near, dark, 0.35), far, t);
            shade(base, 1.0 + 0.22 * n[0] + 0.12 * n[1] + 0.10 * n[2] * (1.0 - t))
        });
        if horizon > 0.0 {
            let sky = if rng.uniform() < 0.5 { Some([0.68, 0.80, 0.93]) } else { None };
            let leaf = shade(mix([0.13, 0.24, 0.10], near, 0.25), rng.uniform_in(0.7, 1.3) as f32);
            self.backdrop(sky, leaf, 1.25, rng);
        }
        // Blades of grass, distant ones first, each slightly different from the colour of its position.
        let size = self.canvas.size as f32;
        let start = horizon.max(0.0) as f64;
        let mut blades: Vec<f64> = (0..5200).map(|_| rng.uniform_in(start, 1.08)).collect();
        blades.sort_by(f64::total_cmp);
        for y in blades {
            let x = rng_x(rng);
            self.blade(rng, x, y as f32, size);
        }
        let flowers = if rng.uniform() < 0.3 { 4 + rng.below(24) } else { 0 };
        let petal = if rng.uniform() < 0.5 { [0.93, 0.83, 0.22] } else { [0.93, 0.93, 0.90] };
        for _ in 0..flowers {
            let y = rng.uniform_in(start + 0.05, 1.0) as f32;
            let r = 0.003 + 0.006 * (1.0 - self.distance(y));
            let x = rng.uniform() as f32;
            self.canvas.haze(&oval(x, y, r, 0.8 * r), petal, 0.9, r);
        }
    }

    /// One blade of grass rooted at `(x, y)`.
    fn blade(&mut self, rng: &mut Rng, x: f32, y: f32, size: f32) {
        let close = 1.0 - self.distance(y);
        let length = (0.25 + 0.75 * close) * self.tall * rng.uniform_in(0.5, 1.3) as f32 * size;
        let lean = 0.35 * rng.normal() as f32;
        let root = Point::from_xy(x * size, y * size);
        let tip = Point::from_xy(root.x + lean * length, root.y - length);
        let tone = mix(self.dark, mix(self.near, self.far, 0.5), rng.uniform_in(0.05, 1.1) as f32);
        let straw = if rng.uniform() < 0.12 { 0.6 } else { 0.12 * rng.uniform() as f32 };
        let ink = shade(mix(tone, [0.74, 0.70, 0.42], straw), rng.uniform_in(0.85, 1.35) as f32);
        let width = (0.55 + 1.0 * close) * size / 256.0;
        self.canvas.strand(root, tip, 0.2 * lean * length, width, ink, 0.85);
    }

    /// Draws the sky, if there is one (otherwise a wood fills it), and a line of bushes or trees at the
    /// horizon.
    fn backdrop(&mut self, sky: Option<Ink>, leaf: Ink, busy: f32, rng: &mut Rng) {
        let h = self.horizon;
        let size = self.canvas.size;
        let mut wood = self.canvas.layer();
        let top = sky.unwrap_or(shade(leaf, 0.8));
        wood.haze(&quad([(-0.1, -0.1), (1.1, -0.1), (1.1, h), (-0.1, h)]), top, 1.0, 0.0);
        let clumps = if sky.is_some() { 10 + rng.below(16) } else { 60 };
        for _ in 0..clumps {
            let x = rng.uniform_in(-0.1, 1.1) as f32;
            let r = rng.uniform_in(0.03, 0.11) as f32 * busy;
            let y = match sky {
                Some(_) => h - 0.4 * r,
                None => h - rng.uniform() as f32 * (h + 0.05),
            };
            let ink = shade(leaf, rng.uniform_in(0.65, 1.35) as f32);
            let lumps: Vec<(f32, f32)> = (0..9)
                .map(|i| {
                    let (sin, cos) = (i as f32 * std::f32::consts::TAU / 9.0).sin_cos();
                    let r = r * rng.uniform_in(0.75, 1.15) as f32;
                    (x + 1.2 * r * cos, y + r * sin)
                })
                .collect();
            wood.haze(&blob(&lumps), ink, 0.9, 0.012);
        }
        let texture = noise(size, 0.02, rng);
        let cut = (h.max(0.0) * size as f32) as usize;
        for (i, pixel) in wood.pixels.iter_mut().enumerate() {
            let gain = if sky.is_some() && pixel[2] > 0.6 { 0.02 } else { 0.16 };
            for value in &mut pixel[..3] {
                *value = (*value * (1.0 + gain * texture[i])).clamp(0.0, 1.0);
            }
            // Bushes end at the ground, with a ragged, soft edge.
            let below = (i / size as usize) as f32 - cut as f32 - 2.0 * texture[i];
            let keep = (1.0 - below * 0.4).clamp(0.0, 1.0);
            *pixel = pixel.map(|v| v * keep);
        }
        self.canvas.over(&wood);
    }

    fn snow(&mut self, rng: &mut Rng) {
        let (near, far, shadow, horizon) = (self.near, self.far, self.dark, self.horizon);
        let sun = rng.uniform_in(0.4, 1.0) as f32;
        let drift = rng.uniform_in(0.10, 0.45) as f32;
        // Shading by the slope of a noise height map, lit from the side.
        let size = self.canvas.size as usize;
        let relief = noise(self.canvas.size, drift, rng);
        let crumbs = noise(self.canvas.size, 0.035, rng);
        let step = (size / 64).max(1);
        let slope: Vec<f32> = (0..size * size)
            .map(|i| {
                let (x, y) = (i % size, i / size);
                let (l, u) = (x.saturating_sub(step), y.saturating_sub(step));
                let fall = |field: &[f32], scale: f32| {
                    let at = |x: usize, y: usize| field[y * size + x];
                    let rise = at(x, y) - 0.6 * at(l, y) - 0.4 * at(x, u);
                    rise * scale * size as f32 / step as f32
                };
                0.30 * fall(&relief, drift) + 0.05 * fall(&crumbs, 0.035)
            })
            .collect();
        self.flood(rng, [0.5, 0.02, 0.008], |x, y, n| {
            let i = ((y * size as f32) as usize).min(size - 1) * size
                + ((x * size as f32) as usize).min(size - 1);
            let t = ((1.0 - y) / (1.0 - horizon)).clamp(0.0, 1.0);
            let base = mix(near, far, t);
            let dusk = (sun * (1.1 * slope[i] + 0.10 * n[0] + 0.10)).clamp(-0.15, 0.75);
            shade(
                mix(base, shadow, dusk.max(0.0)),
                1.0 - 0.35 * dusk.min(0.0) + 0.02 * n[1] + 0.03 * n[2],
            )
        });
        if horizon > 0.0 {
            let sky = match rng.below(3) {
                0 => Some([0.80, 0.85, 0.91]),
                1 => Some([0.62, 0.76, 0.92]),
                _ => None,
            };
            let leaf = shade([0.36, 0.42, 0.45], rng.uniform_in(0.6, 1.4) as f32);
            self.backdrop(sky, leaf, 0.6, rng);
            self.trees(rng);
        }
        for _ in 0..if rng.uniform() < 0.35 { 20 + rng.below(60) } else { 0 } {
            // Stems that stick out of the snow, in tufts.
            let x = rng_x(rng);
            let y = rng.uniform_in(horizon.max(0.0) as f64 + 0.1, 1.0) as f32;
            let px = size as f32;
            let root = Point::from_xy(x * px, y * px);
            let length = 0.05 * px * (1.1 - self.distance(y)) * rng.uniform_in(0.5, 1.2) as f32;
            let tip = Point::from_xy(root.x + 0.4 * length * rng.normal() as f32, root.y - length);
            self.canvas.strand(root, tip, 0.1 * length, 0.8 * px / 256.0, [0.45, 0.38, 0.28], 0.7);
        }
    }

    /// Bare trunks and snowy firs at the horizon.
    fn trees(&mut self, rng: &mut Rng) {
        let h = self.horizon;
        for _ in 0..rng.below(9) {
            let x = rng_x(rng);
            let foot = h + 0.03 * rng.uniform() as f32;
            if rng.uniform() < 0.5 {
                let r = rng.uniform_in(0.004, 0.016) as f32;
                let lean = 0.02 * rng.normal() as f32;
                let (l, r2) = (x + lean - 0.6 * r, x + lean + 0.6 * r);
                let trunk = quad([(x - r, foot), (l, -0.1), (r2, -0.1), (x + r, foot)]);
                let ink = shade([0.26, 0.22, 0.19], rng.uniform_in(0.7, 1.5) as f32);
                self.canvas.haze(&trunk, ink, 0.95, 0.003);
                continue;
            }
            let tall = rng.uniform_in(0.12, 0.35) as f32;
            let ink = shade([0.16, 0.23, 0.21], rng.uniform_in(0.7, 1.4) as f32);
            let core = quad([
                (x - 0.12 * tall, foot),
                (x, foot - 1.05 * tall),
                (x, foot - 1.05 * tall),
                (x + 0.12 * tall, foot),
            ]);
            self.canvas.haze(&core, shade(ink, 0.7), 0.95, 0.004);
            for tier in (0..5).rev() {
                let top = foot - tall * (0.25 + 0.19 * tier as f32);
                let wide = tall * (0.27 - 0.045 * tier as f32);
                for (ink, dy, scale) in [(ink, 0.0, 1.0), ([0.88, 0.91, 0.95], -0.012, 0.62)] {
                    let mut path = PathBuilder::new();
                    path.move_to(x, top - 0.13 * tall + dy);
                    path.quad_to(
                        x + 0.3 * wide,
                        top,
                        x + wide * scale,
                        top + 0.14 * tall * scale + dy,
                    );
                    path.quad_to(
                        x,
                        top + 0.09 * tall * scale,
                        x - wide * scale,
                        top + 0.14 * tall * scale + dy,
                    );
                    path.quad_to(x - 0.3 * wide, top, x, top - 0.13 * tall + dy);
                    path.close();
                    self.canvas.haze(&finish(path), ink, 0.9, 0.003);
                }
            }
        }
    }

    /// Darkens the ground under an animal that spans `x0..x1` with its feet at `y` (fractions).
    pub fn ground_shadow(&mut self, x0: f32, x1: f32, y: f32, rng: &mut Rng) {
        if self.ground == Ground::White {
            return;
        }
        let slide = rng.uniform_in(-0.12, 0.12) as f32;
        let (middle, half) = ((x0 + x1) / 2.0 + slide * (x1 - x0), (x1 - x0) / 2.0);
        let ink = shade(self.dark, 0.75);
        let strength = rng.uniform_in(0.35, 0.7) as f32;
        self.canvas.tint(&oval(middle, y, half, 0.09 * half + 0.008), ink, strength, 0.035);
    }

    /// Draws what covers the feet at `y`: blades of grass, or snow.
    pub fn foreground(&mut self, x0: f32, x1: f32, y: f32, rng: &mut Rng) {
        let size = self.canvas.size as f32;
        match self.ground {
            Ground::White => {}
            Ground::Grass => {
                let count = (500.0 * (x1 - x0)) as usize;
                for _ in 0..count {
                    let x = rng.uniform_in(x0 as f64 - 0.05, x1 as f64 + 0.05) as f32;
                    let low = y + 0.012 + 0.03 * rng.uniform() as f32;
                    self.blade(rng, x, low, size);
                }
            }
            Ground::Snow => {
                for _ in 0..(14.0 * (x1 - x0)) as usize + 3 {
                    let x = rng.uniform_in(x0 as f64, x1 as f64) as f32;
                    let r = rng.uniform_in(0.012, 0.035) as f32;
                    let ink = mix(self.near, self.dark, 0.18 * rng.uniform() as f32);
                    self.canvas.haze(
                        &oval(x, y + 0.6 * r + 0.006, 1.6 * r, 0.6 * r),
                        ink,
                        0.85,
                        0.012,
                    );
                }
                if rng.uniform() < 0.3 {
                    self.flakes(rng);
                }
            }
        }
    }

    /// Draws falling snow.
    fn flakes(&mut self, rng: &mut Rng) {
        for _ in 0..40 + rng.below(160) {
            let (x, y) = (rng.uniform() as f32, rng.uniform() as f32);
            let r = rng.uniform_in(0.002, 0.006) as f32;
            self.canvas.haze(&oval(x, y, r, r), [0.97; 3], rng.uniform_in(0.4, 0.9) as f32, r);
        }
    }
}

/// A quadrilateral.
fn quad(corners: [(f32, f32); 4]) -> Path {
    let mut path = PathBuilder::new();
    path.move_to(corners[0].0, corners[0].1);
    for (x, y) in &corners[1..] {
        path.line_to(*x, *y);
    }
    path.close();
    finish(path)
}

/// A random horizontal position, up to slightly beyond the edges.
fn rng_x(rng: &mut Rng) -> f32 {
    rng.uniform_in(-0.03, 1.03) as f32
}

/// Smooth noise, about -1 to 1, whose bumps are about `scale` wide, as a fraction of the picture.
fn noise(size: u32, scale: f32, rng: &mut Rng) -> Vec<f32> {
    let size = size as usize;
    let cells = (1.0 / scale).ceil() as usize + 2;
    let lattice: Vec<f32> = (0..cells * cells).map(|_| rng.uniform_in(-1.0, 1.0) as f32).collect();
    let step = 1.0 / (scale * size as f32);
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let mut field = vec![0.0; size * size];
    for (i, value) in field.iter_mut().enumerate() {
        let (x, y) = ((i % size) as f32 * step, (i / size) as f32 * step);
        let (cx, cy) = ((x as usize).min(cells - 2), (y as usize).min(cells - 2));
        let (tx, ty) = (ease(x - cx as f32), ease(y - cy as f32));
        let row = |r: usize| {
            let a = lattice[r * cells + cx];
            a + (lattice[r * cells + cx + 1] - a) * tx
        };
        *value = row(cy) + (row(cy + 1) - row(cy)) * ty;
    }
    field
}
