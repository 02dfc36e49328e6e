//! The model's input: which it is, and its size.

use crate::array::elements;
use crate::graph::{Graph, Input};
use crate::layout::Layout;
use crate::refusal::{Refusal, Result};
use crate::value::Computed;
use nn_core::layers::OutputKind;

/// What a file may leave open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Height and width of the images, for a file that takes any.
    pub input_size: Option<(usize, usize)>,
    /// What the outputs mean. By default that follows from a softmax or sigmoid at the end, which is taken off;
    /// without one, several outputs are the logits of classes ([`OutputKind::Softmax`]). What contradicts the end of the
    /// file is refused, but for [`OutputKind::Linear`], which keeps the softmax or sigmoid as part of the model.
    pub output_kind: Option<OutputKind>,
    /// The name of the output that counts; by default the first.
    pub output: Option<String>,
}

/// The input as a value.
#[derive(Debug)]
pub struct Chosen {
    pub name: String,
    pub value: Computed,
    /// Whether the file leaves the size of the batch open.
    pub any_batch: bool,
}

impl Chosen {
    /// Its shape in our layout, without the batch.
    pub fn shape(&self) -> Vec<usize> {
        self.value.layout.sample(&self.value.dims)
    }
}

/// The most that one dimension of an input may be.
const MOST: usize = 1 << 16;

pub fn choose(graph: &Graph, options: &ReadOptions) -> Result<Chosen> {
    let input = match graph.inputs.as_slice() {
        [input] => input,
        [] => {
            let problem = "it has no input: all its values are constants";
            return Err(Refusal::new(problem, "export the model again"));
        }
        several => {
            let names: Vec<_> = several.iter().map(|input| input.name.as_str()).collect();
            return Err(Refusal::new(
                format!("it has {} inputs without values: {}", several.len(), names.join(", ")),
                "image classifiers have one input; export with the weights",
            ));
        }
    };
    let place = |refusal: Refusal| refusal.at(format!("input {:?}", input.name));
    let checked = dims(graph, input, options)
        .and_then(|(dims, layout)| elements(&dims).map(|_| (dims, layout)));
    checked.map_err(place).map(|(dims, layout)| Chosen {
        name: input.name.clone(),
        value: Computed::new(dims, layout, 0),
        any_batch: !matches!(input.dims.as_deref(), Some([Some(_), ..])),
    })
}

/// The dimensions in ONNX's order, and their layout here.
fn dims(graph: &Graph, input: &Input, options: &ReadOptions) -> Result<(Vec<usize>, Layout)> {
    let given = input.dims.clone().unwrap_or_else(|| vec![None, Some(3), None, None]);
    if given.iter().flatten().any(|&dim| dim > MOST) {
        let problem = format!("its shape {given:?} has a dimension above {MOST}");
        return Err(Refusal::new(problem, "the file is damaged; export the model again"));
    }
    let batch = given.first().copied().flatten().unwrap_or(1);
    let [_, first, second, third] = given[..] else {
        let fixed: Option<Vec<_>> = given.iter().skip(1).copied().collect();
        let fixed = fixed.filter(|fixed| !fixed.is_empty()).ok_or_else(|| {
            let problem = format!("its shape {given:?} is not fixed, and not that of images");
            Refusal::new(problem, "export for a fixed input size")
        })?;
        let dims: Vec<_> = std::iter::once(batch).chain(fixed).collect();
        let layout = Layout::plain(dims.len());
        return Ok((dims, layout));
    };
    let channels_first = match input.channels {
        Some(channels) => channels != 3,
        None => !is_channels_last(graph, input, [first, second, third]),
    };
    let (channels, size) = match channels_first {
        true => (first, (second, third)),
        false => (third, (first, second)),
    };
    let (height, width) = match (size, options.input_size) {
        ((Some(h), Some(w)), None) => (h, w),
        ((h, w), Some(asked)) => {
            let fits = h.is_none_or(|h| h == asked.0) && w.is_none_or(|w| w == asked.1);
            if !fits || asked.0 == 0 || asked.1 == 0 || asked.0.max(asked.1) > MOST {
                let side = |side: Option<usize>| side.map_or("any".into(), |side| side.to_string());
                let fixed = format!("{}x{}", side(h), side(w));
                let problem = format!("it takes images of {fixed}, not of {}x{}", asked.0, asked.1);
                return Err(Refusal::new(
                    problem,
                    "leave the size away, or export with dynamic axes",
                ));
            }
            asked
        }
        (_, None) => {
            return Err(Refusal::new(
                "it takes images of any size",
                "give the input size that the model is to have, 224x224 for example",
            ));
        }
    };
    let channels = channels.unwrap_or(3);
    Ok(match channels_first {
        true => (vec![batch, channels, height, width], Layout::channels_last(4)),
        false => (vec![batch, height, width, channels], Layout::plain(4)),
    })
}

/// Whether the file has images with their channels last, as TensorFlow's exporters write them: the one dimension that
/// can be a number of channels is last, or the first node transposes them.
fn is_channels_last(graph: &Graph, input: &Input, dims: [Option<usize>; 3]) -> bool {
    let is_channels = |dim: Option<usize>, others: [Option<usize>; 2]| {
        let smaller = |dim: usize| others.iter().flatten().all(|&other| dim < other);
        dim.is_some_and(|dim| matches!(dim, 1 | 3 | 4) && smaller(dim))
    };
    let [first, second, third] = dims;
    match (is_channels(first, [second, third]), is_channels(third, [first, second])) {
        (true, false) => false,
        (false, true) => true,
        _ => {
            let takes = |node: &&crate::graph::Node| node.inputs.contains(&input.name);
            let mut takers = graph.nodes.iter().filter(takes).peekable();
            let to_first = |node: &crate::graph::Node| {
                node.op == "Transpose"
                    && matches!(node.attributes.ints("perm"), Ok(Some([0, 3, 1, 2])))
            };
            takers.peek().is_some() && takers.all(to_first)
        }
    }
}
