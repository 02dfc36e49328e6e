//! The ways to train that an experiment compares: the small network alone, and what is tried against the leak.

use super::{Comparison, Measured};
use crate::config::RunConfig;
use crate::inspection::MeanShare;
use nn_core::data::augment::{Augmentation, Kind};

/// A way to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The network of the settings, from random weights: what the lesson is about.
    Plain,
    /// The same, with training images that are changed in each epoch.
    Augmented,
    /// The same, with other backgrounds behind the subjects.
    Backgrounds,
    /// The classifier of a pretrained network, whose other layers stay.
    Frozen,
    /// The same, and then all its layers.
    FineTuned,
}

impl Way {
    /// The ways that these settings ask for, each with its own settings.
    pub fn of(config: &RunConfig) -> Vec<(Self, RunConfig)> {
        let plain = RunConfig {
            backbone: None,
            augment: Augmentation::none(),
            backgrounds: None,
            ..config.clone()
        };
        let mut ways = vec![(Self::Plain, plain.clone())];
        let share = config.augment.strength(Kind::Background);
        let without = off(config.augment, Kind::Background);
        if !without.is_none() {
            ways.push((Self::Augmented, RunConfig { augment: without, ..plain.clone() }));
        }
        if share > 0.0 {
            // A strength of these settings is within its range.
            let augment = Augmentation::none().with(Kind::Background, share).unwrap_or_default();
            let backgrounds = config.backgrounds.clone();
            ways.push((Self::Backgrounds, RunConfig { augment, backgrounds, ..plain.clone() }));
        }
        if let Some(backbone) = &config.backbone {
            let with = |fine_tune_epochs| {
                let backbone = backbone.clone();
                let backbone =
                    Some(crate::backbone::BackboneConfig { fine_tune_epochs, ..backbone });
                RunConfig { backbone, ..plain.clone() }.for_backbone()
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
            Self::Augmented => "augmented",
            Self::Backgrounds => "backgrounds",
            Self::Frozen => "frozen",
            Self::FineTuned => "fine-tuned",
        }
    }

    /// The way in a sentence: `with a frozen backbone`.
    pub fn with(self) -> String {
        match self {
            Self::Plain => "alone".into(),
            Self::Augmented | Self::Backgrounds => format!("with {}", self.title()),
            Self::Frozen | Self::FineTuned => format!("with a {}", self.title()),
        }
    }

    /// What is trained or done, in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Plain => "network alone",
            Self::Augmented => "augmentation",
            Self::Backgrounds => "other backgrounds",
            Self::Frozen => "frozen backbone",
            Self::FineTuned => "fine-tuned backbone",
        }
    }
}

/// The same without a kind of augmentation.
fn off(augment: Augmentation, kind: Kind) -> Augmentation {
    // No strength is always within its range.
    augment.with(kind, 0.0).unwrap_or_default()
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
