//! Gradients of every layer, every loss and whole networks, in double precision against central
//! differences, and in single precision against double.
//!
//! Each check builds a model, runs it on a batch, reduces the output to a number, and compares the
//! gradient with respect to every element of every parameter and of the input with
//! `(f(v + h) - f(v - h)) / 2h`. Errors are relative to the tensor's largest gradient.

use nn_core::Kernels;
use nn_core::autograd::PadMode;
use nn_core::layers::Padding;
use nn_core::layers::*;
use nn_core::loss::{Loss, Targets};
use nn_core::model::{GraphBuilder, NodeId, Pass, Sequential, SequentialBuilder};
use nn_core::rng::Rng;
use nn_core::{Result, Tape, Tensor, Var};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

const TOLERANCE: f64 = 1e-6;
const STEP: f64 = 1e-5;

/// How an output is reduced to a number.
#[derive(Clone, Copy)]
enum Objective<'a> {
    /// A sum with weights that are all different, so that no two outputs can be confused.
    Weighted,
    Loss(Loss, Targets<'a, f64>),
}

impl Objective<'_> {
    fn apply(self, tape: &Tape<f64>, output: &Var<f64>) -> Result<Var<f64>> {
        match self {
            Self::Weighted => {
                let weights = uniform(output.dims(), 99);
                let weighted = tape.mul(output, &tape.constant(weights))?;
                Ok(tape.sum(&weighted))
            }
            Self::Loss(loss, targets) => loss.apply(tape, output, targets),
        }
    }
}

fn uniform(dims: &[usize], seed: u64) -> Tensor<f64> {
    let mut rng = Rng::new(seed, 0);
    Tensor::from_fn(dims, |_| rng.uniform_in(-1.0, 1.0))
}

/// Gives every parameter, including biases, generic values.
fn scramble(model: &mut Sequential<f64>) {
    for (i, parameter) in model.parameters_mut().iter_mut().enumerate() {
        parameter.value = uniform(parameter.value.dims(), 10 + i as u64).into();
    }
}

/// Runs the model with the same dropout each time, watching `watch`.
fn run(
    tape: &Tape<f64>,
    model: &Sequential<f64>,
    x: &Var<f64>,
    objective: Objective<'_>,
    watch: &[&str],
) -> (Var<f64>, Vec<Var<f64>>) {
    let mut rng = Rng::new(3, 0);
    let pass = Pass::training(&mut rng).watch(watch);
    let pass = model.forward(tape, x.clone(), pass).unwrap();
    (objective.apply(tape, &pass.output).unwrap(), pass.parameters)
}

fn value(model: &Sequential<f64>, x: &Tensor<f64>, objective: Objective<'_>) -> f64 {
    let tape = Tape::inference(Default::default());
    let x = tape.constant(x.clone());
    run(&tape, model, &x, objective, &[]).0.value().item().unwrap()
}

/// Central differences for every element of a tensor, which `at` sets in the model or input.
fn differences(tensor: &Tensor<f64>, at: impl Fn(Tensor<f64>) -> f64) -> Vec<f64> {
    let moved = |i: usize, by: f64| {
        let mut moved = tensor.clone();
        moved.as_mut_slice()[i] += by;
        at(moved)
    };
    (0..tensor.len()).map(|i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * STEP)).collect()
}

fn compare(what: &str, gradient: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(gradient.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |max, v| max.max(v.abs()));
    assert!(largest > 0.0, "{what}: all gradients are zero, which checks nothing");
    for (i, (g, e)) in gradient.iter().zip(expected).enumerate() {
        let error = (g - e).abs() / largest;
        assert!(error < tolerance, "{what}[{i}]: {g} instead of {e}, relative error {error:e}");
    }
}

/// Checks the gradients of all parameters and of the input.
fn check(builder: SequentialBuilder<f64>, batch: usize, objective: Objective<'_>) {
    check_model(builder.build(1).unwrap(), batch, objective);
}

/// [`check`] of any graph. State gets no gradient.
fn check_model(mut model: Sequential<f64>, batch: usize, objective: Objective<'_>) {
    CHECKED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(model.layers().map(|(_, kind)| kind));
    scramble(&mut model);
    let input = uniform(model.input_shape().batched(batch).dims(), 7);
    let names: Vec<_> = model.layers().map(|(name, _)| name.to_owned()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let along_input = differences(&input, |moved| value(&model, &moved, objective));
    let along_parameter = |parameter: &Parameter<f64>| {
        differences(&parameter.value, |moved| {
            let mut model = model.clone();
            model.set(&parameter.name, moved).unwrap();
            value(&model, &input, objective)
        })
    };
    let along_parameters: Vec<_> = model.parameters().iter().map(along_parameter).collect();
    // Once as the model runs by default, and once with nothing fused.
    for watch in [&[][..], &names] {
        let mut tape = Tape::new();
        let x = tape.leaf(input.clone());
        let (total, parameters) = run(&tape, &model, &x, objective, watch);
        tape.backward(&total).unwrap();
        compare("input", tape.grad(&x).unwrap().as_slice(), &along_input, TOLERANCE);
        for (i, parameter) in model.parameters().iter().enumerate() {
            if parameter.state {
                assert!(tape.grad(&parameters[i]).is_none(), "{}", parameter.name);
                continue;
            }
            let gradient = tape.grad(&parameters[i]).unwrap().as_slice();
            compare(&parameter.name, gradient, &along_parameters[i], TOLERANCE);
        }
    }
}

/// Checks a graph of an input of this shape, built by `nodes`.
fn check_graph(input: &[usize], nodes: impl Fn(&mut GraphBuilder<f64>, NodeId) -> NodeId) {
    let mut graph = GraphBuilder::new(input);
    let input = graph.input();
    let output = nodes(&mut graph, input);
    check_model(graph.build(output, 1).unwrap(), 3, Objective::Weighted);
}

fn check_layer(input: &[usize], layer: impl Layer<f64> + 'static) {
    let builder = SequentialBuilder::new(input).layer(layer).output(OutputKind::Linear);
    check(builder, 3, Objective::Weighted);
}

/// The kinds of the layers that were checked.
static CHECKED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

/// A kind that is missing below has no checked gradient.
#[test]
fn every_kind_of_layer() {
    let checks: [fn(); 15] = [
        rescaling,
        convolution,
        dilated_grouped_and_unevenly_padded_convolution,
        transposed_convolution,
        zero_padding,
        pooling,
        upsampling,
        normalization,
        channels_and_branches,
        shapes_and_order,
        functions_and_reductions,
        activations,
        convolution_and_pooling_in_one,
        dense,
        flatten_and_dropout,
    ];
    checks.into_par_iter().for_each(|check| check());
    let kinds: BTreeSet<_> = LayerKinds::<f64>::built_in().names().collect();
    assert_eq!(*CHECKED.lock().unwrap(), kinds);
}

fn rescaling() {
    check_layer(&[3, 4, 2], Rescaling::new(0.3));
    check_layer(&[5], Rescaling::new(-2.0).offset(0.7));
    check_layer(&[3, 4, 2], Normalization::new([0.2, -0.1], [0.3, 2.0]));
}

fn convolution() {
    check_layer(&[6, 5, 3], Conv2D::new(4, 3));
    check_layer(&[6, 5, 3], Conv2D::new(4, 3).activation(Activation::Relu));
    check_layer(&[7, 6, 2], Conv2D::new(3, (2, 4)).stride((2, 1)).activation(Activation::Tanh));
    check_layer(&[5, 6, 2], Conv2D::new(3, 3).padding(Padding::Same));
    check_layer(&[5, 6, 2], Conv2D::new(3, (4, 2)).padding(Padding::Same).stride((2, 3)));
    check_layer(&[3, 3, 1], Conv2D::new(2, 1).activation(Activation::Sigmoid));
}

fn dilated_grouped_and_unevenly_padded_convolution() {
    let uneven = Padding::Explicit { top: 2, bottom: 0, left: 1, right: 3 };
    let relu = Activation::Relu;
    check_layer(&[6, 7, 2], Conv2D::new(3, 3).dilation(2).bias(false));
    check_layer(&[6, 5, 2], Conv2D::new(3, (2, 3)).padding(uneven).stride(2).activation(relu));
    check_layer(&[5, 5, 4], Conv2D::new(6, 2).groups(2).padding(Padding::SameLower));
    check_layer(&[4, 5, 6], Conv2D::new(3, 3).groups(3).padding(uneven).dilation((1, 2)));
    check_layer(&[5, 4, 3], DepthwiseConv2D::new(3).padding(Padding::Same).activation(relu));
    check_layer(&[6, 5, 2], DepthwiseConv2D::new((2, 3)).multiplier(3).stride((1, 2)).bias(false));
    check_layer(&[6, 6, 3], DepthwiseConv2D::new(2).dilation(2).padding(uneven));
}

fn transposed_convolution() {
    let uneven = Padding::Explicit { top: 1, bottom: 0, left: 0, right: 2 };
    let up = |filters, kernel: (usize, usize)| Conv2DTranspose::new(filters, kernel).stride(2);
    check_layer(&[3, 4, 2], Conv2DTranspose::new(3, (3, 2)));
    check_layer(&[3, 2, 2], up(3, (3, 3)).padding(Padding::Same).activation(Activation::Tanh));
    check_layer(&[3, 3, 4], up(2, (2, 3)).groups(2).padding(uneven).output_padding((1, 0)));
    check_layer(&[2, 3, 2], up(2, (2, 2)).dilation((2, 1)).bias(false));
}

fn zero_padding() {
    check_layer(&[3, 2, 2], ZeroPadding2D::sides((1, 0), (2, 3)));
    let builder = SequentialBuilder::new([4, 5, 2])
        .layer(ZeroPadding2D::new(1))
        .layer(Conv2D::new(3, 3).activation(Activation::Relu));
    check(builder.output(OutputKind::Linear), 2, Objective::Weighted);
}

fn pooling() {
    check_layer(&[5, 6, 2], MaxPool2D::new(2));
    check_layer(&[5, 6, 2], MaxPool2D::new((3, 2)).stride(1));
    check_layer(&[5, 6, 2], AveragePool2D::new(2));
    check_layer(&[5, 6, 2], AveragePool2D::new((2, 3)).stride((1, 2)));
    check_layer(&[4, 3, 2], GlobalAveragePool2D::new());
    check_layer(&[4, 3, 2], GlobalMaxPool2D::new());
    let uneven = Padding::Explicit { top: 0, bottom: 1, left: 2, right: 1 };
    for padding in [Padding::Same, Padding::SameLower, Padding::symmetric(1), uneven] {
        check_layer(&[5, 6, 2], MaxPool2D::new(3).stride(2).padding(padding));
        check_layer(&[5, 6, 2], AveragePool2D::new(3).stride(2).padding(padding));
        let inside = AveragePool2D::new(3).stride((1, 2)).padding(padding).count_include_pad(false);
        check_layer(&[5, 6, 2], inside);
    }
    check_layer(&[5, 6, 2], MaxPool2D::new(2).ceil_mode(true));
    check_layer(&[5, 6, 2], AveragePool2D::new((2, 3)).stride(2).ceil_mode(true));
    check_layer(&[6, 7, 2], MaxPool2D::new((2, 3)).stride(1).dilation((3, 2)));
    check_layer(&[5, 7, 2], AdaptiveAveragePool2D::new((2, 3)));
    check_layer(&[3, 2, 2], AdaptiveAveragePool2D::new((5, 2)));
}

fn upsampling() {
    for interpolation in [
        Interpolation::Nearest,
        Interpolation::Bilinear { align_corners: false },
        Interpolation::Bilinear { align_corners: true },
    ] {
        check_layer(&[3, 4, 2], UpSampling2D::new((2, 3)).interpolation(interpolation));
        check_layer(&[5, 4, 2], Resize2D::new((3, 7)).interpolation(interpolation));
    }
}

fn normalization() {
    for input in [&[4, 3, 6][..], &[5, 6], &[6]] {
        check_layer(input, BatchNormalization::new());
        check_layer(input, BatchNormalization::keras());
        check_layer(input, LayerNormalization::new().epsilon(1e-2));
        if input.len() > 1 {
            check_layer(input, GroupNormalization::new(2));
            check_layer(input, GroupNormalization::new(6));
        }
    }
    check_layer(&[4, 3, 6], Scale::new(1e-6));
}

fn channels_and_branches() {
    check_layer(&[3, 2, 6], ChannelShuffle::new(3));
    check_layer(&[3, 2, 6], ChannelSlice::new(1..4));
    check_layer(&[3, 2, 6], StochasticDepth::new(0.5));
    // A unit of a ShuffleNet: a split, a branch, a join and a shuffle.
    check_graph(&[3, 4, 6], |graph, x| {
        let kept = graph.layer(ChannelSlice::new(0..3), x);
        let branch = graph.layer(ChannelSlice::new(3..6), x);
        // Before a batch normalisation alone a bias has no effect, and no gradient to compare.
        let conv = Conv2D::new(3, 3).padding(Padding::Same).activation(Activation::Silu);
        let branch = graph.layer(conv, branch);
        let branch = graph.layer(BatchNormalization::new(), branch);
        let joined = graph.layer(Concatenate::new(), [kept, branch, x]);
        graph.layer(ChannelShuffle::new(2), joined)
    });
    // A residual block with everything that such blocks have, and a squeeze-and-excite.
    check_graph(&[4, 5, 4], |graph, x| {
        let conv =
            Conv2D::new(4, 3).padding(Padding::Same).activation(Activation::Elu { alpha: 1.0 });
        let y = graph.layer(conv, x);
        let y = graph.layer(BatchNormalization::keras(), y);
        let y = graph.layer(Activation::HardSwish, y);
        let squeezed = graph.layer(GlobalAveragePool2D::new(), y);
        let gate = graph.layer(Dense::new(4).activation(Activation::HARD_SIGMOID), squeezed);
        let y = graph.layer(Multiply::new(), [y, gate]);
        let y = graph.layer(Scale::new(0.1), y);
        let y = graph.layer(StochasticDepth::new(0.3), y);
        let sum = graph.layer(Add::new(), [x, y]);
        graph.layer(LayerNormalization::new(), sum)
    });
}

fn shapes_and_order() {
    check_layer(&[3, 4, 2], Reshape::new([2, 12]));
    check_layer(&[3, 4, 2], Permute::new([2, 0, 1]));
    check_layer(&[5, 4, 2], Slice::new(0, 1..5).step(-2));
    check_layer(&[5, 4, 2], Slice::new(1, 1..3));
    check_layer(&[5, 4, 3], Gather::new(2, [2, 0, 2]));
    for mode in [PadMode::Constant(0.5), PadMode::Reflect, PadMode::Edge, PadMode::Wrap] {
        check_layer(&[4, 3, 2], Pad::new([(1, 2), (2, 0), (0, 1)], mode));
    }
    check_graph(&[3, 2, 4], |graph, x| {
        let y = graph.layer(Permute::new([1, 0, 2]), x);
        let y = graph.layer(Reshape::new([3, 2, 4]), y);
        let joined = graph.layer(Concatenate::new().axis(0), [x, y]);
        graph.layer(Concatenate::new().axis(1), [joined, joined])
    });
    check_graph(&[2, 3, 4], |graph, x| {
        let turned = graph.layer(Permute::new([0, 2, 1]), x);
        graph.layer(MatMul::new(), [x, turned])
    });
}

fn functions_and_reductions() {
    for function in [
        Function::Abs,
        Function::Clamp { low: Some(-0.4), high: None },
        Function::Clamp { low: Some(-0.5), high: Some(0.3) },
        Function::Erf,
        Function::Exp,
        Function::Power { exponent: 2.0 },
        Function::Power { exponent: 3.0 },
    ] {
        check_layer(&[3, 4, 2], function);
    }
    for function in [Function::Log, Function::Sqrt, Function::Power { exponent: -0.75 }] {
        let builder = SequentialBuilder::new([3, 4]).layer(Rescaling::new(0.4).offset(1.0));
        check(builder.layer(function).output(OutputKind::Linear), 2, Objective::Weighted);
    }
    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
        check_layer(&[3, 4, 2], Reduce::new(reduction, [0, 1]));
        check_layer(&[3, 4, 2], Reduce::new(reduction, [2]));
    }
    check_layer(&[3, 4, 2], Bias::new());
    check_graph(&[3, 4, 2], |graph, x| {
        let constant = graph.layer(Constant::new([4, 1]), x);
        let away = graph.layer(Rescaling::new(0.2).offset(1.5), constant);
        let quotient = graph.layer(Divide::new(), [x, away]);
        let difference = graph.layer(Subtract::new(), [quotient, constant]);
        let smaller = graph.layer(Minimum::new(), [difference, x]);
        graph.layer(Maximum::new(), [smaller, constant])
    });
}

fn activations() {
    for activation in [
        Activation::LeakyRelu { slope: 0.2 },
        Activation::Elu { alpha: 1.3 },
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::HardSwish,
        Activation::HARD_SIGMOID,
        Activation::Relu6,
        Activation::Softplus,
        Activation::Mish,
    ] {
        check_layer(&[6], Dense::new(4).activation(activation));
        check_layer(&[6], Dense::new(4).bias(false).activation(activation));
        check_layer(&[5, 4, 2], Conv2D::new(3, 2).activation(activation));
        check_layer(&[3, 4], activation);
    }
}

fn convolution_and_pooling_in_one() {
    let conv = || Conv2D::new(3, 3).activation(Activation::Relu);
    for (conv, pool) in [
        (conv(), MaxPool2D::new(2)),
        (conv().padding(Padding::Same), MaxPool2D::new(3).stride(2)),
        (conv().stride((1, 2)), MaxPool2D::new((1, 2))),
        (conv().dilation(2).bias(false), MaxPool2D::new(2)),
        (conv().padding(Padding::symmetric((2, 0))), MaxPool2D::new(2)),
        (Conv2D { filters: 4, groups: 2, ..conv() }, MaxPool2D::new(2)),
    ] {
        let builder = SequentialBuilder::new([8, 9, 2]).layer(conv).layer(pool);
        check(builder, 2, Objective::Weighted);
    }
}

fn dense() {
    for activation in [
        Activation::Linear,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softmax,
    ] {
        check_layer(&[6], Dense::new(4).activation(activation));
        check_layer(&[6], activation);
    }
}

fn flatten_and_dropout() {
    check_layer(&[3, 4, 2], Flatten::new());
    check_layer(&[3, 4], Flatten::new());
    check_layer(&[5], Flatten::new());
    check_layer(&[20], Dropout::new(0.4));
    check_layer(&[3, 4, 2], Dropout::new(0.2));
}

#[test]
fn losses() {
    let dense = |units| SequentialBuilder::new([5]).layer(Dense::new(units));
    let soft = uniform(&[4, 3], 5).map(f64::abs);
    for (units, loss, targets) in [
        (3, Loss::CategoricalCrossentropy, Targets::Classes(&[2, 0, 1, 1])),
        (1, Loss::BinaryCrossentropy, Targets::Classes(&[1, 0, 0, 1])),
        (3, Loss::BinaryCrossentropy, Targets::Values(&soft)),
        (3, Loss::MeanSquaredError, Targets::Values(&soft)),
    ] {
        check(dense(units), 4, Objective::Loss(loss, targets));
    }
}

/// A small version of the built-in network: every kind of layer it has, with odd sizes in between.
fn network() -> SequentialBuilder<f64> {
    SequentialBuilder::new([23, 24, 3])
        .layer(Rescaling::new(0.9).offset(0.05))
        .layer(Conv2D::new(2, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Conv2D::new(3, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Conv2D::new(3, 3).activation(Activation::Relu))
        .layer(MaxPool2D::new(2))
        .layer(Flatten::new())
        .layer(Dense::new(4).activation(Activation::Relu))
        .layer(Dropout::new(0.3))
        .layer(Dense::new(3).activation(Activation::Softmax))
}

#[test]
fn whole_network() {
    let loss = Loss::CategoricalCrossentropy;
    check(network(), 3, Objective::Loss(loss, Targets::Classes(&[2, 0, 1])));
}

#[test]
fn another_network() {
    let builder = SequentialBuilder::new([9, 10, 2])
        .layer(Conv2D::new(3, 3).padding(Padding::Same).activation(Activation::Tanh))
        .layer(AveragePool2D::new(2))
        .layer(Conv2D::new(4, (1, 3)).stride((1, 2)))
        .layer(Activation::Sigmoid)
        .layer(GlobalAveragePool2D::new())
        .layer(Dense::new(1).activation(Activation::Sigmoid));
    let loss = Loss::BinaryCrossentropy;
    check(builder, 4, Objective::Loss(loss, Targets::Classes(&[1, 0, 0, 1])));
}

/// Loss and gradients of the network in a precision.
fn gradients<T: Kernels>(model: &Sequential<T>, labels: &[usize]) -> Vec<Vec<f64>> {
    let mut tape = Tape::<T>::new();
    let x = uniform(model.input_shape().batched(labels.len()).dims(), 7).cast();
    let x = tape.leaf(x);
    let pass = model.forward(&tape, x.clone(), Pass::inference()).unwrap();
    let loss = Loss::CategoricalCrossentropy.apply(&tape, &pass.output, labels).unwrap();
    tape.backward(&loss).unwrap();
    let all = pass.parameters.iter().chain([&x]);
    all.map(|var| tape.grad(var).unwrap().cast::<f64>().into_vec()).collect()
}

#[test]
fn single_precision_follows_double() {
    let mut double = network().build(1).unwrap();
    scramble(&mut double);
    // Both start from the very same numbers.
    let single = double.cast::<f32>().unwrap();
    let double = single.cast::<f64>().unwrap();
    let labels = [2, 0, 1, 1];
    let (single, double) = (gradients(&single, &labels), gradients(&double, &labels));
    for (i, (single, double)) in single.iter().zip(&double).enumerate() {
        compare(&format!("tensor {i} in f32"), single, double, 1e-5);
    }
}
