//! `nn-cli audit`: leaks in an image folder, before any training.

use crate::args::AuditArgs;
use crate::audit::{self, repair, words};
use crate::command_line::quoted;
use crate::datasets::Place;
use crate::failure::Failure;
use crate::published::Kind;
use crate::reading;
use crate::report::{self, AuditPage};
use crate::treated;
use crate::ui::{Console, format};
use nn_core::audit::{Divided, Listing, Report};
use nn_core::data::{ImageFolder, PartFolder, PassedOver, check_validation_split};
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
    /// The folders of the user's split, if there is one.
    folders: &'a [PartFolder],
    /// What of the folder was not looked at.
    passed_over: &'a [PassedOver],
}

pub fn run(args: &AuditArgs, console: &Console) -> Result<(), Failure> {
    let place = Place::find(&args.data, &args.data_root, console)?;
    place.announce(console);
    check_validation_split(args.share())?;
    let folder = ImageFolder::scan(&place.folder)?;
    reading::tell_unused_share(&folder, args.validation_split, console);
    let listing = Listing::of(folder, args.share(), args.seed);
    let found = audit::examine(&listing, args.seed, args.alpha_background, console)?;
    console.text(&words::report(&place.describe(), &found, &reading::lines(&listing)))?;
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
    console.json(&Found {
        dataset: &place.name,
        kind: place.kind,
        report: &found,
        folders: &listing.folders,
        passed_over: &listing.passed_over,
    })?;
    if found.summary.leaks() > args.allow {
        return Err(Failure::Gate(gate(&found, &listing, args)));
    }
    Ok(())
}

/// Why the gate is shut: what was counted, and what to do.
fn gate(found: &Report, listing: &Listing, args: &AuditArgs) -> String {
    let (leaks, allowed) = (found.summary.leaks(), args.allow);
    let advice = match args.repair {
        Some(_) => "train on the repaired split",
        None if listing.problem.is_some() => "remove copies, or accept them with --allow",
        None => "write a split without them with --repair, or accept them with --allow",
    };
    match found.summary.divided {
        Divided::Folders => {
            let pairs = format::plural(leaks as u64, "pair");
            let verb = if leaks == 1 { "crosses" } else { "cross" };
            format!(
                "{pairs} of copies {verb} splits, {allowed} allowed: scores on this split are inflated; \
                 {advice}"
            )
        }
        Divided::Drawn | Divided::Nobody => {
            let groups = format::plural(leaks as u64, "group");
            format!(
                "{groups} of copies, {allowed} allowed: the folder is not split yet, so copies count \
                 wherever they lie; {advice}"
            )
        }
    }
}
