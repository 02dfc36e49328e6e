//! The help of the commands with many options: `-h` lists the few that matter first, `--help` all of them in sections.

use super::Args;
use clap::{Command, CommandFactory};

/// The command line, with the options of `train` and `experiment` in sections.
pub fn arranged() -> Command {
    let arrange = |first: &'static [&'static str]| {
        move |command: Command| {
            let mut at = 0;
            command.mut_args(|arg| {
                at += 1;
                let id = arg.get_id().to_string();
                let arg = match first.iter().position(|name| *name == id) {
                    // Whatever is asked for most stands first in its section.
                    Some(place) => arg.display_order(place),
                    None => arg.hide_short_help(true).display_order(FIRST.len() + at),
                };
                match section(&id) {
                    Some(section) => arg.help_heading(section),
                    None => arg,
                }
            })
        }
    };
    Args::command()
        .mut_subcommand("train", arrange(&FIRST))
        .mut_subcommand("experiment", arrange(&FIRST_OF_EXPERIMENT))
}

/// The options of `train` that its `-h` lists.
const FIRST: [&str; 10] = [
    "data",
    "out",
    "resume",
    "image_size",
    "augment",
    "architecture",
    "backbone",
    "epochs",
    "early_stopping",
    "folds",
];

/// Those of `experiment`.
const FIRST_OF_EXPERIMENT: [&str; 10] = [
    "data_root",
    "out",
    "overwrite",
    "seeds",
    "jobs",
    "image_size",
    "augment",
    "architecture",
    "backbone",
    "epochs",
];

/// The sections, and the options in them.
const SECTIONS: [(&str, &[&str]); 8] = [
    (
        "Images",
        &[
            "data",
            "data_root",
            "labels",
            "label_column",
            "split",
            "validation_split",
            "skip_unreadable",
        ],
    ),
    ("Results", &["out", "overwrite", "resume", "config", "keep_checkpoints", "tensorboard"]),
    ("Repetition", &["seeds", "jobs", "seed"]),
    (
        "What the network sees",
        &["image_size", "channels", "resize", "alpha_background", "augment", "backgrounds"],
    ),
    ("Network", &["architecture"]),
    ("Pretrained networks", &["backbone", "preset", "freeze", "fine_tune", "fine_tune_rate"]),
    (
        "Training",
        &[
            "epochs",
            "batch_size",
            "learning_rate",
            "find_learning_rate",
            "optimizer",
            "schedule",
            "schedule_epochs",
            "schedule_factor",
            "warmup",
            "early_stopping",
            "keep",
            "weight_decay",
            "clip_norm",
            "label_smoothing",
            "class_weights",
            "ema",
            "accumulate",
        ],
    ),
    ("Cross-validation", &["folds", "group_column", "group_pattern"]),
];

fn section(id: &str) -> Option<&'static str> {
    SECTIONS.into_iter().find(|(_, ids)| ids.contains(&id)).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_its_section_and_every_name_is_an_option() {
        let program = arranged();
        let options = |name: &str| {
            let command = program.find_subcommand(name).unwrap();
            command.get_arguments().map(|arg| arg.get_id().to_string()).collect::<Vec<_>>()
        };
        let (train, experiment) = (options("train"), options("experiment"));
        for id in train.iter().chain(&experiment) {
            assert!(section(id).is_some(), "{id}");
        }
        for (name, ids) in SECTIONS {
            for id in ids {
                let known = train.iter().chain(&experiment).any(|option| option == id);
                assert!(known, "{id} in {name}");
            }
        }
        assert!(FIRST.iter().all(|id| train.contains(&id.to_string())));
        assert!(FIRST_OF_EXPERIMENT.iter().all(|id| experiment.contains(&id.to_string())));
    }

    #[test]
    fn the_short_help_fits_a_screen() {
        for name in ["train", "experiment"] {
            let mut program = arranged();
            program.build();
            let command = program.find_subcommand_mut(name).unwrap();
            let short = command.render_help().to_string();
            assert!(short.lines().count() <= 60, "{}\n{short}", short.lines().count());
            let long = command.render_long_help().to_string();
            assert!(long.lines().count() > 2 * short.lines().count());
        }
    }
}
