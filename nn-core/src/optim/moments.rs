//! The state of an optimiser: moments, tensors of the parameters' shapes.

use super::{Gradients, OptimizerState};
use crate::autograd::Gradient;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::parallel::prelude::*;
use crate::layers::Parameter;
use crate::tensor::{Shape, Tensor};
use std::collections::HashMap;

/// Elements per task.
const CHUNK: usize = 1 << 14;

/// Elements of a gradient computed at a time if it is stored as a product.
const BLOCK: usize = 1 << 10;

/// The kind of the tensor that says how often a parameter was updated, if not at each step of the run: the
/// multiple of [`UNIT`], and the rest, which are exact in any precision.
const UPDATES: &str = "updates";

const UNIT: u64 = 1 << 20;

/// An optimiser's moments: for each trainable parameter, one tensor of each of the `N` kinds. A parameter
/// that is frozen or has no gradient keeps its moments; one that is trained for the first time begins with
/// zeros. Updates are counted for each parameter.
#[derive(Debug, Clone)]
pub(super) struct Moments<T: Kernels, const N: usize> {
    kinds: [&'static str; N],
    step: u64,
    entries: Vec<Moment<T, N>>,
}

#[derive(Debug, Clone)]
struct Moment<T: Kernels, const N: usize> {
    parameter: String,
    shape: Shape,
    /// `None` for a parameter that was never trainable.
    tensors: Option<[Tensor<T>; N]>,
    updates: u64,
    /// The number of updates as it is stored; `None` if it is that of the steps of the run.
    stored_updates: Option<Tensor<T>>,
}

impl<T: Kernels, const N: usize> Moments<T, N> {
    pub fn new(kinds: [&'static str; N]) -> Self {
        Self { kinds, step: 0, entries: Vec::new() }
    }

    /// Checks that parameters, gradients and moments match, creates the moments of the parameters that are
    /// trainable for the first time, and counts the step.
    pub fn begin(&mut self, parameters: &[Parameter<T>], gradients: &Gradients<T>) -> Result<()> {
        if gradients.len() != parameters.len() {
            return Err(Error::shape(
                "optimizer step",
                format!("{} gradients, one per parameter", parameters.len()),
                gradients.len(),
                "take the gradients from the same model's forward pass",
            ));
        }
        for (parameter, gradient) in parameters.iter().zip(gradients.as_slice()) {
            if let Some(gradient) = gradient
                && gradient.shape() != parameter.value.shape()
            {
                return Err(Error::shape(
                    format!("optimizer step: {}", parameter.name),
                    format!("a gradient of shape {}", parameter.value.shape()),
                    gradient.shape(),
                    "take the gradients from the same model's forward pass",
                ));
            }
        }
        if self.step == 0 {
            self.entries = parameters.iter().map(|p| Moment::new(p, None)).collect();
        }
        let fits = |(slot, p): (&Moment<T, N>, &Parameter<T>)| slot.shape == *p.value.shape();
        if self.entries.len() != parameters.len() || !self.entries.iter().zip(parameters).all(fits)
        {
            return Err(Error::shape(
                "optimizer step",
                "the parameters of the steps before",
                "others",
                "make a new optimizer for a new model",
            ));
        }
        for (slot, parameter) in self.entries.iter_mut().zip(parameters) {
            if parameter.is_trained() && slot.tensors.is_none() {
                slot.tensors = Some(std::array::from_fn(|_| zeros_like(parameter)));
            }
        }
        self.step += 1;
        Ok(())
    }

    /// Calls `update_at(n, parameter)(values, gradient, moments)` for matching chunks of every parameter that is
    /// trainable and has a gradient, in parallel. It is the `n`-th update of the parameter, counted from 1.
    pub fn update<U>(
        &mut self,
        parameters: &mut [Parameter<T>],
        gradients: &Gradients<T>,
        update_at: impl Fn(u64, &Parameter<T>) -> U,
    ) where
        U: Fn(&mut [T], &[T], [&mut [T]; N]) + Sync,
    {
        for ((parameter, gradient), slot) in
            parameters.iter_mut().zip(gradients.as_slice()).zip(&mut self.entries)
        {
            let is_trained = parameter.is_trained() && gradient.is_some();
            slot.count(is_trained, self.step);
            let update = update_at(slot.updates, parameter);
            let (true, Some(gradient), Some(tensors)) = (is_trained, gradient, &mut slot.tensors)
            else {
                continue;
            };
            let value = std::sync::Arc::make_mut(&mut parameter.value).as_mut_slice();
            let row = gradient.row().unwrap_or(value.len()).max(1);
            // One iterator of chunks per kind of moment, advanced together with the value's.
            let mut memory = tensors.each_mut().map(|t| cut(t.as_mut_slice(), row));
            let mut end = 0;
            let mut tasks: Vec<_> = cut(value, row)
                .map(|value| {
                    let start = end;
                    end += value.len();
                    (start, value, memory.each_mut().map(|m| m.next().unwrap_or_default()))
                })
                .collect();
            if gradient.row().is_some() {
                // The rows of a product share a factor. Taking the same columns of all rows one after
                // the other keeps that factor's columns in cache.
                tasks.sort_by_key(|&(start, ..)| start % row);
            }
            let run =
                |(start, value, memory)| update_chunk(start, value, gradient, memory, &update);
            if let [_] = tasks.as_slice() {
                tasks.into_iter().for_each(run);
            } else {
                let together = CHUNK / row.min(CHUNK);
                tasks.into_par_iter().with_min_len(together).for_each(run);
            }
        }
    }

    pub fn state(&self) -> OptimizerState<'_, T> {
        let mut tensors = Vec::new();
        for slot in &self.entries {
            for (kind, tensor) in self.kinds.iter().zip(slot.tensors.iter().flatten()) {
                tensors.push((slot_name(kind, &slot.parameter), tensor));
            }
            let updates = slot.stored_updates.iter();
            tensors.extend(updates.map(|n| (slot_name(UPDATES, &slot.parameter), n)));
        }
        OptimizerState { step: self.step, tensors }
    }

    pub fn load(
        &mut self,
        step: u64,
        tensors: Vec<(String, Tensor<T>)>,
        parameters: &[Parameter<T>],
    ) -> Result<()> {
        let mut tensors: HashMap<_, _> = tensors.into_iter().collect();
        let mut entries = Vec::new();
        // Before the first step there are no moments.
        let remembering = if step == 0 { &[] } else { parameters };
        for parameter in remembering {
            let names = self.kinds.map(|kind| slot_name(kind, &parameter.name));
            // A frozen parameter has moments if it was trained before.
            if !parameter.is_trained() && !names.iter().any(|name| tensors.contains_key(name)) {
                entries.push(Moment::new(parameter, None));
                continue;
            }
            let mut found = names.each_ref().map(|_| None);
            for (found, name) in found.iter_mut().zip(&names) {
                match tensors.remove(name) {
                    Some(tensor) if tensor.shape() == parameter.value.shape() => {
                        *found = Some(tensor);
                    }
                    other => {
                        return Err(Error::shape(
                            format!("optimizer state {name}"),
                            format!("a tensor of shape {}", parameter.value.shape()),
                            other.map_or("none".into(), |t| t.shape().to_string()),
                            "resume with the model and optimizer the checkpoint was written by; \
                             what was frozen then is thawed after that",
                        ));
                    }
                }
            }
            let found = found.map(|found| found.unwrap_or_else(|| zeros_like(parameter)));
            let mut moment = Moment::new(parameter, Some(found));
            let updates = slot_name(UPDATES, &parameter.name);
            moment.stored_updates = tensors.remove(&updates);
            moment.updates = match moment.stored_updates.as_ref().map(Tensor::as_slice) {
                None => step,
                Some(&[units, rest]) => units.as_f64() as u64 * UNIT + rest.as_f64() as u64,
                Some(_) => u64::MAX,
            };
            if moment.updates > step {
                return Err(Error::shape(
                    format!("optimizer state {updates}"),
                    format!("two numbers that say how many of the {step} steps changed it"),
                    "others",
                    "resume with the checkpoint of this run",
                ));
            }
            entries.push(moment);
        }
        if let Some(name) = tensors.keys().min() {
            return Err(Error::shape(
                "optimizer state",
                "tensors of this optimizer and model only",
                format!("{name} as well"),
                "resume with the model and optimizer the checkpoint was written by",
            ));
        }
        self.step = step;
        self.entries = entries;
        Ok(())
    }
}

impl<T: Kernels, const N: usize> Moment<T, N> {
    fn new(parameter: &Parameter<T>, tensors: Option<[Tensor<T>; N]>) -> Self {
        let (parameter, shape) = (parameter.name.clone(), parameter.value.shape().clone());
        Self { parameter, shape, tensors, updates: 0, stored_updates: None }
    }

    /// Counts the update of a step of the run, if the parameter `is_trained` in it.
    fn count(&mut self, is_trained: bool, step: u64) {
        self.updates += u64::from(is_trained);
        let parts = || [self.updates / UNIT, self.updates % UNIT].map(|n| T::from_f64(n as f64));
        let is_stored = N > 0 && self.tensors.is_some() && self.updates != step;
        self.stored_updates = is_stored.then(|| Tensor::from_fn([2], |i| parts()[i]));
    }
}

/// Chunks of at most [`CHUNK`] elements that do not cross the boundaries of rows of length `row`.
fn cut<T>(values: &mut [T], row: usize) -> impl Iterator<Item = &mut [T]> {
    values.chunks_mut(row).flat_map(|row| row.chunks_mut(CHUNK))
}

/// Updates one chunk, which starts at element `start`, block by block, so that computed blocks of the
/// gradient stay in the L1 cache.
fn update_chunk<T: Kernels, const N: usize>(
    start: usize,
    value: &mut [T],
    gradient: &Gradient<T>,
    memory: [&mut [T]; N],
    update: impl Fn(&mut [T], &[T], [&mut [T]; N]),
) {
    let mut buffer = [T::zero(); BLOCK];
    let mut memory = memory.map(|m| m.chunks_mut(BLOCK));
    for (i, value) in value.chunks_mut(BLOCK).enumerate() {
        let at = start + i * BLOCK;
        let gradient = gradient.piece(at..at + value.len(), &mut buffer);
        update(value, gradient, memory.each_mut().map(|m| m.next().unwrap_or_default()));
    }
}

fn zeros_like<T: Kernels>(parameter: &Parameter<T>) -> Tensor<T> {
    Tensor::zeros(parameter.value.shape())
}

fn slot_name(kind: &str, parameter: &str) -> String {
    format!("{kind}.{parameter}")
}
