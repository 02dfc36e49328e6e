//! What an audit found, for people: the worst first.

use crate::treated;
use crate::ui::format::{self, clean, percent};
use crate::ui::table;
use nn_core::audit::{Divided, Kind, LabelLeak, OddImage, Oddity, Pair, Part, Report};

/// The columns of [`label_leak`].
pub const LEAK_HEADER: [&str; 5] = ["from", "what tells most", "right", "chance", "p"];
/// How many of them are words.
pub const LEAK_TEXT: usize = 2;

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
    let pairs = format::plural(report.pairs.len() as u64, "pair");
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
    let alarms: Vec<&str> =
        report.label_leaks.iter().filter(|leak| leak.alarm).map(|leak| leak.group).collect();
    if report.classes.len() < 2 {
        let classes =
            if report.classes.is_empty() { "are no classes" } else { "is only one class" };
        return format!("not asked, for there {classes}");
    }
    match (report.label_leaks.is_empty(), alarms.is_empty()) {
        (true, _) => "too few images to say".into(),
        (false, true) => "no better than chance".into(),
        (false, false) => format!("YES, from {}", alarms.join(", ")),
    }
}

/// In what the two images of a pair are the same.
pub fn what(pair: &Pair) -> String {
    match pair.kind {
        Kind::Bytes => "same bytes".into(),
        Kind::Pixels => "same pixels".into(),
        Kind::Near => pair.change.clone(),
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
    let verdict = if leak.alarm { leak.reason.clone() } else { "chance".into() };
    let p = if leak.p < 0.001 { "< 0.001".into() } else { format!("{:.3}", leak.p) };
    [leak.group.to_string(), clean(&verdict), percent(leak.accuracy), percent(leak.chance), p]
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
