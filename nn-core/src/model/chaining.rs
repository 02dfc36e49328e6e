//! Chaining: which convolutions of a prediction run one behind the other as one op.
//!
//! A pass over the steps joins a convolution with the next step, where that alone takes its value: another convolution,
//! or a sum, which ends the chain. Steps keep their order, so that no value lives longer than before. Whether the maps
//! between convolutions are stored is the kernels' choice.

use super::folding::folded;
use super::fusion::{Step, Takers};
use super::{Model, Node};
use crate::autograd::{ChainedConv2d, Tape, Var};
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::conv::Bounds;
use crate::kernels::functions::Function;
use crate::layers::{Activation, Add, BatchNormalization, Conv2D, MaxPool2D};

/// The steps with their chains joined.
pub(super) fn chained<T: Kernels>(model: &Model<T>, watch: &[bool], steps: Vec<Step>) -> Vec<Step> {
    let takers = Takers::new(model);
    let mut chained: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        let joins = |chain: &&mut Step| {
            let last = chain.last();
            let is_next = !watch[last] && takers.only(last) == Some(step.first());
            // What a sum adds to the chain's value is there: no other step lies between.
            let fits = is_convolution(model, &step) || is_sum(model, &step);
            is_next && fits && is_convolution(model, chain)
        };
        match chained.last_mut().filter(joins) {
            Some(chain) => chain.nodes.extend(step.nodes),
            None => chained.push(step),
        }
    }
    chained
}

/// Whether a step consists of convolutions alone, and of what a kernel does to their outputs.
fn is_convolution<T: Kernels>(model: &Model<T>, step: &Step) -> bool {
    let nodes = || step.nodes.iter().map(|&i| &model.nodes[i]);
    let ends = |node: &Node<T>| node.is::<MaxPool2D>().is_some() || node.is::<Add>().is_some();
    nodes().next().is_some_and(|node| node.is::<Conv2D>().is_some())
        && !nodes().any(ends)
        && nodes().filter_map(activation).all(|activation| then::<T>(activation).is_some())
}

/// Whether a step is the sum of two values of one shape.
fn is_sum<T: Kernels>(model: &Model<T>, step: &Step) -> bool {
    let node = &model.nodes[step.first()];
    node.is::<Add>().is_some()
        && matches!(node.inputs[..], [a, b] if model.value_shape(a) == model.value_shape(b))
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

/// Whether a step is a convolution with further ones or a sum behind it.
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
        } else if node.is::<Add>().is_some() && conv.added.is_none() {
            conv.added = Some(inputs.next().ok_or_else(lost)?);
        } else if conv.added.is_some() && activation(node) == Some(Activation::Relu) {
            conv.rectified = true;
        } else if conv.added.is_none() {
            conv.then = activation(node).and_then(then).ok_or_else(lost)?;
        } else {
            return Err(lost());
        }
    }
    tape.conv2d_chain(x, &convs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Concatenate, Padding, ParameterSpec};
    use crate::model::{GraphBuilder, NodeId, Pass, fusion};
    use crate::rng::Rng;
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
    fn steps_keep_their_order() {
        let mut graph = GraphBuilder::new([24, 24, 8]);
        let x = graph.input();
        let long = graph.layer(Conv2D::new(8, 3), x);
        let long = graph.layer(Conv2D::new(8, 1), long);
        let short = graph.layer(Conv2D::new(8, 3), x);
        let sum = graph.layer(Add::new(), [long, short]);
        let twice = graph.layer(Add::new(), [sum, sum]);
        let conv = graph.layer(Conv2D::new(3, 1), twice);
        let last = graph.layer(Conv2D::new(3, 1), conv);
        // The sum lies behind the short way; what others take, or is an output, ends a chain.
        graph.also_output(conv);
        let model = model(graph, last);
        assert_eq!(steps(&model, &[]), [vec![0, 1], vec![2, 3], vec![4], vec![5], vec![6]]);
        let mut graph = GraphBuilder::new([24, 24, 8]);
        let x = graph.input();
        let near = graph.layer(Conv2D::new(8, 1), x);
        let other = graph.layer(Conv2D::new(8, 1), x);
        let far = graph.layer(Conv2D::new(64, 1), near);
        let both = graph.layer(Concatenate::new(), [far, other]);
        let model = graph.build(both, 1).unwrap();
        assert_eq!(steps(&model, &[]), [[0], [1], [2], [3]], "or the widest map would live longer");
    }

    #[test]
    fn predictions_are_those_of_the_layers() {
        let mut graph = GraphBuilder::new([40, 40, 8]);
        let x = graph.input();
        let y = block(&mut graph, x);
        let z = block(&mut graph, y);
        // Further sums behind the same convolution.
        let z = graph.layer(Add::new(), [z, x]);
        let z = graph.layer(Activation::Relu, z);
        let z = graph.layer(Add::new(), [y, z]);
        let z = graph.layer(Conv2D::new(8, 1), z);
        let z = graph.layer(Add::new(), [z, y]);
        let z = graph.layer(Activation::Relu, z);
        let mut rng = Rng::new(5, 0);
        let numbers = |_: usize, _: &str, spec: &ParameterSpec| {
            // Above 0, as variances are.
            Ok(Tensor::from_fn(spec.shape.clone(), |_| rng.uniform_in(0.2, 1.0) as f32))
        };
        let model = graph.build_with(z, numbers).unwrap();
        let block = |first: usize| (first..first + 9).collect::<Vec<_>>();
        let (sums, last) = ([vec![18, 19], vec![20]], vec![21, 22, 23]);
        assert_eq!(
            steps(&model, &[]),
            [block(0), block(9), sums[0].clone(), sums[1].clone(), last]
        );
        let x = Tensor::from_fn([2, 40, 40, 8], |i| (i as f32).sin());
        let tape = Tape::new();
        let recorded = model.forward(&tape, tape.leaf(x.clone()), Pass::inference()).unwrap();
        let predicted = model.infer(&Tape::inference(BufferPool::new()), x).unwrap();
        let recorded = recorded.output.value().as_slice();
        let greatest = recorded.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
        for (a, b) in recorded.iter().zip(predicted.value().as_slice()) {
            approx::assert_abs_diff_eq!(a, b, epsilon = 1e-5 * greatest);
        }
    }
}
