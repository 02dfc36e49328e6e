//! The pretrained network that a run begins with: what the options say of it, and its file.

use crate::args::{ElsewhereArgs, SettingArgs};
use crate::failure::Failure;
use crate::model::preprocessing::Prepared;
use crate::model::{self, Opened};
use crate::ui::Console;
use nn_core::Error;
use nn_core::data::Resize;
use nn_study::backbone::{Backbone, BackboneConfig, FINE_TUNE_RATE, fingerprint};
use nn_study::config::RunConfig;
use std::path::Path;

/// Applies the options about the backbone to `config`; `size` is the height and width of its images, for a model that
/// takes any.
///
/// # Errors
/// If the model cannot be opened, it is not known how it takes pixels, or an option needs a backbone and there is none.
pub fn apply(
    config: &mut RunConfig,
    settings: &SettingArgs,
    size: Option<usize>,
) -> Result<(), Failure> {
    let args = &settings.backbone;
    let before = config.backbone.take();
    let known = before.as_ref().map(|before| before.model.clone());
    let Some(path) = args.backbone.clone().or(known) else {
        return match args.needs_backbone() {
            None => Ok(()),
            Some(option) => Err(Failure::usage(format!(
                "{option} is about a pretrained network; name one with --backbone"
            ))),
        };
    };
    let is_other = args.backbone.is_some() || args.preset.is_some();
    let mut backbone = match before {
        Some(before) if !is_other && size.is_none() => before,
        before => {
            let preset = args.preset.clone().or(before.as_ref().and_then(|old| old.preset.clone()));
            // The same file is asked for the same size.
            let recorded = before.as_ref().filter(|_| args.backbone.is_none());
            let recorded = recorded.map(|old| (old.input[0], old.input[1]));
            let recorded = recorded.filter(|_| !model::says_its_size(&path));
            let size = size.map(|size| (size, size)).or(recorded);
            let (prepared, input) = opened(&path, preset.as_deref(), size, config)?;
            BackboneConfig {
                model: path,
                weights: fingerprint(&prepared.model),
                preset,
                input,
                resize: prepared.resize,
                freeze: before.as_ref().map(|old| old.freeze.clone()).unwrap_or_default(),
                fine_tune_epochs: before.as_ref().map_or(0, |old| old.fine_tune_epochs),
                fine_tune_rate: before.as_ref().map_or(FINE_TUNE_RATE, |old| old.fine_tune_rate),
            }
        }
    };
    if let Some(given) = settings.network.channels
        && given.count() != backbone.input[2]
    {
        return Err(Failure::usage(format!(
            "--channels {given}: the backbone takes images of {} channels; leave the option away",
            backbone.input[2]
        )));
    }
    if let Some(mode) = settings.seen.resize {
        backbone.resize = Resize::from(mode).resampling(backbone.resize.resampling);
    }
    if let Some(freeze) = args.frozen() {
        backbone.freeze = freeze;
    }
    backbone.fine_tune_epochs = args.fine_tune.unwrap_or(backbone.fine_tune_epochs);
    backbone.fine_tune_rate = args.fine_tune_rate.unwrap_or(backbone.fine_tune_rate);
    config.backbone = Some(backbone);
    Ok(())
}

/// Opens the backbone that `config` names, if it does. Tells how images are brought to it.
///
/// # Errors
/// If it cannot be opened, or is not the one that the settings were made for.
pub fn open(config: &RunConfig, console: &Console) -> Result<Option<Backbone>, Failure> {
    let Some(settings) = &config.backbone else { return Ok(None) };
    let [height, width, _] = settings.input;
    let size = (!model::says_its_size(&settings.model)).then_some((height, width));
    let (prepared, input) = opened(&settings.model, settings.preset.as_deref(), size, config)?;
    if input != settings.input || fingerprint(&prepared.model) != settings.weights {
        let problem = "is not the backbone that the run began with: its weights are others";
        let remedy = "put the file back as it was, or begin a new run with --backbone";
        return Err(Error::file(&settings.model, problem, remedy).into());
    }
    if let Some(told) = &prepared.told {
        console.note(&format!("backbone {}: {told}", settings.model.display()));
    }
    Ok(Some(Backbone { model: prepared.model }))
}

/// A model that takes pixels, and the shape of its input.
fn opened(
    path: &Path,
    preset: Option<&str>,
    size: Option<(usize, usize)>,
    config: &RunConfig,
) -> Result<(Prepared, [usize; 3]), Failure> {
    let elsewhere = ElsewhereArgs { preset: preset.map(String::from), ..ElsewhereArgs::default() };
    let asked = model::settings::Settings::of_args(&elsewhere)?;
    // Only published weights do not say whose they are. An experiment's architecture is that of the network alone.
    let weights_of = (!config.architecture.is_reference() && !model::says_its_network(path)?)
        .then(|| config.architecture.name());
    let opened: Opened = model::open(path, weights_of, size)?;
    let prepared = Prepared::of(&opened, &asked.or(opened.said.clone()))?;
    match *prepared.model.input_shape().dims() {
        [height, width, channels] => Ok((prepared, [height, width, channels])),
        _ => Err(Failure::failed("a model of images has a height, a width and channels")),
    }
}
