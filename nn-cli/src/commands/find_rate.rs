//! `nn-cli train --find-learning-rate`: tries learning rates, and draws what becomes of the loss.

use super::train::find;
use crate::args::TrainArgs;
use crate::config;
use crate::failure::Failure;
use crate::out::default_target;
use crate::ui::{Console, table};
use nn_staging::{Policy, Stage};
use nn_study::rate_finder::{FoundRate, PICTURE};
use nn_study::run_folder::ELSEWHERE;

pub fn run(args: &TrainArgs, console: &Console) -> Result<(), Failure> {
    let mut config = config::from_args(args)?;
    // Rates are tried on the images of one run.
    config.folds = None;
    if config.backbone.is_some() {
        return Err(Failure::usage(
            "--find-learning-rate trains a network as a whole, not the end of a --backbone; leave one of them away",
        ));
    }
    let set = find(&config, args, console)?;
    let target = match &args.out {
        Some(target) => target.clone(),
        None => default_target(&format!("{}-{PICTURE}", set.run_name()), console),
    };
    // Into an empty folder only: not beside the results of a run.
    let stage = Stage::open(&target, Policy::NewFolder, ELSEWHERE)?;
    let found = FoundRate::find(&config, &set, console)?;
    found.draw(stage.folder())?;
    stage.commit()?;
    let header = ["learning rate", "loss"].map(String::from);
    let rows = found
        .samples()
        .into_iter()
        .map(|[rate, loss]| vec![format!("{rate:.1e}"), nn_study::format::loss(loss)]);
    console.text(&table::columns(&header, rows))?;
    console.text(&match found.suggestion {
        Some(rate) => {
            format!("suggested: --learning-rate {rate}, where the loss falls most steeply")
        }
        None => "no learning rate lets the loss fall; look at the images and their classes".into(),
    })?;
    console.note(&format!(
        "\nwritten to {}: {PICTURE}.svg and {PICTURE}.png; nothing was trained",
        target.display()
    ));
    Ok(console.json(&found)?)
}
