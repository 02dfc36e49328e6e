//! The page of an audit.

use super::base::{self, Base};
use super::duplicate_pair::DuplicatePair;
use super::parts::Table;
use super::places;
use crate::Kind;
use crate::format::{self, class_name, clean, sentence};
use crate::shell::quoted;
use crate::text::leaks as leak_text;
use crate::text::{folder, treated};
use askama::Template;
use nn_core::audit::{Divided, LabelLeak, Listing, Pair, Report, Strength};
use nn_core::data::AlphaBackground;
use std::collections::BTreeSet;
use std::path::Path;

/// The number of copies shown: in total and of one group. It is limited because the page is meant to be
/// mailed.
const COPIES: (usize, usize) = (100, 6);
/// The number of pairs of one scene shown: in total and of one group.
const SCENES: (usize, usize) = (6, 2);

/// What an audit cannot detect.
const LIMITS: [&str; 5] = [
    "Copies that show less than 40 % of the other picture.",
    "Copies that are tilted by more than 15 degrees. Quarter turns and mirror images are found.",
    "Changed copies of pictures that show little but a plain shade, such as a clear sky.",
    "Copies with something written over them, among pictures that share one template and among small figures on \
     plain ground.",
    "Classes given away by something other than the file, marks, corners, border, colours, tone and sharpness, \
     such as the place or the pose.",
];

/// An audit as a page.
#[derive(Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    base: Base,
    figures: Vec<Figure>,
    notes: Vec<String>,
    pairs: Vec<DuplicatePair>,
    pairs_note: String,
    scenes: Vec<DuplicatePair>,
    scenes_note: String,
    leaks_note: String,
    leaks: Table,
    leaks_key: &'static str,
    advice: Vec<&'static str>,
    classes: Table,
    odd: Table,
    limits: &'static [&'static str],
    credit: Option<&'static str>,
    next: Vec<String>,
    commands: Vec<String>,
}

/// A number at the top of the page.
struct Figure {
    title: &'static str,
    value: String,
    detail: String,
}

impl AuditPage {
    /// The page of the findings in `listing`, the images with this name, kind and folder.
    pub fn new(
        (name, kind, path): (&str, Kind, &Path),
        listing: &Listing,
        report: &Report,
    ) -> Self {
        let summary = &report.summary;
        let name = clean(name);
        let title = format!("{name}: {}", headline(report));
        let mut base =
            Base::new("Audit", title, lede(listing, report)).about_kinds(&[(&name, kind)]);
        base.sections = vec![
            ("result", "Result"),
            ("pairs", "Copies"),
            ("scenes", "Same scene"),
            ("labels", "Label leaks"),
            ("classes", "Classes"),
            ("odd", "Odd images"),
            ("limits", "Limits"),
            ("next", "Next steps"),
        ];
        let shown = |pairs: &[Pair], bounds| -> Vec<DuplicatePair> {
            let shown = leak_text::examples(pairs, bounds).into_iter();
            shown
                .map(|pair| DuplicatePair::new(pair, listing, report.treated.alpha_background))
                .collect()
        };
        let pairs = shown(&report.pairs, COPIES);
        let scenes = shown(&report.scenes, SCENES);
        let pairs_note = match (summary.pairs, pairs.len()) {
            (0, _) => "No copies were found.".to_string(),
            (all, n) => {
                let more = if n < all { leak_text::left_out(n, all) } else { String::new() };
                let found = sentence(&leak_text::copies(report));
                format!("{found}. The worst come first: across splits, then across classes. {more}")
            }
        };
        let scenes_note = match leak_text::scenes(report) {
            None => "No images share a scene or template.".to_string(),
            Some(found) => {
                let examples =
                    if scenes.len() < report.scenes.len() { " Some examples:" } else { "" };
                format!("{}. {}{examples}", sentence(&found), leak_text::SCENES_NOTE)
            }
        };
        let mut leaks = Table::new(
            "What gives the class away, besides the subject",
            &leak_text::LEAK_HEADER,
            leak_text::LEAK_TEXT,
        );
        leaks
            .rows
            .extend(leak_text::found(report).map(|leak| leak_text::label_leak(leak).to_vec()));
        let mut classes = Table::new(
            "Images of each class",
            &["class", "images", "training", "validation", "test"],
            1,
        );
        classes.rows.extend(report.classes.iter().map(|count| {
            let numbers = [count.images, count.train, count.validation, count.test];
            let mut row = vec![class_name(&count.class)];
            row.extend(numbers.map(|n| format::count(n as u64)));
            row
        }));
        let mut odd = Table::new("Images to look at", &["image", "what", "more"], 3);
        odd.rows.extend(report.odd_images.iter().map(|odd| {
            leak_text::odd_image(odd).map(|cell| places::without(&cell, &listing.root)).to_vec()
        }));
        let data = quoted(&places::name(path));
        let background = match report.treated.alpha_background {
            AlphaBackground::WHITE => String::new(),
            other => format!(" --alpha-background {}", quoted(&other.to_string())),
        };
        Self {
            base,
            figures: figures(report),
            notes: folder::lines(listing)
                .into_iter()
                .chain(treated::done(&report.treated).map(|done| format!("Read: {done}.")))
                .chain(treated::warning(&report.treated))
                .chain(report.warnings.iter().cloned())
                .map(|line| sentence(&clean(&places::without(&line, &listing.root))))
                .collect(),
            pairs,
            pairs_note,
            scenes,
            scenes_note,
            leaks_note: [
                format!("Label leaks: {}.", leak_text::label_leaks(report)),
                leak_text::nothing_in(report).unwrap_or_default(),
            ]
            .join(" "),
            leaks_key: leak_text::LEAK_NOTE,
            advice: leak_text::leak_advice(report),
            leaks,
            classes,
            odd,
            limits: &LIMITS,
            credit: base::credit_for(kind),
            next: next(listing, report),
            commands: commands(&format!("{data}{background}"), listing, report),
        }
    }
}

/// The worst finding, in a few words.
fn headline(report: &Report) -> String {
    let summary = &report.summary;
    let copies = match (summary.divided, summary.across_splits) {
        (Divided::Folders, 0) => None,
        (Divided::Folders, _) => Some("copies across splits"),
        (Divided::Drawn | Divided::Nobody, _) if summary.groups > 0 => Some("copies"),
        (Divided::Drawn | Divided::Nobody, _) => None,
    };
    let labels = report.label_leaks.iter().any(|leak| leak.alarm);
    match (copies, labels) {
        (Some(copies), true) => format!("{copies}, and classes told without the subject"),
        (Some(copies), false) => copies.into(),
        (None, true) => "classes told without the subject".into(),
        (None, false) => "no leak found".into(),
    }
}

/// The first sentences of the page: the leaks, or that there are none.
fn lede(listing: &Listing, report: &Report) -> String {
    let summary = &report.summary;
    let pairs = |n: usize| format::plural(n as u64, "pair");
    let mut found = Vec::new();
    match (summary.divided, summary.across_splits) {
        (_, _) if summary.groups == 0 => found.push("No copies were found.".to_string()),
        (Divided::Folders, 0) => found.push("No copies lie across splits.".into()),
        (Divided::Folders, n) => {
            let lie = if n == 1 { "lies" } else { "lie" };
            let so = match summary.across_test {
                0 => "a model is validated on images that it was trained on",
                _ => "a model is tested on images that it has seen before",
            };
            found.push(format!("{} of copies {lie} across splits: {so}.", pairs(n)));
        }
        (Divided::Drawn | Divided::Nobody, _) => found.push(format!(
            "There {} {} of copies, and the folder is not split yet. A split must keep all copies of an \
             image together.",
            if summary.groups == 1 { "is" } else { "are" },
            format::plural(summary.groups as u64, "group")
        )),
    }
    let alarms: Vec<&LabelLeak> = report.label_leaks.iter().filter(|leak| leak.alarm).collect();
    if let Some(first) = alarms.first() {
        let groups: Vec<&str> = alarms.iter().map(|leak| leak.group).collect();
        let told = format!(
            "The class can be told without looking at the subject, from {}. For example, {}: {}.",
            leak_text::listed(&groups),
            first.group,
            clean(&first.reason)
        );
        // The worst finding comes first.
        let copies_are_worse = summary.leaks() > 0;
        found.insert(if copies_are_worse { found.len() } else { 0 }, told);
    } else if report.label_leaks.iter().any(|leak| leak.strength == Strength::Weak) {
        found.push("Label leaks are weak.".into());
    } else if !report.label_leaks.is_empty() {
        found.push("No label leak was found.".into());
    }
    if let Some(scenes) = leak_text::scenes_in_short(report) {
        found.push(scenes);
    }
    format!("{} Looked at: {}.", found.join(" "), leak_text::images(listing, report))
}

/// The numbers at the top of the page.
fn figures(report: &Report) -> Vec<Figure> {
    let summary = &report.summary;
    let figure = |title, value: String, detail: String| Figure { title, value, detail };
    let count = |n: usize| format::count(n as u64);
    let groups = |n: usize| format::plural(n as u64, "group");
    let across = match summary.divided {
        Divided::Folders if summary.across_splits == 0 => "no pair is divided".into(),
        Divided::Folders => {
            format!("pairs, {} between training or validation and test", count(summary.across_test))
        }
        Divided::Drawn => "pairs, in the split that training would draw".into(),
        Divided::Nobody => "the folder is not split".into(),
    };
    let copies = match summary.pairs {
        0 => "no two images are the same".into(),
        _ => format!(
            "pairs among {} in {}; {}",
            format::plural(summary.duplicates as u64, "image"),
            groups(summary.groups),
            leak_text::kinds(summary)
        ),
    };
    let scenes = match (summary.scene_groups, summary.divided) {
        (0, _) => "no images share a scene or template".to_string(),
        (n, Divided::Folders) => format!(
            "images in {}, {} across splits; no copies",
            groups(n),
            count(summary.scene_groups_across_splits)
        ),
        (n, _) => format!("images in {}; no copies", groups(n)),
    };
    let given = given_away(report);
    let away = match report.classes.len() {
        n if report.label_leaks.is_empty() || n < 2 => "–".to_string(),
        n => format!("{} of {}", count(given), count(n)),
    };
    let told = leak_text::label_leaks(report);
    let told = told.strip_prefix("yes, ").unwrap_or(&told).to_string();
    vec![
        figure("Copies across splits", count(summary.across_splits), across),
        figure("Copies in all", count(summary.pairs), copies),
        figure("Classes given away", away, told),
        figure("Same scene or template", count(summary.scene_images), scenes),
    ]
}

/// The number of classes that can be predicted without looking at the subject.
fn given_away(report: &Report) -> usize {
    let alarms = || report.label_leaks.iter().filter(|leak| leak.alarm);
    // Of two classes, each determines the other.
    if report.classes.len() == 2 {
        return if alarms().count() > 0 { 2 } else { 0 };
    }
    let classes = alarms().flat_map(|leak| leak.classes.iter().chain(&leak.class));
    classes.collect::<BTreeSet<_>>().len()
}

/// Whether a repaired split would differ from the current one.
fn can_be_repaired(listing: &Listing, report: &Report) -> bool {
    report.summary.across_splits > 0 && listing.problem.is_none()
}

/// Advice that depends on the findings.
fn next(listing: &Listing, report: &Report) -> Vec<String> {
    let summary = &report.summary;
    let mut next = Vec::new();
    if can_be_repaired(listing, report) {
        next.push(
            "Write a split that keeps copies together with --repair, and train on that.".into(),
        );
    } else if summary.leaks() > 0 {
        next.push("Remove the copies, or keep all copies of an image in one split.".into());
    }
    if report.label_leaks.iter().any(|leak| leak.alarm) {
        next.push(
            "Make the classes alike in what gives them away, as told under \u{201c}Label leaks\u{201d}, and \
             audit again. Another split does not help."
                .to_string(),
        );
    }
    let scenes = match summary.divided {
        Divided::Folders => summary.scene_groups_across_splits,
        Divided::Drawn | Divided::Nobody => summary.scene_groups,
    };
    if scenes > 0 {
        next.push(
            "Look at the images of the same scene or template. If they are frames of one film or burst, keep \
             each group in one split; with --strict they fail the audit otherwise."
                .into(),
        );
    }
    if let Some(problem) = &listing.problem {
        let problem = places::without(problem, &listing.root);
        next.push(format!("The folder cannot be trained on as it is: {}.", clean(&problem)));
    }
    if next.is_empty() {
        next.push("Nothing needs to be changed before training.".into());
    }
    next
}

/// The command lines for that advice, and the one that repeats the audit.
fn commands(data: &str, listing: &Listing, report: &Report) -> Vec<String> {
    let mut commands = vec![format!("nn-cli audit {data}")];
    let told = report.label_leaks.iter().any(|leak| leak.alarm);
    if can_be_repaired(listing, report) {
        commands.push(format!("nn-cli audit {data} --repair split.csv"));
    }
    if told || listing.problem.is_some() {
        return commands;
    }
    let split = if can_be_repaired(listing, report) { " --split split.csv" } else { "" };
    if !split.is_empty() || report.summary.leaks() == 0 {
        commands.push(format!("nn-cli train --data {data}{split}"));
    }
    commands
}
