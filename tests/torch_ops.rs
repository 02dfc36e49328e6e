//! Every op of the tape beside PyTorch's: outputs and gradients, with each option, at odd sizes, ties
//! and bends. The fixtures hold PyTorch's numbers in f64; `fixtures/torch/README.md` says how they were
//! made. Ours must agree within 1e-9 (f64) and 1e-5 (f32) of each tensor's largest magnitude.

#[path = "fixtures/torch/fixture.rs"]
mod fixture;

use fixture::{Tensors, compare, describe, here, tolerance};
use nn_core::autograd::{
    Conv2dOptions, ConvTranspose2dOptions, Gelu, Interpolation, PadMode, Pool2dOptions,
};
use nn_core::layers::{BatchNormalization, Padding, RunningVariance};
use nn_core::model::{Pass, SequentialBuilder};
use nn_core::rng::Rng;
use nn_core::{Kernels, Result, Tape, Tensor, Var};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    op: Op,
    /// The inputs, in the op's order.
    inputs: Vec<String>,
    /// The inputs whose gradients are known.
    gradients: Vec<String>,
    outputs: usize,
    /// Further results of the op.
    further: Vec<String>,
}

/// `valid`, `same`, `same_lower`, or top, bottom, left, right.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sides {
    Explicit([usize; 4]),
    Named(String),
}

impl Sides {
    fn padding(&self) -> Padding {
        match self {
            &Self::Explicit([top, bottom, left, right]) => {
                Padding::Explicit { top, bottom, left, right }
            }
            Self::Named(name) if name == "valid" => Padding::Valid,
            Self::Named(name) if name == "same" => Padding::Same,
            Self::Named(name) if name == "same_lower" => Padding::SameLower,
            Self::Named(name) => panic!("a padding called {name}"),
        }
    }
}

fn once() -> (usize, usize) {
    (1, 1)
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Op {
    Conv2d {
        stride: (usize, usize),
        padding: Sides,
        dilation: (usize, usize),
        groups: usize,
    },
    ConvTranspose2d {
        stride: (usize, usize),
        padding: Sides,
        output_padding: (usize, usize),
        dilation: (usize, usize),
        groups: usize,
    },
    MaxPool2d {
        window: (usize, usize),
        stride: (usize, usize),
        padding: Sides,
        #[serde(default)]
        ceil_mode: bool,
        #[serde(default = "once")]
        dilation: (usize, usize),
    },
    AveragePool2d {
        window: (usize, usize),
        stride: (usize, usize),
        padding: Sides,
        #[serde(default)]
        ceil_mode: bool,
        #[serde(default)]
        count_include_pad: bool,
    },
    GlobalMaxPool2d,
    GlobalAveragePool2d,
    AdaptiveAveragePool2d {
        size: (usize, usize),
    },
    Resize2d {
        size: (usize, usize),
        mode: String,
        #[serde(default)]
        align_corners: bool,
    },
    BatchNorm {
        epsilon: f64,
        momentum: f64,
    },
    BatchNormInference {
        epsilon: f64,
    },
    LayerNorm {
        epsilon: f64,
    },
    GroupNorm {
        groups: usize,
        epsilon: f64,
    },
    ChannelShuffle {
        groups: usize,
    },
    Relu,
    LeakyRelu {
        slope: f64,
    },
    Elu {
        alpha: f64,
    },
    Gelu {
        form: String,
    },
    Silu,
    HardSwish,
    HardSigmoid {
        alpha: f64,
        beta: f64,
    },
    Relu6,
    Softplus,
    Mish,
    Sigmoid,
    Tanh,
    Softmax,
    LogSoftmax,
    SoftmaxCrossEntropy {
        labels: Vec<usize>,
    },
    Exp,
    Log,
    Sqrt,
    Abs,
    Square,
    Erf,
    Powf {
        exponent: f64,
    },
    Clamp {
        low: f64,
        high: f64,
    },
    Add,
    Sub,
    Mul,
    Div,
    Minimum,
    Maximum,
    Select,
    SumAxes {
        axes: Vec<usize>,
        keep: bool,
    },
    MeanAxes {
        axes: Vec<usize>,
        keep: bool,
    },
    VarianceAxes {
        axes: Vec<usize>,
        keep: bool,
        correction: usize,
    },
    MaxAxes {
        axes: Vec<usize>,
        keep: bool,
    },
    Argmax {
        axis: usize,
    },
    Matmul,
    Linear,
    Permute {
        axes: Vec<usize>,
    },
    Concatenate {
        axis: usize,
    },
    Split {
        axis: usize,
        sizes: Vec<usize>,
    },
    Slice {
        axis: usize,
        start: usize,
        end: usize,
    },
    StridedSlice {
        axis: usize,
        start: usize,
        end: usize,
        step: isize,
    },
    Pad {
        amounts: Vec<(usize, usize)>,
        mode: String,
        value: f64,
    },
    Gather {
        axis: usize,
        indices: Vec<usize>,
    },
    OneHot {
        indices: Vec<usize>,
        classes: usize,
    },
    Tile {
        repeats: Vec<usize>,
    },
    BroadcastTo {
        shape: Vec<usize>,
    },
    Reshape {
        shape: Vec<usize>,
    },
    Transpose,
}

/// An op's outputs, and further results in the fixture's order.
type Results<T> = (Vec<Var<T>>, Vec<Tensor<T>>);

impl Op {
    /// Runs the op on `x`, its inputs.
    fn run<T: Kernels>(&self, tape: &Tape<T>, x: &[Var<T>]) -> Result<Results<T>> {
        let first = || x[0].clone();
        let output = match self {
            Self::Conv2d { stride, padding, dilation, groups } => {
                let options = Conv2dOptions::new()
                    .stride(*stride)
                    .padding(padding.padding())
                    .dilation(*dilation)
                    .groups(*groups);
                tape.conv2d(&x[0], &x[1], x.get(2), options)?
            }
            Self::ConvTranspose2d { stride, padding, output_padding, dilation, groups } => {
                let options = ConvTranspose2dOptions::new()
                    .stride(*stride)
                    .padding(padding.padding())
                    .output_padding(*output_padding)
                    .dilation(*dilation)
                    .groups(*groups);
                tape.conv_transpose2d(&x[0], &x[1], x.get(2), options)?
            }
            Self::MaxPool2d { window, stride, padding, ceil_mode, dilation } => {
                let options = Pool2dOptions::new(*window)
                    .stride(*stride)
                    .padding(padding.padding())
                    .ceil_mode(*ceil_mode)
                    .dilation(*dilation);
                tape.max_pool2d(&x[0], options)?
            }
            Self::AveragePool2d { window, stride, padding, ceil_mode, count_include_pad } => {
                let options = Pool2dOptions::new(*window)
                    .stride(*stride)
                    .padding(padding.padding())
                    .ceil_mode(*ceil_mode)
                    .count_include_pad(*count_include_pad);
                tape.average_pool2d(&x[0], options)?
            }
            Self::GlobalMaxPool2d => tape.global_max_pool2d(&x[0])?,
            Self::GlobalAveragePool2d => tape.global_average_pool2d(&x[0])?,
            Self::AdaptiveAveragePool2d { size } => tape.adaptive_average_pool2d(&x[0], *size)?,
            Self::Resize2d { size, mode, align_corners } => {
                let mode = match mode.as_str() {
                    "nearest" => Interpolation::Nearest,
                    _ => Interpolation::Bilinear { align_corners: *align_corners },
                };
                tape.resize2d(&x[0], *size, mode)?
            }
            Self::BatchNorm { epsilon, momentum } => {
                return batch_norm(tape, x, *epsilon, *momentum);
            }
            Self::BatchNormInference { epsilon } => {
                tape.batch_norm_inference(&x[0], &x[1], &x[2], &x[3], &x[4], *epsilon)?
            }
            Self::LayerNorm { epsilon } => tape.layer_norm(&x[0], &x[1], &x[2], *epsilon)?,
            Self::GroupNorm { groups, epsilon } => {
                tape.group_norm(&x[0], *groups, &x[1], &x[2], *epsilon)?
            }
            Self::ChannelShuffle { groups } => tape.channel_shuffle(&x[0], *groups)?,
            Self::Relu => tape.relu(first()),
            Self::LeakyRelu { slope } => tape.leaky_relu(first(), *slope),
            Self::Elu { alpha } => tape.elu(first(), *alpha),
            Self::Gelu { form } if form == "tanh" => tape.gelu(first(), Gelu::Tanh),
            Self::Gelu { .. } => tape.gelu(first(), Gelu::Exact),
            Self::Silu => tape.silu(first()),
            Self::HardSwish => tape.hard_swish(first()),
            Self::HardSigmoid { alpha, beta } => tape.hard_sigmoid(first(), *alpha, *beta),
            Self::Relu6 => tape.relu6(first()),
            Self::Softplus => tape.softplus(first()),
            Self::Mish => tape.mish(first()),
            Self::Sigmoid => tape.sigmoid(first()),
            Self::Tanh => tape.tanh(first()),
            Self::Softmax => tape.softmax(first())?,
            Self::LogSoftmax => tape.log_softmax(first())?,
            Self::SoftmaxCrossEntropy { labels } => tape.softmax_cross_entropy(&x[0], labels)?,
            Self::Exp => tape.exp(first()),
            Self::Log => tape.log(first()),
            Self::Sqrt => tape.sqrt(first()),
            Self::Abs => tape.abs(first()),
            Self::Square => tape.square(first()),
            Self::Erf => tape.erf(first()),
            Self::Powf { exponent } => tape.powf(first(), *exponent),
            Self::Clamp { low, high } => tape.clamp(first(), *low, *high),
            Self::Add => tape.add(&x[0], &x[1])?,
            Self::Sub => tape.sub(&x[0], &x[1])?,
            Self::Mul => tape.mul(&x[0], &x[1])?,
            Self::Div => tape.div(&x[0], &x[1])?,
            Self::Minimum => tape.minimum(&x[0], &x[1])?,
            Self::Maximum => tape.maximum(&x[0], &x[1])?,
            Self::Select => tape.select(&x[0], &x[1], &x[2])?,
            Self::SumAxes { axes, keep } => tape.sum_axes(&x[0], axes, *keep)?,
            Self::MeanAxes { axes, keep } => tape.mean_axes(&x[0], axes, *keep)?,
            Self::VarianceAxes { axes, keep, correction } => {
                tape.variance_axes(&x[0], axes, *keep, *correction)?
            }
            Self::MaxAxes { axes, keep } => tape.max_axes(&x[0], axes, *keep)?,
            Self::Argmax { axis } => {
                let mut shape = x[0].dims().to_vec();
                shape.remove(*axis);
                let indices = tape.argmax(&x[0], *axis)?;
                let indices = indices.iter().map(|&i| T::from_f64(i as f64)).collect();
                tape.constant(Tensor::from_vec(shape, indices)?)
            }
            Self::Matmul => tape.matmul(&x[0], &x[1])?,
            Self::Linear => tape.linear(&x[0], &x[1], x.get(2))?,
            Self::Permute { axes } => tape.permute(&x[0], axes)?,
            Self::Concatenate { axis } => tape.concatenate(&x.iter().collect::<Vec<_>>(), *axis)?,
            Self::Split { axis, sizes } => {
                return Ok((tape.split(&x[0], *axis, sizes)?, Vec::new()));
            }
            Self::Slice { axis, start, end } => tape.slice(&x[0], *axis, *start..*end)?,
            Self::StridedSlice { axis, start, end, step } => {
                tape.strided_slice(&x[0], *axis, *start..*end, *step)?
            }
            Self::Pad { amounts, mode, value } => {
                let mode = match mode.as_str() {
                    "reflect" => PadMode::Reflect,
                    "edge" => PadMode::Edge,
                    _ => PadMode::Constant(*value),
                };
                tape.pad(&x[0], amounts, mode)?
            }
            Self::Gather { axis, indices } => tape.gather(&x[0], *axis, indices)?,
            Self::OneHot { indices, classes } => tape.one_hot(indices, *classes)?,
            Self::Tile { repeats } => tape.tile(&x[0], repeats)?,
            Self::BroadcastTo { shape } => tape.broadcast_to(&x[0], shape.as_slice())?,
            Self::Reshape { shape } => tape.reshape(first(), shape.as_slice())?,
            Self::Transpose => tape.transpose(&x[0])?,
        };
        Ok((vec![output], Vec::new()))
    }
}

/// A batch normalisation's output and statistics, and `running`, mean and variance, after them: with the
/// unbiased variance, as PyTorch counts it, then with the biased one.
fn batch_norm<T: Kernels>(
    tape: &Tape<T>,
    x: &[Var<T>],
    epsilon: f64,
    momentum: f64,
) -> Result<Results<T>> {
    let norm = tape.batch_norm(&x[0], &x[1], &x[2], epsilon)?;
    let mut results = vec![norm.mean, norm.variance];
    for variance in [RunningVariance::Unbiased, RunningVariance::Biased] {
        let layer = BatchNormalization::new().epsilon(epsilon).momentum(momentum);
        let mut model = SequentialBuilder::<T>::new(&x[0].dims()[1..])
            .channels_last()
            .named("bn", layer.running_variance(variance))
            .build(0)?;
        for (name, value) in ["weight", "bias", "running_mean", "running_var"].iter().zip(&x[1..]) {
            model.set(&format!("bn.{name}"), value.share())?;
        }
        let mut rng = Rng::new(0, 0);
        let pass = model.forward(tape, x[0].clone(), Pass::training(&mut rng))?;
        model.update_state(pass.state)?;
        let state = model.parameters().iter().filter(|p| p.state);
        results.extend(state.map(|p| p.value.as_ref().clone()));
    }
    // The mean is the same for both.
    results.remove(4);
    Ok((vec![norm.output], results))
}

/// Runs a case; `Err` says what is not as PyTorch has it.
fn check<T: Kernels>(key: &str, case: &Case, tensors: &mut Tensors) -> Result<(), String> {
    let (mut tape, tolerance) = (Tape::<T>::new(), tolerance::<T>());
    let input = |name: &String| {
        let value: Tensor<T> = tensors.input(&format!("{key}/{name}")).cast();
        if case.gradients.contains(name) { tape.leaf(value) } else { tape.constant(value) }
    };
    let inputs: Vec<_> = case.inputs.iter().map(input).collect();
    let (outputs, further) = case.op.run(&tape, &inputs).map_err(|e| e.to_string())?;
    if outputs.len() != case.outputs || further.len() != case.further.len() {
        return Err(format!("has {} outputs and {} more", outputs.len(), further.len()));
    }
    for (i, output) in outputs.iter().enumerate() {
        compare(output.value(), &tensors.expected(&format!("{key}/output{i}")), tolerance)
            .map_err(|e| format!("output {i} {e}"))?;
        if !case.gradients.is_empty() {
            let factors = tensors.input(&format!("{key}/factors{i}")).cast();
            tape.backward_from(output, factors).map_err(|e| e.to_string())?;
        }
    }
    for (name, tensor) in case.further.iter().zip(&further) {
        compare(tensor, &tensors.expected(&format!("{key}/{name}")), tolerance)
            .map_err(|e| format!("{name} {e}"))?;
    }
    for (name, input) in case.inputs.iter().zip(&inputs) {
        if case.gradients.contains(name) {
            let gradient = tape.grad(input).ok_or(format!("{name} has no gradient"))?;
            compare(gradient, &tensors.expected(&format!("{key}/d_{name}")), tolerance)
                .map_err(|e| format!("the gradient of {name} {e}"))?;
        }
    }
    Ok(())
}

/// Runs all cases, then fails with those that are wrong.
fn check_all<T: Kernels>() {
    let fixture: Fixture = describe(&here(), "ops");
    let mut tensors = Tensors::open(&here(), "ops");
    let of_case = |case: &Case| {
        case.inputs.len() + case.gradients.len() + case.further.len() + 2 * case.outputs
    };
    let held: usize = fixture.cases.iter().map(of_case).sum();
    assert!(held > 0 && held == tensors.names("").len(), "the two files do not belong together");
    let mut wrong = Vec::new();
    for (i, case) in fixture.cases.iter().enumerate() {
        let key = format!("{i:03}");
        if let Err(problem) = check::<T>(&key, case, &mut tensors) {
            wrong.push(format!("{key} {:?}: {problem}", case.op));
        }
    }
    let (all, listed) = (fixture.cases.len(), wrong.join("\n"));
    assert!(wrong.is_empty(), "{} of {all} cases in {}:\n{listed}", wrong.len(), T::NAME);
}

#[test]
fn ops_in_double_precision() {
    check_all::<f64>();
}

#[test]
fn ops_in_single_precision() {
    check_all::<f32>();
}
