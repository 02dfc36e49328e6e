//! Fusion: which nodes of a graph run together as one op.
//!
//! A pass over the graph joins a node with the only node that takes its value, where one op computes both
//! without storing what lies between them. A value that is watched, or an output, is never joined away.
//!
//! ```text
//! convolution, batch normalisation at inference, ReLU, max-pooling
//! convolution, batch normalisation at inference, ReLU6, or at inference any other activation
//! batch normalisation, ReLU or ReLU6
//! addition, ReLU
//! ```
//!
//! In predictions `chaining.rs` joins steps once more.

use super::folding::folded;
use super::{Model, Node};
use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::kernels::Kernels;
use crate::kernels::conv::MAX_FUSED_WINDOW;
use crate::layers::{Activation, Add, BatchNormalization, Conv2D, Forward, MaxPool2D};

/// Nodes that run as one, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub nodes: Vec<usize>,
}

impl Step {
    pub fn first(&self) -> usize {
        self.nodes[0]
    }

    pub fn last(&self) -> usize {
        self.nodes[self.nodes.len() - 1]
    }

    /// The values it takes: those of its nodes' inputs that none of its nodes computes.
    pub fn inputs<T: Kernels>(&self, model: &Model<T>) -> Vec<usize> {
        let inputs = self.nodes.iter().flat_map(|&node| model.nodes[node].inputs.iter().copied());
        inputs.filter(|value| !self.nodes.iter().any(|node| node + 1 == *value)).collect()
    }
}

/// The steps of a pass, in the order in which they can run. If the parameters are `constant` and the
/// statistics are those learned, batch normalisations are folded into convolutions.
pub(super) fn plan<T: Kernels>(model: &Model<T>, watch: &[bool], constant: bool) -> Vec<Step> {
    let takers = Takers::new(model);
    let mut joined = vec![false; model.nodes.len()];
    let mut steps = Vec::with_capacity(model.nodes.len());
    for i in 0..model.nodes.len() {
        if joined[i] {
            continue;
        }
        let mut nodes = vec![i];
        let mut last = i;
        // The one node that takes the last one's value, if it may be joined and is as wanted.
        let mut join = |is_wanted: &dyn Fn(&Node<T>) -> bool| {
            let next = takers.only(last).filter(|_| !watch[last]);
            let next = next.filter(|&next| is_wanted(&model.nodes[next]));
            if let Some(next) = next {
                nodes.push(next);
                joined[next] = true;
                last = next;
            }
            next.is_some()
        };
        let node = &model.nodes[i];
        if let Some(conv) = node.is::<Conv2D>() {
            let plain = conv.activation == Activation::Linear;
            if constant && plain {
                join(&|node| node.is::<BatchNormalization>().is_some());
            }
            if conv.activation == Activation::Relu || plain && join(&is_relu) {
                join(&is_fused_pool);
            } else if plain {
                // What else is computed along needs no gradients.
                let _ = join(&is_relu6) || constant && join(&is_function);
            }
        } else if node.is::<BatchNormalization>().is_some() {
            join(&|node| is_relu(node) || is_relu6(node));
        } else if let [a, b] = node.inputs[..]
            && node.is::<Add>().is_some()
            && model.value_shape(a) == model.value_shape(b)
        {
            // Values of unequal ranks are the layer's to align.
            join(&is_relu);
        }
        steps.push(Step { nodes });
    }
    steps
}

fn is_relu<T: Kernels>(node: &Node<T>) -> bool {
    node.is() == Some(&Activation::Relu)
}

fn is_relu6<T: Kernels>(node: &Node<T>) -> bool {
    node.is() == Some(&Activation::Relu6)
}

/// Whether a node is an activation that is a function of each number by itself.
fn is_function<T: Kernels>(node: &Node<T>) -> bool {
    node.is::<Activation>().is_some_and(|activation| matches!(activation.function(), Ok(Some(_))))
}

/// Whether a node is a pooling that a convolution computes along.
fn is_fused_pool<T: Kernels>(node: &Node<T>) -> bool {
    node.is::<MaxPool2D>().is_some_and(|pool| pool.window.0 * pool.window.1 <= MAX_FUSED_WINDOW)
}

/// Which node takes the value of a node, where there is only one.
pub(super) struct Takers(Vec<Option<usize>>);

impl Takers {
    pub fn new<T: Kernels>(model: &Model<T>) -> Self {
        let uses = model.uses();
        let mut takers = vec![None; model.nodes.len()];
        for (i, node) in model.nodes.iter().enumerate() {
            for &value in node.inputs.iter().filter(|&&value| value > 0 && uses[value] == 1) {
                takers[value - 1] = Some(i);
            }
        }
        Self(takers)
    }

    pub fn only(&self, node: usize) -> Option<usize> {
        self.0[node]
    }
}

/// Runs a step: a single node by its layer, several as one op.
pub(super) fn run<T: Kernels>(
    model: &Model<T>,
    step: &Step,
    cx: &mut Forward<'_, T>,
    inputs: Vec<Var<T>>,
    own: &[Vec<Var<T>>],
) -> Result<Var<T>> {
    if let ([node], [own]) = (step.nodes.as_slice(), own) {
        return model.nodes[*node].layer.forward(cx, inputs, own);
    }
    let lost = || Error::Internal("a step's nodes do not fit each other".into());
    let nodes = || step.nodes.iter().map(|&i| &model.nodes[i]);
    if let Some(norm) = model.nodes[step.first()].is::<BatchNormalization>()
        && let ([x], Some(&activation)) = (inputs.as_slice(), model.nodes[step.last()].is())
    {
        return norm.forward_with(cx, x, &own[0], activation);
    }
    let Some(conv) = model.nodes[step.first()].is::<Conv2D>() else {
        let [a, b] = inputs.as_slice() else { return Err(lost()) };
        return cx.tape.add_relu(a, b);
    };
    let ([x], [weight, bias @ ..]) = (inputs.as_slice(), own[0].as_slice()) else {
        return Err(lost());
    };
    let (mut weight, mut bias) = (weight.clone(), bias.first().cloned());
    for (node, own) in nodes().zip(own) {
        if let Some(norm) = node.is::<BatchNormalization>() {
            let (w, b) = folded(cx.tape, (&weight, bias.as_ref()), own, norm.epsilon)?;
            (weight, bias) = (w, Some(b));
        }
    }
    let behind = nodes().find_map(|node| node.is::<Activation>());
    let activation = behind.copied().unwrap_or(conv.activation);
    let pool = nodes().find_map(|node| node.is::<MaxPool2D>());
    let (bias, options) = (bias.as_ref(), conv.options());
    match (activation, pool) {
        (Activation::Relu, Some(pool)) => {
            cx.tape.conv2d_relu_max_pool(x, &weight, bias, options, pool.options())
        }
        (Activation::Relu, None) => cx.tape.conv2d_relu(x, &weight, bias, options),
        (Activation::Relu6, _) => cx.tape.conv2d_relu6(x, &weight, bias, options),
        _ => match activation.function()? {
            Some(function) => cx.tape.conv2d_then((x, &weight, bias), options, function),
            None => cx.tape.conv2d(x, &weight, bias, options),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::Tape;
    use crate::layers::{AveragePool2D, Dropout, Flatten, Layer};
    use crate::model::{GraphBuilder, Pass, Sequential};
    use crate::tensor::{BufferPool, Tensor};

    fn steps(model: &Model, watch: &[usize]) -> Vec<Vec<usize>> {
        let watch: Vec<bool> = (0..model.nodes.len()).map(|node| watch.contains(&node)).collect();
        plan(model, &watch, false).into_iter().map(|step| step.nodes).collect()
    }

    fn are_fused(conv: Conv2D, pool: impl Layer<f32> + 'static) -> bool {
        let model = Sequential::builder([40, 40, 1]).layer(conv).layer(pool).build(0).unwrap();
        steps(&model, &[]).len() == 1
    }

    #[test]
    fn what_runs_as_one_op() {
        let relu = || Conv2D::new(2, 3).activation(Activation::Relu);
        assert!(are_fused(relu(), MaxPool2D::new(2)));
        assert!(are_fused(relu().stride(2), MaxPool2D::new((3, 2)).stride(1)));
        assert!(are_fused(Conv2D::new(2, 3), Activation::Relu));
        assert!(are_fused(Conv2D::new(2, 3), Activation::Relu6));
        assert!(!are_fused(Conv2D::new(2, 3).activation(Activation::Relu6), MaxPool2D::new(2)));
        assert!(!are_fused(relu(), MaxPool2D::new(17)));
        assert!(!are_fused(relu(), AveragePool2D::new(2)));
        assert!(!are_fused(relu(), Dropout::new(0.5)));
        assert!(!are_fused(Conv2D::new(2, 3), MaxPool2D::new(2)));
        assert!(!are_fused(Conv2D::new(2, 3), Activation::Tanh));
        assert!(!are_fused(Conv2D::new(2, 3).activation(Activation::Tanh), MaxPool2D::new(2)));
    }

    #[test]
    fn any_function_is_computed_along_without_gradients() {
        let model = |activation: Activation| {
            let builder = Sequential::builder([9, 9, 3]).layer(Conv2D::new(20, 3));
            let builder = builder.layer(BatchNormalization::new()).layer(activation);
            builder.layer(Conv2D::new(4, 1).activation(activation)).layer(Flatten::new()).build(1)
        };
        for activation in [Activation::Silu, Activation::Gelu, Activation::LeakyRelu { slope: 0.1 }]
        {
            let model: Model<f64> = model(activation).unwrap().cast().unwrap();
            let watch = vec![false; model.nodes.len()];
            let steps =
                |constant| plan(&model, &watch, constant).into_iter().map(|step| step.nodes);
            assert!(steps(true).eq([vec![0, 1, 2], vec![3], vec![4]]));
            assert!(steps(false).eq([vec![0], vec![1], vec![2], vec![3], vec![4]]));
            let x = Tensor::from_fn([2, 9, 9, 3], |i| (i as f64).sin());
            let tape = Tape::new();
            let recorded = model.forward(&tape, tape.leaf(x.clone()), Pass::inference()).unwrap();
            let predicted = model.infer(&Tape::inference(BufferPool::new()), x).unwrap();
            for (a, b) in
                recorded.output.value().as_slice().iter().zip(predicted.value().as_slice())
            {
                approx::assert_abs_diff_eq!(a, b, epsilon = 1e-12);
            }
        }
        assert_eq!(
            Activation::Softmax.function().unwrap(),
            None,
            "it takes all numbers of a sample"
        );
    }

    #[test]
    fn watching_prevents_fusion() {
        let model = Sequential::builder([9, 9, 1])
            .layer(Conv2D::new(2, 3))
            .layer(Activation::Relu)
            .layer(MaxPool2D::new(2))
            .layer(Flatten::new())
            .build(0)
            .unwrap();
        assert_eq!(steps(&model, &[]), [vec![0, 1, 2], vec![3]]);
        assert_eq!(steps(&model, &[0]), [vec![0], vec![1], vec![2], vec![3]]);
        assert_eq!(steps(&model, &[1]), [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(steps(&model, &[2]), [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn a_value_that_others_take_is_computed() {
        let mut graph = GraphBuilder::new([6, 6, 2]);
        let conv = graph.layer(Conv2D::new(2, 1), graph.input());
        let relu = graph.layer(Activation::Relu, conv);
        let sum = graph.layer(Add::new(), [conv, relu]);
        let output = graph.layer(Activation::Relu, sum);
        let model = graph.clone().build(output, 1).unwrap();
        assert_eq!(steps(&model, &[]), [vec![0], vec![1], vec![2, 3]]);
        graph.also_output(sum);
        let model = graph.build(output, 1).unwrap();
        assert_eq!(steps(&model, &[]), [vec![0], vec![1], vec![2], vec![3]]);
    }
}
