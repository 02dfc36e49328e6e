//! One step of training: forward, backward, update.

use super::classification::{count_correct, labels_for};
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
        Ok(self.make_step(x, targets.into(), learning_rate)?.record)
    }

    pub(super) fn make_step(
        &mut self,
        x: Tensor<T>,
        targets: Targets<'_, T>,
        learning_rate: f64,
    ) -> Result<Made<T>> {
        parallel::on_pool(|| self.step_here(x, targets, learning_rate))
    }

    fn step_here(
        &mut self,
        x: Tensor<T>,
        targets: Targets<'_, T>,
        learning_rate: f64,
    ) -> Result<Made<T>> {
        let TrainerState { model, options, steps, .. } = &self.state;
        let mut rng = Rng::new(options.seed, stream::DROPOUT + steps);
        let samples = x.dims().first().copied().unwrap_or(0);
        self.tape.clear();
        let x = self.tape.constant(x);
        let pass = model.forward(&self.tape, x, Pass::training(&mut rng))?;
        let loss = self.state.objective().loss(&self.tape, &pass, targets)?;
        let labels = labels_for(model, targets.classes(), samples);
        let correct = labels.map(|labels| count_correct(&pass.output, labels));
        let record = StepRecord { loss: loss.value().item()?.as_f64(), correct, samples };
        let Output { output, also, parameters, watched, state } = pass;
        if record.loss.is_finite() {
            self.tape.backward(&loss)?;
            let gradients = Gradients::take(&mut self.tape, &parameters);
            // The pass holds references to the parameters' values; an in-place update needs unique
            // ownership.
            drop((parameters, watched, loss));
            self.tape.clear();
            self.state.optimizer.step(
                self.state.model.parameters_mut(),
                &gradients,
                learning_rate,
            )?;
            self.state.model.update_state(state)?;
            self.state.steps += 1;
        }
        Ok(Made { record, output, also })
    }
}

/// A step that was made: its metrics, and the outputs before the update.
pub(super) struct Made<T: Kernels> {
    pub record: StepRecord,
    pub output: Var<T>,
    pub also: Vec<Var<T>>,
}
