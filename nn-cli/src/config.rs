//! Merges the settings of a run from its configuration file and the command line.
//!
//! Command-line options override the file, and the file overrides the defaults. The file that a run writes
//! contains every setting, so `train --config` repeats the run.

mod training;

use crate::args::{
    FoldArgs, ImageArgs, LabelArgs, OptimizerName, SeenArgs, SettingArgs, TrainArgs,
};
use crate::backbone;
use crate::failure::Failure;
use crate::model;
use nn_core::data::augment::Kind;
use nn_core::data::{Channels, Resize};
use nn_core::optim::OptimizerConfig;
use nn_study::Network;
use nn_study::config::{FoldsConfig, RunConfig};

use std::path::Path;

/// The settings of a new run, from the command line and its configuration file.
///
/// # Errors
/// If the configuration file cannot be read, no data is named, or a setting is out of range.
pub fn from_args(args: &TrainArgs) -> Result<RunConfig, Failure> {
    let mut config = match &args.config {
        Some(path) => RunConfig::read(path)?,
        None => RunConfig::default(),
    };
    apply(&mut config, args)?;
    Ok(config)
}

/// The settings `began`, with which the run in `folder` began, changed for resuming it as the command line
/// asks: with more epochs, or with the same images at another path.
///
/// # Errors
/// If it asks to change a setting that must not change, or a setting is out of range.
pub fn resumed(began: &RunConfig, args: &TrainArgs, folder: &Path) -> Result<RunConfig, Failure> {
    let mut config = began.clone();
    apply(&mut config, args)?;
    if args.settings.training.keep.is_none() {
        // What early stopping keeps by default is decided where a run begins.
        config.fit.keep = began.fit.keep;
    }
    began.check_resumed(&config, folder)?;
    Ok(config)
}

/// The options for labels that belong to these settings.
pub fn label_args(config: &RunConfig) -> LabelArgs {
    LabelArgs { labels: config.labels.clone(), label_column: config.label_column.clone() }
}

/// Applies the options of `train`, and checks the result.
fn apply(config: &mut RunConfig, args: &TrainArgs) -> Result<(), Failure> {
    if let Some(data) = &args.data.data {
        config.data.clone_from(data);
    }
    if args.split.is_some() {
        config.split.clone_from(&args.split);
    }
    if args.labels.labels.is_some() {
        let LabelArgs { labels, label_column } = args.labels.clone();
        (config.labels, config.label_column) = (labels, label_column);
    }
    if let FoldArgs { folds: Some(count), group_column, group_pattern } = args.folds.clone() {
        let before = config.folds.take().unwrap_or_default();
        config.folds = Some(FoldsConfig {
            count,
            group_column: group_column.or(before.group_column),
            group_pattern: group_pattern.or(before.group_pattern),
        });
    }
    merge(config, &args.data.images, &args.settings)?;
    backbone::apply(config, &args.settings, args.settings.image_size)?;
    if let (Some(backbone), Some(typed)) = (&config.backbone, &args.settings.network.architecture)
        && model::says_its_network(&backbone.model)?
    {
        return Err(Failure::usage(format!(
            "--architecture {typed}: the backbone {} says itself which network it is; leave the option away",
            backbone.model.display()
        )));
    }
    *config = config.clone().for_backbone();
    Ok(config.check()?)
}

/// The settings for the data set `name`, from the options of the command line.
///
/// # Errors
/// If a setting is out of range.
pub fn for_set(
    name: &str,
    images: &ImageArgs,
    settings: &SettingArgs,
) -> Result<RunConfig, Failure> {
    let mut config = RunConfig { data: name.to_string(), ..RunConfig::default() };
    config.note_kernel();
    merge(&mut config, images, settings)?;
    // The image size is that of the network that is trained from random weights.
    backbone::apply(&mut config, settings, None)?;
    RunConfig { backbone: None, ..config.clone() }.check()?;
    config.clone().for_backbone().check()?;
    Ok(config)
}

/// Applies the given options.
fn merge(
    config: &mut RunConfig,
    images: &ImageArgs,
    settings: &SettingArgs,
) -> Result<(), Failure> {
    if let Some(root) = &images.data_root {
        config.data_root.clone_from(root);
    }
    config.skip_unreadable |= images.skip_unreadable;
    if let Some(typed) = &settings.network.architecture {
        config.architecture = Network::find(typed)?;
        config.fit.loss = config.architecture.loss()?;
    }
    let fit = &mut config.fit;
    let before = fit.epochs;
    set(&mut fit.epochs, settings.epochs);
    fit.schedule = training::schedule(fit.schedule, before, fit.epochs, settings)?;
    set(&mut fit.batch_size, settings.batch_size);
    set(&mut fit.learning_rate, settings.learning_rate);
    set(&mut fit.seed, settings.seed);
    config.image_size = image_size(&config.architecture, settings.image_size, config.image_size)?;
    config.channels = channels(&config.architecture, settings.network.channels, config.channels)?;
    set(&mut config.validation_split, settings.validation_split);
    if let Some(name) = settings.optimizer {
        config.optimizer = optimizer(name);
    }
    seen(config, &settings.seen)?;
    training::merge(config, &settings.training)
}

/// Applies the options about how images are brought to a network, and changed in training.
pub fn seen(config: &mut RunConfig, given: &SeenArgs) -> Result<(), Failure> {
    set(&mut config.alpha_background, given.alpha_background);
    set(&mut config.resize, given.resize.map(Resize::from));
    set(&mut config.augment, given.augment);
    if let Some(folder) = &given.backgrounds {
        config.backgrounds = Some(folder.clone());
        if given.augment.is_none() && config.augment.strength(Kind::Background) == 0.0 {
            config.augment =
                config.augment.with(Kind::Background, Kind::Background.info().usual)?;
        }
    }
    match config.augment.strength(Kind::Background) {
        0.0 if given.backgrounds.is_some() => Err(Failure::usage(
            "--backgrounds is for the augmentation background, which --augment does not list",
        )),
        _ => Ok(()),
    }
}

/// The image size for a network: that of its file where it says one, else the given one or the default.
///
/// # Errors
/// If the network is for images of another size than the given one.
pub fn image_size(
    network: &Network,
    given: Option<usize>,
    default: usize,
) -> Result<usize, Failure> {
    match (network.fixed_input(), given) {
        (None, given) => Ok(given.unwrap_or(default)),
        (Some([height, width, _]), Some(given)) if (height, width) != (given, given) => {
            Err(Failure::usage(format!(
                "--image-size {given}: the network {} is for images of {height}x{width} pixels, as its \
                 file says; leave the option away, or input out of the file",
                network.name()
            )))
        }
        (Some([height, ..]), _) => Ok(height),
    }
}

/// The channels for a network: those of its file where it says them, else the given ones or the default.
///
/// # Errors
/// If the network is for images of other channels than the given ones, or of none that images have.
pub fn channels(
    network: &Network,
    given: Option<Channels>,
    default: Channels,
) -> Result<Channels, Failure> {
    let Some([.., count]) = network.fixed_input() else {
        return Ok(given.unwrap_or(default));
    };
    let name = network.name();
    match (Channels::from_count(count), given) {
        (Some(said), Some(given)) if said != given => Err(Failure::usage(format!(
            "--channels {given}: the network {name} is for images in {said}, as its file says; leave the \
             option away, or input out of the file"
        ))),
        (Some(said), _) => Ok(said),
        (None, _) => Err(Failure::usage(format!(
            "the network {name} is for images of {count} channels, as its file says, and images have 3 (rgb) \
             or 1 (grey); change input in the file, or leave it out"
        ))),
    }
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *setting = value;
    }
}

fn optimizer(name: OptimizerName) -> OptimizerConfig {
    match name {
        OptimizerName::Adam => OptimizerConfig::adam(),
        OptimizerName::Adamw => OptimizerConfig::adamw(),
        OptimizerName::Sgd => OptimizerConfig::momentum(0.9),
    }
}
