//! The audit of an experiment's sets, and the effect of the copies on the accuracies.

use super::duplicate_pair::DuplicatePair;
use super::parts::Table;
use crate::ImageSet;
use crate::experiment::Leaks;
use crate::format::{self, clean, percent};
use crate::text::leaks as leak_text;

/// The number of pairs shown of a set: in total and of one group.
const SHOWN: (usize, usize) = (12, 6);

/// The leaks of one set, as shown on the page.
pub struct SetLeaks {
    pub title: String,
    pub set: String,
    pub copies: String,
    pub label_leaks: String,
    /// The effect of the copies on the accuracy.
    pub effect: String,
    pub pairs: Vec<DuplicatePair>,
}

impl SetLeaks {
    /// From the audit of `set`, on which the `arm` model was trained and reached the accuracy `scored`.
    pub fn new(arm: &str, set: &ImageSet, leaks: &Leaks, scored: f64) -> Self {
        let report = &leaks.report;
        // The worst pairs come first.
        let shown = leak_text::examples(&report.pairs, SHOWN).into_iter();
        let pairs: Vec<DuplicatePair> = shown
            .filter(|pair| pair.across_splits)
            .map(|pair| {
                DuplicatePair::new(pair, &leaks.listing, leaks.report.treated.alpha_background)
            })
            .collect();
        let mut copies = format!("Copies: {}.", leak_text::copies(report));
        if report.summary.across_splits > pairs.len() {
            copies += &format!(" {} of those across splits are shown.", pairs.len());
        }
        Self {
            title: format!("What the {arm} model was trained on"),
            set: clean(&set.name),
            copies,
            label_leaks: format!(
                "Label leaks: {}. {}",
                leak_text::label_leaks(report),
                leak_text::nothing_in(report).unwrap_or_default()
            ),
            effect: effect(arm, leaks, scored),
            pairs,
        }
    }
}

/// The effect of the copies on the accuracy, in a sentence or two.
fn effect(arm: &str, leaks: &Leaks, scored: f64) -> String {
    let Some(without) = &leaks.without_duplicates else {
        return "No test image has a copy in training or validation, so copies do not change the score."
            .into();
    };
    let copies = format::plural(without.duplicates.len() as u64, "test image");
    let lie = if without.duplicates.len() == 1 { "is" } else { "are" };
    let known = format!(
        "{copies} {lie} also in training or validation, where the {arm} model can score by memory."
    );
    match without.accuracy {
        Some(accuracy) => format!(
            "{known} Without {} it scores {} (95 % interval {}) on the remaining {}, instead of {} on all.",
            if without.duplicates.len() == 1 { "it" } else { "them" },
            percent(accuracy.mean),
            accuracy.interval,
            without.n,
            percent(scored)
        ),
        None => format!(
            "{known} No test image is left without them: the score says nothing about other images."
        ),
    }
}

/// A table of the label leaks in both sets.
pub fn label_table(sets: &[(&ImageSet, &Leaks)]) -> Table {
    let header = [&["set"], &leak_text::LEAK_HEADER[..]].concat();
    let caption = "What gives the class away, besides the subject";
    let mut table = Table::new(caption, &header, 1 + leak_text::LEAK_TEXT);
    for (set, leaks) in sets {
        for leak in leak_text::found(&leaks.report) {
            let mut row = vec![clean(&set.name)];
            row.extend(leak_text::label_leak(leak));
            table.rows.push(row);
        }
    }
    table
}
