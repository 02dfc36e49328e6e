//! What differs from a copy only in colour.

use super::{report, save};
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use tempfile::TempDir;

/// Inks in pairs of one hue: a light one and a dark one.
const INKS: [[u8; 3]; 12] = [
    [250, 20, 165],
    [168, 18, 92],
    [90, 168, 250],
    [16, 92, 246],
    [168, 14, 16],
    [246, 96, 14],
    [20, 168, 20],
    [96, 246, 20],
    [96, 246, 170],
    [18, 246, 92],
    [168, 18, 246],
    [246, 96, 246],
];

/// An icon of thin lines on white, one of four, in one of 12 inks.
fn icon(number: usize, ink: usize) -> RgbImage {
    let middle = 30.0 + 9.0 * number as f64;
    RgbImage::from_fn(128, 128, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let ring = ((x - middle).hypot(y - 70.0) - 22.0).abs() < 2.5;
        let frame = ((x - 80.0).abs().max((y - middle).abs()) - 18.0).abs() < 2.5;
        let line = (y - 100.0 - (x - 64.0) * 0.1 * number as f64).abs() < 2.5 && x > middle;
        Rgb(if ring || frame || line { INKS[ink] } else { [255; 3] })
    })
}

#[test]
fn one_icon_in_many_inks_is_told_apart_and_its_copies_are_found() {
    let root = TempDir::new().unwrap();
    let all: Vec<(usize, usize)> = (0..4).flat_map(|i| (0..12).map(move |ink| (i, ink))).collect();
    all.par_iter().for_each(|&(number, ink)| {
        let name = format!("train/{}/{number}-{ink}.jpg", ink % 2);
        save(&icon(number, ink), root.path(), &name, 95);
    });
    let pairs = report(root.path()).pairs;
    assert!(pairs.is_empty(), "{pairs:?}");
    for number in 0..4 {
        let name = format!("test/0/{number}-{}.jpg", 3 * number);
        save(&icon(number, 3 * number), root.path(), &name, 75);
    }
    let pairs = report(root.path()).pairs;
    let name = |file: &str| file.rsplit('/').next().unwrap_or_default().to_string();
    let right = pairs.iter().filter(|pair| name(&pair.a) == name(&pair.b)).count();
    assert_eq!((right, pairs.len()), (4, 4), "{pairs:?}");
}
