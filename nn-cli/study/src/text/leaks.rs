//! The findings of an audit as sentences and table rows, for the terminal and for pages.

use crate::format::{self, clean};
use nn_core::audit::{
    Divided, Kind, LabelLeak, Listing, OddImage, Oddity, Pair, Part, Report, Strength, Summary,
};
use std::collections::HashMap;

/// The columns of [`label_leak`].
pub const LEAK_HEADER: [&str; 5] =
    ["from", "leak", "what is true of a class", "points (95 %)", "p"];
/// The group of facts that no network sees.
const FILE_NAME: &str = "file name";
/// The number of these columns that contain text, not numbers.
pub const LEAK_TEXT: usize = 3;
/// What the numbers in these columns mean, briefly.
pub const LEAK_KEY: &str = "Points: percent of the class minus percent of all other images (percentage \
    points). p: how often shuffled labels give such a result, corrected for all facts and classes.";
/// The same in more detail.
pub const LEAK_NOTE: &str = "Points: percentage points, that is, the percentage of the class of which it is \
    true minus that of all other images, with the 95 % interval. p: how often shuffled labels give such a result \
    anywhere in this test; it is corrected for all facts and classes. A leak is reported if p is 0.01 or less. \
    It is strong if the difference is at least 15 points. Where the subject itself may be the reason (corners, \
    border, sharpness, mean colour, tone), it must be 50 points, or the odds in the class 19 times those of the \
    other images, as with 50 % against 5 %.";
/// What images of one scene or template mean.
pub const SCENES_NOTE: &str = "These images share a background, a view or a form, but show different things: \
    they are no copies, and no leak by themselves. Frames of one film or burst are a leak if they are in \
    several splits: keep each group of them in one split.";

/// The first of `pairs`, limited in total and for each group. Pairs that share an image, directly or
/// through other pairs, form a group.
pub fn examples(pairs: &[Pair], (most, of_group): (usize, usize)) -> Vec<&Pair> {
    let mut parents: HashMap<usize, usize> = HashMap::new();
    for pair in pairs {
        let [a, b] = pair.items.map(|item| root(&mut parents, item));
        parents.insert(a.max(b), a.min(b));
    }
    let mut counts: HashMap<usize, usize> = HashMap::new();
    let in_bounds = |pair: &&Pair| {
        let count = counts.entry(root(&mut parents, pair.items[0])).or_default();
        *count += 1;
        *count <= of_group
    };
    pairs.iter().filter(in_bounds).take(most).collect()
}

/// The representative of the group that contains `item` (union-find with path halving).
fn root(parents: &mut HashMap<usize, usize>, mut item: usize) -> usize {
    while let Some(&parent) = parents.get(&item).filter(|&&parent| parent != item) {
        let next = parents.get(&parent).copied().unwrap_or(parent);
        parents.insert(item, next);
        item = parent;
    }
    item
}

/// States how many copies are not shown.
pub fn left_out(shown: usize, all: usize) -> String {
    format!(
        "{} of {} pairs are shown; --json lists up to 100 pairs of each group.",
        format::count(shown as u64),
        format::count(all as u64)
    )
}

/// The numbers of images, by split. It is said where validation images are drawn from a folder for training.
pub fn images(listing: &Listing, report: &Report) -> String {
    let sum = |part: fn(&nn_core::audit::ClassCount) -> usize| -> usize {
        report.classes.iter().map(part).sum()
    };
    let of = |part: Part| listing.folders.iter().find(|folder| folder.part == part);
    let for_validation = match (of(Part::Validation), of(Part::Train)) {
        (None, Some(train)) => format!("for validation (drawn from {}/)", clean(&train.folder)),
        _ => "for validation".into(),
    };
    let mut parts = Vec::new();
    for (name, n) in [
        ("for training", sum(|c| c.train)),
        (for_validation.as_str(), sum(|c| c.validation)),
        ("for the test", sum(|c| c.test)),
    ] {
        if n > 0 {
            parts.push(format!("{} {name}", format::count(n as u64)));
        }
    }
    let all = format::plural(report.summary.images as u64, "image");
    let classes = match report.classes.len() {
        0 => "no class".to_string(),
        1 => "1 class".to_string(),
        n => format!("{} classes", format::count(n as u64)),
    };
    let split = match report.summary.divided {
        Divided::Nobody => "not split".into(),
        Divided::Folders => parts.join(", "),
        Divided::Drawn => format!("not split; training would draw {}", parts.join(", ")),
    };
    format!("{all} of {classes}: {split}")
}

/// The kinds of the copies: `8 with the same bytes, 2 changed`.
pub fn kinds(summary: &Summary) -> String {
    let kinds = [
        (summary.bytes, "with the same bytes"),
        (summary.pixels, "with the same pixels"),
        (summary.near, "changed"),
    ];
    let kinds: Vec<String> = kinds
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| match n == summary.pairs {
            true if n == 1 => what.to_string(),
            true => format!("all {what}"),
            false => format!("{} {what}", format::count(n as u64)),
        })
        .collect();
    kinds.join(", ")
}

/// A sentence about the copies: those across splits first.
pub fn copies(report: &Report) -> String {
    let summary = &report.summary;
    if summary.pairs == 0 {
        return "none found".into();
    }
    let pairs = |n: usize| format::plural(n as u64, "pair");
    let all = format!(
        "{} among {} in {} ({})",
        pairs(summary.pairs),
        format::plural(summary.duplicates as u64, "image"),
        format::plural(summary.groups as u64, "group"),
        kinds(summary)
    );
    match (summary.divided, summary.across_splits) {
        (Divided::Folders, 0) => format!("none across splits; {all}"),
        (Divided::Folders, n) => format!("{} across splits, of {all}", pairs(n)),
        (Divided::Drawn, n) => format!(
            "{all}; the folder is not split yet, and the split that training would draw has {} across \
             splits",
            if n == 0 { "none".to_string() } else { pairs(n) }
        ),
        (Divided::Nobody, _) => format!("{all}; the folder is not split"),
    }
}

/// A sentence about images that share a scene or template; `None` if there are none.
pub fn scenes(report: &Report) -> Option<String> {
    let summary = &report.summary;
    if summary.scene_groups == 0 {
        return None;
    }
    let across = match (summary.divided, summary.scene_groups_across_splits) {
        (Divided::Drawn | Divided::Nobody, _) => String::new(),
        (Divided::Folders, 0) => ", none across splits".into(),
        (Divided::Folders, _) if summary.scene_groups == 1 => ", across splits".into(),
        (Divided::Folders, n) => format!(", {} of them across splits", format::count(n as u64)),
    };
    Some(format!(
        "{} in {}{across}; the gate counts such groups only with --strict",
        format::plural(summary.scene_images as u64, "image"),
        format::plural(summary.scene_groups as u64, "group"),
    ))
}

/// The same in one short sentence.
pub fn scenes_in_short(report: &Report) -> Option<String> {
    let summary = &report.summary;
    let is_across = summary.divided == Divided::Folders && summary.scene_groups_across_splits > 0;
    (summary.scene_groups > 0).then(|| {
        format!(
            "{} share a scene or template{}, which is no leak by itself.",
            format::plural(summary.scene_images as u64, "image"),
            if is_across { " across splits" } else { "" },
        )
    })
}

/// Several names as a list: `a, b and c`.
pub fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A sentence about label leaks.
pub fn label_leaks(report: &Report) -> String {
    match report.classes.len() {
        0 => return "not tested, as there are no classes".into(),
        1 => return "not tested, as there is only one class".into(),
        _ if report.label_leaks.is_empty() => {
            return "not tested, as the classes have too few images".into();
        }
        _ => {}
    }
    let named = |wanted: &dyn Fn(&&LabelLeak) -> bool| -> Vec<&str> {
        report.label_leaks.iter().filter(wanted).map(|leak| leak.group).collect()
    };
    let alarms = named(&|leak| leak.alarm);
    let weak = named(&|leak| leak.strength == Strength::Weak);
    let told = |leak: &LabelLeak| leak.strength == Strength::Strong && !leak.alarm;
    let pictures = named(&|leak| told(leak) && leak.group != FILE_NAME);
    let names = named(&|leak| told(leak) && leak.group == FILE_NAME);
    let mut parts = Vec::new();
    if !alarms.is_empty() {
        parts.push(format!("yes, from {}", listed(&alarms)));
    }
    if !weak.is_empty() {
        parts.push(format!("weakly, from {}", listed(&weak)));
    }
    if !pictures.is_empty() {
        let verb = if pictures.len() == 1 { "differs" } else { "differ" };
        let pictures = listed(&pictures);
        parts.push(format!("{pictures} {verb} between classes, which may be due to the subject"));
    }
    if !names.is_empty() {
        parts.push("file names tell the class, but no network sees them".into());
    }
    match parts.is_empty() {
        true => "none found".into(),
        false => parts.join("; "),
    }
}

/// The groups of facts that reveal something about the class.
pub fn found(report: &Report) -> impl Iterator<Item = &LabelLeak> {
    report.label_leaks.iter().filter(|leak| leak.strength != Strength::None)
}

/// The groups of facts that reveal nothing, in a sentence or two; `None` if there are none.
pub fn nothing_in(report: &Report) -> Option<String> {
    let without = |constant: bool| -> Vec<&str> {
        let leaks = report.label_leaks.iter();
        let nothing = leaks.filter(|leak| leak.strength == Strength::None);
        nothing.filter(|leak| leak.constant == constant).map(|leak| leak.group).collect()
    };
    let (chance, mut constant) = (without(false), without(true));
    let mut sentences = Vec::new();
    // The names themselves differ; what is the same is what else they could tell.
    let names = constant.iter().position(|group| *group == FILE_NAME).map(|at| constant.remove(at));
    if !chance.is_empty() {
        sentences.push(format!("Nothing beyond chance in: {}.", chance.join(", ")));
    }
    if !constant.is_empty() {
        sentences.push(format!("The same in all images: {}.", constant.join(", ")));
    }
    if names.is_some() {
        sentences.push("File names hold nothing to go by.".into());
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// Advice about the leaks that were found, each piece once.
pub fn leak_advice(report: &Report) -> Vec<&'static str> {
    let mut advice = Vec::new();
    for leak in report.label_leaks.iter().filter(|leak| leak.strength == Strength::Strong) {
        let text = match leak.group {
            "image size" => {
                "Image size: it shows in the pixels after resizing too. Bring all classes to one size in the \
                 same way, or collect them anew from the same sources."
            }
            "format" | "file size" => {
                "Format and file size: encode all images anew in the same way, without metadata. Where \
                 cameras differ, pictures differ too: collect each class with each camera."
            }
            "mark" => "Mark: crop it off or cover it in all images, of all classes alike.",
            "corners" | "border" => {
                "Corners and border: frames can be cropped off. If it is the background, collect each \
                 class on the same backgrounds; a model may learn the background instead."
            }
            "mean colour" | "tone" => {
                "Colour and tone: they may be what the classes are about; look. If they are \
                 not, collect each class with the same light and camera."
            }
            "sharpness" => {
                "Sharpness: bring all classes to one size and encoding; if they come from cameras or scanners \
                 of their own, collect each class with each."
            }
            _ => {
                "File names: no network sees them, but they show that classes were collected apart. \
                 Check what else differs."
            }
        };
        if !advice.contains(&text) {
            advice.push(text);
        }
    }
    advice
}

/// Why the check for label leaks fails, as a sentence; `None` if it passes.
pub fn leak_check(report: &Report) -> Option<String> {
    let mut leaks = report.label_leaks.iter().filter(|leak| leak.gate);
    let first = leaks.next()?;
    let more: Vec<&str> = leaks.map(|leak| leak.group).collect();
    let more = match more.is_empty() {
        true => String::new(),
        false => format!("; also by {}", more.join(", ")),
    };
    let class = first.class.as_deref().map(clean).unwrap_or_default();
    Some(format!(
        "the class {class} can be told without looking at the subject, by {} ({}){more}: a score on these \
         images says little about other ones; make the classes alike in this, or accept it with \
         --allow-label-leaks",
        first.group,
        clean(&first.reason)
    ))
}

/// What the two images of a pair have in common.
pub fn what(pair: &Pair) -> String {
    match pair.kind {
        Kind::Bytes => "same bytes".into(),
        Kind::Pixels => "same pixels".into(),
        Kind::Near => pair.change.clone(),
        Kind::Scene => "same scene or template".into(),
    }
}

/// `train / test`, or the one split that contains both.
pub fn splits(pair: &Pair) -> String {
    let name = |part: Option<Part>| part.map_or("–", Part::name);
    let [a, b] = pair.splits.map(name);
    if a == b { a.to_string() } else { format!("{a} / {b}") }
}

/// The table row of a group of facts.
pub fn label_leak(leak: &LabelLeak) -> [String; 5] {
    let (verdict, told) = match leak.strength {
        Strength::None => ("none", String::new()),
        Strength::Weak => ("weak", leak.reason.clone()),
        Strength::Strong => ("strong", leak.reason.clone()),
    };
    let others = leak.classes.iter().filter(|class| leak.class.as_ref() != Some(*class));
    let others: Vec<&str> = others.map(String::as_str).collect();
    let told = match others.len() {
        // Of two classes, each determines the other.
        _ if leak.chance == 0.5 || leak.as_set => told,
        0 => told,
        n @ 1..=4 => format!("{told}; likewise {}", others[..n].join(", ")),
        n => format!("{told}; likewise {} and {} more classes", others[..3].join(", "), n - 3),
    };
    let points = |share: f64| format!("{:.0}", 100.0 * share);
    let effect = match leak.strength {
        Strength::None => "–".into(),
        _ => {
            let [low, high] = leak.interval.map(points);
            format!("{} ({low} to {high})", points(leak.effect))
        }
    };
    let p = if leak.constant { "–".into() } else { format!("{:.3}", leak.p) };
    [leak.group.to_string(), verdict.into(), clean(&told), effect, p]
}

/// The table row of an odd image.
pub fn odd_image(odd: &OddImage) -> [String; 3] {
    let what = match odd.oddity {
        Oddity::Unreadable => "cannot be read",
        Oddity::OneColour => "one colour",
        Oddity::Tiny => "tiny",
        Oddity::ExtremeAspect => "long and narrow",
    };
    [odd.file.clone(), what.into(), clean(&odd.detail)]
}
