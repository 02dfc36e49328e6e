//! What an audit found, for people: the worst first.

use crate::treated;
use crate::ui::format::{self, clean};
use crate::ui::table;
use nn_core::audit::{Divided, Kind, LabelLeak, OddImage, Oddity, Pair, Part, Report, Strength};

/// The columns of [`label_leak`].
pub const LEAK_HEADER: [&str; 5] = ["from", "leak", "what tells the class", "points (95 %)", "p"];
/// The group that no network sees.
const FILE_NAME: &str = "file name";
/// How many of them are words.
pub const LEAK_TEXT: usize = 3;
/// What the numbers in them mean.
pub const LEAK_NOTE: &str = "Points: the share of that class for which it holds, minus the share of all \
    other images, in points of a hundred, with its 95 % interval. p: how often shuffled labels do as well \
    anywhere in this table, corrected for all facts and classes together; a leak is told from 0.01 down. \
    Strong: 15 points or more; 50 where the subject itself may make the difference (from corners to tone).";

/// Rows of a table before it is cut.
const ROWS: usize = 30;

/// The whole report about the images called `title`, which were read as these lines say.
pub fn report(title: &str, report: &Report, read: &[String]) -> String {
    let mut out = format!("{}\n\n{}\n", clean(title), images(report));
    for line in read {
        out += &format!("{}\n", clean(line));
    }
    if let Some(treated) = treated::words(&report.treated) {
        out += &format!("Read: {treated}\n");
    }
    out += &format!("\nCopies: {}\n", copies(report));
    out += &rows(
        &["image", "copy", "splits", "what"],
        report.pairs.iter().map(|pair| {
            let what = if pair.across_labels {
                format!("{}; CLASSES DIFFER", what(pair))
            } else {
                what(pair)
            };
            vec![pair.a.clone(), pair.b.clone(), splits(pair), what]
        }),
        report.pairs.len(),
        4,
    );
    out += &format!("\nThe class, told from the file alone: {}\n", label_leaks(report));
    out += &rows(
        &LEAK_HEADER,
        report.label_leaks.iter().map(|leak| label_leak(leak).to_vec()),
        report.label_leaks.len(),
        LEAK_TEXT,
    );
    for advice in leak_advice(report) {
        out += &format!("\n  {advice}\n");
    }
    if !report.odd_images.is_empty() {
        out += "\nOdd images\n";
        out += &rows(
            &["image", "what", "more"],
            report.odd_images.iter().map(|odd| odd_image(odd).to_vec()),
            report.odd_images.len(),
            3,
        );
    }
    for warning in &report.warnings {
        out += &format!("\nNote: {}\n", clean(warning));
    }
    out
}

/// A ruled table of at most so many rows, indented; the first `text` columns are words.
fn rows(
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    total: usize,
    text: usize,
) -> String {
    if total == 0 {
        return String::new();
    }
    let header: Vec<String> = header.iter().map(|cell| cell.to_string()).collect();
    let mut out = String::from("\n");
    for line in table::columns_with_text(&header, rows.take(ROWS), text).lines() {
        out += &format!("  {line}\n");
    }
    if total > ROWS {
        let more = format::count((total - ROWS) as u64);
        out += &format!("  ... and {more} more, which --json and --html show\n");
    }
    out
}

/// How many images there are of what.
pub fn images(report: &Report) -> String {
    let sum = |part: fn(&nn_core::audit::ClassCount) -> usize| -> usize {
        report.classes.iter().map(part).sum()
    };
    let mut parts = Vec::new();
    for (name, n) in [
        ("for training", sum(|c| c.train)),
        ("for validation", sum(|c| c.validation)),
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

/// The verdict on copies, in a sentence.
pub fn copies(report: &Report) -> String {
    let summary = &report.summary;
    if report.pairs.is_empty() {
        return "none found".into();
    }
    let pairs = format::plural(report.summary.pairs as u64, "pair");
    let kinds: Vec<String> = [
        (summary.bytes, "of the same bytes"),
        (summary.pixels, "of the same pixels"),
        (summary.near, "of the same picture, changed"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{} {what}", format::count(*n as u64)))
    .collect();
    let groups = format::plural(summary.groups as u64, "group");
    let across = match (summary.divided, summary.across_splits) {
        (Divided::Folders, 0) => "none across splits".to_string(),
        (Divided::Folders, n) => format!("{} ACROSS SPLITS", format::count(n as u64)),
        (Divided::Drawn, n) => format!(
            "IN {groups}; the folder is not split yet, and {} across the 70/10/20 that training \
             would draw",
            if n == 0 { "none".to_string() } else { format::count(n as u64) }
        ),
        (Divided::Nobody, _) => format!("IN {groups}; the folder is not split"),
    };
    format!("{pairs} ({}), {across}", kinds.join(", "))
}

/// The verdict on label leaks, in a sentence.
pub fn label_leaks(report: &Report) -> String {
    if report.classes.len() < 2 {
        let classes =
            if report.classes.is_empty() { "are no classes" } else { "is only one class" };
        return format!("not asked, for there {classes}");
    }
    let leaks = &report.label_leaks;
    if leaks.is_empty() {
        return "too few images to say".into();
    }
    let named = |wanted: &dyn Fn(&&LabelLeak) -> bool| -> Vec<&str> {
        leaks.iter().filter(wanted).map(|leak| leak.group).collect()
    };
    let alarms = named(&|leak| leak.alarm);
    let weak = named(&|leak| leak.strength == Strength::Weak);
    let told = |leak: &LabelLeak| leak.strength == Strength::Strong && !leak.alarm;
    let pictures = named(&|leak| told(leak) && leak.group != FILE_NAME);
    let names = named(&|leak| told(leak) && leak.group == FILE_NAME);
    let mut parts = Vec::new();
    if !alarms.is_empty() {
        parts.push(format!("YES, from {}", alarms.join(", ")));
    }
    if !weak.is_empty() {
        parts.push(format!("weakly, from {}", weak.join(", ")));
    }
    if !pictures.is_empty() {
        parts.push(format!("{} differ, which may be the subject's own", pictures.join(" and ")));
    }
    if !names.is_empty() {
        parts.push("file names tell it, which no network sees".into());
    }
    match parts.is_empty() {
        true => "no better than chance".into(),
        false => parts.join("; "),
    }
}

/// What to do about the leaks that were found, each piece of advice once.
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

/// What trips the gate for label leaks, in a sentence; none if nothing does.
pub fn leak_gate(report: &Report) -> Option<String> {
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

/// In what the two images of a pair are the same.
pub fn what(pair: &Pair) -> String {
    match pair.kind {
        Kind::Bytes => "same bytes".into(),
        Kind::Pixels => "same pixels".into(),
        Kind::Near => pair.change.clone(),
        Kind::Scene => "same scene or template".into(),
    }
}

/// `train / test`, or the one split both are in.
pub fn splits(pair: &Pair) -> String {
    let name = |part: Option<Part>| part.map_or("–", Part::name);
    let [a, b] = pair.splits.map(name);
    if a == b { a.to_string() } else { format!("{a} / {b}") }
}

/// A row about a group of facts.
pub fn label_leak(leak: &LabelLeak) -> [String; 5] {
    let (verdict, told) = match leak.strength {
        Strength::None if leak.constant => ("none", "the same in all images".to_string()),
        Strength::None => ("none", "nothing beyond chance".to_string()),
        Strength::Weak => ("weak", leak.reason.clone()),
        Strength::Strong => ("strong", leak.reason.clone()),
    };
    let others = leak.classes.iter().filter(|class| leak.class.as_ref() != Some(*class));
    let others: Vec<&str> = others.map(String::as_str).collect();
    let told = match others.len() {
        // Of two classes, either tells the other.
        _ if leak.chance == 0.5 => told,
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

/// A row about an odd image.
pub fn odd_image(odd: &OddImage) -> [String; 3] {
    let what = match odd.oddity {
        Oddity::Unreadable => "cannot be read",
        Oddity::OneColour => "one colour",
        Oddity::Tiny => "tiny",
        Oddity::ExtremeAspect => "long and narrow",
    };
    [odd.file.clone(), what.into(), clean(&odd.detail)]
}
