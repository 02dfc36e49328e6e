//! What reading a file gives.

use crate::emit::{Emitted, emit};
use crate::export::usual;
use crate::graph::Graph;
use crate::input::{Chosen, ReadOptions};
use crate::layout::Layout;
use crate::lowering::lower;
use crate::metadata;
use crate::net::{Net, ValueId};
use crate::proto::ModelProto;
use crate::refusal::Result;
use crate::simplify::simplify;
use crate::value::Computed;
use nn_core::data::Resize;
use nn_core::layers::Permute;
use nn_core::model::{Model, Preprocessing};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A model from a file, and what is known of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Imported {
    /// The model. Its layers have the names of the file's nodes, or of their values if nodes have none.
    pub model: Model,
    /// The layer of each name of the file: of nodes, and of values. Those of values that are not there any more, such
    /// as what was joined into one layer, are missing.
    pub layers: BTreeMap<String, String>,
    /// The names of the classes, if the file has one for each output: in its metadata under `nn.classes`, or as others
    /// write them under `classes`, `class_names`, `labels`, `names` or `character`.
    pub class_names: Option<Vec<String>>,
    /// What is done to pixels before the model's input, if the file's metadata say so under `nn.preprocessing`, as
    /// [`Export`](crate::Export) writes it.
    pub preprocessing: Option<Preprocessing>,
    /// How images get the model's size, if it says so beside that.
    pub resize: Option<Resize>,
    /// What was found and done.
    pub report: Report,
}

impl Imported {
    /// Height and width of the images; `None` if the input is no image.
    pub fn input_size(&self) -> Option<(usize, usize)> {
        match *self.model.input_shape().dims() {
            [height, width, _] => Some((height, width)),
            _ => None,
        }
    }

    /// The layer of this name, or that computes what a node or value of this name of the file gives.
    pub fn layer(&self, name: &str) -> Option<&str> {
        let own = self.model.layers().map(|(layer, _)| layer).find(|layer| *layer == name);
        own.or_else(|| self.layers.get(name).map(String::as_str))
    }

    /// What was found and done, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let Report { producer, opset, nodes, folded, .. } = &self.report;
        let by =
            if producer.is_empty() { String::new() } else { format!("written by {producer}, ") };
        let layers = self.model.layers().count();
        let mut notes = vec![format!(
            "{by}opset {opset}; {nodes} nodes, {folded} of them computed while reading, became {layers} layers"
        )];
        notes.push(match self.report.transposes {
            0 => "no transposes left".into(),
            1 => "1 transpose left".into(),
            many => format!("{many} transposes left"),
        });
        if self.report.activation_taken_off {
            let kind = self.model.output_kind().name();
            notes.push(format!("the {kind} at the end was taken off: the model computes logits"));
        }
        if let Some(preprocessing) = &self.preprocessing {
            notes.push(format!("it says how it takes pixels: {preprocessing}"));
        }
        if !self.report.other_outputs.is_empty() {
            notes.push(format!("not computed: {}", self.report.other_outputs.join(", ")));
        }
        notes
    }
}

/// What was found in a file, and what became of it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The program that wrote the file, with its version.
    pub producer: String,
    /// The version of ONNX's operators.
    pub opset: i64,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The name of the file's input.
    pub input: String,
    /// The name of the output that the model computes.
    pub output: String,
    /// For each dimension of the model's input, the batch first, which one of the file's input it is: `[0, 2, 3, 1]` for
    /// a file that has its channels first.
    pub input_axes: Vec<usize>,
    /// The same for the output.
    pub output_axes: Vec<usize>,
    /// The outputs that the model does not compute.
    pub other_outputs: Vec<String>,
    /// How many nodes lead to the output.
    pub nodes: usize,
    /// How many of them do not depend on the image and were computed while reading.
    pub folded: usize,
    /// How many layers are left that only move numbers in memory.
    pub transposes: usize,
    /// Whether a softmax or sigmoid at the end was taken off.
    pub activation_taken_off: bool,
}

impl Report {
    /// What the file says about itself.
    pub(crate) fn new(proto: &mut ModelProto) -> Self {
        let producer = format!("{} {}", proto.producer_name, proto.producer_version);
        let metadata = std::mem::take(&mut proto.metadata_props);
        Self {
            producer: producer.trim().to_owned(),
            metadata: metadata.into_iter().map(|entry| (entry.key, entry.value)).collect(),
            ..Self::default()
        }
    }
}

/// Makes a model of a checked graph.
pub fn import(
    graph: Graph,
    input: Chosen,
    options: &ReadOptions,
    mut report: Report,
) -> Result<Imported> {
    let output = graph.output.clone();
    report.nodes = graph.nodes.len();
    report.input = input.name.clone();
    report.input_axes = input.value.layout.axes().to_vec();
    report.other_outputs = graph.other_outputs.clone();
    let mut lowered = lower(graph, input)?;
    let value = lowered.output(&output).cloned();
    let value = value.map_err(|refusal| refusal.at(format!("output {output:?}")))?;
    // What we wrote lies as it did.
    let layout = match metadata::is_ours(&report.metadata)? {
        true => usual(value.rank() - 1),
        false => value.layout.clone(),
    };
    let id = arranged(&mut lowered.net, &value, &layout)?;
    let axes = layout.axes().to_vec();
    // Weights are moved into the model where nothing else holds them.
    lowered.values.clear();
    simplify(&mut lowered.net, id)?;
    report.folded = lowered.folded;
    report.output = output;
    let resolved: Vec<_> =
        lowered.names.into_iter().map(|(name, id)| (name, lowered.net.resolve(id))).collect();
    let emitted = emit(lowered.net, "onnx".into(), id, options.output_kind)?;
    let Emitted { model, layers, transposes, taken_off } = emitted;
    (report.transposes, report.activation_taken_off) = (transposes, taken_off);
    report.output_axes = match model.output_shape().rank() + 1 {
        rank if rank == axes.len() => axes,
        rank => (0..rank).collect(),
    };
    let layer = |(name, id)| Some((name, layers.get(&id)?.clone()));
    let layers = resolved.into_iter().filter_map(layer).collect();
    let class_names = metadata::class_names(&report.metadata, &model);
    let (preprocessing, resize) = metadata::preprocessing(&report.metadata)?;
    Ok(Imported { model, layers, class_names, preprocessing, resize, report })
}

/// The output in a layout.
fn arranged(net: &mut Net, value: &Computed, layout: &Layout) -> Result<ValueId> {
    if value.layout.is_same_memory(layout, &value.dims) {
        return Ok(value.id);
    }
    let axes = value.layout.permutation_to(layout);
    let axes: Vec<_> = axes[1..].iter().map(|axis| axis - 1).collect();
    net.add("output".into(), Arc::new(Permute::new(axes)), vec![value.id], vec![])
}
