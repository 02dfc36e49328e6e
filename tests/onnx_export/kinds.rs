//! Every kind of layer, with the settings that are written in different ways.

use crate::again::{read_again, stirred};
use crate::runtime::Checked;
use nn_core::autograd::PadMode;
use nn_core::layers::*;
use nn_core::model::{GraphBuilder, Model, NodeId, Sequential};
use std::collections::BTreeSet;

/// A model with what its operators cost in a file whose images have their channels first.
pub struct Case {
    pub name: String,
    pub model: Model,
    pub transposes: usize,
}

const IMAGE: [usize; 3] = [7, 6, 4];

#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add(&mut self, name: &str, transposes: usize, model: Model) {
        let same = self.0.iter().filter(|case| case.name.starts_with(name)).count();
        let name = format!("{name}_{same}");
        self.0.push(Case { name, model: stirred(model), transposes });
    }

    /// A layer of an input of this shape.
    fn alone(&mut self, input: &[usize], layer: impl Layer<f32> + 'static) {
        self.moving(input, 0, layer);
    }

    fn image(&mut self, layer: impl Layer<f32> + 'static) {
        self.moving(&IMAGE, 0, layer);
    }

    fn moving(&mut self, input: &[usize], transposes: usize, layer: impl Layer<f32> + 'static) {
        let kind = layer.kind();
        let chain = Sequential::builder(input).channels_last().layer(layer);
        self.add(kind, transposes, chain.output(OutputKind::Linear).build(27).unwrap());
    }

    /// What `build` makes of an input.
    fn graph(
        &mut self,
        name: &str,
        transposes: usize,
        input: &[usize],
        build: impl FnOnce(&mut GraphBuilder, NodeId) -> NodeId,
    ) {
        let mut graph = GraphBuilder::new(input).channels_last().output_kind(OutputKind::Linear);
        let x = graph.input();
        let output = build(&mut graph, x);
        self.add(name, transposes, graph.build(output, 27).unwrap());
    }

    /// A layer of two inputs: the image, and what `other` makes of it.
    fn two(
        &mut self,
        layer: impl Layer<f32> + 'static,
        other: impl FnOnce(&mut GraphBuilder, NodeId) -> NodeId,
    ) {
        self.graph(layer.kind(), 0, &IMAGE, |graph, x| {
            let y = other(graph, x);
            graph.layer(layer, [x, y])
        });
    }
}

fn around(top: usize, bottom: usize, left: usize, right: usize) -> Padding {
    Padding::Explicit { top, bottom, left, right }
}

fn convolutions(cases: &mut Cases) {
    let uneven = around(1, 2, 0, 1);
    cases.image(Conv2D::new(5, 3));
    cases.image(Conv2D::new(6, (3, 2)).stride((2, 1)).padding(uneven).groups(2).bias(false));
    cases.image(Conv2D::new(3, (2, 3)).dilation((2, 1)).padding(Padding::Same));
    cases.image(Conv2D::new(3, 2).stride(2).padding(Padding::SameLower));
    cases.image(Conv2D::new(3, 3).activation(Activation::Gelu));
    cases.image(DepthwiseConv2D::new(3).stride(2).padding(Padding::Same));
    cases.image(DepthwiseConv2D::new((2, 3)).multiplier(2).activation(Activation::Relu6));
    cases.image(Conv2DTranspose::new(5, 3));
    let up = Conv2DTranspose::new(6, (4, 3)).stride(2).groups(2);
    cases.image(up.clone().padding(Padding::Same).activation(Activation::Silu));
    cases.image(up.clone().padding(Padding::SameLower).bias(false));
    cases.image(up.padding(around(1, 0, 2, 1)).output_padding((0, 1)));
    cases.image(Conv2DTranspose::new(2, 1).stride((3, 2)).padding(Padding::Same));
    cases.image(Conv2DTranspose::new(2, 2).dilation((3, 1)).padding(Padding::Same));
    cases.alone(&[6], Dense::new(3));
    cases.alone(&[6], Dense::new(3).bias(false));
    cases.alone(&[6], Dense::new(3).activation(Activation::Softmax));
}

fn activations(cases: &mut Cases) {
    use Activation::*;
    for activation in [
        Linear,
        Relu,
        Sigmoid,
        Tanh,
        Softmax,
        LeakyRelu { slope: 0.1 },
        Elu { alpha: 0.7 },
        Gelu,
        GeluTanh,
        Silu,
        HardSwish,
        HardSigmoid { alpha: 0.2, beta: 0.4 },
        Activation::HARD_SIGMOID,
        Relu6,
        Softplus,
        Mish,
    ] {
        cases.image(activation);
    }
    cases.alone(&[5, 4], Softmax);
    cases.alone(&[6], Softmax);
    for function in [
        Function::Abs,
        Function::Clamp { low: Some(-0.5), high: Some(1.0) },
        Function::Clamp { low: None, high: Some(0.25) },
        Function::Clamp { low: Some(-0.25), high: None },
        Function::Clamp { low: None, high: None },
        Function::Erf,
        Function::Exp,
        Function::Power { exponent: 2.0 },
        Function::Power { exponent: 3.0 },
    ] {
        cases.image(function);
    }
    for function in [Function::Log, Function::Sqrt, Function::Power { exponent: -0.5 }] {
        cases.graph("Function", 0, &IMAGE, |graph, x| {
            let squares = graph.layer(Function::Power { exponent: 2.0 }, x);
            let positive = graph.layer(Rescaling::new(1.0).offset(0.5), squares);
            graph.layer(function, positive)
        });
    }
}

fn arithmetic(cases: &mut Cases) {
    let channels = |graph: &mut GraphBuilder, x| graph.layer(GlobalAveragePool2D::new(), x);
    let like = |graph: &mut GraphBuilder, x| graph.layer(Conv2D::new(4, 1), x);
    let row = |graph: &mut GraphBuilder, x| graph.layer(Reduce::new(Reduction::Mean, [0]), x);
    cases.two(Add::new(), like);
    cases.two(Add::new(), channels);
    cases.two(Multiply::new(), channels);
    cases.two(Multiply::new(), row);
    cases.two(Subtract::new(), like);
    cases.two(Divide::new(), |graph, x| graph.layer(Activation::Softplus, x));
    cases.two(Minimum::new(), like);
    cases.two(Maximum::new(), row);
    cases.graph("Add", 0, &IMAGE, |graph, x| {
        let y = graph.layer(Activation::Tanh, x);
        let z = graph.layer(Activation::Sigmoid, x);
        graph.layer(Add::new(), [x, y, z])
    });
    cases.graph("Subtract", 0, &[6], |graph, x| {
        let y = graph.layer(Activation::Tanh, x);
        graph.layer(Subtract::new(), [y, x])
    });
    cases.two(Concatenate::new(), like);
    cases.two(Concatenate::new().axis(0), |graph, x| graph.layer(ZeroPadding2D::new((1, 0)), x));
    cases.graph("MatMul", 1, &[3, 5], |graph, x| {
        let turned = graph.layer(Permute::new([1, 0]), x);
        graph.layer(MatMul::new(), [x, turned])
    });
    cases.image(Bias::new());
    cases.image(Bias::new().fixed(true));
    cases.alone(&[6], Bias::new());
    cases.image(Scale::new(0.5));
    cases.image(Scale::new(0.5).fixed(true));
    cases.alone(&[5, 4], Scale::new(0.5));
    cases.image(Rescaling::new(1.0 / 255.0));
    cases.image(Rescaling::new(1.0).offset(-2.0));
    cases.image(Rescaling::new(1.0 / 127.5).offset(-1.0));
    cases.image(Rescaling::new(1.0));
    cases.image(Normalization::new([0.5, 0.25, 1.0, -1.0], [0.3, 2.0, 1.0, -0.5]));
    cases.alone(&[8, 8, 3], Normalization::new([123.7, 116.3, 103.5], [58.4, 57.1, 57.4]));
    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
        cases.image(Reduce::new(reduction, [2]));
        cases.image(Reduce::new(reduction, [0, 1]));
        cases.alone(&[5, 4], Reduce::new(reduction, [0]));
    }
    cases.image(Reduce::new(Reduction::Max, []));
    cases.image(Dropout::new(0.5));
    cases.image(StochasticDepth::new(0.25));
    cases.two(Add::new(), |graph, x| graph.layer(Constant::new([7, 6, 4]), x));
    cases.two(Multiply::new(), |graph, x| graph.layer(Constant::new([1, 6, 4]), x));
    cases.two(Add::new(), |graph, x| graph.layer(Constant::new([7, 6, 4]).fixed(true), x));
    cases.two(Concatenate::new(), |graph, x| graph.layer(Constant::new([7, 6, 2]), x));
    cases.graph("Constant", 0, &[5, 4], |graph, x| {
        let token = graph.layer(Constant::new([1, 4]), x);
        let tokens = graph.layer(Concatenate::new().axis(0), [token, x]);
        let positions = graph.layer(Constant::new([6, 4]), x);
        graph.layer(Add::new(), [tokens, positions])
    });
}

fn normalizations(cases: &mut Cases) {
    cases.image(BatchNormalization::new());
    cases.image(BatchNormalization::new().epsilon(1e-3).momentum(0.01));
    cases.alone(&[6], BatchNormalization::new());
    cases.moving(&[5, 4], 2, BatchNormalization::new());
    cases.image(GroupNormalization::new(2));
    cases.image(GroupNormalization::new(4).epsilon(1e-3));
    cases.image(GroupNormalization::new(1));
    cases.alone(&[6], GroupNormalization::new(3));
    cases.moving(&[5, 4], 2, GroupNormalization::new(2));
    cases.moving(&IMAGE, 2, LayerNormalization::new());
    cases.alone(&[5, 4], LayerNormalization::new().epsilon(1e-6));
    cases.alone(&[6], LayerNormalization::new());
}

fn poolings(cases: &mut Cases) {
    let image = [11, 8, 3];
    for padding in
        [Padding::Valid, Padding::Same, Padding::SameLower, around(1, 1, 1, 1), around(0, 1, 1, 0)]
    {
        for ceil_mode in [false, true] {
            let pool = MaxPool2D::new(3).stride(2).padding(padding).ceil_mode(ceil_mode);
            cases.alone(&image, pool);
            for count in [false, true] {
                let pool = AveragePool2D::new((3, 2)).stride(2).padding(padding);
                cases.alone(&image, pool.ceil_mode(ceil_mode).count_include_pad(count));
            }
        }
    }
    // A last window that would begin in the padding is left out.
    let pool = MaxPool2D::new(2).stride(3).padding(around(1, 1, 1, 1)).ceil_mode(true);
    cases.alone(&[6, 7, 2], pool);
    let pool = AveragePool2D::new(2).stride(3).padding(around(1, 1, 1, 1)).ceil_mode(true);
    cases.alone(&[6, 7, 2], pool);
    cases.alone(&image, MaxPool2D::new((2, 3)).stride(1).dilation((3, 2)));
    cases.alone(&image, MaxPool2D::new(2).stride(2).dilation(3).padding(Padding::SameLower));
    cases.alone(&image, MaxPool2D::new(2).stride(4).ceil_mode(true).dilation(2));
    cases.image(GlobalAveragePool2D::new());
    cases.image(GlobalMaxPool2D::new());
    for size in [(1, 1), (11, 8), (11, 4), (4, 3), (1, 3), (5, 2), (7, 8)] {
        cases.alone(&image, AdaptiveAveragePool2D::new(size));
    }
    for align_corners in [false, true] {
        let linear = Interpolation::Bilinear { align_corners };
        cases.image(UpSampling2D::new((2, 3)).interpolation(linear));
        cases.image(Resize2D::new((10, 5)).interpolation(linear));
        cases.image(Resize2D::new((1, 2)).interpolation(linear));
    }
    cases.image(UpSampling2D::new((3, 2)));
    cases.image(Resize2D::new((14, 3)));
    cases.image(Resize2D::new((49, 11)));
    cases.alone(&[10, 10, 2], Resize2D::new((7, 3)));
}

fn moved(cases: &mut Cases) {
    cases.image(Flatten::new());
    cases.alone(&[5, 4], Flatten::new());
    cases.alone(&[6], Flatten::new());
    cases.alone(&[2, 3, 2, 2], Flatten::new());
    cases.moving(&IMAGE, 1, ChannelShuffle::new(2));
    cases.moving(&[6], 1, ChannelShuffle::new(3));
    cases.moving(&[5, 4], 3, ChannelShuffle::new(2));
    // What reshapes an image has to lay it out as we do.
    cases.moving(&IMAGE, 1, Reshape::new([42, 4]));
    cases.moving(&IMAGE, 2, Reshape::new([6, 7, 4]));
    cases.alone(&[6], Reshape::new([1, 1, 6]));
    cases.alone(&[6], Reshape::new([2, 3]));
    cases.alone(&[1, 1, 6], Reshape::new([6]));
    cases.alone(&[4, 3, 1], Reshape::new([12]));
    cases.alone(&[6, 4], Reshape::new([3, 8, 1]));
    cases.moving(&IMAGE, 1, Permute::new([2, 0, 1]));
    cases.moving(&IMAGE, 1, Permute::new([1, 0, 2]));
    cases.moving(&[5, 4], 1, Permute::new([1, 0]));
    cases.image(ChannelSlice::new(1..3));
    cases.alone(&[6], ChannelSlice::new(2..5));
    cases.image(Slice::new(0, 1..6).step(2));
    cases.image(Slice::new(1, 1..6).step(-2));
    cases.image(Slice::new(1, 0..6).step(-1));
    cases.image(Slice::new(2, 0..3).step(-2));
    cases.alone(&[5, 4], Slice::new(0, 2..5));
    cases.image(Gather::new(2, [3, 0, 0]));
    cases.alone(&[6], Gather::new(0, [5, 1]));
    cases.image(ZeroPadding2D::sides((1, 0), (2, 3)));
    let amounts = [(1, 2), (0, 1), (2, 0)];
    for mode in [PadMode::Constant(-1.5), PadMode::Reflect, PadMode::Edge, PadMode::Wrap] {
        cases.image(Pad::new(amounts, mode));
        cases.alone(&[6], Pad::new([(2, 3)], mode));
    }
    cases.alone(&[3], Pad::new([(7, 0)], PadMode::Wrap));
}

pub fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    for family in [convolutions, activations, arithmetic, normalizations, poolings, moved]
        as [fn(&mut Cases); 6]
    {
        family(&mut cases);
    }
    cases.0
}

/// A kind that has no case, or no line in the table that writes it, fails here.
#[test]
fn no_kind_is_forgotten() {
    let cases = all();
    let kinds = cases.iter().flat_map(|case| case.model.layers().map(|(_, kind)| kind));
    let shown: BTreeSet<_> = kinds.collect();
    let built_in: BTreeSet<_> = LayerKinds::<f32>::built_in().names().collect();
    assert_eq!(shown, built_in);
    assert_eq!(nn_onnx::kinds().into_iter().collect::<BTreeSet<_>>(), built_in);
}

#[test]
fn every_kind_is_the_same_again() {
    // Means of the same numbers in another order.
    let sums_anew = |name: &str| name.starts_with("Reduce") || name.starts_with("Adaptive");
    let apart = |Case { name, model, .. }| match read_again(&model) {
        Ok(again) if again.same_bits || sums_anew(&name) => None,
        Ok(_) => Some(format!("{name}: other bits")),
        Err(what) => Some(format!("{name}: {what}")),
    };
    let wrong: Vec<_> = all().into_iter().filter_map(apart).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_runs_elsewhere() {
    let Some(checked) = Checked::new() else { return };
    for Case { name, model, transposes } in all() {
        checked.add(&name, &model, transposes);
    }
    checked.run();
}
