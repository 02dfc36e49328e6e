//! Models as ONNX files.
//!
//! What is written is what PyTorch's users expect of a classifier: images `[batch, channels, height, width]` with a
//! free batch, operators of opset 17 (which ONNX Runtime reads since 1.12 of 2022, and every one after it; the first
//! with a layer normalisation), parameters under the names that the model has, nodes under those of its layers. Our
//! values are channels-last; `graph` keeps in which layouts the file has each, and moves numbers only where an operator
//! needs them otherwise. `layers` has a line for each kind of layer.
//!
//! | of a model | in the file |
//! |---|---|
//! | batch normalisation | as it is, so that it can be trained on |
//! | dropout, stochastic depth | nothing: the file is for inference |
//! | an activation in a layer | a node behind it, `LAYER/relu` |
//! | weights | `conv1.weight` as here and in PyTorch |
//! | numbers that are fixed, such as masks | `Constant` nodes, which nobody trains |
//! | the output | logits, or what [`Export::probabilities`] makes of them; the entry `nn.output` of the metadata says which |

mod activation;
mod call;
mod file;
mod graph;
mod layers;
mod preparation;
mod proto;

use crate::proto::{Entry, GraphProto, ModelProto, OperatorSetId};
use call::Call;
use file::Document;
pub use graph::usual;
use graph::{Graph, Held, INPUT};
use nn_core::Result;
use nn_core::data::Resize;
use nn_core::layers::{Activation, LayerKinds, OutputKind};
use nn_core::model::{Model, Preprocessing};
use std::collections::HashMap;
use std::path::Path;

/// The version of ONNX's operators, and of the form of the file that came with it.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// What the dimensions of an image are, in ONNX's words.
pub const BATCH: &str = "DATA_BATCH";
pub const CHANNEL: &str = "DATA_CHANNEL";
pub const FEATURE: &str = "DATA_FEATURE";

/// Writes a model as an ONNX file.
///
/// ```
/// use nn_core::model::{Preprocessing, networks};
/// use nn_onnx::Export;
/// let (graph, logits) = networks::graph::<f32>("resnet10", [32, 32, 3], 2)?;
/// let model = graph.build(logits, 27)?;
/// let bytes = Export::new(&model).class_names(["husky", "wolf"]).to_bytes()?;
///
/// let read = nn_onnx::read_bytes(bytes, &Default::default())?;
/// assert_eq!(read.class_names.as_deref(), Some(&["husky".to_owned(), "wolf".to_owned()][..]));
/// assert_eq!(read.model.get("conv1.weight").unwrap().value, model.get("conv1.weight").unwrap().value);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Export<'a> {
    model: &'a Model,
    class_names: Option<Vec<String>>,
    preprocessing: Option<Preprocessing>,
    resize: Option<Resize>,
    in_graph: bool,
    front_as_metadata: bool,
    probabilities: bool,
    weights_beside: bool,
}

impl<'a> Export<'a> {
    /// The model as it is: a file that takes what the model takes, and gives its logits.
    pub fn new(model: &'a Model) -> Self {
        Self {
            model,
            class_names: None,
            preprocessing: None,
            resize: None,
            in_graph: false,
            front_as_metadata: false,
            probabilities: false,
            weights_beside: false,
        }
    }

    /// What the classes are called, one name for each output: the entry `nn.classes` of the metadata, a list in JSON.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.class_names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// What users of the file do to pixels before the model's input: the entry `nn.preprocessing` of the metadata, in JSON:
    /// what is [`Preprocessing`] here.
    pub fn preprocessing(mut self, preprocessing: &Preprocessing) -> Self {
        self.preprocessing = Some(preprocessing.clone());
        self
    }

    /// How images get the model's size, beside the preprocessing.
    pub fn resize(mut self, resize: impl Into<Resize>) -> Self {
        self.resize = Some(resize.into());
        self
    }

    /// Writes the preprocessing as nodes in front of the model: the file takes pixels from 0 to 255, in the order red,
    /// green, blue.
    pub fn preprocessing_in_graph(mut self) -> Self {
        self.in_graph = true;
        self
    }

    /// The other way round: leaves the model's [front](Model::front) out of the file and describes it as preprocessing, so
    /// that the file takes what users of PyTorch give their models.
    ///
    /// ```
    /// use nn_core::model::{Preprocessing, networks};
    /// use nn_onnx::Export;
    /// let (graph, logits) = networks::graph::<f32>("resnet10", [32, 32, 3], 2)?;
    /// let model = graph.build(logits, 27)?;
    /// let bytes = Export::new(&model).front_as_preprocessing().to_bytes()?;
    /// let read = nn_onnx::read_bytes(bytes, &Default::default())?;
    /// // Pixels divided by 255.
    /// assert_eq!(read.preprocessing, Some(Preprocessing::preset("0-1")?));
    /// assert_eq!(read.model.front().count(), 0);
    /// # Ok::<(), nn_core::Error>(())
    /// ```
    pub fn front_as_preprocessing(mut self) -> Self {
        self.front_as_metadata = true;
        self
    }

    /// Ends the file in the softmax or sigmoid that the model's [output kind](Model::output_kind) names: it gives
    /// probabilities. Reading it takes them off again.
    pub fn probabilities(mut self) -> Self {
        self.probabilities = true;
        self
    }

    /// Writes the weights to a file beside the model, of its name and `.data`, as it is done for more than 2 GiB anyway.
    pub fn weights_beside(mut self) -> Self {
        self.weights_beside = true;
        self
    }

    /// Writes the file. Whatever was there is replaced when all is written.
    ///
    /// # Errors
    /// Those of [`Export::to_bytes`], before anything is written; if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.with_document(|document| match self.weights_beside || document.is_too_large() {
            true => document.write_beside(path),
            false => document.write(path),
        })
    }

    /// The file with the weights inside. The same model gives the same bytes.
    ///
    /// # Errors
    /// If a layer is of another crate, so that its operators are not known; if there is not a class name for each
    /// output, or preprocessing does not fit the model; for more than 2 GiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.with_document(|document| document.into_bytes())
    }

    fn with_document<R>(&self, then: impl FnOnce(Document<'_>) -> Result<R>) -> Result<R> {
        let prepared = preparation::prepare(self)?;
        then(document(&prepared.model, self.probabilities, prepared.metadata)?)
    }
}

/// The kinds of layers that can be written: all of nn-core.
pub fn kinds() -> Vec<&'static str> {
    layers::kinds()
}

/// The model as a file with these entries.
fn document(model: &Model, probabilities: bool, metadata: Vec<Entry>) -> Result<Document<'_>> {
    // Before anything is done, and in the order of the layers.
    for (name, kind) in model.layers() {
        layers::writer(name, kind)?;
    }
    let architecture = model.architecture()?;
    let kinds = LayerKinds::<f32>::built_in();
    let parameters = model.parameters();
    let outputs = output_names(model, probabilities);
    let taken = parameters.iter().map(|parameter| &parameter.name).chain(&outputs).cloned();
    let mut graph = Graph::new(taken.chain([INPUT.to_owned()]));
    let input = model.input_shape().dims();
    let given = Held::new(input, usual(input.len()), INPUT.into());
    let input = graph::dims(input, &usual(input.len()));
    let mut index = HashMap::from([(INPUT, 0)]);
    let mut values = vec![given];
    let mut next = 0;
    for (i, own) in architecture.layers.iter().enumerate() {
        let layer = kinds.layer(own.layer.clone())?;
        let inputs = match &own.inputs {
            None => vec![i],
            Some(names) => {
                let known = names.iter().map(|name| index.get(name.as_str()).copied());
                known.collect::<Option<_>>().ok_or_else(|| graph::fault("a value is not known"))?
            }
        };
        let shapes: Vec<_> =
            inputs.iter().map(|&value| values[value].shape.clone().into()).collect();
        let output = layer.output_shape(&shapes)?;
        let end = next + layer.parameters(&shapes)?.len();
        let mut call = Call {
            graph: &mut graph,
            name: &own.name,
            layer: layer.as_ref(),
            inputs: inputs.iter().map(|&value| values[value].clone()).collect(),
            parameters: parameters.get(next..end).unwrap_or_default(),
            output: &output,
        };
        let mut value = layers::writer(&own.name, layer.kind())?(&mut call)?;
        // A value of a layer that depends on no input depends on none itself.
        value.single |= !inputs.is_empty() && call.inputs.iter().all(|input| input.single);
        for (value, held) in inputs.into_iter().zip(call.inputs) {
            values[value] = held;
        }
        next = end;
        values.push(value);
        index.insert(&own.name, i + 1);
    }
    let named = model.outputs().zip(outputs).enumerate();
    let outputs = named.map(|(i, (layer, name))| {
        let value = index.get(layer).and_then(|&value| values.get_mut(value));
        let value = value.ok_or_else(|| graph::fault("an output is not known"))?;
        let activation = match i {
            0 if probabilities => model.output_kind().activation(),
            _ => Activation::Linear,
        };
        Ok((name, output(&mut graph, value, activation)?, value.shape.clone()))
    });
    let outputs = outputs.collect::<Result<_>>()?;
    let outputs = graph.outputs(outputs);
    let onnx = GraphProto {
        node: graph.nodes,
        name: model.name().into(),
        input: vec![proto::value(INPUT, &input)],
        output: outputs,
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "nn".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(Box::new(onnx)),
        opset_import: vec![OperatorSetId { domain: String::new(), version: OPSET }],
        metadata_props: metadata,
        functions: vec![],
    };
    Ok(Document { model, constants: graph.constants })
}

/// What the outputs are called: the main one after what it is, others after their layers.
fn output_names(model: &Model, probabilities: bool) -> Vec<String> {
    let main = match model.output_kind() {
        OutputKind::Linear => "output",
        _ if probabilities => "probabilities",
        _ => "logits",
    };
    let others = model.outputs().skip(1);
    std::iter::once(main).chain(others).map(String::from).collect()
}

/// An output of the file in the usual layout; the name of its value.
fn output(graph: &mut Graph<'_>, value: &mut Held, activation: Activation) -> Result<String> {
    graph.batched(value)?;
    let (shape, layout) = (value.shape.clone(), usual(value.shape.len()));
    let form = graph.form(value, &shape, &layout)?;
    activation::write(graph, activation::name(activation), form, activation, &layout)
}
