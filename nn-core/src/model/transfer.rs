//! Transfer learning: a trained network gets another classifier, and is divided into what stays as it is and
//! what is trained.

use super::{Model, Node};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Kernels;
use crate::layers::{Conv2D, Dense, Layer, OutputKind, Parameter};
use crate::rng::{Rng, stream};
use std::ops::Range;
use std::sync::Arc;

impl<T: Kernels> Model<T> {
    /// The layer that tells classes apart: the last one with parameters on the way to the main output, which has
    /// an output for each of them. `None` if that is neither a [`Dense`] nor a [`Conv2D`].
    pub fn classifier(&self) -> Option<&str> {
        self.classifier_index().map(|node| self.nodes[node].name.as_str())
    }

    fn classifier_index(&self) -> Option<usize> {
        let on_the_way = self.nodes_before(self.outputs[0]);
        let has_parameters = |&i: &usize| on_the_way[i] && !self.nodes[i].parameters.is_empty();
        let last = (0..self.nodes.len()).rev().find(has_parameters)?;
        let node = &self.nodes[last];
        let outputs = node.is::<Dense>().map(|dense| dense.units);
        let outputs = outputs.or(node.is::<Conv2D>().map(|conv| conv.filters))?;
        (self.output_shape().dims() == [outputs]).then_some(last)
    }

    /// This network with a new [classifier](Model::classifier) for `classes` classes, whose parameters are drawn
    /// from `seed`. All others stay. Outputs beside the main one fall away; the output kind becomes softmax.
    ///
    /// # Errors
    /// If there are fewer than two classes, or the network ends in no layer that could be replaced.
    ///
    /// ```
    /// use nn_core::layers::{Dense, OutputKind};
    /// use nn_core::model::{Model, Sequential};
    /// let trained: Model =
    ///     Sequential::builder([4]).layer(Dense::new(8)).layer(Dense::new(1000)).build(27)?;
    /// let model = trained.clone().with_classes(2, 1)?;
    /// assert_eq!(model.output_shape().dims(), [2]);
    /// assert_eq!(model.get("dense1.weight").unwrap().value, trained.get("dense1.weight").unwrap().value);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn with_classes(self, classes: usize, seed: u64) -> Result<Self> {
        if classes < 2 {
            let remedy = "a classifier needs something to tell apart";
            return Err(Error::setting("the number of classes", "2 or more", classes, remedy));
        }
        let mut model = self.with_main_output_alone();
        let Some(at) = model.classifier_index() else {
            return Err(model.no_classifier());
        };
        let node = &model.nodes[at];
        let layer: Arc<dyn Layer<T>> = match (node.is::<Dense>(), node.is::<Conv2D>()) {
            (Some(_), _) => Arc::new(Dense::new(classes)),
            (_, Some(conv)) => {
                let initializer = Initializer::default();
                Arc::new(Conv2D {
                    filters: classes,
                    groups: 1,
                    bias: true,
                    initializer,
                    ..conv.clone()
                })
            }
            _ => return Err(model.no_classifier()),
        };
        let specs = layer.parameters(&model.input_shapes(node))?;
        let first = node.parameters.start;
        model.nodes[at].layer = layer;
        model.parameters.truncate(first);
        for (i, spec) in (first..).zip(specs) {
            let mut rng = Rng::new(seed, stream::INITIALIZE + i as u64);
            let value = Arc::new(spec.initializer.tensor(&spec.shape, spec.fans, &mut rng));
            let name = format!("{}.{}", model.nodes[at].name, spec.name);
            model.parameters.push(Parameter { name, value, trainable: true, state: false });
        }
        let end = model.parameters.len();
        model.nodes[at].parameters = first..end;
        for i in at..model.nodes.len() {
            let inputs = model.input_shapes(&model.nodes[i]);
            model.nodes[i].output = model.nodes[i].layer.output_shape(&inputs)?;
            if i > at {
                model.nodes[i].parameters = end..end;
            }
        }
        if model.output_shape().dims() != [classes] {
            return Err(model.no_classifier());
        }
        model.kind = OutputKind::Softmax;
        Ok(model)
    }

    /// The error for a network whose end cannot be replaced.
    fn no_classifier(&self) -> Error {
        let last = self.nodes.iter().rev().find(|node| !node.parameters.is_empty());
        Error::setting(
            format!("the last layer with parameters of the network {}", self.name),
            "a Dense or Conv2D layer with an output for each class, and nothing behind it that needs their number",
            last.map_or("none".into(), |node| {
                format!("{} with outputs {}", node.label(), self.output_shape())
            }),
            "use a network that was trained as a classifier",
        )
    }

    /// This network without what only the outputs beside the main one need.
    fn with_main_output_alone(mut self) -> Self {
        self.outputs.truncate(1);
        let needed = self.nodes_before(self.outputs[0]);
        if needed.iter().all(|&needed| needed) {
            return self;
        }
        self.part(&needed, None)
    }

    /// The last layer of what the [classifier](Model::classifier) sees, behind which nothing but dropout comes
    /// before it: to freeze all but the classifier, freeze up to this layer. `None` if there is no classifier, or it
    /// takes the input itself.
    pub fn features(&self) -> Option<&str> {
        let mut value = *self.nodes[self.classifier_index()?].inputs.first()?;
        loop {
            let node = &self.nodes[value.checked_sub(1)?];
            match node.inputs[..] {
                [before] if matches!(node.layer.kind(), "Dropout" | "StochasticDepth") => {
                    value = before
                }
                _ => return Some(&node.name),
            }
        }
    }

    /// The network up to the layer `layer`, with its output, and the network behind it, which takes that. Layers keep
    /// their names; the parts share the parameters' memory.
    ///
    /// # Errors
    /// If there is no layer of that name, it is the last one, or another way leads past it.
    ///
    /// ```
    /// use nn_core::Tensor;
    /// use nn_core::layers::{Activation, Dense};
    /// use nn_core::model::{Model, Sequential};
    /// let hidden = Dense::new(8).activation(Activation::Relu);
    /// let model: Model = Sequential::builder([4]).layer(hidden).layer(Dense::new(2)).build(27)?;
    /// let (front, head) = model.clone().split_at("dense1")?;
    /// let x = Tensor::from_fn([3, 4], |i| i as f32);
    /// assert_eq!(head.predict(front.predict(x.clone())?)?, model.predict(x)?);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn split_at(self, layer: &str) -> Result<(Self, Self)> {
        self.node_index(layer)?;
        let mut model = self.with_main_output_alone();
        // A layer that only other outputs need is gone.
        let Ok(at) = model.node_index(layer) else {
            return Err(model.cannot_be_split(layer));
        };
        let value = at + 1;
        if model.outputs[0] == value || !model.layers_on_all_ways().contains(&layer) {
            return Err(model.cannot_be_split(layer));
        }
        let before = model.nodes_before(value);
        let behind: Vec<bool> = before.iter().map(|before| !before).collect();
        let takes_another = |node: &Node<T>| {
            node.inputs.iter().any(|&input| input != value && (input == 0 || before[input - 1]))
        };
        if model.nodes.iter().zip(&behind).any(|(node, behind)| *behind && takes_another(node)) {
            return Err(model.cannot_be_split(layer));
        }
        let head = model.part(&behind, Some(value));
        model.outputs = vec![value];
        model.kind = OutputKind::Linear;
        let front = model.part(&before, None);
        Ok((front, head))
    }

    fn cannot_be_split(&self, layer: &str) -> Error {
        let ways = self.layers_on_all_ways();
        let some = ways.len().saturating_sub(9);
        Error::setting(
            format!("the layer at which the network {} is divided", self.name),
            format!(
                "one that every way through the network passes, and not the last: {}{}",
                if some > 0 { "..., " } else { "" },
                ways[some..ways.len().saturating_sub(1)].join(", ")
            ),
            layer,
            "choose one of these",
        )
    }

    /// The marked nodes as a model with the same main output; the value `input`, if there is one, becomes its input.
    fn part(&self, marked: &[bool], input: Option<usize>) -> Self {
        let mut number = vec![0; self.nodes.len() + 1];
        let (mut nodes, mut parameters) = (Vec::new(), Vec::new());
        for (i, node) in self.nodes.iter().enumerate().filter(|(i, _)| marked[*i]) {
            let own = &self.parameters[node.parameters.clone()];
            let first = parameters.len();
            parameters.extend_from_slice(own);
            let new = |&value: &usize| if Some(value) == input { 0 } else { number[value] };
            let inputs = node.inputs.iter().map(new).collect();
            nodes.push(Node { inputs, parameters: first..parameters.len(), ..node.clone() });
            number[i + 1] = nodes.len();
        }
        Self {
            name: self.name.clone(),
            input: input.map_or(&self.input, |value| self.value_shape(value)).clone(),
            nodes,
            parameters,
            outputs: self.outputs.iter().map(|&value| number[value]).collect(),
            kind: self.kind,
        }
    }

    /// Sets whether the layer `layer`, and all whose values it depends on, are trained. A layer with running
    /// statistics whose other parameters are all frozen works in training as it does in inference, and keeps them:
    /// a batch normalisation, as in Keras.
    ///
    /// # Errors
    /// If there is no layer of that name.
    pub fn set_trainable_through(&mut self, layer: &str, trainable: bool) -> Result<()> {
        let value = self.node_index(layer)? + 1;
        let before = self.nodes_before(value);
        let marked: Vec<Range<usize>> = self
            .nodes
            .iter()
            .zip(before)
            .filter(|(_, before)| *before)
            .map(|(node, _)| node.parameters.clone())
            .collect();
        for parameters in marked {
            let own = self.parameters[parameters].iter_mut().filter(|own| !own.state);
            own.for_each(|own| own.trainable = trainable);
        }
        Ok(())
    }

    /// Freezes the layers with running statistics: they then keep these in training, and normalise by them
    /// ([`Model::set_trainable_through`]). Usual in fine-tuning, where batches are small. Returns their number.
    pub fn freeze_statistics(&mut self) -> usize {
        let mut frozen = 0;
        for node in &self.nodes {
            let own = &mut self.parameters[node.parameters.clone()];
            if own.iter().any(|own| own.state) {
                own.iter_mut().filter(|own| !own.state).for_each(|own| own.trainable = false);
                frozen += 1;
            }
        }
        frozen
    }

    /// Whether a node has running statistics that stay, because its other parameters are frozen.
    pub(super) fn keeps_statistics(&self, node: &Node<T>) -> bool {
        let own = &self.parameters[node.parameters.clone()];
        let mut others = own.iter().filter(|own| !own.state).peekable();
        own.iter().any(|own| own.state)
            && others.peek().is_some()
            && others.all(|own| !own.trainable)
    }
}
