//! Unusual images, and the balance of classes and splits.

use super::listing::{Listing, Part};
use super::survey::ImageFeatures;
use crate::data::Depth;
use serde::Serialize;

/// The shorter side below which an image is tiny, in pixels.
const TINY: usize = 32;
/// The aspect ratio (longer side over shorter side) from which it is extreme.
const EXTREME: f64 = 4.0;
/// The difference between the darkest and the brightest grey level below which an image is of one colour.
const ONE_COLOUR: u8 = 6;

/// The kind of an unusual image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// It cannot be decoded.
    Unreadable,
    /// It is all of one colour.
    OneColour,
    /// Its shorter side is below 32 pixels.
    Tiny,
    /// Its longer side is at least four times its shorter side.
    ExtremeAspect,
}

/// An unusual image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OddImage {
    /// Its file, relative to the folder.
    pub file: String,
    /// What is unusual.
    pub oddity: Oddity,
    /// More about it, in words.
    pub detail: String,
}

/// The unusual images, in the order of the listing. `unreadable` has the reason for each unreadable image.
pub fn odd_images(
    listing: &Listing,
    features: &[Option<ImageFeatures>],
    unreadable: &[Option<String>],
) -> Vec<OddImage> {
    let mut found = Vec::new();
    for ((item, features), reason) in listing.items.iter().zip(features).zip(unreadable) {
        let mut add = |oddity, detail| {
            found.push(OddImage { file: item.file.clone(), oddity, detail });
        };
        let Some(features) = features else {
            add(Oddity::Unreadable, reason.clone().unwrap_or_default());
            continue;
        };
        let (width, height) = (features.facts.width, features.facts.height);
        let (short, long) = (width.min(height), width.max(height));
        let size = format!("{width} x {height} pixels");
        if features.range < ONE_COLOUR {
            let [r, g, b] = features.facts.tones.mean.map(|v| v.round());
            let why = one_colour_why(features);
            add(Oddity::OneColour, format!("red {r}, green {g}, blue {b}{why}"));
        }
        if short < TINY {
            add(Oddity::Tiny, size.clone());
        }
        if long as f64 >= EXTREME * short as f64 {
            add(Oddity::ExtremeAspect, size);
        }
    }
    found
}

/// Why a decoded image may be of one colour although its file is not, in words.
fn one_colour_why(features: &ImageFeatures) -> String {
    let treatment = &features.treatment;
    if treatment.vanished {
        return format!(
            "; it is transparent, and laid on {} nothing of it is seen: choose another background",
            features.alpha_background
        );
    }
    let mut why = String::new();
    if treatment.transparent {
        why += "; all of it that is seen is of this colour or transparent";
    }
    if treatment.animation {
        why += "; so are all frames looked at";
    }
    if let Some(Depth::Bits(bits @ 9..)) = treatment.depth {
        why += &format!("; its values take a small part of {bits} bits");
    }
    why
}

/// The number of images of a class in each split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// All its images.
    pub images: usize,
    /// Those for training.
    pub train: usize,
    /// Those for validation.
    pub validation: usize,
    /// Those for the test.
    pub test: usize,
}

/// The images of each class, and warnings about imbalance.
pub fn balance(listing: &Listing) -> (Vec<ClassCount>, Vec<String>) {
    let counts: Vec<ClassCount> = listing
        .classes
        .iter()
        .enumerate()
        .map(|(label, class)| {
            let of_class = || listing.items.iter().filter(move |item| item.label == Some(label));
            let part = |part| of_class().filter(|item| item.part == Some(part)).count();
            ClassCount {
                class: class.clone(),
                images: of_class().count(),
                train: part(Part::Train),
                validation: part(Part::Validation),
                test: part(Part::Test),
            }
        })
        .collect();
    let mut warnings: Vec<String> = listing.problem.clone().into_iter().collect();
    let without = listing.items.iter().filter(|item| item.label.is_none()).count();
    if without > 0 {
        let have = if without == 1 { "1 image has" } else { &format!("{without} images have") };
        warnings.push(format!("{have} no class, and a part in the search for copies alone"));
    }
    for part in [Part::Train, Part::Test] {
        let of = |count: &ClassCount| if part == Part::Train { count.train } else { count.test };
        let missing: Vec<&str> = counts
            .iter()
            .filter(|count| of(count) == 0)
            .map(|count| count.class.as_str())
            .collect();
        if !missing.is_empty() && missing.len() < counts.len() {
            warnings.push(format!("no {} images of {}", part.name(), missing.join(", ")));
        }
    }
    let of_size = |pick: fn(&ClassCount) -> usize| counts.iter().map(pick);
    let least = of_size(|count| count.images).min().unwrap_or(0);
    let most = of_size(|count| count.images).max().unwrap_or(0);
    if most >= 3 * least.max(1) {
        let named = |n: usize| {
            counts.iter().find(|count| count.images == n).map_or("", |count| count.class.as_str())
        };
        warnings.push(format!(
            "classes are uneven: {most} images of {}, {least} of {}",
            named(most),
            named(least)
        ));
    }
    (counts, warnings)
}
