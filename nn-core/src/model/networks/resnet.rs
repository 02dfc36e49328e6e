//! Residual networks (He et al., 2015, <https://arxiv.org/abs/1512.03385>), as torchvision has them.

use super::conv;
use crate::kernels::Kernels;
use crate::layers::{
    Activation, Add, BatchNormalization, Dense, GlobalAveragePool2D, MaxPool2D, Padding,
};
use crate::model::{GraphBuilder, NodeId};

/// A residual network of basic blocks: `blocks` in each of the four stages.
pub(super) fn resnet<T: Kernels>(
    graph: &mut GraphBuilder<T>,
    x: NodeId,
    blocks: [usize; 4],
    classes: usize,
) -> NodeId {
    let x = graph.named("conv1", conv(64, 7).stride(2), x);
    let x = graph.named("bn1", BatchNormalization::new(), x);
    let x = graph.named("relu", Activation::Relu, x);
    let pool = MaxPool2D::new(3).stride(2).padding(Padding::symmetric(1));
    let mut x = graph.named("maxpool", pool, x);
    let mut channels = 64;
    for (stage, count) in blocks.into_iter().enumerate() {
        let filters = 64 << stage;
        for i in 0..count {
            let stride = if stage > 0 && i == 0 { 2 } else { 1 };
            let scope = format!("layer{}.{i}", stage + 1);
            x = graph.within(&scope, |graph| basic(graph, x, channels, filters, stride));
            channels = filters;
        }
    }
    let x = graph.named("avgpool", GlobalAveragePool2D::new(), x);
    graph.named("fc", Dense::new(classes).activation(Activation::Softmax), x)
}

/// Two convolutions of 3x3, beside the input or a convolution of 1x1 that gives it their shape.
fn basic<T: Kernels>(
    graph: &mut GraphBuilder<T>,
    x: NodeId,
    channels: usize,
    filters: usize,
    stride: usize,
) -> NodeId {
    let y = graph.named("conv1", conv(filters, 3).stride(stride), x);
    let y = graph.named("bn1", BatchNormalization::new(), y);
    let y = graph.named("relu1", Activation::Relu, y);
    let y = graph.named("conv2", conv(filters, 3), y);
    let y = graph.named("bn2", BatchNormalization::new(), y);
    let short = if stride == 1 && channels == filters {
        x
    } else {
        let short = graph.named("downsample.0", conv(filters, 1).stride(stride), x);
        graph.named("downsample.1", BatchNormalization::new(), short)
    };
    let sum = graph.named("add", Add::new(), [y, short]);
    graph.named("relu2", Activation::Relu, sum)
}
