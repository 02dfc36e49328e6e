//! What was read of a folder of images and what was not, for people.

use crate::ui::Console;
use nn_core::data::{ImageFolder, Layout, Part, PassedOver, is_a_loss};
use nn_study::config::DEFAULT_VALIDATION_SPLIT;
use nn_study::text::folder::not_looked_at;

/// Says which folder was taken for what, unless it is as everybody has it, and what was not looked at.
/// `drawn` are the share for validation and the seed that class folders are split by, if they are.
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

/// How class folders are split: `70/10/20 by seed 27`, and which option made it so if it is not that.
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

/// Says what was not looked at, in one line.
pub fn tell_passed_over(passed_over: &[PassedOver], console: &Console) {
    let Some(line) = not_looked_at(passed_over) else { return };
    if is_a_loss(passed_over) {
        console.warn(&line);
    } else {
        console.note(&format!("note: {line}"));
    }
}

/// Says so if a share for validation was asked for and has no part in how `folder` is split.
pub fn tell_unused_share(folder: &ImageFolder, given: Option<f64>, console: &Console) {
    if let (Some(share), Some(why)) = (given, folder.no_share_for_validation()) {
        console.warn(&format!("--validation-split {share} is not used: {why}"));
    }
}

/// Which folder was taken for what, and what the test is on where there is no folder for it.
fn arrangement(folder: &ImageFolder) -> String {
    let told = folder.arrangement();
    if folder.has(Part::Validation) && !folder.has(Part::Test) {
        return format!("{told}; without test images, the validation images are the test");
    }
    told
}
