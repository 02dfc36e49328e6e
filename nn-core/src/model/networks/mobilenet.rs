//! MobileNetV2 (Sandler et al., 2018, <https://arxiv.org/abs/1801.04381>), as torchvision has it.

use super::conv;
use crate::kernels::Kernels;
use crate::layers::{
    Activation, Add, BatchNormalization, Conv2D, Dense, Dropout, GlobalAveragePool2D,
};
use crate::model::{GraphBuilder, NodeId};

/// Expansion, channels, number of blocks and stride of the first of them.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

pub(super) fn v2<T: Kernels>(graph: &mut GraphBuilder<T>, x: NodeId, classes: usize) -> NodeId {
    let mut x = graph.within("features.0", |graph| normalized(graph, conv(32, 3).stride(2), x));
    let mut channels = 32;
    let mut block = 0;
    for (expansion, filters, count, first_stride) in STAGES {
        for i in 0..count {
            let stride = if i == 0 { first_stride } else { 1 };
            block += 1;
            x = graph.within(&format!("features.{block}"), |graph| {
                let y = graph.within("conv", |graph| {
                    inverted_residual(graph, x, channels, expansion, filters, stride)
                });
                let fits = stride == 1 && channels == filters;
                if fits { graph.named("add", Add::new(), [x, y]) } else { y }
            });
            channels = filters;
        }
    }
    let last = format!("features.{}", block + 1);
    let x = graph.within(&last, |graph| normalized(graph, conv(1280, 1), x));
    let x = graph.named("pool", GlobalAveragePool2D::new(), x);
    let x = graph.named("classifier.0", Dropout::new(0.2), x);
    graph.named("classifier.1", Dense::new(classes).activation(Activation::Softmax), x)
}

/// A convolution, batch normalisation and ReLU6, named 0, 1 and 2.
fn normalized<T: Kernels>(graph: &mut GraphBuilder<T>, conv: Conv2D, x: NodeId) -> NodeId {
    let x = graph.named("0", conv, x);
    let x = graph.named("1", BatchNormalization::new(), x);
    graph.named("2", Activation::Relu6, x)
}

/// Wider by a pointwise convolution, filtered by a depthwise one, and narrower by a pointwise one without
/// activation.
fn inverted_residual<T: Kernels>(
    graph: &mut GraphBuilder<T>,
    x: NodeId,
    channels: usize,
    expansion: usize,
    filters: usize,
    stride: usize,
) -> NodeId {
    let hidden = channels * expansion;
    let mut x = x;
    let mut part = 0;
    if expansion != 1 {
        x = graph.within("0", |graph| normalized(graph, conv(hidden, 1), x));
        part += 1;
    }
    let depthwise = conv(hidden, 3).groups(hidden).stride(stride);
    x = graph.within(&part.to_string(), |graph| normalized(graph, depthwise, x));
    x = graph.named((part + 1).to_string(), conv(filters, 1), x);
    graph.named((part + 2).to_string(), BatchNormalization::new(), x)
}
