//! Options for how a network is trained, beyond those that everybody needs.

use super::numbers::{WarmUp, above_zero, below_one, decay, warm_up, whole};
use clap::{Args as ClapArgs, ValueEnum};
use nn_core::train::Keep;
use nn_study::config::ClassWeights;

/// When training ends, what it results in, and what a step does beside descending the loss.
#[derive(Debug, Clone, ClapArgs)]
pub struct TrainingArgs {
    /// End the training after this many epochs without a lower validation loss, and keep the best epoch
    ///
    /// They are counted from the epoch with the lowest loss so far; --keep says which weights are kept.
    #[arg(
        long,
        value_name = "PATIENCE",
        value_parser = whole::<usize>(1, u64::MAX, 5),
        allow_negative_numbers = true
    )]
    pub early_stopping: Option<usize>,
    /// The epoch whose weights are kept: the last one, or the best one, which has the lowest validation
    /// loss (the earlier one of equals) [default: last; best with --early-stopping]
    #[arg(long, value_enum)]
    pub keep: Option<KeepName>,
    /// Let the learning rate rise step by step over the first epochs, or a share of all: 0.5, 2 or 5%
    #[arg(long, value_name = "EPOCHS|SHARE", value_parser = warm_up, allow_hyphen_values = true)]
    pub warmup: Option<WarmUp>,
    /// Epochs of --schedule: between two falls of step and until cosine ends, the first cosine of
    /// cosine-restarts, and without a lower validation loss for plateau [default: a third of the epochs
    /// for step and cosine-restarts, all for cosine, 5 for plateau]
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1, u64::MAX, 5), allow_negative_numbers = true)]
    pub schedule_epochs: Option<usize>,
    /// Factor of --schedule: of the learning rate for step and plateau, of the length of each cosine for
    /// cosine-restarts (a whole number) [default: 0.1, and 1 for cosine-restarts]
    #[arg(long, value_name = "X", value_parser = above_zero("0.1"), allow_hyphen_values = true)]
    pub schedule_factor: Option<f64>,
    /// Shrink weights: decoupled with --optimizer adamw, as a part of the gradient with sgd (L2, as
    /// PyTorch). Biases and normalisations are left out [default: 0.004 of all for adamw, as Keras; else none]
    #[arg(long, value_name = "X", value_parser = decay, allow_hyphen_values = true)]
    pub weight_decay: Option<f64>,
    /// Scale gradients whose norm, over all parameters, is larger than this
    #[arg(long, value_name = "NORM", value_parser = above_zero("1"), allow_hyphen_values = true)]
    pub clip_norm: Option<f64>,
    /// Spread this share of each label evenly over all classes, in training
    #[arg(long, value_name = "SHARE", value_parser = below_one("0.1"), allow_hyphen_values = true)]
    pub label_smoothing: Option<f64>,
    /// Weight the training images of each class: balanced gives all classes the same share of the loss,
    /// n / (classes * n of the class)
    #[arg(long, value_enum)]
    pub class_weights: Option<ClassWeightsName>,
    /// Validate and keep an exponential moving average of the weights, with this decay per step
    #[arg(long, value_name = "DECAY", value_parser = below_one("0.99"), allow_hyphen_values = true)]
    pub ema: Option<f64>,
    /// Change the weights after this many batches, by the mean of their gradients: as a batch so many
    /// times as large, in the memory of one
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1, u64::MAX, 4), allow_negative_numbers = true)]
    pub accumulate: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepName {
    /// The last epoch
    Last,
    /// The epoch with the lowest validation loss
    Best,
}

impl From<KeepName> for Keep {
    fn from(name: KeepName) -> Self {
        match name {
            KeepName::Last => Self::Last,
            KeepName::Best => Self::Best,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClassWeightsName {
    /// All images count the same
    None,
    /// All classes count the same
    Balanced,
}

impl From<ClassWeightsName> for ClassWeights {
    fn from(name: ClassWeightsName) -> Self {
        match name {
            ClassWeightsName::None => Self::None,
            ClassWeightsName::Balanced => Self::Balanced,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ScheduleName {
    /// The same rate throughout
    Constant,
    /// A tenth of the rate after every third of the epochs
    Step,
    /// Down to zero along half a cosine
    Cosine,
    /// Along several half cosines, each from the whole rate down to zero
    CosineRestarts,
    /// A tenth of the rate whenever the validation loss has not become lower for some epochs
    Plateau,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OptimizerName {
    /// Adam, as Keras computes it
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
    /// Gradient descent with momentum 0.9
    Sgd,
}
