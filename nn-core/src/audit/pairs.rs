//! Pairs of duplicates, or of images that share a scene, with their description.

use super::comparison::Comparison;
use super::listing::{Item, Part};
use super::survey::ImageFeatures;
use serde::Serialize;
use std::cmp::Ordering;

/// The kind of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The files are the same, byte for byte.
    Bytes,
    /// The files differ, the decoded pixels do not.
    Pixels,
    /// Copies of one picture with changes: re-encoded, resized, mirrored, rotated, cropped,
    /// brighter, drawn over.
    Near,
    /// Different contents on the same background or template: no copies.
    Scene,
}

/// A pair of duplicates, or of images that share a scene.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The first image's file, relative to the folder.
    pub a: String,
    /// The second's.
    pub b: String,
    /// The kind of the pair.
    pub kind: Kind,
    /// 0 for the same pixels, otherwise 1 minus the agreement of the aligned pixels.
    pub distance: f64,
    /// Whether they are in different splits.
    pub across_splits: bool,
    /// Whether they are in different classes; false if one has no class.
    pub across_labels: bool,
    /// The changes from `a` to `b`, in words; empty if there are none.
    pub change: String,
    /// The splits of the two.
    pub splits: [Option<Part>; 2],
    /// The classes of the two; none for an image in no class folder.
    pub labels: [Option<String>; 2],
    /// Their indices in the listing.
    #[serde(skip)]
    pub items: [usize; 2],
}

impl Pair {
    /// The pair of items `a` and `b`, with the result `comparison`.
    pub(super) fn new(
        [a, b]: [usize; 2],
        kind: Kind,
        comparison: Option<&Comparison>,
        items: &[Item],
        features: &[Option<ImageFeatures>],
        classes: &[String],
    ) -> Self {
        let (of_a, of_b) = (&items[a], &items[b]);
        let change = match (comparison, &features[a], &features[b]) {
            (Some(comparison), Some(seen_a), Some(seen_b)) if kind == Kind::Near => {
                change(comparison, seen_a, seen_b)
            }
            _ => String::new(),
        };
        Self {
            a: of_a.file.clone(),
            b: of_b.file.clone(),
            kind,
            distance: comparison.map_or(0.0, |c| f64::from((1.0 - c.agreement).clamp(0.0, 1.0))),
            across_splits: matches!((of_a.part, of_b.part), (Some(x), Some(y)) if x != y),
            across_labels: matches!((of_a.label, of_b.label), (Some(x), Some(y)) if x != y),
            change,
            splits: [of_a.part, of_b.part],
            labels: [of_a, of_b].map(|item| Some(classes[item.label?].clone())),
            items: [a, b],
        }
    }

    /// Sorts pairs across splits first, then pairs across classes, then by kind.
    pub(super) fn worst_first(&self, other: &Self) -> Ordering {
        let rank = |p: &Self| (!p.across_splits, !p.across_labels, p.kind);
        let by_distance = self.distance.total_cmp(&other.distance);
        rank(self).cmp(&rank(other)).then(by_distance).then(self.items.cmp(&other.items))
    }
}

/// The angle from which a copy is reported as tilted, in radians.
const TILTED: f32 = 0.05;

/// The changes, in words.
fn change(comparison: &Comparison, a: &ImageFeatures, b: &ImageFeatures) -> String {
    let mut words = Vec::new();
    let placement = &comparison.placement;
    // The placement maps b to a, so its rotation is the inverse of the one that made b.
    let turns = (placement.angle() / std::f32::consts::FRAC_PI_2).round() as i32;
    match (placement.is_mirrored(), turns.rem_euclid(4)) {
        (false, 0) => {}
        (false, 1) => words.push("turned left".to_string()),
        (false, 2) => words.push("upside down".to_string()),
        (false, _) => words.push("turned right".to_string()),
        (true, 0) => words.push("mirrored top to bottom".to_string()),
        (true, 2) => words.push("mirrored left to right".to_string()),
        (true, _) => words.push("mirrored and turned".to_string()),
    }
    let tilt = placement.angle() - turns as f32 * std::f32::consts::FRAC_PI_2;
    if tilt.abs() > TILTED {
        words.push("tilted".into());
    }
    for (share, what) in [(comparison.share_of_a, "cropped"), (comparison.share_of_b, "extended")] {
        if share < 0.96 {
            words.push(format!("{what} ({:.0} % in common)", share * 100.0));
        }
    }
    let sides = |features: &ImageFeatures| {
        let (width, height) = (features.facts.width, features.facts.height);
        (width.min(height), width.max(height))
    };
    let whole = comparison.share_of_a >= 0.96 && comparison.share_of_b >= 0.96;
    if whole && sides(a) != sides(b) {
        words.push("resized".into());
    }
    if comparison.brightness.abs() > 6.0 {
        words.push(if comparison.brightness > 0.0 { "brighter" } else { "darker" }.into());
    }
    if !(0.9..1.1).contains(&comparison.contrast) {
        words
            .push(if comparison.contrast > 1.0 { "more contrast" } else { "less contrast" }.into());
    }
    if a.treatment.transparent != b.treatment.transparent {
        words.push("one with transparency".into());
    }
    if a.treatment.animation || b.treatment.animation {
        words.push("one frame of an animation compared".into());
    }
    if comparison.is_grey {
        words.push("one in grey".into());
    }
    if comparison.is_written_over {
        words.push("written over, or changed in places".into());
    }
    if words.is_empty() { "re-encoded".into() } else { words.join(", ") }
}
