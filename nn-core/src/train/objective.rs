//! What training minimises.

use super::classification::classes;
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::loss::{Loss, Targets};
use crate::model::{Model, Output};

/// What training minimises: a scalar computed from the model's outputs and the targets.
///
/// [`Loss`] has the usual ones. Your own may use any op of the tape, and every output of the model. A
/// closure whose parameters have types is an objective, too:
///
/// ```
/// use nn_core::layers::{Dense, OutputKind};
/// use nn_core::model::{Output, Sequential};
/// use nn_core::optim::OptimizerConfig;
/// use nn_core::loss::Targets;
/// use nn_core::train::{FitOptions, Trainer};
/// use nn_core::{Error, Tape, Tensor};
///
/// /// The mean absolute error.
/// let absolute = |tape: &Tape, output: &Output, targets: Targets<'_>| {
///     let Targets::Values(values) = targets else {
///         return Err(Error::data("absolute error", "values", "classes", "pass a tensor"));
///     };
///     let difference = tape.sub(&output.output, &tape.constant(values.clone()))?;
///     tape.mean(&tape.abs(difference))
/// };
/// let model = Sequential::builder([1]).layer(Dense::new(1)).build(27)?;
/// let optimizer = OptimizerConfig::adam().build()?;
/// let mut trainer = Trainer::with_objective(model, optimizer, absolute, FitOptions::default())?;
/// let (x, y) = (Tensor::from_vec([2, 1], vec![1., 2.])?, Tensor::from_vec([2, 1], vec![2., 4.])?);
/// let first = trainer.step(x.clone(), &y, 0.1)?;
/// let second = trainer.step(x, &y, 0.1)?;
/// assert!(second.loss < first.loss);
/// # Ok::<(), nn_core::Error>(())
/// ```
pub trait Objective<T: Kernels = f32>: Send + Sync {
    /// The objective of a batch, a scalar: the mean over its samples, as batches may be of different
    /// sizes. `output` is what the model computed on `tape`.
    ///
    /// # Errors
    /// If output and targets do not fit each other.
    fn loss(&self, tape: &Tape<T>, output: &Output<T>, targets: Targets<'_, T>) -> Result<Var<T>>;

    /// The name in a checkpoint, so that a run goes on with the objective it began with; by default
    /// `own`.
    fn name(&self) -> &str {
        "own"
    }

    /// Checks, before anything is computed, that it can be used with this model; by default it can.
    ///
    /// # Errors
    /// If it cannot.
    fn check(&self, model: &Model<T>) -> Result<()> {
        let _ = model;
        Ok(())
    }
}

/// Compares the main output with the targets.
impl<T: Kernels> Objective<T> for Loss {
    fn loss(&self, tape: &Tape<T>, output: &Output<T>, targets: Targets<'_, T>) -> Result<Var<T>> {
        self.apply(tape, &output.output, targets)
    }

    fn name(&self) -> &str {
        Loss::name(*self)
    }

    fn check(&self, model: &Model<T>) -> Result<()> {
        Loss::check(*self, model.output_kind())?;
        if let Some(kept) = model.kept_probabilities().filter(|_| *self != Self::MeanSquaredError) {
            let kept = kept.name();
            return Err(Error::setting(
                format!("the network's output for the loss {}", Loss::name(*self)),
                "logits",
                format!("probabilities: it keeps its {kept}, as its output kind is linear"),
                "leave the output kind away when building, or use mean_squared_error",
            ));
        }
        match self {
            Self::CategoricalCrossentropy => classes(model).map(drop),
            _ => Ok(()),
        }
    }
}

impl<T, F> Objective<T> for F
where
    T: Kernels,
    F: Fn(&Tape<T>, &Output<T>, Targets<'_, T>) -> Result<Var<T>> + Send + Sync,
{
    fn loss(&self, tape: &Tape<T>, output: &Output<T>, targets: Targets<'_, T>) -> Result<Var<T>> {
        self(tape, output, targets)
    }
}
