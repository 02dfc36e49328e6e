//! The result of an experiment as tables and sentences for the terminal.

use crate::ui::lines::broken;
use crate::ui::table::columns_within;
use nn_study::experiment::{Comparison, Conclusions, Parts, Row, Way};
use nn_study::format::{self, percent};
use nn_study::inspection::{MeanShare, not_counted};
use nn_study::stats::Repeated;
use std::collections::BTreeMap;

/// The comparison and its conclusions, in lines of at most `most` columns.
pub fn table(parts: &Parts<'_>, conclusions: &Conclusions, most: usize) -> String {
    let Parts { comparison, background, seeds, .. } = parts;
    let columns =
        |header: &[String], lines: Vec<Vec<String>>| columns_within(Some(most), header, lines, 1);
    let several = seeds.len() > 1;
    let own: &[&str] = if several { &["images", "mean", "spread"] } else { &["right", "accuracy"] };
    let header = [&[""], own, &["95 % interval", "notebook"]].concat();
    let header: Vec<String> = header.into_iter().map(String::from).collect();
    let rows = comparison.rows();
    let lines = rows.iter().map(|row| {
        let accuracy = row.measured.accuracy;
        let (images, mean) = (row.measured.images(), percent(accuracy.mean));
        let mut line = vec![row.title.to_string()];
        match accuracy.deviation {
            Some(deviation) => {
                line.extend([images.to_string(), mean, format!("± {:.1}", deviation * 100.0)]);
            }
            None => line.extend([format!("{} of {images}", row.measured.correct()), mean]),
        }
        line.push(accuracy.interval.to_string());
        line.push(format!("{:.0} %", row.notebook_accuracy() * 100.0));
        line
    });
    let mut out = columns(&header, lines.collect()) + "\n";
    if several {
        out += "\nEach seed\n\n";
        let header = std::iter::once(String::new()).chain(seeds.iter().map(u64::to_string));
        let lines = rows.iter().map(|row| {
            let scores = row.measured.evaluations.iter().map(|e| percent(e.accuracy()));
            std::iter::once(row.title.to_string()).chain(scores).collect()
        });
        out += &(columns(&header.collect::<Vec<_>>(), lines.collect()) + "\n");
    }
    out += &tried_table(parts, most);
    out += &heat_table(&rows, background, most);
    for (title, sentences) in [
        ("What we can conclude", &conclusions.may),
        ("What we cannot conclude", &conclusions.may_not),
    ] {
        if sentences.is_empty() {
            continue;
        }
        out += &format!("\n{title}\n");
        for sentence in sentences {
            out += &(broken(&format!("  - {}", format::clean(sentence)), most) + "\n");
        }
    }
    out
}

/// What was tried against the leak, beside the network alone; empty if nothing was.
fn tried_table(parts: &Parts<'_>, most: usize) -> String {
    if parts.tried.is_empty() {
        return String::new();
    }
    let line = |way: Way, comparison: &Comparison| {
        let accuracies = comparison.rows().map(|row| row.measured.accuracy);
        let cell = |one: Repeated| {
            let (low, high) = one.interval.ends();
            format!("{} ({:.0} to {:.0})", percent(one.mean), low * 100.0, high * 100.0)
        };
        let title = std::iter::once(way.title().to_string());
        title.chain(accuracies.map(cell)).collect::<Vec<_>>()
    };
    let tried = parts.tried.iter().map(|tried| line(tried.way, &tried.comparison));
    let mut lines = vec![line(Way::Plain, parts.comparison)];
    lines.extend(tried);
    let header = ["", "leaky, own test", "leaky, swapped", "clean, own test"].map(String::from);
    let table = columns_within(Some(most), &header, lines, 1);
    format!("\nWhat was tried against the leak (accuracy, 95 % interval)\n\n{table}\n")
}

/// Above this number of predicted classes, all predictions share a line.
const CLASSES_APART: usize = 3;

/// The share of heat on the background, for each predicted class; empty if no map has a share.
fn heat_table(rows: &[Row<'_>; 3], background: &[MeanShare; 3], most: usize) -> String {
    let line = |row: &Row<'_>, answer: String, images: usize, heat: f64, area: f64| {
        vec![row.title.to_string(), answer, images.to_string(), percent(heat), percent(area)]
    };
    let mut lines = Vec::new();
    for (row, mean) in rows.iter().zip(background) {
        if mean.by_answer.len() <= CLASSES_APART {
            lines.extend(
                mean.by_answer.iter().map(|of| {
                    line(row, format::class_name(&of.class), of.images, of.heat, of.area)
                }),
            );
        } else if let (Some(heat), Some(area)) = (mean.heat, mean.area) {
            lines.push(line(row, "all".into(), mean.images, heat, area));
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let header = ["", "answer", "maps", "heat on background", "background"].map(String::from);
    let table = columns_within(Some(most), &header, lines, 2);
    let mut out = format!("\nWhere the heat lies (Grad-CAM)\n\n{table}\n");
    let mut without = BTreeMap::new();
    for (&reason, n) in background.iter().flat_map(|mean| &mean.without) {
        *without.entry(reason).or_default() += n;
    }
    if !without.is_empty() {
        out += &(broken(&not_counted(&without), most) + "\n");
    }
    out
}
