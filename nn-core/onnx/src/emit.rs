//! A model of nn-core from a simplified network.

use crate::net::{Net, ValueId};
use crate::refusal::{Refusal, Result};
use nn_core::Tensor;
use nn_core::layers::{Activation, Layer, OutputKind, Permute, Reshape};
use nn_core::model::{GraphBuilder, Model};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// The model, and what became of the values.
#[derive(Debug)]
pub struct Emitted {
    pub model: Model,
    /// The layer of each value that is still there.
    pub layers: BTreeMap<ValueId, String>,
    /// How many layers move numbers in memory only.
    pub transposes: usize,
    /// Whether a softmax or sigmoid at the end was taken off.
    pub taken_off: bool,
}

/// Builds the model whose output is `output`; `kind` is what the output means, if it is known.
pub fn emit(
    mut net: Net,
    name: String,
    output: ValueId,
    kind: Option<OutputKind>,
) -> Result<Emitted> {
    let output = flat_output(&mut net, output)?;
    let (output, kind, taken_off) = output_kind(&net, output, kind)?;
    let uses = net.uses(output);
    let mut graph = GraphBuilder::new(&net.input).name(name).channels_last().output_kind(kind);
    let mut nodes = HashMap::from([(0, graph.input())]);
    let mut names = Names::default();
    let (mut layers, mut weights, mut transposes) = (BTreeMap::new(), HashMap::new(), 0);
    let input = net.input.clone();
    for (i, mut step) in std::mem::take(&mut net.steps).into_iter().enumerate() {
        if uses[i + 1] == 0 {
            continue;
        }
        transposes += usize::from(step.is::<Permute>().is_some());
        let name = names.unique(std::mem::take(&mut step.name));
        let inputs: Option<Vec<_>> =
            step.inputs.iter().map(|input| nodes.get(input).copied()).collect();
        let inputs = inputs.ok_or_else(lost)?;
        weights.insert(name.clone(), std::mem::take(&mut step.parameters));
        nodes.insert(i + 1, graph.shared(name.clone(), step.layer, inputs));
        layers.insert(i + 1, name);
    }
    if layers.is_empty() {
        // A model has at least one layer.
        let name = names.unique("output".into());
        let identity: Arc<dyn Layer<f32>> = Arc::new(Reshape::new(input.dims()));
        nodes.insert(output, graph.shared(name, identity, graph.input()));
    }
    let end = nodes.get(&output).copied().ok_or_else(lost)?;
    let model = graph.build_with(end, |_, name, spec| {
        // Parameters come layer by layer, in the order in which each asks for them.
        let layer = name.rsplit_once('.').map_or(name, |(layer, _)| layer);
        let own = weights.get_mut(layer).filter(|own| !own.is_empty());
        let weight = own.map(|own| own.remove(0)).unwrap_or_default();
        let values = Rc::try_unwrap(weight).unwrap_or_else(|shared| shared.to_vec());
        Tensor::from_vec(&spec.shape, values)
    })?;
    Ok(Emitted { model, layers, transposes, taken_off })
}

fn lost() -> Refusal {
    Refusal::new("a value was lost", "this is a fault of nn-onnx, please report it")
}

/// The output as a list of numbers, if it is one but for dimensions of 1.
fn flat_output(net: &mut Net, output: ValueId) -> Result<ValueId> {
    let mut output = net.resolve(output);
    let shape = net.shape(output).clone();
    if shape.dims().iter().filter(|&&dim| dim != 1).count() > 1 {
        return Ok(output);
    }
    let flat = [shape.len()];
    while let Some((step, Reshape { .. })) = net.find(output) {
        output = net.resolve(step.inputs[0]);
    }
    if net.shape(output).dims() == flat {
        return Ok(output);
    }
    net.add("output".into(), Arc::new(Reshape::new(flat)), vec![output], vec![])
}

/// The output without a softmax or sigmoid, and what it means. A file says nothing where it ends in logits: several
/// are those of classes, of which one is right.
fn output_kind(
    net: &Net,
    output: ValueId,
    asked: Option<OutputKind>,
) -> Result<(ValueId, OutputKind, bool)> {
    let shape = net.shape(output);
    let ends_in = net.find::<Activation>(output).and_then(|(step, activation)| match activation {
        Activation::Softmax => Some((step.inputs[0], OutputKind::Softmax)),
        Activation::Sigmoid => Some((step.inputs[0], OutputKind::Sigmoid)),
        _ => None,
    });
    Ok(match (ends_in, asked) {
        (_, Some(OutputKind::Linear)) => (output, OutputKind::Linear, false),
        (Some((_, kind)), Some(asked)) if kind != asked => {
            return Err(Refusal::new(
                format!("its output is a {}, not a {} as asked", kind.name(), asked.name()),
                "leave the kind of output away, or ask for a linear output, which keeps the activation",
            ));
        }
        (Some((before, kind)), _) => (net.resolve(before), kind, true),
        (None, Some(kind)) => (output, kind, false),
        (None, None) => match shape.dims() {
            [1] => (output, OutputKind::Sigmoid, false),
            [_] => (output, OutputKind::Softmax, false),
            _ => (output, OutputKind::Linear, false),
        },
    })
}

/// Names that are given once.
#[derive(Default)]
struct Names {
    given: HashSet<String>,
    /// For each name that was wanted more than once, the last number that was tried.
    numbers: HashMap<String, usize>,
}

impl Names {
    fn unique(&mut self, name: String) -> String {
        // `input` is the name of the model's own input.
        let wanted = if name.is_empty() { "layer".to_owned() } else { name };
        if wanted != "input" && self.given.insert(wanted.clone()) {
            return wanted;
        }
        let number = self.numbers.entry(wanted.clone()).or_insert(1);
        loop {
            *number += 1;
            let name = format!("{wanted}_{number}");
            if self.given.insert(name.clone()) {
                return name;
            }
        }
    }
}
