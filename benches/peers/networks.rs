//! The networks of `table.py`, equal to those of `torch_networks.py` and `tensorflow_networks.py`: chains, one
//! of ConvNeXt's blocks, a U-Net, and networks by name.

use nn_core::layers::{
    Activation, Add, BatchNormalization, Concatenate, Conv2D, Conv2DTranspose, Dense,
    DepthwiseConv2D, Flatten, GlobalAveragePool2D, LayerNormalization, MaxPool2D, Padding, Scale,
};
use nn_core::model::{GraphBuilder, Model, NodeId, SequentialBuilder, networks};
use nn_core::{Error, Result};

pub const CLASSES: usize = 10;

/// The network of a name. `NAME-SIZE` is the library's network NAME for images of SIZE pixels a side.
pub fn network(name: &str) -> Result<Model> {
    let (graph, logits) = match name {
        "mnist" => mnist().into_graph(),
        "vgg" => vgg().into_graph(),
        "strided" => convolutions([128, 128, 3], [64, 128, 256, 256], 3, 2).into_graph(),
        "pointwise" => convolutions([56, 56, 64], [256, 64, 256, 64], 1, 1).into_graph(),
        "mlp" => {
            Model::builder([784]).layer(hidden(512)).layer(hidden(512)).layer(logits()).into_graph()
        }
        "convnext" => convnext(),
        "unet" => unet(),
        _ => {
            let (known, size) = name.rsplit_once('-').ok_or_else(|| unknown(name))?;
            let size: usize = size.parse().map_err(|_| unknown(name))?;
            networks::graph(known, [size, size, 3], CLASSES)?
        }
    };
    graph.build(logits, 27)
}

fn unknown(received: &str) -> Error {
    let expected =
        "mnist, vgg, strided, pointwise, mlp, convnext, unet, or resnet18-64 and the like";
    Error::setting("the network", expected, received, "see table.py")
}

fn logits() -> Dense {
    Dense::new(CLASSES)
}

fn hidden(units: usize) -> Dense {
    Dense::new(units).activation(Activation::Relu)
}

/// A convolution that keeps the size at stride 1.
fn conv(filters: usize, kernel: usize) -> Conv2D {
    Conv2D::new(filters, kernel).padding(Padding::symmetric(kernel / 2))
}

fn conv_relu(filters: usize, kernel: usize) -> Conv2D {
    conv(filters, kernel).activation(Activation::Relu)
}

fn mnist() -> SequentialBuilder {
    Model::builder([28, 28, 1])
        .layer(conv_relu(32, 5))
        .layer(MaxPool2D::new(2))
        .layer(conv_relu(64, 5))
        .layer(MaxPool2D::new(2))
        .layer(Flatten::new())
        .layer(hidden(128))
        .layer(logits())
}

fn vgg() -> SequentialBuilder {
    let mut builder = Model::builder([32, 32, 3]);
    for width in [32, 64, 128] {
        builder = builder.layer(conv_relu(width, 3)).layer(conv_relu(width, 3));
        builder = builder.layer(MaxPool2D::new(2));
    }
    builder.layer(Flatten::new()).layer(hidden(128)).layer(logits())
}

fn convolutions(
    input: [usize; 3],
    widths: [usize; 4],
    kernel: usize,
    stride: usize,
) -> SequentialBuilder {
    let mut builder = Model::builder(input);
    for width in widths {
        builder = builder.layer(conv_relu(width, kernel).stride(stride));
    }
    builder.layer(GlobalAveragePool2D::new()).layer(logits())
}

/// ConvNeXt (Liu et al., 2022) in the sizes that timm calls atto: 2, 2, 6 and 2 blocks of 40 to 320 channels.
fn convnext() -> (GraphBuilder, NodeId) {
    let norm = || LayerNormalization::new().epsilon(1e-6);
    let mut graph = GraphBuilder::new([224, 224, 3]);
    let mut x = graph.input();
    for (stage, (count, channels)) in [(2, 40), (2, 80), (6, 160), (2, 320)].into_iter().enumerate()
    {
        if stage == 0 {
            x = graph.layer(Conv2D::new(channels, 4).stride(4), x);
            x = graph.layer(norm(), x);
        } else {
            x = graph.layer(norm(), x);
            x = graph.layer(Conv2D::new(channels, 2).stride(2), x);
        }
        for _ in 0..count {
            let y = graph.layer(DepthwiseConv2D::new(7).padding(Padding::symmetric(3)), x);
            let y = graph.layer(norm(), y);
            let y = graph.layer(conv(4 * channels, 1).activation(Activation::Gelu), y);
            let y = graph.layer(conv(channels, 1), y);
            let y = graph.layer(Scale::new(1e-6), y);
            x = graph.layer(Add::new(), [y, x]);
        }
    }
    let x = graph.layer(GlobalAveragePool2D::new(), x);
    let x = graph.layer(norm(), x);
    let x = graph.layer(logits(), x);
    (graph, x)
}

/// A U-Net (Ronneberger et al., 2015) with batch normalisation, of 32 to 256 channels. Its map at full
/// resolution is averaged for the logits, so that its loss is that of the other networks.
fn unet() -> (GraphBuilder, NodeId) {
    let mut graph = GraphBuilder::new([128, 128, 3]);
    let mut x = graph.input();
    let mut skips = Vec::new();
    for width in [32, 64, 128] {
        x = two_convolutions(&mut graph, width, x);
        skips.push((width, x));
        x = graph.layer(MaxPool2D::new(2), x);
    }
    x = two_convolutions(&mut graph, 256, x);
    for (width, skip) in skips.into_iter().rev() {
        x = graph.layer(Conv2DTranspose::new(width, 2).stride(2), x);
        x = graph.layer(Concatenate::new(), [skip, x]);
        x = two_convolutions(&mut graph, width, x);
    }
    let x = graph.layer(GlobalAveragePool2D::new(), x);
    let x = graph.layer(logits(), x);
    (graph, x)
}

fn two_convolutions(graph: &mut GraphBuilder, width: usize, mut x: NodeId) -> NodeId {
    for _ in 0..2 {
        x = graph.layer(conv(width, 3).bias(false), x);
        x = graph.layer(BatchNormalization::new(), x);
        x = graph.layer(Activation::Relu, x);
    }
    x
}
