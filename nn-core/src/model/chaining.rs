//! Chaining: which convolutions of a prediction run one behind the other as one op.
//!
//! A pass over the steps joins a convolution with the only step that takes its value, where that is a convolution too,
//! or an addition of a value that is there before the chain begins. Whether the maps between them are stored is the
//! kernels' choice.

use super::folding::folded;
use super::fusion::{Step, Takers};
use super::{Model, Node};
use crate::autograd::{ChainedConv2d, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::conv::Bounds;
use crate::kernels::functions::Function;
use crate::layers::{Activation, Add, BatchNormalization, Conv2D, MaxPool2D};

/// The steps with their chains joined. They can run in this order.
pub(super) fn chained<T: Kernels>(
    model: &Model<T>,
    watch: &[bool],
    mut steps: Vec<Step>,
) -> Vec<Step> {
    let takers = Takers::new(model);
    let mut begun_by = vec![None; model.nodes.len()];
    for (i, step) in steps.iter().enumerate() {
        begun_by[step.first()] = Some(i);
    }
    for i in 0..steps.len() {
        let Some(&first) = steps[i].nodes.first() else { continue }; // joined already
        while is_link(model, &steps[i], first) && !watch[steps[i].last()] {
            let next = takers.only(steps[i].last()).and_then(|node| begun_by[node]);
            let Some(next) = next.filter(|&next| is_link(model, &steps[next], first)) else {
                break;
            };
            let nodes = std::mem::take(&mut steps[next].nodes);
            steps[i].nodes.extend(nodes);
        }
    }
    steps.retain(|step| !step.nodes.is_empty());
    steps
}

/// Whether a step can be a part of a chain that begins with node `first`.
fn is_link<T: Kernels>(model: &Model<T>, step: &Step, first: usize) -> bool {
    let nodes = || step.nodes.iter().map(|&i| &model.nodes[i]);
    let Some(node) = nodes().next() else { return false };
    if node.is::<Conv2D>().is_some() {
        return nodes().all(|node| node.is::<MaxPool2D>().is_none())
            && nodes().filter_map(activation).all(|activation| then::<T>(activation).is_some());
    }
    // Values up to `first` are those of nodes before it.
    step.first() > first
        && node.is::<Add>().is_some()
        && matches!(node.inputs[..], [a, b] if a.min(b) <= first
            && model.value_shape(a) == model.value_shape(b))
}

/// The activation at the end of a convolution, or behind it.
fn activation<T: Kernels>(node: &Node<T>) -> Option<Activation> {
    let own = node.is::<Conv2D>().map(|conv| conv.activation);
    own.or_else(|| node.is::<Activation>().copied())
}

/// What a kernel does to its output for an activation; `None` if that takes more than one number.
fn then<T: Kernels>(activation: Activation) -> Option<(Bounds<T>, Option<Function>)> {
    Some(match activation {
        Activation::Linear => (Bounds::none(), None),
        Activation::Relu => (Bounds::relu(None), None),
        Activation::Relu6 => (Bounds::relu(Some(6.0)), None),
        _ => (Bounds::none(), Some(activation.function().ok()??)),
    })
}

/// Whether a step is a convolution with further ones or additions behind it.
pub(super) fn is_chain<T: Kernels>(model: &Model<T>, step: &Step) -> bool {
    let nodes = || step.nodes.iter().map(|&i| &model.nodes[i]);
    let is_conv = |node: &Node<T>| node.is::<Conv2D>().is_some();
    nodes().next().is_some_and(is_conv)
        && nodes().skip(1).any(|node| is_conv(node) || node.is::<Add>().is_some())
}

/// Runs a step that [is a chain](is_chain). Its inputs are those of its nodes, in order, but for what
/// they take from each other.
pub(super) fn run<T: Kernels>(
    model: &Model<T>,
    step: &Step,
    tape: &Tape<T>,
    inputs: Vec<Var<T>>,
    own: &[Vec<Var<T>>],
) -> Result<Var<T>> {
    let lost = || Error::Internal("a chain of convolutions does not fit its step".into());
    let mut inputs = inputs.into_iter();
    let x = inputs.next().ok_or_else(lost)?;
    let mut convs: Vec<ChainedConv2d<T>> = Vec::new();
    for (&node, own) in step.nodes.iter().zip(own) {
        let node = &model.nodes[node];
        if let Some(conv) = node.is::<Conv2D>() {
            let [weight, bias @ ..] = own.as_slice() else { return Err(lost()) };
            convs.push(ChainedConv2d {
                weight: weight.clone(),
                bias: bias.first().cloned(),
                options: conv.options(),
                then: then(conv.activation).ok_or_else(lost)?,
                added: None,
                rectified: false,
            });
            continue;
        }
        let conv = convs.last_mut().ok_or_else(lost)?;
        if let Some(norm) = node.is::<BatchNormalization>() {
            let (w, b) = folded(tape, (&conv.weight, conv.bias.as_ref()), own, norm.epsilon)?;
            (conv.weight, conv.bias) = (w, Some(b));
        } else if node.is::<Add>().is_some() {
            conv.added = Some(inputs.next().ok_or_else(lost)?);
        } else if conv.added.is_some() {
            conv.rectified = true; // nothing but a ReLU follows a sum
        } else {
            conv.then = activation(node).and_then(then).ok_or_else(lost)?;
        }
    }
    tape.conv2d_chain(x, &convs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Padding;
    use crate::model::{GraphBuilder, NodeId, Pass, fusion};
    use crate::tensor::{BufferPool, Tensor};

    fn steps(model: &Model, watch: &[usize]) -> Vec<Vec<usize>> {
        let watch: Vec<bool> = (0..model.nodes.len()).map(|node| watch.contains(&node)).collect();
        let steps = fusion::plan(model, &watch, true);
        chained(model, &watch, steps).into_iter().map(|step| step.nodes).collect()
    }

    /// An inverted residual block: nodes 0 to 8.
    fn block(graph: &mut GraphBuilder, x: NodeId) -> NodeId {
        let mut y = graph.layer(Conv2D::new(32, 1), x);
        y = graph.layer(BatchNormalization::new(), y);
        y = graph.layer(Activation::Relu6, y);
        y = graph.layer(Conv2D::new(32, 3).groups(32).padding(Padding::Same), y);
        y = graph.layer(BatchNormalization::new(), y);
        y = graph.layer(Activation::Silu, y);
        y = graph.layer(Conv2D::new(8, 1), y);
        y = graph.layer(BatchNormalization::new(), y);
        graph.layer(Add::new(), [x, y])
    }

    fn model(graph: GraphBuilder, output: NodeId) -> Model {
        graph.build(output, 1).unwrap()
    }

    #[test]
    fn what_runs_as_one_op() {
        let mut graph = GraphBuilder::new([24, 24, 8]);
        let x = graph.input();
        let y = block(&mut graph, x);
        let y = graph.layer(Activation::Relu, y);
        let y = graph.layer(Conv2D::new(4, 3).activation(Activation::Relu), y);
        let y = graph.layer(MaxPool2D::new(2), y);
        let y = graph.layer(Conv2D::new(4, 1).activation(Activation::Softmax), y);
        let model = model(graph, y);
        let block: Vec<_> = (0..10).collect();
        assert_eq!(steps(&model, &[]), [block, vec![10, 11], vec![12]]);
        // What is watched is computed.
        assert_eq!(
            steps(&model, &[2, 7]),
            [vec![0, 1, 2], vec![3, 4, 5, 6, 7], vec![8, 9], vec![10, 11], vec![12]]
        );
    }

    #[test]
    fn a_sum_waits_for_both_its_values() {
        let mut graph = GraphBuilder::new([24, 24, 8]);
        let x = graph.input();
        let long = graph.layer(Conv2D::new(8, 3), x);
        let long = graph.layer(Conv2D::new(8, 1), long);
        let short = graph.layer(Conv2D::new(8, 3), x);
        let sum = graph.layer(Add::new(), [long, short]);
        let twice = graph.layer(Add::new(), [sum, sum]);
        let conv = graph.layer(Conv2D::new(3, 1), twice);
        let model = model(graph, conv);
        // The long way cannot take the sum along, which the short way, computed after it, can.
        assert_eq!(steps(&model, &[]), [vec![0, 1], vec![2, 3], vec![4], vec![5]]);
    }

    #[test]
    fn predictions_are_those_of_the_layers() {
        let mut graph = GraphBuilder::new([40, 40, 8]);
        let x = graph.input();
        let y = block(&mut graph, x);
        let y = block(&mut graph, y);
        let y = graph.layer(Activation::Relu, y);
        let model = model(graph, y);
        assert_eq!(steps(&model, &[]).len(), 2);
        let x = Tensor::from_fn([2, 40, 40, 8], |i| (i as f32).sin());
        let tape = Tape::new();
        let recorded = model.forward(&tape, tape.leaf(x.clone()), Pass::inference()).unwrap();
        let predicted = model.infer(&Tape::inference(BufferPool::new()), x).unwrap();
        let values = recorded.output.value().as_slice().iter().zip(predicted.value().as_slice());
        values.for_each(|(a, b)| approx::assert_abs_diff_eq!(a, b, epsilon = 1e-5));
    }
}
