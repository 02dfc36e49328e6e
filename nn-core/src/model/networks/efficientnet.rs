//! EfficientNet (Tan and Le, 2019, <https://arxiv.org/abs/1905.11946>): B0 as torchvision has it, and as timm has
//! them, B0 with TensorFlow's settings and Lite0, without squeeze-and-excitation and with ReLU6.

use super::conv;
use crate::kernels::Kernels;
use crate::layers::{
    Activation, AdaptiveAveragePool2D, Add, BatchNormalization, Conv2D, Dense, Dropout,
    GlobalAveragePool2D, Multiply, Padding, StochasticDepth,
};
use crate::model::{GraphBuilder, NodeId};

/// Expansion, kernel size, stride of the first block, channels and number of blocks.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

/// The probability that a block is left out in training, and that of a number in front of the classifier.
/// The first block is never left out; the probability grows evenly with the depth.
const DROP: f64 = 0.2;

/// What the members of the family differ in.
pub(super) struct Variant {
    activation: Activation,
    squeeze: bool,
    /// TensorFlow's padding, which is larger at the bottom and the right, instead of PyTorch's.
    same: bool,
    epsilon: f64,
    names: &'static Names,
}

/// B0 of torchvision.
pub(super) const B0: Variant = Variant {
    activation: Activation::Silu,
    squeeze: true,
    same: false,
    epsilon: 1e-5,
    names: &TORCHVISION,
};

/// B0 with the settings of TensorFlow, for the weights that were trained there.
pub(super) const TF_B0: Variant = Variant { same: true, epsilon: 1e-3, names: &TIMM, ..B0 };

/// Lite0 as trained with PyTorch.
pub(super) const LITE0: Variant =
    Variant { activation: Activation::Relu6, squeeze: false, names: &TIMM, ..B0 };

/// Lite0 with the settings of TensorFlow, for the weights that were trained there.
pub(super) const TF_LITE0: Variant = Variant { same: true, epsilon: 1e-3, ..LITE0 };

/// The names of a convolution, its batch normalisation and its activation.
type Normalized = [&'static str; 3];

/// The names of layers in one library.
struct Names {
    stem: Normalized,
    /// The number of the first stage.
    first_stage: usize,
    stages: &'static str,
    /// The block without expansion, then all others.
    blocks: [Block; 2],
    head: Normalized,
    classifier: [&'static str; 2],
}

/// The names within a block.
struct Block {
    expand: Normalized,
    depthwise: Normalized,
    /// The name of the squeeze-and-excitation, and those of its convolutions.
    squeeze: [&'static str; 3],
    project: [&'static str; 2],
}

const TORCHVISION: Names = Names {
    stem: ["features.0.0", "features.0.1", "features.0.2"],
    first_stage: 1,
    stages: "features",
    blocks: [
        Block {
            expand: [""; 3],
            depthwise: ["block.0.0", "block.0.1", "block.0.2"],
            squeeze: ["block.1", "fc1", "fc2"],
            project: ["block.2.0", "block.2.1"],
        },
        Block {
            expand: ["block.0.0", "block.0.1", "block.0.2"],
            depthwise: ["block.1.0", "block.1.1", "block.1.2"],
            squeeze: ["block.2", "fc1", "fc2"],
            project: ["block.3.0", "block.3.1"],
        },
    ],
    head: ["features.8.0", "features.8.1", "features.8.2"],
    classifier: ["classifier.0", "classifier.1"],
};

const TIMM: Names = Names {
    stem: ["conv_stem", "bn1", "act1"],
    first_stage: 0,
    stages: "blocks",
    blocks: [
        Block {
            expand: [""; 3],
            depthwise: ["conv_dw", "bn1", "act1"],
            squeeze: ["se", "conv_reduce", "conv_expand"],
            project: ["conv_pw", "bn2"],
        },
        Block {
            expand: ["conv_pw", "bn1", "act1"],
            depthwise: ["conv_dw", "bn2", "act2"],
            squeeze: ["se", "conv_reduce", "conv_expand"],
            project: ["conv_pwl", "bn3"],
        },
    ],
    head: ["conv_head", "bn2", "act2"],
    classifier: ["drop", "classifier"],
};

impl Variant {
    /// Adds the network to the graph.
    pub(super) fn build<T: Kernels>(
        &self,
        graph: &mut GraphBuilder<T>,
        x: NodeId,
        classes: usize,
    ) -> NodeId {
        let names = self.names;
        let mut x = self.normalized(graph, names.stem, self.conv(32, 3).stride(2), x);
        let mut channels = 32;
        let mut depth = 0;
        let total: usize = STAGES.iter().map(|stage| stage.4).sum();
        for (stage, (expansion, kernel, stride, filters, count)) in STAGES.into_iter().enumerate() {
            for i in 0..count {
                let scope = format!("{}.{}.{i}", names.stages, names.first_stage + stage);
                let stride = if i == 0 { stride } else { 1 };
                let depthwise = self.conv(channels * expansion, kernel).stride(stride);
                let depthwise = depthwise.groups(channels * expansion);
                x = graph.within(&scope, |graph| {
                    let y = self.block(graph, x, channels, depthwise, filters);
                    if stride > 1 || channels != filters {
                        return y;
                    }
                    let drop = StochasticDepth::new(DROP * depth as f64 / total as f64);
                    let y = graph.named("stochastic_depth", drop, y);
                    graph.named("add", Add::new(), [y, x])
                });
                channels = filters;
                depth += 1;
            }
        }
        let x = self.normalized(graph, names.head, self.conv(1280, 1), x);
        let x = graph.named("avgpool", GlobalAveragePool2D::new(), x);
        let x = graph.named(names.classifier[0], Dropout::new(DROP), x);
        let dense = Dense::new(classes).activation(Activation::Softmax);
        graph.named(names.classifier[1], dense, x)
    }

    /// Wider by a pointwise convolution, filtered by a depthwise one, its channels weighted, and narrower
    /// by a pointwise one without activation.
    fn block<T: Kernels>(
        &self,
        graph: &mut GraphBuilder<T>,
        mut x: NodeId,
        channels: usize,
        depthwise: Conv2D,
        filters: usize,
    ) -> NodeId {
        let hidden = depthwise.filters;
        let names = &self.names.blocks[usize::from(hidden != channels)];
        if hidden != channels {
            x = self.normalized(graph, names.expand, self.conv(hidden, 1), x);
        }
        x = self.normalized(graph, names.depthwise, depthwise, x);
        if self.squeeze {
            let [scope, names @ ..] = names.squeeze;
            x = graph.within(scope, |graph| squeeze(graph, names, x, channels / 4, hidden));
        }
        let [conv, norm] = names.project;
        x = graph.named(conv, self.conv(filters, 1), x);
        graph.named(norm, self.norm(), x)
    }

    fn conv(&self, filters: usize, kernel_size: usize) -> Conv2D {
        let conv = conv(filters, kernel_size);
        if self.same { conv.padding(Padding::Same) } else { conv }
    }

    fn norm(&self) -> BatchNormalization {
        BatchNormalization::new().epsilon(self.epsilon)
    }

    fn normalized<T: Kernels>(
        &self,
        graph: &mut GraphBuilder<T>,
        names: Normalized,
        conv: Conv2D,
        x: NodeId,
    ) -> NodeId {
        let x = graph.named(names[0], conv, x);
        let x = graph.named(names[1], self.norm(), x);
        graph.named(names[2], self.activation, x)
    }
}

/// Squeeze-and-excitation (Hu et al., 2017, <https://arxiv.org/abs/1709.01507>): the channels' means tell the
/// factors of the channels.
fn squeeze<T: Kernels>(
    graph: &mut GraphBuilder<T>,
    [reduce, expand]: [&str; 2],
    x: NodeId,
    narrow: usize,
    channels: usize,
) -> NodeId {
    let y = graph.named("avgpool", AdaptiveAveragePool2D::new(1), x);
    let y = graph.named(reduce, conv(narrow, 1).bias(true), y);
    let y = graph.named("activation", Activation::Silu, y);
    let y = graph.named(expand, conv(channels, 1).bias(true), y);
    let y = graph.named("scale_activation", Activation::Sigmoid, y);
    graph.named("mul", Multiply::new(), [x, y])
}
