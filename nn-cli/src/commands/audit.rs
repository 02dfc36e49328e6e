//! `nn-cli audit`: leaks in an image folder, before any training.

mod text;

use crate::args::AuditArgs;
use crate::datasets::Place;
use crate::failure::Failure;
use crate::reading;
use crate::ui::Console;
use nn_core::audit::{Divided, Listing, Report};
use nn_core::data::{PartFolder, PassedOver, check_validation_split};
use nn_core::files::write_atomically;
use nn_study::Kind;
use nn_study::format;
use nn_study::report::{self, AuditPage};
use nn_study::shell::quoted;
use nn_study::text::{folder, leaks, treated};
use nn_study::{audit, repair};
use serde::Serialize;
use std::path::Path;

/// The result, as printed by `--json`.
#[derive(Serialize)]
struct Found<'a> {
    dataset: &'a str,
    kind: Kind,
    #[serde(flatten)]
    report: &'a Report,
    /// The folders of the user's split, if there is one.
    folders: &'a [PartFolder],
    /// Entries of the folder that were ignored.
    passed_over: &'a [PassedOver],
}

pub fn run(args: &AuditArgs, console: &Console) -> Result<(), Failure> {
    let place = Place::find(&args.data, &args.data_root, console)?;
    place.announce(console);
    check_validation_split(args.share())?;
    if let Some(out) = &args.repair {
        repair::check_free(out)?;
    }
    let images = place.read(&args.labels, console)?;
    reading::tell_unused_share(&images, args.validation_split, console);
    let listing = Listing::of(images, args.share(), args.seed);
    let found = audit::examine(&listing, args.seed, args.alpha_background, console)?;
    console.text(&text::report(&place.describe(), &listing, &found, &folder::lines(&listing)))?;
    if let Some(warning) = treated::warning(&found.treated) {
        console.warn(&warning);
    }
    if let Some(path) = &args.html {
        let about = (&place.name[..], place.kind, place.path.as_path());
        let page = report::render(&AuditPage::new(about, &listing, &found))?;
        write_atomically(path, |file| file.write_all(page.as_bytes()))?;
        console.note(&format!("\nwritten to {}", path.display()));
    }
    if let Some(out) = &args.repair {
        let done = repair::write(&listing, &found, args.seed, out, args.repair_as.into())?;
        let moved = format::plural(done.moved as u64, "image");
        // If the repaired split is a folder, its class folders give the labels.
        let labels = args.labels.labels.as_ref().filter(|_| done.folder.is_none());
        let labels =
            labels.map(|path| format!(" --labels {}", quoted(&path.display().to_string())));
        let data = done.folder.as_deref().unwrap_or(Path::new(&args.data));
        console.note(&format!(
            "\nrepaired split, {moved} moved; train on it with\n  nn-cli train --data {} --split {}{}",
            quoted(&data.display().to_string()),
            quoted(&done.table.display().to_string()),
            labels.unwrap_or_default()
        ));
    }
    console.json(&Found {
        dataset: &place.name,
        kind: place.kind,
        report: &found,
        folders: &listing.folders,
        passed_over: &listing.passed_over,
    })?;
    let duplicates = duplicates_check(&found, &listing, args);
    let scenes = scenes_check(&found, args);
    let labels = if args.allow_label_leaks { None } else { leaks::leak_check(&found) };
    let failed: Vec<String> = [duplicates, scenes, labels].into_iter().flatten().collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::CheckFailed(failed.join("\n"))),
    }
}

/// Why the check for duplicates fails, in a sentence with a count and advice; `None` if it passes.
fn duplicates_check(found: &Report, listing: &Listing, args: &AuditArgs) -> Option<String> {
    let (leaks, allowed) = (found.summary.leaks(), args.allow);
    if leaks <= allowed {
        return None;
    }
    let advice = match args.repair {
        Some(_) => "train on the repaired split",
        None if listing.problem.is_some() => "remove copies, or accept them with --allow",
        None => "write a split without them with --repair, or accept them with --allow",
    };
    Some(match found.summary.divided {
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
    })
}

/// Why the check for scenes in several splits fails; `None` if it passes or `--strict` is not given.
fn scenes_check(found: &Report, args: &AuditArgs) -> Option<String> {
    let summary = &found.summary;
    let scenes = match summary.divided {
        Divided::Folders => summary.scene_groups_across_splits,
        Divided::Drawn | Divided::Nobody => summary.scene_groups,
    };
    if !args.strict || scenes == 0 {
        return None;
    }
    let groups = format::plural(scenes as u64, "group");
    let what = match summary.divided {
        Divided::Folders => "that share a scene or template cross splits",
        Divided::Drawn | Divided::Nobody => "share a scene or template",
    };
    Some(format!(
        "{groups} of images {what}: for frames of one film or burst, that is a leak; keep such a group in one \
         split, or leave out --strict"
    ))
}
