//! Building of graphs: nodes, their names, shape inference, initial parameters.

use super::checks::{check_channels_last, check_parameters, check_sample};
use super::names::LayerNames;
use super::output::{self, End};
use super::{Model, Node, label};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{Layer, OutputKind, Parameter, ParameterSpec};
use crate::rng::{Rng, stream};
use crate::tensor::{Shape, Tensor};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name by which files call a model's input.
pub(super) const INPUT: &str = "input";

/// A value in a graph that is being built: the model's input, or a node's output. Clones of a graph share the
/// nodes that it had, and no later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// A number that no other node of any graph has.
    id: u64,
    /// 0 is the model's input, `i + 1` the output of node `i`.
    value: usize,
}

/// A number that no node has yet.
fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl AsRef<[NodeId]> for NodeId {
    fn as_ref(&self) -> &[NodeId] {
        std::slice::from_ref(self)
    }
}

/// Collects the nodes of a [`Model`]: layers, each with the values it takes.
///
/// A block of layers is a function that adds its nodes and returns the last one:
///
/// ```
/// use nn_core::layers::{Activation, Add, Conv2D, Dense, GlobalAveragePool2D, Padding};
/// use nn_core::model::{GraphBuilder, NodeId};
///
/// /// `relu(x + conv(relu(conv(x))))`
/// fn residual(graph: &mut GraphBuilder, x: NodeId, filters: usize) -> NodeId {
///     let conv = || Conv2D::new(filters, 3).padding(Padding::Same);
///     let y = graph.layer(conv().activation(Activation::Relu), x);
///     let y = graph.layer(conv(), y);
///     let sum = graph.layer(Add::new(), [x, y]);
///     graph.layer(Activation::Relu, sum)
/// }
///
/// let mut graph = GraphBuilder::new([32, 32, 3]);
/// let x = graph.layer(Conv2D::new(16, 3), graph.input());
/// let x = graph.within("block1", |graph| residual(graph, x, 16));
/// let x = graph.layer(GlobalAveragePool2D::new(), x);
/// let logits = graph.layer(Dense::new(10).activation(Activation::Softmax), x);
/// let model = graph.build(logits, 27)?;
/// assert!(model.get("block1.conv2.weight").is_some());
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GraphBuilder<T: Kernels = f32> {
    /// The numbers of the input and of each node, to tell them from those of other graphs.
    ids: Vec<u64>,
    name: String,
    input: Shape,
    nodes: Vec<Draft<T>>,
    /// The prefix of names, with its full stop.
    scope: String,
    /// Outputs beside the main one.
    outputs: Vec<NodeId>,
    kind: Option<OutputKind>,
    /// Whether the layers come from a built model, whose final activation was already removed.
    built_before: bool,
    /// Whether the caller confirmed that the input is channels-last.
    channels_last: bool,
}

/// A node whose name and shape are not determined yet.
#[derive(Debug, Clone)]
struct Draft<T: Kernels> {
    scope: String,
    name: Option<String>,
    layer: Arc<dyn Layer<T>>,
    inputs: Vec<NodeId>,
}

impl<T: Kernels> GraphBuilder<T> {
    /// Starts a network for inputs of this shape, without the batch dimension:
    /// `[height, width, channels]` for images. `GraphBuilder::<f64>::new(..)` starts one in double
    /// precision.
    pub fn new(input: impl Into<Shape>) -> Self {
        Self {
            ids: vec![new_id()],
            name: "graph".into(),
            input: input.into(),
            nodes: Vec::new(),
            scope: String::new(),
            outputs: Vec::new(),
            kind: None,
            built_before: false,
            channels_last: false,
        }
    }

    /// Names the model.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The model's input.
    pub fn input(&self) -> NodeId {
        self.node(0)
    }

    /// The index of a node of this graph; `None` for the model's input.
    fn index(&self, node: NodeId) -> Option<usize> {
        node.value.checked_sub(1).filter(|_| self.has(node))
    }

    fn has(&self, node: NodeId) -> bool {
        self.ids.get(node.value) == Some(&node.id)
    }

    fn node(&self, value: usize) -> NodeId {
        NodeId { id: self.ids[value], value }
    }

    /// Adds a layer that takes `inputs` (one node, or an array of them) and returns its output. It is
    /// named by the layer's prefix and a counter: `conv1`, `conv2`, `dense1`, ...
    pub fn layer(
        &mut self,
        layer: impl Layer<T> + 'static,
        inputs: impl AsRef<[NodeId]>,
    ) -> NodeId {
        self.shared_layer(None, Arc::new(layer), inputs.as_ref())
    }

    /// Adds a layer with a given name.
    pub fn named(
        &mut self,
        name: impl Into<String>,
        layer: impl Layer<T> + 'static,
        inputs: impl AsRef<[NodeId]>,
    ) -> NodeId {
        self.shared_layer(Some(name.into()), Arc::new(layer), inputs.as_ref())
    }

    /// Adds a layer whose description is shared, or was read from a file, under the name `name`. Its parameters are
    /// its own: a layer is a description without numbers.
    pub fn shared(
        &mut self,
        name: impl Into<String>,
        layer: Arc<dyn Layer<T>>,
        inputs: impl AsRef<[NodeId]>,
    ) -> NodeId {
        self.shared_layer(Some(name.into()), layer, inputs.as_ref())
    }

    pub(super) fn shared_layer(
        &mut self,
        name: Option<String>,
        layer: Arc<dyn Layer<T>>,
        inputs: &[NodeId],
    ) -> NodeId {
        let (scope, inputs) = (self.scope.clone(), inputs.to_vec());
        self.nodes.push(Draft { scope, name, layer, inputs });
        self.ids.push(new_id());
        self.node(self.nodes.len())
    }

    /// Adds the nodes that `block` adds, with `scope` and a full stop before their names.
    pub fn within<R>(&mut self, scope: &str, block: impl FnOnce(&mut Self) -> R) -> R {
        let len = self.scope.len();
        self.scope += &format!("{scope}.");
        let result = block(self);
        self.scope.truncate(len);
        result
    }

    /// Makes the value of a node an output beside the main one, such as a feature map
    /// ([`Output::also`](super::Output::also)).
    pub fn also_output(&mut self, node: NodeId) {
        self.outputs.push(node);
    }

    /// Sets the output kind. By default it is inferred: a softmax or sigmoid at the end of the last
    /// layer is removed from it and becomes the model's output kind, so that the network itself
    /// computes logits. [`OutputKind::Linear`] prevents that: the activation stays in the layer, and
    /// the model's outputs are plain numbers. If other nodes take the value of such an
    /// [`Activation`](crate::layers::Activation), it stays for them, and what it takes becomes the output.
    pub fn output_kind(mut self, kind: OutputKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Confirms that the input is `[height, width, channels]` although it looks like
    /// `[channels, height, width]`: three rows and 224 channels, for example.
    pub fn channels_last(mut self) -> Self {
        self.channels_last = true;
        self
    }

    /// Like [`GraphBuilder::output_kind`], for layers that come from a built model.
    pub(super) fn output_as_built(mut self, kind: OutputKind) -> Self {
        (self.built_before, self.channels_last) = (true, true);
        self.output_kind(kind)
    }

    /// Builds the model whose main output is that of the node `output`, and draws its parameters from
    /// `seed`, each from a random stream of its own: adding a layer at the end does not change the
    /// parameters of earlier layers.
    ///
    /// # Errors
    /// If the shapes of connected layers do not match: the error has the layer's name and, if larger
    /// images would help, the smallest sufficient size. If a setting or name is invalid, or a node
    /// leads to no output.
    pub fn build(self, output: NodeId, seed: u64) -> Result<Model<T>> {
        self.build_with(output, |i, _, spec| {
            let mut rng = Rng::new(seed, stream::INITIALIZE + i as u64);
            Ok(spec.initializer.tensor(&spec.shape, spec.fans, &mut rng))
        })
    }

    /// Builds the model with parameters from `value(index, name, specification)` instead of drawn ones: those of a
    /// file, for example.
    ///
    /// ```
    /// use nn_core::Tensor;
    /// use nn_core::layers::Dense;
    /// use nn_core::model::{GraphBuilder, Model};
    /// let mut graph = GraphBuilder::new([3]);
    /// let output = graph.layer(Dense::new(2), graph.input());
    /// let model: Model = graph.build_with(output, |_, name, spec| {
    ///     Ok(Tensor::full(&spec.shape, if name == "dense1.bias" { 1.0 } else { 0.5 }))
    /// })?;
    /// assert_eq!(model.predict(Tensor::full([1, 3], 2.0))?.as_slice(), [4.0, 4.0]);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`GraphBuilder::build`]; that of `value`; if a value has another shape than specified.
    pub fn build_with(
        mut self,
        output: NodeId,
        mut value: impl FnMut(usize, &str, &ParameterSpec) -> Result<Tensor<T>>,
    ) -> Result<Model<T>> {
        self.check_input()?;
        let (output, kind) = self.take_output(output)?;
        self.outputs.insert(0, output);
        let names = self.names()?;
        self.check_connections(&names)?;
        // All shapes first: nothing is allocated for an invalid network.
        let mut nodes: Vec<Node<T>> = Vec::new();
        let mut specs: Vec<(String, ParameterSpec)> = Vec::new();
        let mut shapes = vec![self.input.clone()];
        for (name, draft) in names.into_iter().zip(&self.nodes) {
            let layer = draft.layer.as_ref();
            let inferred = infer(layer, &inputs_of(&shapes, &draft.inputs));
            let (next, wanted) =
                inferred.map_err(|e| self.explain(e, &label(&name, layer.kind())))?;
            let first = specs.len();
            specs.extend(wanted.into_iter().map(|spec| (format!("{name}.{}", spec.name), spec)));
            nodes.push(Node {
                name,
                layer: Arc::clone(&draft.layer),
                inputs: draft.inputs.iter().map(|input| input.value).collect(),
                output: next.clone(),
                parameters: first..specs.len(),
            });
            shapes.push(next);
        }
        check_parameters(&specs)?;
        let mut parameters = Vec::with_capacity(specs.len());
        for (i, (name, spec)) in specs.into_iter().enumerate() {
            let value = value(i, &name, &spec)?;
            if *value.shape() != spec.shape {
                return Err(Error::shape(
                    &name,
                    format!("a tensor of shape {}", spec.shape),
                    value.shape(),
                    "a parameter's shape follows from the layer and its inputs",
                ));
            }
            let value = Arc::new(value);
            let ParameterSpec { trainable, state, .. } = spec;
            parameters.push(Parameter { name, value, trainable, state });
        }
        let outputs = self.outputs.into_iter().map(|node| node.value).collect();
        Ok(Model { name: self.name, input: self.input, nodes, parameters, outputs, kind })
    }

    fn check_input(&self) -> Result<()> {
        if self.input.is_empty() || self.input.rank() == 0 {
            return Err(Error::shape(
                "model input",
                "at least one dimension, none of them 0",
                &self.input,
                "pass [height, width, channels] for images",
            ));
        }
        check_sample("model", "input", &self.input)?;
        if self.channels_last { Ok(()) } else { check_channels_last(&self.input) }
    }

    /// The node that computes the main output and the output kind, after a final softmax or sigmoid is
    /// removed, unless the kind is set to linear.
    fn take_output(&mut self, output: NodeId) -> Result<(NodeId, OutputKind)> {
        if self.built_before {
            return Ok((output, self.kind.unwrap_or_default()));
        }
        let mut back = Vec::new();
        let mut next = output;
        while let Some(draft) = self.index(next).and_then(|i| self.nodes.get(i)) {
            back.push(Arc::clone(&draft.layer));
            match *draft.inputs {
                [before] if before.value < next.value && output::passes_on(&*draft.layer) => {
                    next = before;
                }
                _ => break,
            }
        }
        let mut taken = self.nodes.iter().flat_map(|node| &node.inputs).chain(&self.outputs);
        let is_taken = taken.any(|value| *value == output);
        let (kind, end) = output::end(self.kind, &back, is_taken)?;
        let kind = kind.unwrap_or_default();
        let Some(at) = self.index(output).filter(|&at| at < self.nodes.len()) else {
            return Ok((output, kind));
        };
        let count = self.nodes.len();
        let draft = &mut self.nodes[at];
        let before = draft.inputs.first().copied().filter(|_| draft.inputs.len() == 1);
        match (end, before) {
            (End::Replaced(without), before) => {
                let is_last = at + 1 == count && draft.layer.kind() == "Activation";
                match before.filter(|_| is_last) {
                    None => draft.layer = without,
                    Some(before) => {
                        self.nodes.pop();
                        return Ok((before, kind));
                    }
                }
            }
            (End::Before, Some(before)) => return Ok((before, kind)),
            _ => {}
        }
        Ok((output, kind))
    }

    /// The nodes' names: given ones unchanged, others from prefix and counter.
    fn names(&self) -> Result<Vec<String>> {
        let mut names = LayerNames::default();
        let is_chain = self.outputs == [self.node(self.nodes.len())]
            && self.nodes.iter().enumerate().all(|(i, draft)| draft.inputs == [self.node(i)]);
        if !is_chain {
            names.take(INPUT);
        }
        for draft in &self.nodes {
            let Some(name) = &draft.name else { continue };
            if name.is_empty() || !names.take(format!("{}{name}", draft.scope)) {
                return Err(Error::setting(
                    "a layer's name",
                    "non-empty and used once; in a graph, input is the model's input",
                    format!("{name:?}"),
                    "give each layer a name of its own, or none",
                ));
            }
        }
        let named = self.nodes.iter().map(|Draft { scope, name, layer, .. }| match name {
            Some(name) => format!("{scope}{name}"),
            None => names.count(format!("{scope}{}", layer.name_prefix())),
        });
        Ok(named.collect())
    }

    /// Checks that nodes take values that are there before them, and that each leads to an output.
    fn check_connections(&self, names: &[String]) -> Result<()> {
        let mut used = vec![false; self.nodes.len() + 1];
        for output in &self.outputs {
            match used.get_mut(output.value).filter(|_| self.has(*output)) {
                Some(used) => *used = true,
                None => return Err(another_graph("an output of the model")),
            }
        }
        for (i, draft) in self.nodes.iter().enumerate().rev() {
            let label = || label(&names[i], draft.layer.kind());
            if !used[i + 1] {
                return Err(Error::setting(
                    label(),
                    "a node that leads to an output",
                    "one whose value nobody takes",
                    "connect it, call also_output for it, or leave it out",
                ));
            }
            for input in &draft.inputs {
                if input.value > i || !self.has(*input) {
                    return Err(another_graph(&label()));
                }
                used[input.value] = true;
            }
        }
        Ok(())
    }

    /// Adds the layer's name to an error, and the smallest image size that would be sufficient.
    fn explain(&self, error: Error, layer: &str) -> Error {
        match error {
            Error::Shape { at: _, expected, received, remedy } => {
                let remedy = match (self.smallest_square_input(), self.input.dims()) {
                    (Some(smallest), &[h, w, _]) if smallest > h.min(w) => format!(
                        "the image size {h}x{w} is too small for the network, use at least \
                         {smallest}x{smallest}"
                    ),
                    _ => remedy,
                };
                Error::Shape { at: layer.into(), expected, received, remedy }
            }
            Error::Setting { what, expected, received, remedy } => {
                Error::Setting { what: format!("{layer}: {what}"), expected, received, remedy }
            }
            other => other,
        }
    }

    /// The side of the smallest square image that these layers accept, with the input's channels;
    /// `None` if the input is not an image, or no image of up to 4096 pixels a side is accepted (fewer
    /// if there are thousands of layers).
    pub fn smallest_square_input(&self) -> Option<usize> {
        let &[_, _, channels] = self.input.dims() else {
            return None;
        };
        // A file may describe any number of layers, each with any number of inputs.
        let taken: usize = self.nodes.iter().map(|draft| 1 + draft.inputs.len()).sum();
        let most = (MOST_TRIALS / taken.max(1)).clamp(1, 4096);
        (1..=most).find(|&side| {
            let mut shapes = vec![Shape::from([side, side, channels])];
            self.nodes.iter().all(|draft| {
                let shape = draft.layer.output_shape(&inputs_of(&shapes, &draft.inputs));
                shape.map(|shape| shapes.push(shape)).is_ok()
            })
        })
    }
}

/// The most shapes that are inferred or looked at to find an image size.
const MOST_TRIALS: usize = 1 << 22;

fn inputs_of(shapes: &[Shape], inputs: &[NodeId]) -> Vec<Shape> {
    inputs.iter().filter_map(|input| shapes.get(input.value)).cloned().collect()
}

fn another_graph(at: &str) -> Error {
    Error::setting(
        at,
        "nodes of this graph, added before",
        "a node of another graph",
        "add it here",
    )
}

/// A layer's output shape and parameters, with the output's size checked.
fn infer<T: Kernels>(
    layer: &dyn Layer<T>,
    inputs: &[Shape],
) -> Result<(Shape, Vec<ParameterSpec>)> {
    let output = layer.output_shape(inputs)?;
    check_sample(layer.kind(), "output", &output)?;
    Ok((output, layer.parameters(inputs)?))
}
