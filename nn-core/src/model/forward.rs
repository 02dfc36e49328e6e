//! The forward pass of a model.

use super::fusion::{self, Step};
use super::{Model, Node, chaining};
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::Forward;
use crate::rng::Rng;
use crate::tensor::Tensor;
use std::sync::Arc;

/// Options of a forward pass; by default inference.
#[derive(Debug, Default)]
pub struct Pass<'a> {
    rng: Option<&'a mut Rng>,
    frozen: bool,
    watch: &'a [&'a str],
}

impl<'a> Pass<'a> {
    /// Inference: dropout does nothing.
    pub fn inference() -> Self {
        Self::default()
    }

    /// Training: dropout draws from `rng`.
    pub fn training(rng: &'a mut Rng) -> Self {
        Self { rng: Some(rng), ..Self::default() }
    }

    /// Treats the parameters as constants: no gradient is computed for them.
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// Keeps the outputs of these layers, and on a recording tape their gradients. A layer's output is
    /// taken after its activation. With [frozen](Pass::frozen) parameters and a constant input, the
    /// first watched output becomes a leaf: the backward pass stops there, and earlier layers take no
    /// memory or time in it.
    pub fn watch(mut self, layers: &'a [&'a str]) -> Self {
        self.watch = layers;
        self
    }
}

/// The result of a forward pass.
///
/// Drop it before the next optimiser step: a parameter that is still shared is copied when it changes.
#[derive(Debug)]
pub struct Output<T: Kernels = f32> {
    /// The network's main output: `[batch, ..]`, logits for a classifier.
    pub output: Var<T>,
    /// The outputs beside the main one, in the model's order.
    pub also: Vec<Var<T>>,
    /// The parameters' variables on the tape, in the model's order.
    pub parameters: Vec<Var<T>>,
    /// The watched layers' names and outputs, in the network's order.
    pub watched: Vec<(String, Var<T>)>,
    /// What the layers' state becomes by this pass, in training.
    pub state: StateUpdates<T>,
}

/// New values of a model's state, such as running statistics: see [`Model::update_state`].
#[derive(Debug, Clone)]
pub struct StateUpdates<T: Kernels = f32>(Vec<StateUpdate<T>>);

#[derive(Debug, Clone)]
struct StateUpdate<T: Kernels> {
    /// The index among the model's parameters, and the name there.
    parameter: usize,
    name: String,
    /// The value that the pass found, and the one that follows from it.
    old: Arc<Tensor<T>>,
    new: Tensor<T>,
}

impl<T: Kernels> StateUpdates<T> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Kernels> Model<T> {
    /// Runs the model on a batch `[batch, ..input shape]`.
    ///
    /// Layers that one op can compute without storing what lies between them run as one, unless that is
    /// watched: a convolution with ReLU and max-pooling, for example. A value is freed after its last use.
    ///
    /// # Errors
    /// If `x` is not a batch of this model's inputs, or a watched layer does not exist.
    pub fn forward(&self, tape: &Tape<T>, x: Var<T>, pass: Pass<'_>) -> Result<Output<T>> {
        if x.dims().get(1..) != Some(self.input.dims()) {
            return Err(Error::shape(
                format!("model {:?}", self.name),
                format!("a batch of inputs of shape {}, [batch, ..]", self.input),
                x.shape(),
                "resize the images to the model's image size, or build a model for these",
            ));
        }
        let watch = self.marked(pass.watch)?;
        let training = pass.rng.is_some();
        let constant = pass.frozen || !tape.is_recording();
        let mut idle = Rng::new(0, 0);
        let mut run = Run {
            model: self,
            cx: Forward::new(tape, training, pass.rng.unwrap_or(&mut idle)),
            frozen: pass.frozen,
            values: Values::new(self, x),
            parameters: vec![None; self.parameters.len()],
            watched: vec![None; self.nodes.len()],
            state: StateUpdates(Vec::new()),
        };
        let mut steps = fusion::plan(self, &watch, constant && !training);
        if !tape.is_recording() && !training {
            steps = chaining::chained(self, &watch, steps);
        }
        for step in steps {
            run.step(&step, &watch)?;
        }
        let mut outputs = self.outputs.iter().map(|&value| run.values.take(value));
        let output = outputs.next().transpose()?.ok_or_else(lost)?;
        let also = outputs.collect::<Result<_>>()?;
        let watched = self.nodes.iter().zip(run.watched);
        let watched = watched.filter_map(|(node, var)| Some((node.name.clone(), var?))).collect();
        Ok(Output {
            output,
            also,
            parameters: run.parameters.into_iter().collect::<Option<_>>().ok_or_else(lost)?,
            watched,
            state: run.state,
        })
    }

    /// Gives the model's state, such as running statistics, the values that a pass in training found
    /// ([`Output::state`]). [`Trainer`](crate::train::Trainer) calls it at each step; a loop of your own
    /// does after the optimiser's step.
    ///
    /// # Errors
    /// If they come from another model, or the state has changed since that pass: of two passes, the second
    /// would undo what the first found. Then nothing is changed.
    ///
    /// ```
    /// use nn_core::layers::BatchNormalization;
    /// use nn_core::model::{Pass, Sequential};
    /// use nn_core::rng::Rng;
    /// use nn_core::{Tape, Tensor};
    ///
    /// let mut model = Sequential::builder([2]).layer(BatchNormalization::new()).build(27)?;
    /// let (tape, mut rng) = (Tape::new(), Rng::new(1, 0));
    /// let x = tape.constant(Tensor::from_vec([2, 2], vec![1., 10., 3., 30.])?);
    /// let pass = model.forward(&tape, x, Pass::training(&mut rng))?;
    /// model.update_state(pass.state)?;
    /// // 0.9 * 0 + 0.1 * mean
    /// assert_eq!(model.get("bn1.running_mean").unwrap().value.as_slice(), [0.2, 2.0]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn update_state(&mut self, updates: StateUpdates<T>) -> Result<()> {
        let follows = |update: &&StateUpdate<T>| {
            let own = self.parameters.get(update.parameter);
            own.is_some_and(|own| own.name == update.name && Arc::ptr_eq(&own.value, &update.old))
        };
        if let Some(other) = updates.0.iter().find(|update| !follows(update)) {
            return Err(Error::setting(
                format!("new state of model {:?}", self.name),
                "what the last pass of this model found",
                format!("{}, of another model or an earlier pass", other.name),
                "pass on the state of its own forward pass, before the next one",
            ));
        }
        for StateUpdate { parameter, new, .. } in updates.0 {
            self.parameters[parameter].value = Arc::new(new);
        }
        Ok(())
    }

    /// The network's output for a batch, without gradients or dropout.
    ///
    /// # Errors
    /// If `x` is not a batch of this model's inputs.
    pub fn infer(&self, tape: &Tape<T>, x: impl Into<Arc<Tensor<T>>>) -> Result<Var<T>> {
        let x = tape.constant(x);
        Ok(self.forward(tape, x, Pass::inference().frozen())?.output)
    }

    /// The predictions for the network's output: probabilities if the output kind is softmax or
    /// sigmoid.
    ///
    /// # Errors
    /// If the output kind is softmax and `output` has no dimension.
    pub fn probabilities(&self, tape: &Tape<T>, output: Var<T>) -> Result<Var<T>> {
        self.kind.apply(tape, output)
    }
}

/// The values of a pass that are still needed.
struct Values<T: Kernels> {
    /// Each value, from its computation to its last use.
    values: Vec<Option<Var<T>>>,
    /// How often each will still be used.
    uses: Vec<usize>,
    last_takers: Vec<usize>,
}

impl<T: Kernels> Values<T> {
    fn new(model: &Model<T>, x: Var<T>) -> Self {
        let uses = model.uses();
        let mut values = vec![None; uses.len()];
        values[0] = Some(x);
        Self { values, uses, last_takers: model.last_takers() }
    }

    /// A value, for one of its uses; the last one takes it away.
    fn take(&mut self, value: usize) -> Result<Var<T>> {
        self.uses[value] -= 1;
        let slot = &mut self.values[value];
        if self.uses[value] == 0 { slot.take() } else { slot.clone() }.ok_or_else(lost)
    }
}

/// One pass over the nodes.
struct Run<'a, T: Kernels> {
    model: &'a Model<T>,
    cx: Forward<'a, T>,
    frozen: bool,
    values: Values<T>,
    parameters: Vec<Option<Var<T>>>,
    watched: Vec<Option<Var<T>>>,
    state: StateUpdates<T>,
}

impl<T: Kernels> Run<'_, T> {
    fn step(&mut self, step: &Step, watch: &[bool]) -> Result<()> {
        let model = self.model;
        let (first, last) = (&model.nodes[step.first()], &model.nodes[step.last()]);
        let inputs = step.inputs(model).into_iter().map(|value| self.values.take(value));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let taken: Vec<_> = inputs.iter().map(Var::node_index).collect();
        let batch = inputs.first().and_then(|x| x.dims().first().copied());
        // Leaves are created just before their layer runs. The backward pass therefore reaches them
        // just after that layer, so gradients become final in reverse order of the layers.
        let own: Vec<Vec<Var<T>>> =
            step.nodes.iter().map(|&i| self.leaves(&model.nodes[i])).collect();
        let training = self.cx.training;
        self.cx.training &= !step.nodes.iter().any(|&i| model.keeps_statistics(&model.nodes[i]));
        let y = match chaining::is_chain(model, step) {
            true => chaining::run(model, step, self.cx.tape, inputs, &own),
            false => fusion::run(model, step, &mut self.cx, inputs, &own),
        };
        let mut y = y.map_err(|error| named(error, first))?;
        self.cx.training = training;
        for (old, new) in self.cx.take_updates() {
            let parameter = self.state_index(step, &old)?;
            let name = model.parameters[parameter].name.clone();
            self.state.0.push(StateUpdate { parameter, name, old, new });
        }
        if watch[step.last()] {
            if self.cx.tape.tracks(&[&y]) {
                if taken.contains(&y.node_index()) {
                    // The layer handed its input on, which may have other takers: their gradients are
                    // not the layer's.
                    let shape = y.shape().clone();
                    y = self.cx.tape.reshape(y, shape)?;
                }
                self.cx.tape.retain_grad(&y)?;
            } else if self.cx.tape.is_recording() {
                y = self.cx.tape.leaf(y.share());
            }
            self.watched[step.last()] = Some(y.clone());
        }
        let same_batch = batch.is_none() || y.dims().first().copied() == batch;
        if y.dims().get(1..) != Some(last.output.dims()) || !same_batch {
            return Err(Error::shape(
                last.label(),
                format!("an output [batch, ..] of the shape {} that it declares", last.output),
                y.shape(),
                "let `forward` compute what `output_shape` says, for each sample of the batch",
            ));
        }
        let value = step.last() + 1;
        if !self.cx.tape.is_recording() && self.values.last_takers[value] > value + 1 {
            // It stays while others come and go.
            y = self.cx.tape.fitted(y);
        }
        self.values.values[value] = Some(y);
        Ok(())
    }

    /// The variables of a node's parameters.
    fn leaves(&mut self, node: &Node<T>) -> Vec<Var<T>> {
        let leaf = |i: usize| {
            let parameter = &self.model.parameters[i];
            let value = Arc::clone(&parameter.value);
            if parameter.is_trained() && !self.frozen {
                self.cx.tape.leaf(value)
            } else {
                self.cx.tape.constant(value)
            }
        };
        let own: Vec<_> = node.parameters.clone().map(leaf).collect();
        for (slot, var) in self.parameters[node.parameters.clone()].iter_mut().zip(&own) {
            *slot = Some(var.clone());
        }
        own
    }

    /// The number of the state that has the value `old` among the parameters of a step's nodes.
    fn state_index(&self, step: &Step, old: &Arc<Tensor<T>>) -> Result<usize> {
        let parameters = &self.model.parameters;
        let mut own = step.nodes.iter().flat_map(|&i| self.model.nodes[i].parameters.clone());
        let is_it = |&i: &usize| parameters[i].state && Arc::ptr_eq(&parameters[i].value, old);
        match (own.find(is_it), own.find(is_it)) {
            (Some(i), None) => Ok(i),
            (found, _) => Err(Error::setting(
                format!("{}: update_state", self.model.nodes[step.first()].label()),
                "one of the layer's own parameters that are state",
                match found {
                    None => "another variable",
                    Some(_) => "a value that two of them share",
                },
                "pass one of the variables that `forward` was given, and set no two states to one tensor",
            )),
        }
    }
}

/// The error for a plan that does not compute what it should: a mistake in this crate.
fn lost() -> Error {
    Error::Internal("a value of the network was used before it was computed".into())
}

/// Adds the layer's name to a shape error.
fn named<T: Kernels>(error: Error, node: &Node<T>) -> Error {
    match error {
        Error::Shape { at, expected, received, remedy } => {
            Error::Shape { at: format!("{}: {at}", node.label()), expected, received, remedy }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Activation, Conv2D, Dense, Flatten, MaxPool2D};
    use crate::model::Sequential;

    #[test]
    fn gradients_are_final_from_the_last_layer_to_the_first() {
        let model = Sequential::builder([8, 8, 1])
            .layer(Conv2D::new(2, 3).activation(Activation::Relu))
            .layer(MaxPool2D::new(2))
            .layer(Conv2D::new(3, 2))
            .layer(Flatten::new())
            .layer(Dense::new(2))
            .build(1)
            .unwrap();
        let (mut tape, mut rng) = (Tape::new(), Rng::new(0, 0));
        let x = tape.constant(Tensor::full([2, 8, 8, 1], 0.5));
        let pass = model.forward(&tape, x, Pass::training(&mut rng)).unwrap();
        let loss = tape.mean(&pass.output).unwrap();
        let mut told = Vec::new();
        tape.backward_on_leaf(&loss, &mut |leaf, gradient| {
            assert!(gradient.tensor().as_slice().iter().any(|&g| g != 0.0));
            told.push(leaf);
        })
        .unwrap();
        let layers = |leaf| {
            let at = pass.parameters.iter().position(|p| p.leaf_id() == Some(leaf)).unwrap();
            model.parameters()[at].name.split('.').next().unwrap()
        };
        let told: Vec<_> = told.into_iter().map(layers).collect();
        assert_eq!(told, ["dense1", "dense1", "conv2", "conv2", "conv1", "conv1"]);
    }
}
