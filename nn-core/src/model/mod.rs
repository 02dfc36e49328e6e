//! Models: graphs of layers with their parameters, and their files.
//!
//! A [`Model`] is built once, with every shape inferred and checked; after that only its parameters can
//! change. Its nodes are layers, each with the values it takes: the model's input, or outputs of earlier
//! nodes. [`GraphBuilder`] builds any graph; [`Sequential::builder`] is the short way to write a chain.
//! Parameters are named `NODE.PART` (`conv1.weight`) and have a fixed order.
//!
//! ```
//! use nn_core::layers::{Activation, Conv2D, Dense, Flatten, MaxPool2D, Rescaling};
//! use nn_core::model::Sequential;
//!
//! let model: Sequential = Sequential::builder([32, 32, 3])
//!     .layer(Rescaling::new(1.0 / 255.0))
//!     .layer(Conv2D::new(8, 3).activation(Activation::Relu))
//!     .layer(MaxPool2D::new(2))
//!     .layer(Flatten::new())
//!     .layer(Dense::new(2).activation(Activation::Softmax))
//!     .build(27)?;
//! assert_eq!(model.get("conv1.weight").unwrap().value.dims(), [8, 3, 3, 3]);
//! assert_eq!(model.parameter_count(), 224 + 3602);
//! println!("{}", model.summary());
//! # Ok::<(), nn_core::Error>(())
//! ```

mod architecture;
mod builder;
mod chaining;
mod checks;
mod feature_map;
mod file;
mod folding;
mod forward;
mod front;
mod fusion;
mod graph;
mod names;
pub mod networks;
mod output;
mod paths;
mod predictor;
mod preprocessing;
mod receptive_field;
mod reference;
pub mod safetensors;
mod state_dict;
mod summary;
mod transfer;

pub use architecture::{Architecture, NamedLayer};
pub use builder::SequentialBuilder;
pub use file::{ModelFile, load, load_as, load_with, save, save_with};
pub use forward::{Output, Pass, StateUpdates};
pub use graph::{GraphBuilder, NodeId};
#[doc(hidden)]
pub use names::LayerNames;
pub use predictor::Predictor;
pub use preprocessing::Preprocessing;
pub use receptive_field::{ReceptiveAxis, ReceptiveField};
pub use reference::ReferenceCnn;
pub use state_dict::StateDict;
#[doc(hidden)]
pub use summary::thousands;
pub use summary::{Summary, SummaryRow};

use crate::error::{Error, Result};
use crate::kernels::{Conv2dGeometry, Kernels};
use crate::layers::{Layer, LayerKinds, OutputKind, Parameter, convolution_of};
use crate::rng::{Rng, stream};
use crate::tensor::{Shape, Tensor};
use std::any::Any;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// A graph of layers, with their parameters.
///
/// Clones share the parameters' memory until one of them changes it.
#[derive(Debug, Clone)]
pub struct Model<T: Kernels = f32> {
    name: String,
    input: Shape,
    /// In an order in which each takes values of earlier ones only.
    nodes: Vec<Node<T>>,
    parameters: Vec<Parameter<T>>,
    /// The values that are outputs, the main one first: 0 is the model's input, `i + 1` that of node `i`.
    outputs: Vec<usize>,
    kind: OutputKind,
}

/// The name of a [`Model`] that is a chain of layers.
pub type Sequential<T = f32> = Model<T>;

/// A layer in a graph.
#[derive(Debug, Clone)]
struct Node<T: Kernels> {
    name: String,
    layer: Arc<dyn Layer<T>>,
    /// The values it takes, numbered as [`Model::outputs`].
    inputs: Vec<usize>,
    /// Shape of its output, without the batch dimension.
    output: Shape,
    /// The range of its parameters among the model's.
    parameters: Range<usize>,
}

impl<T: Kernels> Node<T> {
    /// Its name in errors: `conv3 (Conv2D)`.
    fn label(&self) -> String {
        label(&self.name, self.layer.kind())
    }

    /// The layer, if it is of this type.
    fn is<L: 'static>(&self) -> Option<&L> {
        let layer: &dyn Any = self.layer.as_ref();
        layer.downcast_ref()
    }
}

fn label(name: &str, kind: &str) -> String {
    format!("{name} ({kind})")
}

impl Model {
    /// Starts a chain of layers in `f32` for inputs of this shape, without the batch dimension:
    /// `[height, width, channels]` for images. For `f64` use [`SequentialBuilder::new`].
    pub fn builder(input: impl Into<Shape>) -> SequentialBuilder {
        SequentialBuilder::new(input)
    }
}

impl<T: Kernels> Model<T> {
    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape of an input, without the batch dimension.
    pub fn input_shape(&self) -> &Shape {
        &self.input
    }

    /// The shape of the output, without the batch dimension.
    pub fn output_shape(&self) -> &Shape {
        self.value_shape(self.outputs[0])
    }

    /// The number of outputs, one per class in a classifier.
    pub fn classes(&self) -> usize {
        self.output_shape().len()
    }

    /// The output kind.
    pub fn output_kind(&self) -> OutputKind {
        self.kind
    }

    /// The layers' names and kinds, in order.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = (&str, &'static str)> {
        self.nodes.iter().map(|node| (node.name.as_str(), node.layer.kind()))
    }

    /// The names of the layers whose outputs a layer takes; `input` is the model's input.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn layer_inputs(&self, layer: &str) -> Result<Vec<&str>> {
        let inputs = &self.nodes[self.node_index(layer)?].inputs;
        Ok(inputs.iter().map(|&value| self.value_name(value)).collect())
    }

    /// The names of the layers whose values are outputs, the main one first.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|&value| self.value_name(value))
    }

    /// The name of a value, by its number.
    fn value_name(&self, value: usize) -> &str {
        value.checked_sub(1).map_or(graph::INPUT, |node| &self.nodes[node].name)
    }

    /// The shape of a value, by its number.
    fn value_shape(&self, value: usize) -> &Shape {
        value.checked_sub(1).map_or(&self.input, |node| &self.nodes[node].output)
    }

    /// How often each value is taken, by nodes and as an output.
    fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len() + 1];
        let taken = self.nodes.iter().flat_map(|node| &node.inputs).chain(&self.outputs);
        taken.for_each(|&value| uses[value] += 1);
        uses
    }

    /// The shapes of a node's inputs.
    fn input_shapes(&self, node: &Node<T>) -> Vec<Shape> {
        node.inputs.iter().map(|&value| self.value_shape(value).clone()).collect()
    }

    /// The shape of a layer's output, without the batch dimension.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn layer_output_shape(&self, layer: &str) -> Result<&Shape> {
        Ok(&self.nodes[self.node_index(layer)?].output)
    }

    /// The convolution that a layer is, for one sample; `None` if it is none.
    ///
    /// # Errors
    /// If there is no layer of that name.
    #[doc(hidden)]
    pub fn convolution(&self, layer: &str) -> Result<Option<Conv2dGeometry>> {
        let node = &self.nodes[self.node_index(layer)?];
        Ok(convolution_of(node.layer.as_ref(), &self.input_shapes(node)))
    }

    fn node_index(&self, layer: &str) -> Result<usize> {
        let index = self.nodes.iter().position(|node| node.name == layer);
        index.ok_or_else(|| self.no_layer(layer))
    }

    fn no_layer(&self, name: &str) -> Error {
        let names: Vec<_> = self.layers().map(|(name, _)| name).collect();
        Error::setting("the layer", format!("one of {}", names.join(", ")), name, "choose one")
    }

    /// For each node, whether it is one of these layers.
    ///
    /// # Errors
    /// If there is no layer of one of the names.
    fn marked(&self, layers: &[&str]) -> Result<Vec<bool>> {
        let mut left: HashSet<&str> = layers.iter().copied().collect();
        let marked = self.nodes.iter().map(|node| left.remove(node.name.as_str())).collect();
        let unknown = layers.iter().find(|layer| left.contains(**layer));
        unknown.map_or(Ok(marked), |unknown| Err(self.no_layer(unknown)))
    }

    /// The parameters, in order.
    pub fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    /// The parameters, for an optimiser. Their shapes and order must not change.
    pub fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }

    /// The parameters of one layer, in order; empty for a layer without parameters.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn layer_parameters(&self, layer: &str) -> Result<&[Parameter<T>]> {
        Ok(&self.parameters[self.nodes[self.node_index(layer)?].parameters.clone()])
    }

    /// The parameter of this name: `conv1.weight`.
    pub fn get(&self, name: &str) -> Option<&Parameter<T>> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Replaces the value of a parameter.
    ///
    /// # Errors
    /// If there is no such parameter, or its shape is different.
    pub fn set(&mut self, name: &str, value: impl Into<Arc<Tensor<T>>>) -> Result<()> {
        let value = value.into();
        let Some(parameter) = self.parameters.iter_mut().find(|p| p.name == name) else {
            let names: Vec<_> = self.parameters.iter().map(|p| p.name.as_str()).collect();
            return Err(Error::setting(
                "the parameter",
                format!("one of {}", names.join(", ")),
                name,
                "choose one",
            ));
        };
        if parameter.value.shape() != value.shape() {
            return Err(Error::shape(
                name,
                format!("a tensor of shape {}", parameter.value.shape()),
                value.shape(),
                "a parameter's shape is fixed when the model is built",
            ));
        }
        parameter.value = value;
        Ok(())
    }

    /// Gives this model the parameters of `part`: a model whose layers it has, such as one that
    /// [`split_at`](Model::split_at) took out of it.
    ///
    /// # Errors
    /// If it has no parameter of a name, or one of another shape; those before it are set then.
    pub fn set_all(&mut self, part: &Self) -> Result<()> {
        part.parameters.iter().try_for_each(|own| self.set(&own.name, Arc::clone(&own.value)))
    }

    /// Draws a layer's parameters anew from its initialisers and `seed`. They are independent of those
    /// that [`build`](SequentialBuilder::build) drew from the same seed: a trained weight is still
    /// correlated with its initial value.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn reinitialize(&mut self, layer: &str, seed: u64) -> Result<()> {
        let node = &self.nodes[self.node_index(layer)?];
        let specs = node.layer.parameters(&self.input_shapes(node))?;
        for (i, spec) in node.parameters.clone().zip(specs) {
            let mut rng = Rng::new(seed, stream::RANDOMIZE + i as u64);
            let value = spec.initializer.tensor(&spec.shape, spec.fans, &mut rng);
            self.parameters[i].value = Arc::new(value);
        }
        Ok(())
    }

    /// The number of elements of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(|parameter| parameter.value.len()).sum()
    }

    /// The same model in another precision, for example `f64` for gradient checks.
    ///
    /// # Errors
    /// If a layer is not a built-in one: it exists in one precision only.
    pub fn cast<U: Kernels>(&self) -> Result<Model<U>> {
        let kinds = LayerKinds::built_in();
        let node = |node: &Node<T>| {
            let config = node.layer.config();
            let config = config.ok_or_else(|| architecture::cannot_be_stored(&node.label()))?;
            Ok(Node {
                name: node.name.clone(),
                layer: kinds.layer(config)?,
                inputs: node.inputs.clone(),
                output: node.output.clone(),
                parameters: node.parameters.clone(),
            })
        };
        let parameter = |parameter: &Parameter<T>| Parameter {
            name: parameter.name.clone(),
            value: Arc::new(parameter.value.cast()),
            trainable: parameter.trainable,
            state: parameter.state,
        };
        Ok(Model {
            name: self.name.clone(),
            input: self.input.clone(),
            nodes: self.nodes.iter().map(node).collect::<Result<_>>()?,
            parameters: self.parameters.iter().map(parameter).collect(),
            outputs: self.outputs.clone(),
            kind: self.kind,
        })
    }
}

#[cfg(test)]
mod tests;
