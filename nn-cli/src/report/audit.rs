//! The page of an audit.

use super::base::{self, Base};
use super::experiment::sentence;
use super::parts::Table;
use super::twins::Twins;
use crate::audit::words;
use crate::command_line::quoted;
use crate::datasets::Place;
use crate::failure::Failure;
use crate::reading;
use crate::treated;
use crate::ui::format::{self, class_name, clean};
use askama::Template;
use nn_core::audit::{Divided, Listing, Report};
use nn_core::data::AlphaBackground;

/// Pairs that are shown; the page is to be mailed.
const SHOWN: usize = 100;

/// An audit as a page.
#[derive(Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    base: Base,
    figures: Vec<Figure>,
    pairs: Vec<Twins>,
    pairs_note: String,
    leaks_note: String,
    leaks: Table,
    classes: Table,
    odd: Table,
    warnings: Vec<String>,
    credit: Option<&'static str>,
    commands: Vec<String>,
}

/// A number that matters.
struct Figure {
    title: &'static str,
    value: String,
    detail: String,
}

impl AuditPage {
    /// The page of what was found in `listing`.
    ///
    /// # Errors
    /// If an image cannot be read any more.
    pub fn new(place: &Place, listing: &Listing, report: &Report) -> Result<Self, Failure> {
        let summary = &report.summary;
        let name = clean(&place.name);
        let lede = match summary.leaks() {
            0 => format!("No copies cross splits among {}.", words::images(report)),
            n if summary.divided != Divided::Folders => format!(
                "{} of copies among {}: whoever divides them tests on what was learned by heart.",
                format::plural(n as u64, "group"),
                words::images(report)
            ),
            n => format!(
                "{} of copies across splits, among {}: what was learned by heart counts as known.",
                format::plural(n as u64, "pair"),
                words::images(report)
            ),
        };
        let mut base = Base::new("Audit", format!("Leaks in {name}"), lede)
            .about_kinds(&[(&name, place.kind)]);
        base.sections = vec![
            ("result", "Result"),
            ("pairs", "Copies"),
            ("labels", "Label leaks"),
            ("classes", "Classes"),
            ("odd", "Odd images"),
            ("repeat", "Repeat it"),
        ];
        let figure = |title, value: usize, detail: String| Figure {
            title,
            value: format::count(value as u64),
            detail,
        };
        let figures = vec![
            figure(
                "Pairs across splits",
                summary.across_splits,
                match summary.divided {
                    Divided::Folders => {
                        format!("{} of them between training and test", summary.across_test)
                    }
                    Divided::Drawn => "of the 70/10/20 that training would draw".into(),
                    Divided::Nobody => "the folder is not split".into(),
                },
            ),
            figure(
                "Pairs in all",
                report.pairs.len(),
                format!(
                    "in {}: {} the same bytes, {} the same pixels, {} changed",
                    format::plural(summary.groups as u64, "group"),
                    summary.bytes,
                    summary.pixels,
                    summary.near
                ),
            ),
            figure("Label leaks", summary.label_leaks, words::label_leaks(report)),
        ];
        let pairs: Vec<Twins> = report
            .pairs
            .iter()
            .take(SHOWN)
            .map(|pair| Twins::new(pair, listing, report.treated.alpha_background))
            .collect::<Result<_, _>>()?;
        let hidden = report.pairs.len() - pairs.len();
        let pairs_note = match (report.pairs.len(), hidden) {
            (0, _) => "There are none.".to_string(),
            (_, 0) => "The worst first: across splits, then across classes.".into(),
            (_, n) => format!(
                "The worst first; {} more are in the output of --json.",
                format::count(n as u64)
            ),
        };
        let mut leaks = Table::new(
            "How often a simple classifier is right, with everything but these facts hidden",
            &words::LEAK_HEADER,
            words::LEAK_TEXT,
        );
        leaks.rows.extend(report.label_leaks.iter().map(|leak| words::label_leak(leak).to_vec()));
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
        odd.rows.extend(report.odd_images.iter().map(|odd| words::odd_image(odd).to_vec()));
        let data = quoted(&place.path.display().to_string());
        let background = match report.treated.alpha_background {
            AlphaBackground::WHITE => String::new(),
            other => format!(" --alpha-background {}", quoted(&other.to_string())),
        };
        Ok(Self {
            base,
            figures,
            pairs,
            pairs_note,
            leaks_note: format!(
                "Can the class be told from the file alone? {}.",
                sentence(&words::label_leaks(report))
            ),
            leaks,
            classes,
            odd,
            warnings: reading::lines(listing)
                .into_iter()
                .chain(treated::words(&report.treated).map(|words| format!("Read: {words}.")))
                .chain(treated::warning(&report.treated))
                .chain(report.warnings.iter().cloned())
                .map(|line| sentence(&clean(&line)))
                .collect(),
            credit: base::credit_for(place.kind),
            commands: vec![
                format!("nn-cli audit {data}{background}"),
                format!("nn-cli audit {data}{background} --repair split.csv"),
                format!("nn-cli train --data {data}{background} --split split.csv"),
            ],
        })
    }
}
