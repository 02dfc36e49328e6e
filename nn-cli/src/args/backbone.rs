//! Which pretrained network a run begins with, and how it is trained: options of `train` and `experiment`.

use super::numbers::{rate, whole};
use clap::Args as ClapArgs;
use nn_study::backbone::Freeze;
use std::path::PathBuf;

/// A pretrained network.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct BackboneArgs {
    /// Begin with this trained classifier instead of random weights: a run, an ONNX file, or published weights
    ///
    /// Published weights are those of torchvision or timm as safetensors (of the network --architecture names where their
    /// tensors fit several). The classifier gets a new last layer for the folder's classes; the others stay as they are,
    /// unless --freeze or --fine-tune says more.
    #[arg(long, value_name = "FILE|RUN")]
    pub backbone: Option<PathBuf>,
    /// How pixels become what the backbone was trained on, where its file does not say it: imagenet, caffe, tf, 0-1,
    /// lite or none; `nn-cli model check` finds out which fits
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// What of the backbone stays as it is: all (but the last layer), none, or the layers up to one, by its name in
    /// `summary` [default: all]. What frozen layers make of the images is computed once
    #[arg(long, value_name = "all|none|LAYER")]
    pub freeze: Option<String>,
    /// Then train all layers for so many epochs more, at a small rate, without warm-up and schedule [default: 0]
    #[arg(long, allow_negative_numbers = true, value_name = "EPOCHS", value_parser = whole::<usize>(0, u64::MAX, 5))]
    pub fine_tune: Option<usize>,
    /// The learning rate of --fine-tune [default: 0.00001]
    #[arg(long, allow_hyphen_values = true, value_name = "RATE", value_parser = rate)]
    pub fine_tune_rate: Option<f64>,
}

impl BackboneArgs {
    /// What stays as it is, if it was said.
    pub fn frozen(&self) -> Option<Freeze> {
        self.freeze.clone().map(Freeze::from)
    }

    /// The first option that was given and needs a backbone.
    pub fn needs_backbone(&self) -> Option<&'static str> {
        let given = [
            ("--preset", self.preset.is_some()),
            ("--freeze", self.freeze.is_some()),
            ("--fine-tune", self.fine_tune.is_some()),
            ("--fine-tune-rate", self.fine_tune_rate.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}
