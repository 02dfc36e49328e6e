//! Different contents on the same template or background, or of the same shape, are no copies;
//! copies among them are found.

use super::{noisy, picture, report, save};
use crate::rng::Rng;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use std::path::Path;
use tempfile::TempDir;

fn fill(image: &mut RgbImage, left: u32, top: u32, wide: u32, tall: u32, colour: [u8; 3]) {
    for y in top..(top + tall).min(image.height()) {
        for x in left..(left + wide).min(image.width()) {
            image.put_pixel(x, y, Rgb(colour));
        }
    }
}

/// A form with 14 labelled boxes, filled in differently for each number.
fn form(number: u64) -> RgbImage {
    let mut image = RgbImage::from_pixel(310, 440, Rgb([255; 3]));
    let mut rng = Rng::new(number, 2);
    // Labels and boxes are the same on all forms.
    let mut print = Rng::new(0, 3);
    for row in 0..14 {
        let top = 20 + row * 29;
        for word in 0..3 {
            fill(&mut image, 15 + 25 * word, top + 6, 8 + print.below(14) as u32, 7, [0; 3]);
        }
        fill(&mut image, 100, top, 190, 1, [0; 3]);
        fill(&mut image, 100, top + 20, 190, 1, [0; 3]);
        let mut x = 106;
        while x < 220 {
            let wide = 3 + rng.below(12) as u32;
            fill(&mut image, x, top + 6, wide, 9, [20, 20, 120]);
            x += wide + 3 + rng.below(8) as u32;
        }
    }
    image
}

/// A fixed camera, with a different blob in front of it each time.
fn before_one_background(number: u64) -> RgbImage {
    let mut image = noisy(7, 240, 180);
    let mut rng = Rng::new(number, 4);
    let (x, y) = (20 + rng.below(180) as i32, 20 + rng.below(130) as i32);
    let (wide, tall) = (10.0 + rng.uniform_in(0.0, 14.0), 10.0 + rng.uniform_in(0.0, 14.0));
    let fur = noisy(1_000 + number, 240, 180);
    for (u, v, pixel) in image.enumerate_pixels_mut() {
        let (dx, dy) = (f64::from(u as i32 - x) / wide, f64::from(v as i32 - y) / tall);
        if dx * dx + dy * dy < 1.0 {
            *pixel = *fur.get_pixel(u * 4 % 240, v * 4 % 180);
        }
        pixel.0 =
            pixel.0.map(|value| (i32::from(value) + rng.below(9) as i32 - 4).clamp(0, 255) as u8);
    }
    image
}

/// One shape, in a different colour for each number.
fn badge(number: u64) -> RgbImage {
    let turn = number as f64 * 2.399;
    let channel = |shift: f64| (128.0 + 110.0 * (turn + shift).cos()) as u8;
    let colour = [channel(0.0), channel(2.1), channel(4.2)];
    RgbImage::from_fn(128, 128, |x, y| {
        let (x, y) = (f64::from(x) - 64.0, f64::from(y) - 60.0);
        let inside = x.abs() < 45.0 && y.abs() < 40.0 && (y > -20.0 || x.abs() > 12.0);
        let mark = (x - 10.0).hypot(y - 10.0) < 14.0;
        Rgb(if mark {
            [255; 3]
        } else if inside {
            colour
        } else {
            [245; 3]
        })
    })
}

/// A handwritten stroke, different for each number: 28 x 28 pixels.
fn stroke(number: u64) -> RgbImage {
    let mut rng = Rng::new(number, 5);
    let mut point = || (rng.uniform_in(5.0, 23.0), rng.uniform_in(4.0, 24.0));
    let curves = [[point(), point(), point()], [point(), point(), point()]];
    RgbImage::from_fn(28, 28, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let distance = (0..=81)
            .map(|i| {
                let t = f64::from(i % 41) / 40.0;
                let mix = |a: f64, b: f64, c: f64| {
                    a * (1.0 - t) * (1.0 - t) + 2.0 * b * t * (1.0 - t) + c * t * t
                };
                let [p, q, r] = curves[i as usize / 41];
                (mix(p.0, q.0, r.0) - x).hypot(mix(p.1, q.1, r.1) - y)
            })
            .fold(f64::INFINITY, f64::min);
        Rgb([(255.0 * (2.2 - distance).clamp(0.0, 1.0)) as u8; 3])
    })
}

/// Graph paper with three curves, different for each number.
fn graph(number: u64) -> RgbImage {
    let mut rng = Rng::new(number, 6);
    let curves: [(f64, f64); 3] =
        std::array::from_fn(|_| (rng.uniform_in(45.0, 90.0), rng.uniform_in(0.0, 90.0)));
    RgbImage::from_fn(400, 300, |x, y| {
        let (period, phase) = curves[y as usize / 100];
        let at = (f64::from(x) + phase) % period - period / 2.0;
        let height = 75.0 - 55.0 * (-(at / 4.0).powi(2)).exp() + 9.0 * (at / 9.0).sin();
        let line = if x % 40 == 0 || y % 40 == 0 { [240, 130, 130] } else { [255, 190, 190] };
        Rgb(if (f64::from(y % 100) - height).abs() < 2.0 {
            [20; 3]
        } else if x % 8 == 0 || y % 8 == 0 {
            line
        } else {
            [255, 240, 240]
        })
    })
}

/// Pieces in one jig, each with its own faint grain in eight fields: any two are alike in some of them.
fn piece(number: u64) -> RgbImage {
    let mut rng = Rng::new(number, 7);
    let phases: [f64; 8] = std::array::from_fn(|_| rng.uniform_in(0.0, std::f64::consts::TAU));
    let mut jig = Rng::new(0, 8);
    let cells: Vec<f64> = (0..20 * 15).map(|_| [70.0, 150.0][jig.below(2)]).collect();
    RgbImage::from_fn(240, 180, |x, y| {
        let field = (x / 60 + 4 * (y / 90)) as usize;
        let grain = 12.0 * (f64::from(x + y) / 5.0 + phases[field]).sin();
        let level = cells[(x / 12 + 20 * (y / 12)) as usize] + grain;
        Rgb([level.round() as u8; 3])
    })
}

/// Pieces in one jig with a grain of 6 grey levels, as faint as contents that count may be.
fn faint_piece(number: u64) -> RgbImage {
    let mut rng = Rng::new(number, 9);
    let waves: Vec<[f64; 3]> = (0..24)
        .map(|_| {
            let (length, angle) = (rng.uniform_in(9.0, 30.0), rng.uniform_in(0.0, 6.3));
            [angle.cos() / length, angle.sin() / length, rng.uniform_in(0.0, 6.3)]
        })
        .collect();
    let mut jig = Rng::new(1, 8);
    let cells: Vec<f64> = (0..20 * 15).map(|_| [70.0, 150.0][jig.below(2)]).collect();
    RgbImage::from_fn(240, 180, |x, y| {
        let wave = |[across, down, phase]: &[f64; 3]| {
            (std::f64::consts::TAU * (f64::from(x) * across + f64::from(y) * down) + phase).sin()
        };
        let grain = 6.0 / 12_f64.sqrt() * waves.iter().map(wave).sum::<f64>();
        let level = cells[(x / 12 + 20 * (y / 12)) as usize] + grain;
        Rgb([level.round() as u8; 3])
    })
}

type Draw = fn(u64) -> RgbImage;

fn drawn(root: &Path, draw: Draw, count: u64) {
    (0..count).into_par_iter().for_each(|number| {
        let part = if number % 4 == 3 { "test" } else { "train" };
        save(&draw(number), root, &format!("{part}/{}/{number}.jpg", number % 2), 90);
    });
}

const KINDS: [(&str, Draw, u64); 6] = [
    ("forms", form, 40),
    ("one background", before_one_background, 40),
    ("one shape in many colours", badge, 8),
    ("strokes", stroke, 200),
    ("graph paper", graph, 40),
    ("pieces with a faint grain", piece, 80),
];

#[test]
fn what_shares_a_template_is_no_copy() {
    for (name, draw, count) in KINDS {
        let root = TempDir::new().unwrap();
        drawn(root.path(), draw, count);
        let report = report(root.path());
        let pairs: Vec<_> = report.pairs.iter().map(|p| (&p.a, &p.b, &p.change)).collect();
        assert!(pairs.is_empty(), "{name}: {pairs:?}");
        assert_eq!(report.summary.pairs, 0, "{name}");
    }
}

#[test]
fn scenes_are_told_apart_from_copies() {
    let root = TempDir::new().unwrap();
    drawn(root.path(), before_one_background, 40);
    let report = report(root.path());
    let summary = &report.summary;
    assert_eq!((summary.scene_groups, summary.scene_groups_across_splits), (1, 1), "{summary:?}");
    assert!(summary.scene_images >= 38, "{summary:?}");
    assert!(!report.scenes.is_empty() && report.scenes.len() <= 100);
    assert!(report.scenes.iter().all(|pair| pair.kind == super::Kind::Scene));
}

/// The name of a file, which its copy shares.
pub(super) fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or_default();
    name.trim_end_matches(".jpg").trim_end_matches("-again")
}

#[test]
fn copies_on_a_template_are_copies() {
    for (name, draw, count) in KINDS {
        let root = TempDir::new().unwrap();
        drawn(root.path(), draw, count);
        let step = (count / 10).max(1);
        for number in (0..count).step_by(step as usize) {
            save(&draw(number), root.path(), &format!("test/0/{number}-again.jpg"), 75);
        }
        let report = report(root.path());
        let right = report.pairs.iter().filter(|pair| stem(&pair.a) == stem(&pair.b)).count();
        let copies = count.div_ceil(step) as usize;
        assert!(right * 10 >= copies * 9, "{name}: {right} of {copies}");
        assert_eq!(right, report.pairs.len(), "{name}: {:?}", report.pairs);
    }
}

#[test]
fn many_versions_of_one_picture_are_no_template() {
    let root = TempDir::new().unwrap();
    for number in 0..4 {
        for (version, quality) in [95, 90, 80, 70, 60, 50, 40, 30].into_iter().enumerate() {
            save(&picture(number), root.path(), &format!("{number}/{version}.jpg"), quality);
        }
    }
    let report = report(root.path());
    assert_eq!((report.summary.groups, report.summary.duplicates), (4, 32), "{:?}", report.summary);
    assert_eq!(report.summary.scene_groups, 0);
}

#[test]
fn all_equal_pairs_are_counted_and_some_are_listed() {
    let root = TempDir::new().unwrap();
    for i in 0..60 {
        let part = if i < 40 { "train" } else { "test" };
        // The same pixels in different files: bitmaps with trailing bytes.
        let path = root.path().join(format!("{part}/{}/{i}.bmp", i % 2));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture(1).write_to(&mut bytes, image::ImageFormat::Bmp).unwrap();
        let mut bytes = bytes.into_inner();
        bytes.extend(vec![0; i / 2]);
        std::fs::write(path, bytes).unwrap();
    }
    let report = report(root.path());
    let summary = &report.summary;
    assert_eq!((summary.bytes, summary.pixels, summary.pairs), (30, 60 * 59 / 2 - 30, 60 * 59 / 2));
    let [train, validation, test] = super::Part::ALL.map(|part| {
        report
            .classes
            .iter()
            .map(|c| match part {
                super::Part::Train => c.train,
                super::Part::Validation => c.validation,
                super::Part::Test => c.test,
            })
            .sum::<usize>()
    });
    assert_eq!(summary.across_splits, train * validation + (train + validation) * test);
    assert_eq!(report.pairs.len(), 100);
    assert!(report.pairs.iter().all(|pair| pair.across_splits));
    assert_eq!((summary.groups, summary.duplicates), (1, 60));
}

#[test]
fn copies_of_what_shares_a_scene_share_it_too() {
    let root = TempDir::new().unwrap();
    for i in 0..8 {
        let name = format!("train/a/{i}.jpg");
        save(&before_one_background(i), root.path(), &name, 95);
    }
    save(&picture(1), root.path(), "train/b/0.jpg", 90);
    std::fs::create_dir_all(root.path().join("test/a")).unwrap();
    for i in 0..8 {
        let [from, to] =
            ["train", "test"].map(|part| root.path().join(format!("{part}/a/{i}.jpg")));
        std::fs::copy(from, to).unwrap();
    }
    save(&picture(2), root.path(), "test/b/0.jpg", 90);
    let summary = report(root.path()).summary;
    assert_eq!((summary.bytes, summary.scene_groups, summary.scene_images), (8, 1, 16));
    assert_eq!(summary.scene_groups_across_splits, 1);
}

/// Strong compression and scaling leave noise that is a large part of a faint content, but copies stay copies.
#[test]
fn compressed_and_scaled_copies_of_faint_contents_are_copies() {
    for (quality, scale) in [(90, 1.0), (75, 1.5), (60, 1.0), (60, 0.6), (30, 0.8), (30, 0.45)] {
        let root = TempDir::new().unwrap();
        drawn(root.path(), faint_piece, 24);
        (0..12).into_par_iter().map(|half| 2 * half).for_each(|number| {
            let image = faint_piece(number);
            let side = |len: u32| (f64::from(len) * scale) as u32;
            let (width, height) = (side(image.width()), side(image.height()));
            let copy = imageops::resize(&image, width, height, FilterType::CatmullRom);
            save(&copy, root.path(), &format!("test/0/{number}-again.jpg"), quality);
        });
        let pairs = report(root.path()).pairs;
        let right = pairs.iter().filter(|pair| stem(&pair.a) == stem(&pair.b)).count();
        assert_eq!((right, pairs.len()), (12, 12), "{quality}, {scale}: {pairs:?}");
    }
}
