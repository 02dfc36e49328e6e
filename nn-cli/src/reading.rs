//! Reports how a folder of images was read and what was ignored.

use crate::ui::Console;
use nn_core::data::{ImageFolder, Layout, Part, PassedOver, is_a_loss};
use nn_study::config::DEFAULT_VALIDATION_SPLIT;
use nn_study::text::folder::not_looked_at;

/// Reports which folder was used for which split, unless the layout is the usual one, and what was ignored.
/// `drawn` are the validation share and the seed by which class folders are split.
pub fn tell(folder: &ImageFolder, drawn: Option<(f64, u64)>, console: &Console) {
    match (&folder.layout, drawn) {
        (layout, Some((share, seed))) if folder.is_drawn() => {
            let what = if *layout == Layout::Table { "images" } else { "class folders" };
            console.note(&format!("note: {what}, split {}", how_split(share, seed)));
        }
        _ if !folder.is_usual() => console.note(&format!("note: folders: {}", arrangement(folder))),
        _ => {}
    }
    for remark in &folder.remarks {
        console.warn(remark);
    }
    tell_passed_over(&folder.passed_over_in_training(), console);
}

/// The random split of class folders: `70/10/20 by seed 27`, with the option for a share that is not the
/// default.
fn how_split(share: f64, seed: u64) -> String {
    let validation = 80.0 * share;
    let digits = |percent: f64| usize::from((percent - percent.round()).abs() > 0.05);
    let (train, validation) = (
        format!("{:.*}", digits(validation), 80.0 - validation),
        format!("{:.*}", digits(validation), validation),
    );
    let option = match share == DEFAULT_VALIDATION_SPLIT {
        true => String::new(),
        false => format!(" and --validation-split {share}"),
    };
    format!("{train}/{validation}/20 by seed {seed}{option}")
}

/// Reports the ignored entries in one line.
pub fn tell_passed_over(passed_over: &[PassedOver], console: &Console) {
    let Some(line) = not_looked_at(passed_over) else { return };
    if is_a_loss(passed_over) {
        console.warn(&line);
    } else {
        console.note(&format!("note: {line}"));
    }
}

/// Warns if a validation share was given that is not used for splitting `folder`.
pub fn tell_unused_share(folder: &ImageFolder, given: Option<f64>, console: &Console) {
    if let (Some(share), Some(why)) = (given, folder.no_share_for_validation()) {
        console.warn(&format!("--validation-split {share} is not used: {why}"));
    }
}

/// Which folder is used for which split, and what is tested on if there is no folder for the test.
fn arrangement(folder: &ImageFolder) -> String {
    let told = folder.arrangement();
    if folder.has(Part::Validation) && !folder.has(Part::Test) {
        return format!("{told}; without test images, the validation images are the test");
    }
    told
}
