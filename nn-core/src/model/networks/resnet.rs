//! Residual networks (He et al., 2015, <https://arxiv.org/abs/1512.03385>), as torchvision has them.

use super::conv;
use crate::kernels::Kernels;
use crate::layers::{
    Activation, Add, BatchNormalization, Dense, GlobalAveragePool2D, MaxPool2D, Padding,
};
use crate::model::{GraphBuilder, NodeId};

/// What a block consists of.
#[derive(Clone, Copy)]
pub(super) enum Block {
    /// Two convolutions of 3x3.
    Basic,
    /// A convolution of 3x3 between two of 1x1, the last of which widens the channels fourfold.
    Bottleneck,
}

impl Block {
    /// The channels of the output, in those of the convolutions of 3x3.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// A residual network: `blocks` in each of the four stages.
pub(super) fn resnet<T: Kernels>(
    graph: &mut GraphBuilder<T>,
    x: NodeId,
    block: Block,
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
        let width = 64 << stage;
        for i in 0..count {
            let stride = if stage > 0 && i == 0 { 2 } else { 1 };
            let scope = format!("layer{}.{i}", stage + 1);
            x = graph.within(&scope, |graph| residual(graph, x, block, channels, width, stride));
            channels = width * block.expansion();
        }
    }
    let x = graph.named("avgpool", GlobalAveragePool2D::new(), x);
    graph.named("fc", Dense::new(classes).activation(Activation::Softmax), x)
}

/// A block, beside its input or a convolution of 1x1 that gives the input the block's shape. A bottleneck
/// shrinks images in its convolution of 3x3, as torchvision's do; the paper's did in the one before.
fn residual<T: Kernels>(
    graph: &mut GraphBuilder<T>,
    x: NodeId,
    block: Block,
    channels: usize,
    width: usize,
    stride: usize,
) -> NodeId {
    let filters = width * block.expansion();
    let convs = match block {
        Block::Basic => vec![conv(width, 3).stride(stride), conv(filters, 3)],
        Block::Bottleneck => {
            vec![conv(width, 1), conv(width, 3).stride(stride), conv(filters, 1)]
        }
    };
    let last = convs.len();
    let mut y = x;
    for (i, conv) in (1..).zip(convs) {
        y = graph.named(format!("conv{i}"), conv, y);
        y = graph.named(format!("bn{i}"), BatchNormalization::new(), y);
        if i < last {
            y = graph.named(format!("relu{i}"), Activation::Relu, y);
        }
    }
    let short = if stride == 1 && channels == filters {
        x
    } else {
        let short = graph.named("downsample.0", conv(filters, 1).stride(stride), x);
        graph.named("downsample.1", BatchNormalization::new(), short)
    };
    let sum = graph.named("add", Add::new(), [y, short]);
    graph.named(format!("relu{last}"), Activation::Relu, sum)
}
