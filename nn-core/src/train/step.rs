//! One step of training: forward and backward for each of its batches, then the update.

use super::average::follow;
use super::classification::{count_correct, labels_for};
use super::regularization::RegularizedLoss;
use super::state::TrainerState;
use super::{StepRecord, Trainer};
use crate::autograd::Var;
use crate::error::Result;
use crate::kernels::{Kernels, parallel};
use crate::loss::Targets;
use crate::model::{Output, Pass};
use crate::optim::Gradients;
use crate::rng::{Rng, stream};
use crate::tensor::Tensor;

/// A step under way.
pub(super) struct StepSoFar<T: Kernels> {
    /// Samples of the whole step.
    samples: usize,
    /// The means over all of these samples, of the batches so far.
    loss: f64,
    gradients: Option<Gradients<T>>,
    correct: Option<usize>,
    /// The outputs for the last batch.
    outputs: Option<(Var<T>, Vec<Var<T>>)>,
    rng: Rng,
}

/// A step that was made: its metrics, and the outputs before the update.
pub(super) struct Made<T: Kernels> {
    pub record: StepRecord,
    pub output: Var<T>,
    pub also: Vec<Var<T>>,
}

impl<T: Kernels> Trainer<T> {
    /// One step: forward, backward, update. If the loss is not finite, the weights stay unchanged.
    ///
    /// The targets are class indices (`&[usize]`), values (a tensor) or several of these.
    ///
    /// # Errors
    /// If `x [batch, ..]` does not fit the model, or the targets do not fit its outputs.
    pub fn step<'a>(
        &mut self,
        x: Tensor<T>,
        targets: impl Into<Targets<'a, T>>,
        learning_rate: f64,
    ) -> Result<StepRecord> {
        let mut step = self.begin_step(x.dims().first().copied().unwrap_or(0));
        self.add_batch(&mut step, x, targets.into())?;
        Ok(self.end_step(step, learning_rate)?.record)
    }

    /// Begins a step of so many samples.
    pub(super) fn begin_step(&self, samples: usize) -> StepSoFar<T> {
        let TrainerState { options, steps, .. } = &self.state;
        let rng = Rng::new(options.seed, stream::DROPOUT + steps);
        StepSoFar { samples, loss: 0.0, gradients: None, correct: Some(0), outputs: None, rng }
    }

    /// Adds the loss and the gradients of a batch to those of its step.
    pub(super) fn add_batch(
        &mut self,
        step: &mut StepSoFar<T>,
        x: Tensor<T>,
        targets: Targets<'_, T>,
    ) -> Result<()> {
        parallel::on_pool(|| self.add_here(step, x, targets))
    }

    fn add_here(
        &mut self,
        step: &mut StepSoFar<T>,
        x: Tensor<T>,
        targets: Targets<'_, T>,
    ) -> Result<()> {
        let TrainerState { model, options, own_objective, .. } = &self.state;
        let samples = x.dims().first().copied().unwrap_or(0);
        self.tape.clear();
        let x = self.tape.constant(x);
        let pass = model.forward(&self.tape, x, Pass::training(&mut step.rng))?;
        let settings = &options.regularization;
        let loss = match own_objective {
            None if settings.changes_loss() => RegularizedLoss { loss: options.loss, settings }
                .apply(&self.tape, &pass.output, targets),
            _ => self.state.objective().loss(&self.tape, &pass, targets),
        }?;
        let labels = labels_for(model, targets.classes(), samples);
        let correct = labels.map(|labels| count_correct(&pass.output, labels));
        step.correct = step.correct.zip(correct).map(|(sum, more)| sum + more);
        // Of a step of one batch the means are those of the batch, to the bit.
        let share = (samples != step.samples).then(|| samples as f64 / step.samples as f64);
        step.loss += loss.value().item()?.as_f64() * share.unwrap_or(1.0);
        let Output { output, also, parameters, watched, state } = pass;
        if step.loss.is_finite() {
            self.tape.backward(&loss)?;
            let mut gradients = Gradients::take(&mut self.tape, &parameters);
            // The pass holds references to the parameters' values; an in-place update needs unique
            // ownership.
            drop((parameters, watched, loss));
            self.tape.clear();
            if let Some(share) = share {
                gradients.scale(share);
            }
            match &mut step.gradients {
                Some(sum) => sum.add_assign(&gradients)?,
                none => *none = Some(gradients),
            }
            self.state.model.update_state(state)?;
        }
        step.outputs = Some((output, also));
        Ok(())
    }

    /// Changes the weights as the gradients of a step say, unless its loss is not finite.
    pub(super) fn end_step(&mut self, step: StepSoFar<T>, learning_rate: f64) -> Result<Made<T>> {
        parallel::on_pool(|| self.end_here(step, learning_rate))
    }

    fn end_here(&mut self, step: StepSoFar<T>, learning_rate: f64) -> Result<Made<T>> {
        let StepSoFar { samples, loss, gradients, correct, outputs, .. } = step;
        let TrainerState { model, optimizer, options, steps, average, .. } = &mut self.state;
        if let Some(mut gradients) = gradients.filter(|_| loss.is_finite()) {
            if let Some(largest) = options.regularization.clip_norm {
                gradients.clip_norm(largest);
            }
            optimizer.step(model.parameters_mut(), &gradients, learning_rate)?;
            *steps += 1;
            if let (Some(average), Some(decay)) = (average, options.regularization.ema) {
                follow(average, model, decay, *steps);
            }
        }
        let (output, also) = outputs.ok_or_else(|| {
            crate::Error::Internal("a step of training ended before its first batch".into())
        })?;
        Ok(Made { record: StepRecord { loss, correct, samples }, output, also })
    }
}
