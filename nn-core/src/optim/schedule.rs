//! Learning-rate schedules.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the learning rate changes over the epochs, relative to the initial learning rate.
///
/// ```
/// use nn_core::optim::Schedule;
/// let halved = Schedule::Step { every: 5, factor: 0.5 };
/// assert_eq!(halved.learning_rate(0.1, 4), 0.1);
/// assert_eq!(halved.learning_rate(0.1, 5), 0.05);
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
}

impl Schedule {
    /// Checks the schedule's settings.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Constant => Ok(()),
            Self::Step { every: 0, .. } | Self::Cosine { epochs: 0, .. } => Err(Error::setting(
                "the length of the learning-rate schedule",
                "1 epoch or more",
                0,
                "pass a number of epochs",
            )),
            Self::Step { factor, .. } if !(factor.is_finite() && factor > 0.0) => {
                Err(Error::setting(
                    "the factor of the learning-rate schedule",
                    "a number above 0",
                    factor,
                    "0.1 or 0.5 are usual",
                ))
            }
            Self::Cosine { floor, .. } if !(0.0..=1.0).contains(&floor) => Err(Error::setting(
                "the floor of the learning-rate schedule",
                "a fraction from 0 to 1",
                floor,
                "0 is usual",
            )),
            _ => Ok(()),
        }
    }

    /// The learning rate of `epoch`, counted from 0, for the initial learning rate `base`.
    pub fn learning_rate(&self, base: f64, epoch: usize) -> f64 {
        match *self {
            Self::Constant => base,
            Self::Step { every, factor } => {
                let steps = epoch / every.max(1);
                base * factor.powi(i32::try_from(steps).unwrap_or(i32::MAX))
            }
            Self::Cosine { epochs, floor } => {
                let progress = (epoch as f64 / epochs.max(1) as f64).min(1.0);
                let wave = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
                base * (floor + (1.0 - floor) * wave)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_stays() {
        assert_eq!(Schedule::Constant.learning_rate(0.001, 1000), 0.001);
    }

    #[test]
    fn step_falls_in_stairs() {
        let schedule = Schedule::Step { every: 3, factor: 0.1 };
        let rates: Vec<_> = (0..7).map(|epoch| schedule.learning_rate(1.0, epoch)).collect();
        for (rate, expected) in rates.iter().zip([1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01]) {
            assert!((rate - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn cosine_falls_smoothly_to_its_floor() {
        let schedule = Schedule::Cosine { epochs: 10, floor: 0.2 };
        assert_eq!(schedule.learning_rate(2.0, 0), 2.0);
        // Quarter, half and three quarters of the way: 0.2 + 0.8 * (1 + cos) / 2, times 2.
        assert!((schedule.learning_rate(2.0, 5) - 1.2).abs() < 1e-15);
        let third = Schedule::Cosine { epochs: 3, floor: 0.0 }.learning_rate(1.0, 1);
        assert!((third - 0.75).abs() < 1e-15);
        assert!((schedule.learning_rate(2.0, 10) - 0.4).abs() < 1e-15);
        assert_eq!(schedule.learning_rate(2.0, 99), schedule.learning_rate(2.0, 10));
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
        ] {
            let message = schedule.check().unwrap_err().to_string();
            assert!(message.contains("schedule must be"), "{message}");
        }
        assert!(Schedule::Cosine { epochs: 5, floor: 0.0 }.check().is_ok());
    }
}
