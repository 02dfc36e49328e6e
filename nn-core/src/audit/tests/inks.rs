//! What is no copy though nearly the same: in another ink, with a stroke less, or slanted.

use super::scenes::stem;
use super::{report, save};
use image::{Rgb, RgbImage, imageops};
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

/// An E of 32 x 32 pixels with strokes of its own width and place, or the F that has all of them but the lowest.
fn letter(number: usize, is_e: bool) -> RgbImage {
    let thick = 2 + number as u32 % 3;
    let (left, right, top) = (6 + number as u32 % 4, 22 + number as u32 % 5, 4 + number as u32 % 3);
    let middle = 13 + number as u32 % 4;
    RgbImage::from_fn(32, 32, |x, y| {
        let stem = (left..left + thick).contains(&x) && (top..28).contains(&y);
        let across = |from: u32| (from..from + thick).contains(&y) && (left..right).contains(&x);
        let is_drawn =
            stem || across(top) || across(middle) && x < right - 3 || is_e && across(28 - thick);
        Rgb([if is_drawn { 20 } else { 250 }; 3])
    })
}

/// An F is no E that was written over. Of each letter, a copy that was encoded anew is one.
#[test]
fn a_letter_that_lacks_a_stroke_is_another_letter() {
    let root = TempDir::new().unwrap();
    for number in 0..12 {
        for (name, is_e) in [("E", true), ("F", false)] {
            let part = if number % 3 == 0 { "test" } else { "train" };
            save(&letter(number, is_e), root.path(), &format!("{part}/{name}/{number}.jpg"), 95);
        }
    }
    let pairs = report(root.path()).pairs;
    let class = |file: &str| file.split('/').nth(1).unwrap_or_default().to_string();
    assert!(pairs.iter().all(|pair| class(&pair.a) == class(&pair.b)), "{pairs:?}");
    for number in [1, 5, 10] {
        for (name, is_e) in [("E", true), ("F", false)] {
            let copy = imageops::resize(&letter(number, is_e), 40, 40, imageops::Triangle);
            save(&copy, root.path(), &format!("test/{name}/{number}-again.jpg"), 70);
        }
    }
    let pairs = report(root.path()).pairs;
    assert!(pairs.iter().all(|pair| class(&pair.a) == class(&pair.b)), "{pairs:?}");
    let right = pairs.iter().filter(|pair| stem(&pair.a) == stem(&pair.b)).count();
    assert_eq!(right, 6, "{pairs:?}");
}

/// A figure of 32 x 32 pixels: four by four samples of each, since slanted strokes end within pixels.
fn drawn(is_drawn: impl Fn(f64, f64) -> bool) -> RgbImage {
    RgbImage::from_fn(32, 32, |x, y| {
        let at = |i: u32, from: u32| f64::from(from) + (f64::from(i) + 0.5) / 4.0;
        let ink = (0..16).filter(|&i| is_drawn(at(i % 4, x), at(i / 4, y))).count();
        Rgb([250 - 14 * ink as u8; 3])
    })
}

/// An H with strokes of its own width and place, which leans by so many pixels per row.
fn leaning(number: usize, slant: f64) -> RgbImage {
    let (thick, middle) = (2.0 + (number % 3) as f64, 9.0 + 2.5 * number as f64);
    let (left, right) = (8.0, 18.0 + (number % 2) as f64 * 4.0);
    drawn(|x, y| {
        let x = x + slant * (y - 16.0);
        let within = |from: f64, at: f64| (from..from + thick).contains(&at);
        let bar = within(middle, y) && (left..right + thick).contains(&x);
        (5.0..27.0).contains(&y) && (within(left, x) || within(right, x) || bar)
    })
}

/// An italic is no upright letter that was sheared. Of each, a copy that was resized is found.
#[test]
fn a_slanted_letter_is_no_tilted_copy() {
    let root = TempDir::new().unwrap();
    let slants = [0.0, 0.14, 0.28];
    for number in 0..6 {
        for (i, slant) in slants.into_iter().enumerate() {
            let part = if i == 0 { "test" } else { "train" };
            save(&leaning(number, slant), root.path(), &format!("{part}/{i}/{i}-{number}.jpg"), 95);
        }
    }
    let pairs = report(root.path()).pairs;
    assert!(pairs.is_empty(), "{pairs:?}");
    for (number, slant) in slants.into_iter().enumerate() {
        let copy = imageops::resize(&leaning(number, slant), 40, 40, imageops::Triangle);
        save(&copy, root.path(), &format!("test/{number}/{number}-{number}-again.jpg"), 80);
    }
    let pairs = report(root.path()).pairs;
    assert!(pairs.iter().all(|pair| stem(&pair.a) == stem(&pair.b)), "{pairs:?}");
    assert_eq!(pairs.len(), 3, "{pairs:?}");
}

/// Two bars, as an I is in many fonts, have nothing but edges in common: neither is a part of the other, stretched.
#[test]
fn a_bar_is_no_part_of_a_thinner_one() {
    let root = TempDir::new().unwrap();
    for number in 0..5 {
        let (thick, end) = (4.0 + 2.0 * number as f64, 25.0 + (number % 3) as f64);
        let bar = drawn(|x, y| (12.0..12.0 + thick).contains(&x) && (5.0..end).contains(&y));
        let part = if number % 3 == 0 { "test" } else { "train" };
        save(&bar, root.path(), &format!("{part}/I/{number}.jpg"), 95);
    }
    let pairs = report(root.path()).pairs;
    assert!(pairs.is_empty(), "{pairs:?}");
}
