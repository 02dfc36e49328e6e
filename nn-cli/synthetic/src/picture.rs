//! Composes a picture from an animal and a background: framing, light, blur and grain.

use crate::animal::{Animal, Pose, Species};
use crate::body;
use crate::canvas::{Canvas, blur};
use crate::scene::{Ground, Scene};
use image::{GrayImage, RgbImage};
use nn_core::rng::Rng;
use tiny_skia::Transform;

/// A rendered picture and the animal's mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture itself.
    pub rgb: RgbImage,
    /// 255 where the animal covers a pixel completely, 0 where it does not touch it.
    pub mask: GrayImage,
}

/// The position of the animal in the frame.
struct Framing {
    /// The transform from animal units to pixels.
    place: Transform,
    /// The left and right end and the height of the contact with the ground, as fractions of the frame.
    ground: (f32, f32, f32),
}

/// Places an animal at random: size, position, side, a slight tilt, and a change of aspect ratio like that
/// of photographs squeezed to squares.
fn frame(animal: &Animal, size: u32, rng: &mut Rng) -> Framing {
    let [left, top, right, bottom] = body::extent(animal);
    let (wide, high) = (right - left, bottom - top);
    let squeeze = rng.uniform_in(0.86, 1.16) as f32;
    let side = if rng.uniform() < 0.5 { -1.0 } else { 1.0 };
    let tilt = 2.0 * rng.normal() as f32;
    let (fill, spare) = if animal.pose == Pose::Portrait {
        (rng.uniform_in(0.95, 1.30) as f32, 0.10)
    } else {
        (rng.uniform_in(0.88, 1.12) as f32, 0.03)
    };
    let scale = fill / (wide * squeeze).max(high);
    let (w, h) = (wide * scale * squeeze, high * scale);
    // The centre of the bounding box: anywhere it fits into the frame, or slightly beyond for a close-up.
    let slack = |extent: f32| ((1.0 - extent) / 2.0).max(spare);
    let x = 0.5 + slack(w) * rng.uniform_in(-1.0, 1.0) as f32;
    let low = if animal.pose == Pose::Portrait { -0.3 } else { -0.1 };
    let y = 0.5 + slack(h) * rng.uniform_in(low, 1.0) as f32;
    let px = size as f32;
    let place = Transform::from_translate(x * px, y * px)
        .pre_scale(side * scale * squeeze * px, scale * px)
        .pre_rotate(tilt)
        .pre_translate(-(left + right) / 2.0, -(top + bottom) / 2.0);
    let feet = y + scale * (0.0 - (top + bottom) / 2.0);
    Framing { place, ground: (x - 0.42 * w, x + 0.42 * w, feet) }
}

/// The camera's settings for one picture.
struct Shot {
    gain: f32,
    gamma: f32,
    cast: [f32; 3],
    saturation: f32,
    defocus: f32,
    grain: f32,
}

impl Shot {
    fn draw(rng: &mut Rng) -> Self {
        let warm = 0.015 * rng.normal() as f32;
        let green = 0.008 * rng.normal() as f32;
        Self {
            gain: rng.uniform_in(0.96, 1.12) as f32,
            gamma: rng.uniform_in(0.80, 1.1) as f32,
            cast: [1.0 + warm, 1.0 + green, 1.0 - warm],
            saturation: rng.uniform_in(0.75, 1.2) as f32,
            defocus: (rng.uniform().powi(2) * 0.003) as f32,
            grain: (rng.uniform().powi(2) * 0.02) as f32,
        }
    }

    /// Applies exposure and colour to one pixel, without premultiplied alpha.
    fn develop(&self, ink: [f32; 3]) -> [f32; 3] {
        let grey = 0.30 * ink[0] + 0.59 * ink[1] + 0.11 * ink[2];
        std::array::from_fn(|c| {
            let v = (grey + (ink[c] - grey) * self.saturation) * self.gain * self.cast[c];
            v.clamp(0.0, 1.0).powf(self.gamma)
        })
    }
}

/// The number of random streams of a picture.
pub const STREAMS: u64 = 3;

/// Renders one picture. `coat_quantile` from 0 to 1 chooses the coat; `stream` distinguishes the pictures
/// of one `seed`.
pub fn compose(
    species: Species,
    coat_quantile: f64,
    ground: Ground,
    seed: u64,
    stream: u64,
    size: u32,
) -> Picture {
    // Separate streams keep the animal independent of the random numbers that the background uses, and vice
    // versa.
    let mut rng = Rng::new(seed, STREAMS * stream);
    let mut scenery = Rng::new(seed, STREAMS * stream + 1);
    let mut camera = Rng::new(seed, STREAMS * stream + 2);
    let animal = Animal::draw(species, coat_quantile, &mut rng);
    let framing = frame(&animal, size, &mut rng);
    let mut figure = Canvas::new(size, framing.place);
    body::draw(&mut figure, &animal, &mut rng);

    let mut scene = Scene::draw(ground, size, &mut scenery);
    let shot = Shot::draw(&mut camera);
    for pixel in &mut figure.pixels {
        for (value, light) in pixel.iter_mut().zip(scene.light) {
            *value *= light;
        }
    }
    if ground == Ground::White {
        // On white, only the animal is blurred: the background stays white.
        soften(&mut figure, shot.defocus);
    }
    let (x0, x1, feet) = framing.ground;
    let close_up = animal.pose == Pose::Portrait;
    if !close_up {
        scene.ground_shadow(x0, x1, feet, &mut scenery);
    }
    if close_up {
        soften(&mut scene.canvas, 0.008);
    }
    scene.canvas.over(&figure);
    if !close_up {
        scene.foreground(x0, x1, feet, &mut scenery);
    }
    if ground != Ground::White {
        soften(&mut scene.canvas, shot.defocus);
    }
    expose(&scene.canvas, &figure, ground, &shot, &mut camera)
}

/// Blurs a canvas by `radius`, a fraction of its size. For a fractional number of pixels, the canvas is
/// mixed with a version blurred by the next integer number of pixels.
fn soften(canvas: &mut Canvas, radius: f32) {
    let radius = radius * canvas.size as f32;
    let whole = radius.ceil();
    for c in 0..4 {
        let mut plane: Vec<f32> = canvas.pixels.iter().map(|p| p[c]).collect();
        blur(&mut plane, canvas.size as usize, whole as usize);
        for (pixel, value) in canvas.pixels.iter_mut().zip(plane) {
            pixel[c] += (value - pixel[c]) * radius / whole.max(1.0);
        }
    }
}

/// Converts the scene to bytes. On a white background, light and grain affect only the animal, so the
/// background stays exactly 255.
fn expose(scene: &Canvas, figure: &Canvas, ground: Ground, shot: &Shot, rng: &mut Rng) -> Picture {
    let size = scene.size;
    let mut rgb = RgbImage::new(size, size);
    let mut mask = GrayImage::new(size, size);
    let pixels = rgb.pixels_mut().zip(mask.pixels_mut());
    for (i, (out, cover)) in pixels.enumerate() {
        let [r, g, b, _] = scene.pixels[i];
        let body = figure.pixels[i][3];
        let touched = if ground == Ground::White { body } else { 1.0 };
        let seen = shot.develop([r, g, b]);
        let plain = [r, g, b];
        let grain = shot.grain * rng.normal() as f32;
        for c in 0..3 {
            let v = plain[c] + (seen[c] - plain[c] + grain) * touched;
            out.0[c] = (v.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
        cover.0[0] = (body.clamp(0.0, 1.0) * 255.0).ceil() as u8;
    }
    Picture { rgb, mask }
}
