//! The network as it is lowered: layers of nn-core in an order in which they can run, each with the numbers that
//! are its parameters. The passes of [`crate::simplify`] work on it; [`crate::emit`] makes a model of it.

use crate::array::{MOST_ELEMENTS, elements};
use crate::refusal::{Refusal, Result};
use nn_core::Shape;
use nn_core::layers::Layer;
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

/// A value of a [`Net`]: 0 is the input, `i + 1` what step `i` computes.
pub type ValueId = usize;

/// Layers in order.
#[derive(Debug)]
pub struct Net {
    pub input: Shape,
    pub steps: Vec<Step>,
    /// The value that takes the place of each: itself, unless a pass found another.
    replaced: Vec<ValueId>,
    /// The numbers of all parameters that were added.
    numbers: usize,
}

/// A layer, what it takes, and its parameters in the order in which it asks for them.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub layer: Arc<dyn Layer<f32>>,
    pub inputs: Vec<ValueId>,
    pub parameters: Vec<Weight>,
    /// Of its value, without the batch dimension.
    pub shape: Shape,
}

impl Step {
    /// The layer, if it is of this type.
    pub fn is<L: 'static>(&self) -> Option<&L> {
        let layer: &dyn Any = self.layer.as_ref();
        layer.downcast_ref()
    }
}

/// The numbers of a parameter. The layer that has it knows the shape.
pub type Weight = Rc<Vec<f32>>;

impl Net {
    pub fn new(input: impl Into<Shape>) -> Self {
        Self { input: input.into(), steps: Vec::new(), replaced: vec![0], numbers: 0 }
    }

    pub fn shape(&self, value: ValueId) -> &Shape {
        value.checked_sub(1).map_or(&self.input, |step| &self.steps[step].shape)
    }

    /// The step that computes a value; `None` for the input.
    pub fn step(&self, value: ValueId) -> Option<&Step> {
        self.steps.get(value.checked_sub(1)?)
    }

    /// The step that computes a value, if its layer is of this type.
    pub fn find<L: 'static>(&self, value: ValueId) -> Option<(&Step, &L)> {
        let step = self.step(value)?;
        Some((step, step.is()?))
    }

    /// Adds a layer; its value.
    pub fn add(
        &mut self,
        name: String,
        layer: Arc<dyn Layer<f32>>,
        inputs: Vec<ValueId>,
        parameters: Vec<Weight>,
    ) -> Result<ValueId> {
        let step = self.checked(name, layer, inputs, parameters)?;
        let own = step.parameters.iter().map(|weight| weight.len());
        self.numbers = own.fold(self.numbers, usize::saturating_add);
        // A weight that many nodes take is there once for each in the model.
        if self.numbers > MOST_ELEMENTS {
            return Err(Refusal::new(
                format!("all its weights so far have more than {MOST_ELEMENTS} numbers"),
                "this is no image classifier that can be read",
            ));
        }
        self.steps.push(step);
        self.replaced.push(self.steps.len());
        Ok(self.steps.len())
    }

    /// Puts another layer in the place of step `i`, whose value keeps its shape.
    pub fn put(
        &mut self,
        i: usize,
        layer: Arc<dyn Layer<f32>>,
        inputs: Vec<ValueId>,
        parameters: Vec<Weight>,
    ) -> Result<()> {
        let name = self.steps[i].name.clone();
        let step = self.checked(name, layer, inputs, parameters)?;
        if step.shape != self.steps[i].shape {
            let problem = format!("a value {} became {}", self.steps[i].shape, step.shape);
            return Err(Refusal::new(problem, "this is a fault of nn-onnx, please report it"));
        }
        self.steps[i] = step;
        Ok(())
    }

    fn checked(
        &self,
        name: String,
        layer: Arc<dyn Layer<f32>>,
        inputs: Vec<ValueId>,
        parameters: Vec<Weight>,
    ) -> Result<Step> {
        let shapes: Vec<_> = inputs.iter().map(|&value| self.shape(value).clone()).collect();
        let shape = layer.output_shape(&shapes)?;
        elements(shape.dims())?;
        let wanted = layer.parameters(&shapes)?;
        let wanted_len = |i: usize| wanted.get(i).map(|spec| spec.shape.len());
        let fits = |(i, weight): (usize, &Weight)| wanted_len(i) == Some(weight.len());
        if wanted.len() != parameters.len() || !parameters.iter().enumerate().all(fits) {
            let names = wanted.iter().map(|spec| format!("{} {}", spec.name, spec.shape));
            let lens: Vec<_> = parameters.iter().map(|weight| weight.len()).collect();
            return Err(Refusal::new(
                format!(
                    "its weights have {lens:?} numbers, where {} are needed",
                    names.collect::<Vec<_>>().join(" and ")
                ),
                "the weights do not fit the graph; export the model again",
            ));
        }
        Ok(Step { name, layer, inputs, parameters, shape })
    }

    /// What takes the place of a value.
    pub fn resolve(&self, mut value: ValueId) -> ValueId {
        while self.replaced[value] != value {
            value = self.replaced[value];
        }
        value
    }

    /// Lets whoever takes the value of step `i` take an earlier one.
    pub fn replace(&mut self, i: usize, by: ValueId) {
        self.replaced[i + 1] = by;
    }

    /// Lets step `i` take what has taken the place of its inputs.
    pub fn refresh(&mut self, i: usize) {
        let inputs: Vec<_> =
            self.steps[i].inputs.iter().map(|&value| self.resolve(value)).collect();
        self.steps[i].inputs = inputs;
    }

    /// How often each value is taken on the way to `output`, which counts as one.
    pub fn uses(&self, output: ValueId) -> Vec<usize> {
        let mut uses = vec![0; self.steps.len() + 1];
        uses[self.resolve(output)] = 1;
        for i in (0..self.steps.len()).rev() {
            if uses[i + 1] > 0 {
                for &input in &self.steps[i].inputs {
                    uses[self.resolve(input)] += 1;
                }
            }
        }
        uses
    }
}
