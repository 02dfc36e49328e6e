//! The command line that repeats an experiment, quoted for a shell.

use crate::args::{BackboneArgs, ExperimentArgs, NetworkArgs, SeenArgs, SettingArgs, TrainingArgs};
use clap::ValueEnum;
use nn_study::shell::{DATA_ROOT, quoted};
use std::path::Path;

/// `nn-cli experiment` with the settings of `args`, but another output folder and without the data root,
/// because the command is shown on a page that is passed on.
pub fn command_line(args: &ExperimentArgs) -> String {
    let mut words = vec!["nn-cli".to_string(), "experiment".into()];
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([name.to_string(), quoted(&value)]);
        }
    };
    let text = |value: &dyn ToString| value.to_string();
    option("--data-root", args.images.data_root.as_ref().map(|_| DATA_ROOT.into()));
    option("--seeds", (args.seeds > 1).then(|| text(&args.seeds)));
    let SettingArgs {
        epochs,
        batch_size,
        learning_rate,
        schedule,
        optimizer,
        seed,
        network: NetworkArgs { architecture, channels },
        image_size,
        validation_split,
        seen: SeenArgs { resize, alpha_background, augment, backgrounds },
        backbone: BackboneArgs { backbone, preset, freeze, fine_tune, fine_tune_rate },
        training,
    } = &args.settings;
    option("--seed", seed.map(|v| text(&v)));
    option("--epochs", epochs.map(|v| text(&v)));
    option("--batch-size", batch_size.map(|v| text(&v)));
    option("--learning-rate", learning_rate.map(|v| text(&v)));
    option("--schedule", schedule.and_then(|v| name(&v)));
    option("--optimizer", optimizer.and_then(|v| name(&v)));
    // Of a file only the name: the page does not tell where it lies.
    let name_alone = |typed: &Path| {
        let name = typed.file_name().unwrap_or(typed.as_os_str());
        name.to_string_lossy().into_owned()
    };
    option("--architecture", architecture.as_ref().map(|typed| name_alone(typed.as_ref())));
    option("--backbone", backbone.as_ref().map(|typed| name_alone(typed)));
    option("--preset", preset.clone());
    option("--freeze", freeze.clone());
    option("--fine-tune", fine_tune.map(|v| text(&v)));
    option("--fine-tune-rate", fine_tune_rate.map(|v| text(&v)));
    option("--image-size", image_size.map(|v| text(&v)));
    option("--resize", resize.map(|v| text(&v)));
    option("--channels", channels.map(|v| text(&v)));
    option("--validation-split", validation_split.map(|v| text(&v)));
    option("--alpha-background", alpha_background.map(|v| text(&v)));
    option("--augment", augment.map(|v| text(&v)));
    option("--backgrounds", backgrounds.as_ref().map(|typed| name_alone(typed)));
    let TrainingArgs {
        early_stopping,
        keep,
        warmup,
        schedule_epochs,
        schedule_factor,
        weight_decay,
        clip_norm,
        label_smoothing,
        class_weights,
        ema,
        accumulate,
    } = training;
    option("--early-stopping", early_stopping.map(|v| text(&v)));
    option("--keep", keep.and_then(|v| name(&v)));
    option("--warmup", warmup.map(|v| text(&v)));
    option("--schedule-epochs", schedule_epochs.map(|v| text(&v)));
    option("--schedule-factor", schedule_factor.map(|v| text(&v)));
    option("--weight-decay", weight_decay.map(|v| text(&v)));
    option("--clip-norm", clip_norm.map(|v| text(&v)));
    option("--label-smoothing", label_smoothing.map(|v| text(&v)));
    option("--class-weights", class_weights.and_then(|v| name(&v)));
    option("--ema", ema.map(|v| text(&v)));
    option("--accumulate", accumulate.map(|v| text(&v)));
    if args.images.skip_unreadable {
        words.push("--skip-unreadable".into());
    }
    words.extend(["--out".into(), "again".into()]);
    words.join(" ")
}

/// The name of a value on the command line.
fn name(value: &impl ValueEnum) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    fn again(line: &[&str]) -> String {
        match Args::parse_from(line).command {
            Command::Experiment(args) => command_line(&args),
            _ => panic!("not an experiment"),
        }
    }

    #[test]
    fn what_was_given_is_given_again() {
        let given =
            ["nn-cli", "experiment", "--out", "x", "--data-root", "it's here", "--seeds", "3"];
        let more = ["--epochs", "2", "--optimizer", "adamw", "--skip-unreadable", "--seed", "5"];
        let training = ["--warmup", "5%", "--keep", "best", "--class-weights", "balanced"];
        let more = [&more[..], &training].concat();
        let line = again(&[&given[..], &more[..]].concat());
        assert_eq!(
            line,
            r"nn-cli experiment --data-root DATA_ROOT --seeds 3 --seed 5 --epochs 2 \
              --optimizer adamw --keep best --warmup 5% --class-weights balanced --skip-unreadable --out again"
                .replace("\\\n              ", "")
        );
    }
}
