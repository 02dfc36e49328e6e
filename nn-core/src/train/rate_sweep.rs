//! Finding a learning rate: a short training in which it rises from step to step.

use super::examples::fetch_for_training;
use super::{Examples, Trainer};
use crate::data::shuffled_order;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::optim::check_learning_rate;
use std::ops::ControlFlow;

/// A learning-rate range test (Smith, 2015): the learning rate rises from step to step by the same factor, and the
/// losses tell where the network learns fastest and where it diverges. By default 100 steps from 1e-7 to 10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateSweep {
    /// The learning rate of the first step.
    pub from: f64,
    /// That of the last one.
    pub to: f64,
    /// The number of steps; 10 or more. More than one pass over the samples begin them again.
    pub steps: usize,
}

impl Default for RateSweep {
    fn default() -> Self {
        Self { from: 1e-7, to: 10.0, steps: 100 }
    }
}

/// A step of a [`RateSweep`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweptRate {
    /// The learning rate of the step.
    pub rate: f64,
    /// The loss of its batch, before the update.
    pub loss: f64,
    /// The mean loss of the steps around it.
    pub smoothed: f64,
}

/// The losses of a [`RateSweep`].
#[derive(Debug, Clone, PartialEq)]
pub struct RateCurve {
    /// One for each step that was made.
    pub steps: Vec<SweptRate>,
    /// Whether the training diverged before the last step, and was ended.
    pub diverged: bool,
}

/// The training has diverged once the running mean of the losses is this many times its lowest value.
const DIVERGED: f64 = 4.0;

/// The share of the steps, on either side, whose mean is the smoothed loss.
const SMOOTHED: usize = 20;

/// The share of the steps, on either side, over which the slope of the losses is measured.
const SLOPE: usize = 10;

impl RateSweep {
    /// Trains `trainer` on `train` with rising learning rates, and gives it up: what it learned is of no use.
    /// `step_done` is called with the number of steps made, and may break the sweep off.
    ///
    /// # Errors
    /// If a setting is out of range, there is no sample, a sample cannot be read or does not fit the model;
    /// [`Error::Interrupted`] if it is broken off.
    ///
    /// ```
    /// use nn_core::{Tensor, layers::Dense, loss::Loss, model::Sequential, optim::OptimizerConfig, train::*};
    /// use std::ops::ControlFlow;
    /// let x = Tensor::from_fn([64, 2], |i| (i as f32).sin());
    /// let y = Tensor::from_fn([64, 1], |i| 2.0 * x.row(i)[0] - x.row(i)[1]);
    /// let model = Sequential::builder([2]).layer(Dense::new(1)).build(27)?;
    /// let options = FitOptions { loss: Loss::MeanSquaredError, ..FitOptions::default() };
    /// let trainer = Trainer::new(model, OptimizerConfig::sgd().build()?, options)?;
    /// let curve = RateSweep::default().run(
    ///     trainer, &InMemory::new(x, y)?, &mut |_| ControlFlow::Continue(()))?;
    /// let rate = curve.suggestion().unwrap();
    /// // The largest step that does not overshoot here is near 1.
    /// assert!((0.005..1.0).contains(&rate) && curve.diverged);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn run<T: Kernels>(
        &self,
        mut trainer: Trainer<T>,
        train: &dyn Examples<T>,
        step_done: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<RateCurve> {
        self.check()?;
        if train.is_empty() {
            let remedy = "add samples";
            return Err(Error::data("the training set", "of at least one sample", "none", remedy));
        }
        let options = trainer.state.options.clone();
        let (mut losses, mut mean) = (Vec::new(), RunningMean::over(self.steps));
        'passes: for epoch in 1.. {
            let order = shuffled_order(train.len(), options.seed, epoch);
            for samples in order.chunks(options.step_samples()) {
                if losses.len() == self.steps {
                    break 'passes;
                }
                let mut step = trainer.begin_step(samples.len());
                for batch in samples.chunks(options.batch_size) {
                    let batch = fetch_for_training(train, batch, epoch, trainer.tape.pool())?;
                    trainer.add_batch(&mut step, batch.inputs, batch.targets.view())?;
                }
                let rate = self.rate(losses.len());
                let loss = trainer.end_step(step, rate)?.record.loss;
                if !loss.is_finite() {
                    return Ok(RateCurve::new(losses, true));
                }
                losses.push((rate, loss));
                if mean.add(loss) {
                    return Ok(RateCurve::new(losses, true));
                }
                if step_done(losses.len()).is_break() {
                    return Err(Error::Interrupted);
                }
            }
        }
        Ok(RateCurve::new(losses, false))
    }

    fn check(&self) -> Result<()> {
        check_learning_rate(self.from)?;
        check_learning_rate(self.to)?;
        if !(self.from > 0.0 && self.from < self.to) {
            return Err(Error::setting(
                "the learning rates of a sweep",
                "the first above 0 and below the last",
                format!("{} to {}", self.from, self.to),
                "1e-7 to 10 is usual",
            ));
        }
        if self.steps < 10 {
            let remedy = "100 are usual";
            return Err(Error::setting("the steps of a sweep", "10 or more", self.steps, remedy));
        }
        Ok(())
    }

    /// The learning rate of step `step`, counted from 0.
    fn rate(&self, step: usize) -> f64 {
        self.from * (self.to / self.from).powf(step as f64 / (self.steps - 1) as f64)
    }
}

/// A moving average of losses without the weight of its zero at the start (as Adam's), and its lowest value.
struct RunningMean {
    decay: f64,
    sum: f64,
    weight: f64,
    lowest: f64,
}

impl RunningMean {
    fn over(steps: usize) -> Self {
        let decay = 1.0 - SMOOTHED.min(steps) as f64 / steps as f64;
        Self { decay, sum: 0.0, weight: 0.0, lowest: f64::INFINITY }
    }

    /// Adds a loss; returns whether the training has diverged.
    fn add(&mut self, loss: f64) -> bool {
        self.sum = self.decay * self.sum + (1.0 - self.decay) * loss;
        self.weight = self.decay * self.weight + (1.0 - self.decay);
        let mean = self.sum / self.weight;
        self.lowest = self.lowest.min(mean);
        mean > DIVERGED * self.lowest
    }
}

impl RateCurve {
    fn new(losses: Vec<(f64, f64)>, diverged: bool) -> Self {
        let reach = losses.len() / SMOOTHED;
        let smoothed = |i: usize| {
            let around = &losses[i.saturating_sub(reach)..(i + reach + 1).min(losses.len())];
            around.iter().map(|(_, loss)| loss).sum::<f64>() / around.len() as f64
        };
        let step = |(i, &(rate, loss))| SweptRate { rate, loss, smoothed: smoothed(i) };
        Self { steps: losses.iter().enumerate().map(step).collect(), diverged }
    }

    /// The learning rate at which the loss falls most steeply, before it is lowest: there the network learns
    /// fastest. The slope is that of a line through the losses around, over the logarithm of the rate. `None` if
    /// the loss falls nowhere.
    pub fn suggestion(&self) -> Option<f64> {
        let steps = &self.steps;
        let reach = (steps.len() / SLOPE).max(1);
        let smoothed = |i: &usize| steps[*i].smoothed;
        let lowest = (0..steps.len()).min_by(|a, b| smoothed(a).total_cmp(&smoothed(b)))?;
        let inner = reach..steps.len().saturating_sub(reach).min(lowest + 1);
        let slope = |i: usize| slope(&steps[i - reach..=i + reach]);
        let steepest = inner.min_by(|&a, &b| slope(a).total_cmp(&slope(b)))?;
        (slope(steepest) < 0.0).then(|| steps[steepest].rate)
    }
}

/// The slope of the losses over the logarithm of the rates: least squares.
fn slope(steps: &[SweptRate]) -> f64 {
    let n = steps.len() as f64;
    let mean = |f: fn(&SweptRate) -> f64| steps.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|step| step.rate.ln()), mean(|step| step.loss));
    let products = steps.iter().map(|step| (step.rate.ln() - x) * (step.loss - y));
    products.sum::<f64>() / steps.iter().map(|step| (step.rate.ln() - x).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses of 100 steps from 1e-7 to 10, by the exponent of the rate.
    fn curve(loss: impl Fn(f64) -> f64) -> RateCurve {
        let sweep = RateSweep::default();
        let losses = (0..100).map(|i| (sweep.rate(i), loss(sweep.rate(i).log10())));
        RateCurve::new(losses.collect(), false)
    }

    #[test]
    fn the_suggestion_is_where_the_loss_falls_most_steeply() {
        // Falls around 1e-3, is flat from 1e-2, and rises steeply from 1e-1.
        let wiggle = |x: f64| 0.05 * (40.0 * x).sin();
        let loss =
            |x: f64| 1.0 / (1.0 + (4.0 * (x + 3.0)).exp()) + (x + 1.0).max(0.0) * 9.0 + wiggle(x);
        let rate = curve(loss).suggestion().unwrap();
        assert!((3e-4..3e-3).contains(&rate), "{rate}");
        // The steep fall after the lowest loss does not count: there it had risen before.
        let bump = |x: f64| loss(x) + if (-0.5..0.5).contains(&x) { 200.0 } else { 0.0 };
        let rate = curve(bump).suggestion().unwrap();
        assert!((3e-4..3e-3).contains(&rate), "{rate}");
        assert_eq!(curve(|x| 1.0 + x.max(-3.0)).suggestion(), None);
        assert_eq!(RateCurve::new(Vec::new(), true).suggestion(), None);
    }

    #[test]
    fn rates_rise_by_the_same_factor() {
        let sweep = RateSweep { from: 1e-4, to: 1.0, steps: 11 };
        assert!((sweep.rate(0) - 1e-4).abs() < 1e-18 && (sweep.rate(10) - 1.0).abs() < 1e-12);
        assert!((sweep.rate(5) - 1e-2).abs() < 1e-12);
        for (from, to, steps) in
            [(0.0, 1.0, 100), (1.0, 0.1, 100), (1e-3, f64::NAN, 100), (1e-3, 1.0, 9)]
        {
            assert!(RateSweep { from, to, steps }.check().is_err());
        }
    }

    #[test]
    fn four_times_the_lowest_loss_has_diverged() {
        let mut mean = RunningMean::over(100);
        assert!((0..50).all(|_| !mean.add(1.0)));
        let after = (0..100).position(|_| mean.add(10.0)).unwrap();
        assert!((1..4).contains(&after), "{after}");
    }
}
