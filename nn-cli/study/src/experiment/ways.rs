//! The ways to train that an experiment compares: the small network alone, and what is tried against the leak.

use super::{Comparison, Measured};
use crate::config::RunConfig;
use crate::inspection::MeanShare;

/// A way to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The network of the settings, from random weights: what the lesson is about.
    Plain,
    /// The classifier of a pretrained network, whose other layers stay.
    Frozen,
    /// The same, and then all its layers.
    FineTuned,
}

impl Way {
    /// The ways that these settings ask for, each with its own settings.
    pub fn of(config: &RunConfig) -> Vec<(Self, RunConfig)> {
        let mut ways = vec![(Self::Plain, RunConfig { backbone: None, ..config.clone() })];
        if let Some(backbone) = &config.backbone {
            let with = |fine_tune_epochs| {
                let backbone = backbone.clone();
                let backbone =
                    Some(crate::backbone::BackboneConfig { fine_tune_epochs, ..backbone });
                RunConfig { backbone, ..config.clone() }.for_backbone()
            };
            ways.push((Self::Frozen, with(0)));
            if backbone.fine_tune_epochs > 0 {
                ways.push((Self::FineTuned, with(backbone.fine_tune_epochs)));
            }
        }
        ways
    }

    /// Its name, in paths and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Frozen => "frozen",
            Self::FineTuned => "fine-tuned",
        }
    }

    /// What is trained, in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Plain => "network alone",
            Self::Frozen => "frozen backbone",
            Self::FineTuned => "fine-tuned backbone",
        }
    }
}

/// What a way to train led to.
pub struct Tried {
    /// The way.
    pub way: Way,
    /// Its three measurements.
    pub comparison: Comparison,
    /// The heat on the background for these, over all seeds.
    pub background: [MeanShare; 3],
}

impl Tried {
    /// The three measurements, in the order in which they are reported.
    pub fn measured(&self) -> [&Measured; 3] {
        [&self.comparison.leaky, &self.comparison.swap, &self.comparison.clean]
    }
}
