//! `nn-cli audit`: leaks in an image folder, before any training.

use crate::args::AuditArgs;
use crate::audit::{self, repair, words};
use crate::command_line::quoted;
use crate::datasets::Place;
use crate::failure::Failure;
use crate::published::Kind;
use crate::report::{self, AuditPage};
use crate::treated;
use crate::ui::{Console, format};
use nn_core::audit::{Listing, Report};
use nn_core::files::write_atomically;
use serde::Serialize;
use std::path::Path;

/// The result, as `--json` shows it.
#[derive(Serialize)]
struct Found<'a> {
    dataset: &'a str,
    kind: Kind,
    #[serde(flatten)]
    report: &'a Report,
}

pub fn run(args: &AuditArgs, console: &Console) -> Result<(), Failure> {
    let place = Place::find(&args.data, &args.data_root, console)?;
    place.announce(console);
    let listing = Listing::scan(&place.folder, args.validation_split, args.seed)?;
    let found = audit::examine(&listing, args.seed, args.alpha_background, console)?;
    console.text(&words::report(&place.describe(), &found))?;
    if let Some(warning) = treated::warning(&found.treated) {
        console.warn(&warning);
    }
    if let Some(path) = &args.html {
        let page = report::render(&AuditPage::new(&place, &listing, &found)?)?;
        write_atomically(path, |file| file.write_all(page.as_bytes()))?;
        console.note(&format!("\nwritten to {}", path.display()));
    }
    if let Some(out) = &args.repair {
        let done = repair::write(&listing, &found, args.seed, out, args.repair_as)?;
        let moved = format::plural(done.moved as u64, "image");
        let data = done.folder.as_deref().unwrap_or(Path::new(&args.data));
        console.note(&format!(
            "\nrepaired split, {moved} moved; train on it with\n  nn-cli train --data {} --split {}",
            quoted(&data.display().to_string()),
            quoted(&done.table.display().to_string())
        ));
    }
    console.json(&Found { dataset: &place.name, kind: place.kind, report: &found })?;
    let copies = copies_gate(&found, args);
    let labels = if args.allow_label_leaks { None } else { words::leak_gate(&found) };
    let tripped: Vec<String> = [copies, labels].into_iter().flatten().collect();
    match tripped.is_empty() {
        true => Ok(()),
        false => Err(Failure::Gate(tripped.join("\n"))),
    }
}

/// What trips the gate for copies, in a sentence; none if nothing does.
fn copies_gate(found: &Report, args: &AuditArgs) -> Option<String> {
    let across = found.summary.across_splits;
    if across <= args.allow {
        return None;
    }
    let pairs = format::plural(across as u64, "pair");
    let verb = if across == 1 { "crosses" } else { "cross" };
    let advice = match args.repair {
        Some(_) => "train on the repaired split",
        None => "write a split without them with --repair, or accept them with --allow",
    };
    Some(format!(
        "{pairs} of copies {verb} splits, {} allowed: scores on this split are inflated; {advice}",
        args.allow
    ))
}
