//! The architecture of a network as data.

use super::graph::{GraphBuilder, INPUT, NodeId};
use super::output::{self, End};
use super::{Model, Node};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::layers::{LayerConfig, LayerKinds, OutputKind};
use crate::tensor::Shape;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A network without its parameters, as saved in a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The model's name.
    pub name: String,
    /// The shape of an input, without the batch dimension.
    pub input: Vec<usize>,
    /// The layers, in an order in which each takes values of earlier ones only.
    pub layers: Vec<NamedLayer>,
    /// The names of the layers whose values are outputs, the main one first; `None` for the last layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Vec<String>>,
    /// The output kind.
    pub output: OutputKind,
}

/// A layer, its name, and the names of what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedLayer {
    /// The layer's name within the model.
    pub name: String,
    /// The layer.
    pub layer: LayerConfig,
    /// The names of the layers whose outputs it takes, `input` for the model's input; `None` for the
    /// layer before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<String>>,
}

impl Architecture {
    /// Whether each layer takes the value of the one before it, and the last one's is the only output.
    pub fn is_chain(&self) -> bool {
        self.outputs.is_none() && self.layers.iter().all(|layer| layer.inputs.is_none())
    }

    /// Determines the output kind, as [`GraphBuilder::output_kind`] says: `asked`, or what the layer of
    /// the main output ends in, which is taken out of it. If neither says one, it stays what it is.
    ///
    /// # Errors
    /// If the two differ, the network ends in probabilities that are no logits, a layer's kind is not
    /// among `kinds`, or an output is no layer.
    pub fn take_output<T: Kernels>(
        &mut self,
        asked: Option<OutputKind>,
        kinds: &LayerKinds<T>,
    ) -> Result<()> {
        let at: HashMap<&str, usize> =
            self.layers.iter().enumerate().map(|(i, layer)| (layer.name.as_str(), i)).collect();
        let main = self.outputs.as_ref().and_then(|outputs| outputs.first());
        let last = match main {
            Some(name) => at.get(name.as_str()).copied(),
            None => self.layers.len().checked_sub(1),
        };
        // What a layer takes: the index of a layer, or `None` for the model's input.
        let inputs = |i: usize| match &self.layers[i].inputs {
            None => vec![i.checked_sub(1)],
            Some(names) => names.iter().map(|name| at.get(name.as_str()).copied()).collect(),
        };
        let (mut back, mut next) = (Vec::new(), last);
        while let Some(i) = next {
            let layer = kinds.layer(self.layers[i].layer.clone())?;
            next = match *inputs(i) {
                [Some(before)] if before < i && output::passes_on(&*layer) => Some(before),
                _ => None,
            };
            back.push(layer);
        }
        let Some(last) = last else { return Ok(()) };
        let mut others = self.outputs.iter().flatten().skip(1);
        let is_taken = others.any(|name| *name == self.layers[last].name)
            || (0..self.layers.len()).any(|i| inputs(i).contains(&Some(last)));
        let (kind, end) = output::end(asked, &back, is_taken)?;
        match end {
            End::Kept => {}
            End::Replaced(without) => {
                let kind = || cannot_be_stored(without.kind());
                self.layers[last].layer = without.config().ok_or_else(kind)?;
            }
            End::Before => {
                let before = inputs(last).first().copied().flatten();
                let name = before.map_or(INPUT, |before| &self.layers[before].name).to_owned();
                if let Some(main) = self.outputs.iter_mut().flatten().next() {
                    *main = name;
                }
            }
        }
        self.output = kind.unwrap_or(self.output);
        Ok(())
    }

    /// A graph with these layers, and the node of its main output.
    ///
    /// # Errors
    /// If a name leads to no layer before it, or a layer's kind is not among `kinds`.
    pub fn graph<T: Kernels>(self, kinds: &LayerKinds<T>) -> Result<(GraphBuilder<T>, NodeId)> {
        let mut graph = GraphBuilder::new(self.input).name(self.name).output_as_built(self.output);
        let mut last = graph.input();
        let mut nodes = HashMap::from([(INPUT.to_owned(), last)]);
        for NamedLayer { name, layer, inputs } in self.layers {
            let inputs = match inputs {
                None => vec![last],
                Some(names) => {
                    let found = names.iter().map(|input| find(&nodes, &name, input));
                    found.collect::<Result<_>>()?
                }
            };
            last = graph.shared_layer(Some(name.clone()), kinds.layer(layer)?, &inputs);
            nodes.insert(name, last);
        }
        let outputs = self.outputs.unwrap_or_default();
        let outputs = outputs.iter().map(|output| find(&nodes, "the model's outputs", output));
        let outputs: Vec<NodeId> = outputs.collect::<Result<_>>()?;
        outputs.iter().skip(1).for_each(|&output| graph.also_output(output));
        Ok((graph, outputs.first().copied().unwrap_or(last)))
    }
}

fn find(nodes: &HashMap<String, NodeId>, at: &str, name: &str) -> Result<NodeId> {
    nodes.get(name).copied().ok_or_else(|| {
        Error::setting(
            format!("{at}: what it takes"),
            format!("the name of a layer before it, or {INPUT}"),
            format!("{name:?}"),
            "check the spelling; layers stand in the order in which they are computed",
        )
    })
}

impl<T: Kernels> Model<T> {
    /// The network's architecture.
    ///
    /// # Errors
    /// If a layer does not give its configuration.
    pub fn architecture(&self) -> Result<Architecture> {
        let layer = |(i, node): (usize, &Node<T>)| {
            let layer = node.layer.config().ok_or_else(|| cannot_be_stored(&node.label()))?;
            let names = || node.inputs.iter().map(|&value| self.value_name(value).into()).collect();
            let inputs = (node.inputs != [i]).then(names);
            Ok(NamedLayer { name: node.name.clone(), layer, inputs })
        };
        let outputs = || self.outputs().map(String::from).collect();
        Ok(Architecture {
            name: self.name.clone(),
            input: Shape::dims(&self.input).to_vec(),
            layers: self.nodes.iter().enumerate().map(layer).collect::<Result<_>>()?,
            outputs: (self.outputs != [self.nodes.len()]).then(outputs),
            output: self.kind,
        })
    }
}

/// The error for a layer that does not give its configuration.
pub(super) fn cannot_be_stored(layer: &str) -> Error {
    Error::setting(
        "a layer to be stored or cast",
        "a built-in one, or one that gives its configuration",
        layer,
        "implement LayerSpec::config, or rebuild the model in code and copy its parameters with `set`",
    )
}
