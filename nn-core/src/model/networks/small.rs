//! Small networks that train within minutes.

use super::conv;
use crate::kernels::Kernels;
use crate::layers::{
    Activation, AveragePool2D, BatchNormalization, Conv2D, Dense, Dropout, Flatten,
    GlobalAveragePool2D, MaxPool2D, Padding,
};
use crate::model::{GraphBuilder, NodeId};

/// LeNet-5 (LeCun et al., Gradient-based learning applied to document recognition, 1998), with all
/// feature maps connected.
pub(super) fn lenet<T: Kernels>(graph: &mut GraphBuilder<T>, x: NodeId, classes: usize) -> NodeId {
    let tanh = |filters| Conv2D::new(filters, 5).activation(Activation::Tanh);
    let x = graph.layer(tanh(6).padding(Padding::symmetric(2)), x);
    let x = graph.layer(AveragePool2D::new(2), x);
    let x = graph.layer(tanh(16), x);
    let x = graph.layer(AveragePool2D::new(2), x);
    let x = graph.layer(Flatten::new(), x);
    let x = graph.layer(Dense::new(120).activation(Activation::Tanh), x);
    let x = graph.layer(Dense::new(84).activation(Activation::Tanh), x);
    graph.layer(Dense::new(classes).activation(Activation::Softmax), x)
}

/// Four convolutions of 3x3 with batch normalisation, each followed by pooling, for images of about 32 to 64
/// pixels. Early layers are narrow, as their feature maps are largest.
pub(super) fn cnn<T: Kernels>(graph: &mut GraphBuilder<T>, x: NodeId, classes: usize) -> NodeId {
    let mut x = x;
    for filters in [24, 48, 96, 192] {
        x = normalised_conv(graph, x, filters);
        x = graph.layer(MaxPool2D::new(2), x);
    }
    let x = graph.layer(GlobalAveragePool2D::new(), x);
    let x = graph.layer(Dropout::new(0.3), x);
    graph.layer(Dense::new(classes).activation(Activation::Softmax), x)
}

/// Blocks of two convolutions of 3x3 with batch normalisation, as in VGG (Simonyan and Zisserman, 2014,
/// <https://arxiv.org/abs/1409.1556>), with global average pooling instead of its large dense layers.
pub(super) fn vgg<T: Kernels>(graph: &mut GraphBuilder<T>, x: NodeId, classes: usize) -> NodeId {
    let mut x = x;
    for filters in [32, 64, 128] {
        for _ in 0..2 {
            x = normalised_conv(graph, x, filters);
        }
        x = graph.layer(MaxPool2D::new(2), x);
    }
    let x = graph.layer(GlobalAveragePool2D::new(), x);
    let x = graph.layer(Dense::new(128).activation(Activation::Relu), x);
    let x = graph.layer(Dropout::new(0.3), x);
    graph.layer(Dense::new(classes).activation(Activation::Softmax), x)
}

/// A convolution of 3x3 with batch normalisation and ReLU.
fn normalised_conv<T: Kernels>(graph: &mut GraphBuilder<T>, x: NodeId, filters: usize) -> NodeId {
    let x = graph.layer(conv(filters, 3), x);
    let x = graph.layer(BatchNormalization::new(), x);
    graph.layer(Activation::Relu, x)
}
