//! Pictures that share hard edges (frames, masks, the corners that a rotation leaves) but differ in
//! content must not count as copies, and copies among them must be found. So must copies of
//! pictures that contain nothing but edges, stripes and round shades.

use super::{distinct_photographs, picture, report, save};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use tempfile::TempDir;

const BLACK: Rgb<u8> = Rgb([0; 3]);

#[derive(Debug, Clone, Copy)]
enum Frame {
    /// A border of a twentieth of the shorter side in width.
    Border,
    /// Black outside the inscribed ellipse.
    Oval,
    /// Rotated by this many degrees, on a black canvas that holds all of it.
    Tilted(f64),
}

const FRAMES: [Frame; 5] =
    [Frame::Border, Frame::Oval, Frame::Tilted(5.0), Frame::Tilted(30.0), Frame::Tilted(45.0)];

impl Frame {
    fn around(self, image: &RgbImage) -> RgbImage {
        let (width, height) = image.dimensions();
        match self {
            Self::Border => {
                let border = width.min(height) / 20;
                let mut framed = RgbImage::from_pixel(width, height, BLACK);
                let (inner_width, inner_height) = (width - 2 * border, height - 2 * border);
                let inner = imageops::crop_imm(image, border, border, inner_width, inner_height);
                imageops::replace(&mut framed, &*inner, border.into(), border.into());
                framed
            }
            Self::Oval => RgbImage::from_fn(width, height, |x, y| {
                let from_middle = |i: u32, len: u32| 2.0 * f64::from(i) / f64::from(len) - 1.0;
                let inside = from_middle(x, width).hypot(from_middle(y, height)) < 1.0;
                if inside { *image.get_pixel(x, y) } else { BLACK }
            }),
            Self::Tilted(degrees) => tilted(image, degrees.to_radians()),
        }
    }
}

pub(super) fn tilted(image: &RgbImage, angle: f64) -> RgbImage {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let (sin, cos) = angle.sin_cos();
    let (wide, tall) = (width * cos + height * sin, width * sin + height * cos);
    RgbImage::from_fn(wide.ceil() as u32, tall.ceil() as u32, |x, y| {
        let (x, y) = (f64::from(x) + 0.5 - wide / 2.0, f64::from(y) + 0.5 - tall / 2.0);
        let (u, v) = (x * cos + y * sin + width / 2.0, y * cos - x * sin + height / 2.0);
        let inside = (0.0..width).contains(&u) && (0.0..height).contains(&v);
        if inside { *image.get_pixel(u as u32, v as u32) } else { BLACK }
    })
}

/// For each frame, the numbers of correct and of wrong pairs among `images` and smaller copies of
/// every fourth.
fn pairs(images: &[RgbImage]) -> Vec<(Frame, usize, usize)> {
    let found = |frame: Frame| {
        let root = TempDir::new().unwrap();
        images.par_iter().enumerate().for_each(|(i, image)| {
            let framed = frame.around(image);
            save(&framed, root.path(), &format!("a/{i}.jpg"), 90);
            if i % 4 == 0 {
                let side = |len: u32| len * 7 / 10;
                let (width, height) = (side(framed.width()), side(framed.height()));
                let copy = imageops::resize(&framed, width, height, FilterType::Triangle);
                save(&copy, root.path(), &format!("b/{i}.jpg"), 70);
            }
        });
        let pairs = report(root.path()).pairs;
        let right = pairs.iter().filter(|pair| pair.a[2..] == pair.b[2..]).count();
        (frame, right, pairs.len() - right)
    };
    FRAMES.into_iter().map(found).collect()
}

#[test]
fn pictures_in_frames_are_told_from_each_other() {
    let images: Vec<RgbImage> = (0..40).map(picture).collect();
    for (frame, right, wrong) in pairs(&images) {
        assert_eq!((right, wrong), (10, 0), "{frame:?}");
    }
}

#[test]
fn photographs_in_frames_are_told_from_each_other() {
    let Some(images) = distinct_photographs() else {
        println!("skipped: the published photographs are not here");
        return;
    };
    assert_eq!(images.len(), 230);
    for (frame, right, wrong) in pairs(&images) {
        // A white dog rotated by 45 degrees is little more than its corners.
        let most_wrong = if matches!(frame, Frame::Tilted(45.0)) { 2 } else { 0 };
        assert!(
            right == 58 && wrong <= most_wrong,
            "{frame:?}: {right} of 58 right, {wrong} wrong"
        );
    }
}

#[test]
fn copies_of_plain_pictures_are_found() {
    type Shade = fn(f64, f64) -> f64;
    let pictures: [(&str, Shade); 4] = [
        ("stripes", |x, _| f64::from((x * 14.0) as u8 % 2)),
        ("flag", |_, y| (y * 3.0).floor() / 2.0),
        ("disc", |x, y| (1.2 - 2.0 * (x - 0.5).hypot(y - 0.6)).clamp(0.0, 1.0)),
        ("chart", |x, y| if 1.0 - y < (x * 7.0).floor() % 4.0 / 4.0 { 1.0 } else { 0.2 }),
    ];
    let root = TempDir::new().unwrap();
    for (name, shade) in pictures {
        let image = RgbImage::from_fn(400, 300, |x, y| {
            let value = shade(f64::from(x) / 400.0, f64::from(y) / 300.0);
            Rgb([20.0 + 200.0 * value, 30.0 + 180.0 * value, 60.0 + 120.0 * value].map(|v| v as u8))
        });
        save(&image, root.path(), &format!("a/{name}.jpg"), 90);
        let copy = imageops::resize(&image, 280, 210, FilterType::Triangle);
        save(&copy, root.path(), &format!("b/{name}.jpg"), 60);
    }
    let pairs = report(root.path()).pairs;
    let found: Vec<_> = pairs.iter().map(|pair| (&pair.a[2..], &pair.b[2..])).collect();
    assert_eq!(found.len(), pictures.len(), "{found:?}");
    assert!(found.iter().all(|(a, b)| a == b), "{found:?}");
}
