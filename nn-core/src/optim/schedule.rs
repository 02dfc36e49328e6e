//! Learning-rate schedules.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the learning rate changes from epoch to epoch, relative to the initial learning rate.
///
/// ```
/// use nn_core::optim::Schedule;
/// let halved = Schedule::Step { every: 5, factor: 0.5 };
/// assert_eq!(halved.learning_rate(0.1, 4, &[]), 0.1);
/// assert_eq!(halved.learning_rate(0.1, 5, &[]), 0.05);
/// // Two epochs that were not better than the first.
/// let plateau = Schedule::Plateau { patience: 2, factor: 0.5, floor: 0.0 };
/// assert_eq!(plateau.learning_rate(0.1, 3, &[0.7, 0.8, 0.7]), 0.05);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// Constant.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `every` epochs.
    Step {
        /// Epochs between two changes.
        every: usize,
        /// The factor.
        factor: f64,
    },
    /// Half a cosine: from the initial learning rate at the first epoch to `floor` times it after
    /// `epochs` epochs, then constant (Loshchilov and Hutter, 2017, without restarts).
    Cosine {
        /// Epochs until the floor is reached.
        epochs: usize,
        /// The final learning rate as a fraction of the initial one, 0 to 1.
        #[serde(default)]
        floor: f64,
    },
    /// Half cosines one after the other, each from the initial learning rate towards `floor` times it (SGDR;
    /// Loshchilov and Hutter, 2017). PyTorch's `CosineAnnealingWarmRestarts`, once per epoch.
    #[serde(rename = "cosine-restarts")]
    CosineRestarts {
        /// Epochs of the first cosine.
        epochs: usize,
        /// How many times as long each cosine is as the one before it.
        #[serde(default = "once")]
        longer: usize,
        /// The lowest learning rate as a fraction of the initial one, 0 to 1.
        #[serde(default)]
        floor: f64,
    },
    /// Multiplied by `factor` whenever the validation loss was not below its lowest value for `patience` epochs
    /// in a row; then these epochs are counted anew. It follows from the losses alone. Keras'
    /// `ReduceLROnPlateau` with `min_delta=0`; PyTorch's with `threshold=0` and a patience of one less.
    Plateau {
        /// Epochs without a lower validation loss.
        patience: usize,
        /// The factor, above 0 and below 1.
        factor: f64,
        /// The lowest learning rate as a fraction of the initial one, 0 to 1.
        #[serde(default)]
        floor: f64,
    },
}

fn once() -> usize {
    1
}

impl Schedule {
    /// Checks the schedule's settings.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Constant => Ok(()),
            Self::Step { every: 0, .. }
            | Self::Cosine { epochs: 0, .. }
            | Self::CosineRestarts { epochs: 0, .. }
            | Self::Plateau { patience: 0, .. } => Err(Error::setting(
                "the length of the learning-rate schedule",
                "1 epoch or more",
                0,
                "pass a number of epochs",
            )),
            Self::CosineRestarts { longer: 0, .. } => Err(Error::setting(
                "the growth of the cosines in the learning-rate schedule",
                "1 or more times the length before",
                0,
                "1 and 2 are usual",
            )),
            Self::Plateau { factor, .. } if !(factor > 0.0 && factor < 1.0) => Err(Error::setting(
                "the factor of the learning-rate schedule",
                "a number above 0 and below 1",
                factor,
                "0.1 or 0.5 are usual",
            )),
            Self::Step { factor, .. } if !(factor.is_finite() && factor > 0.0) => {
                Err(Error::setting(
                    "the factor of the learning-rate schedule",
                    "a number above 0",
                    factor,
                    "0.1 or 0.5 are usual",
                ))
            }
            Self::Cosine { floor, .. }
            | Self::CosineRestarts { floor, .. }
            | Self::Plateau { floor, .. }
                if !(0.0..=1.0).contains(&floor) =>
            {
                Err(Error::setting(
                    "the floor of the learning-rate schedule",
                    "a fraction from 0 to 1",
                    floor,
                    "0 is usual",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether it looks at validation losses, so that training needs a validation set.
    pub fn needs_losses(&self) -> bool {
        matches!(self, Self::Plateau { .. })
    }

    /// The learning rate of `epoch`, counted from 0, for the initial learning rate `base`. `losses` are the
    /// validation losses of the epochs before; only [`Schedule::Plateau`] looks at them.
    pub fn learning_rate(&self, base: f64, epoch: usize, losses: &[f64]) -> f64 {
        match *self {
            Self::Constant => base,
            Self::Step { every, factor } => {
                let steps = epoch / every.max(1);
                base * factor.powi(i32::try_from(steps).unwrap_or(i32::MAX))
            }
            Self::Cosine { epochs, floor } => {
                half_cosine(base, (epoch as f64 / epochs.max(1) as f64).min(1.0), floor)
            }
            Self::CosineRestarts { epochs, longer, floor } => {
                let (mut length, mut epoch) = (epochs.max(1), epoch);
                if longer <= 1 {
                    epoch %= length;
                }
                while epoch >= length {
                    epoch -= length;
                    length = length.saturating_mul(longer);
                }
                half_cosine(base, epoch as f64 / length as f64, floor)
            }
            Self::Plateau { patience, factor, floor } => {
                let reductions = plateaus(losses, patience.max(1));
                let factor = factor.powi(i32::try_from(reductions).unwrap_or(i32::MAX));
                base * factor.max(floor)
            }
        }
    }
}

/// The learning rate at `progress`, 0 to 1, on half a cosine from `base` to `floor` times it.
fn half_cosine(base: f64, progress: f64, floor: f64) -> f64 {
    let wave = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
    base * (floor + (1.0 - floor) * wave)
}

/// How often `patience` epochs in a row were not better than the best one before.
fn plateaus(losses: &[f64], patience: usize) -> usize {
    let (mut lowest, mut since, mut found) = (f64::INFINITY, 0, 0);
    for &loss in losses {
        if loss < lowest {
            (lowest, since) = (loss, 0);
            continue;
        }
        since += 1;
        if since == patience {
            (since, found) = (0, found + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_stays() {
        assert_eq!(Schedule::Constant.learning_rate(0.001, 1000, &[]), 0.001);
    }

    #[test]
    fn step_falls_in_stairs() {
        let schedule = Schedule::Step { every: 3, factor: 0.1 };
        let rates: Vec<_> = (0..7).map(|epoch| schedule.learning_rate(1.0, epoch, &[])).collect();
        for (rate, expected) in rates.iter().zip([1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01]) {
            assert!((rate - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn cosine_falls_smoothly_to_its_floor() {
        let schedule = Schedule::Cosine { epochs: 10, floor: 0.2 };
        assert_eq!(schedule.learning_rate(2.0, 0, &[]), 2.0);
        // Quarter, half and three quarters of the way: 0.2 + 0.8 * (1 + cos) / 2, times 2.
        assert!((schedule.learning_rate(2.0, 5, &[]) - 1.2).abs() < 1e-15);
        let third = Schedule::Cosine { epochs: 3, floor: 0.0 }.learning_rate(1.0, 1, &[]);
        assert!((third - 0.75).abs() < 1e-15);
        assert!((schedule.learning_rate(2.0, 10, &[]) - 0.4).abs() < 1e-15);
        assert_eq!(schedule.learning_rate(2.0, 99, &[]), schedule.learning_rate(2.0, 10, &[]));
    }

    #[test]
    fn cosines_begin_again() {
        let schedule = Schedule::CosineRestarts { epochs: 2, longer: 2, floor: 0.0 };
        let rates: Vec<_> = (0..7).map(|epoch| schedule.learning_rate(1.0, epoch, &[])).collect();
        let quarter = |n: f64| 0.5 * (1.0 + (std::f64::consts::FRAC_PI_4 * n).cos());
        let expected = [1.0, 0.5, 1.0, quarter(1.0), quarter(2.0), quarter(3.0), 1.0];
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-15, "{rates:?}");
        }
        // The first cosine is the one without restarts, and long runs end.
        let single = Schedule::CosineRestarts { epochs: 9, longer: 1, floor: 0.25 };
        let plain = Schedule::Cosine { epochs: 9, floor: 0.25 };
        assert_eq!(single.learning_rate(0.1, 5, &[]), plain.learning_rate(0.1, 5, &[]));
        assert_eq!(single.learning_rate(0.1, usize::MAX / 9 * 9, &[]), 0.1);
    }

    #[test]
    fn a_plateau_is_left_for_lower_rates() {
        let schedule = Schedule::Plateau { patience: 2, factor: 0.5, floor: 0.2 };
        let losses = [0.9, 0.8, 0.8, 0.85, 0.7, f64::NAN, 0.7, 0.9, 0.9, 0.9, 0.9];
        let rates: Vec<_> =
            (0..=losses.len()).map(|n| schedule.learning_rate(1.0, n, &losses[..n])).collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]);
    }

    #[test]
    fn nonsense_is_refused() {
        for schedule in [
            Schedule::Step { every: 0, factor: 0.5 },
            Schedule::Step { every: 1, factor: 0.0 },
            Schedule::Step { every: 1, factor: f64::NAN },
            Schedule::Cosine { epochs: 0, floor: 0.0 },
            Schedule::Cosine { epochs: 5, floor: 1.5 },
            Schedule::Cosine { epochs: 5, floor: f64::NAN },
            Schedule::CosineRestarts { epochs: 0, longer: 1, floor: 0.0 },
            Schedule::CosineRestarts { epochs: 5, longer: 1, floor: -0.5 },
            Schedule::Plateau { patience: 0, factor: 0.5, floor: 0.0 },
            Schedule::Plateau { patience: 1, factor: 1.0, floor: 0.0 },
            Schedule::Plateau { patience: 1, factor: f64::NAN, floor: 0.0 },
            Schedule::Plateau { patience: 1, factor: 0.5, floor: 2.0 },
        ] {
            let message = schedule.check().unwrap_err().to_string();
            assert!(message.contains("schedule must be"), "{message}");
        }
        assert!(Schedule::Cosine { epochs: 5, floor: 0.0 }.check().is_ok());
    }
}
