//! Networks by their names.
//!
//! They take pixels from 0 to 255 and end in one output per class. Those of the literature have the names
//! of torchvision's layers, or of timm's where torchvision has none, so that parameters have the names of
//! their files (`layer1.0.conv1.weight`).
//!
//! ```
//! use nn_core::model::networks;
//! let (graph, logits) = networks::graph::<f32>("resnet10", [64, 64, 3], 10)?;
//! let model = graph.build(logits, 27)?;
//! assert_eq!(model.last_feature_map(), Some("layer4.0.relu2"));
//! # Ok::<(), nn_core::Error>(())
//! ```

mod efficientnet;
mod mobilenet;
mod resnet;
mod small;

use super::{GraphBuilder, NodeId, ReferenceCnn};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::kernels::Kernels;
use crate::layers::{Conv2D, Layer, Padding, Rescaling};
use resnet::Block::{Basic, Bottleneck};
use std::sync::Arc;

/// The names of the networks, and what each is.
pub const NAMES: [(&str, &str); 13] = [
    ("reference", "three convolutions with pooling and two dense layers, as in the notebook"),
    ("lenet", "LeNet-5 (LeCun et al., 1998): two convolutions and three dense layers"),
    ("cnn-small", "four convolutions with batch normalisation, for small images"),
    ("vgg-small", "six convolutions with batch normalisation in three blocks, as VGG has them"),
    ("resnet10", "a residual network of four basic blocks, half of ResNet-18"),
    ("resnet18", "ResNet-18 (He et al., 2015)"),
    ("resnet34", "ResNet-34, twice as deep"),
    ("resnet50", "ResNet-50, of bottlenecks, strided in their 3x3 convolutions"),
    (
        "mobilenetv2",
        "MobileNetV2 (Sandler et al., 2018): depthwise convolutions, few multiply-adds",
    ),
    (
        "efficientnet_b0",
        "EfficientNet-B0 (Tan and Le, 2019): depthwise convolutions, squeeze-and-excitation",
    ),
    ("efficientnet_lite0", "EfficientNet-Lite0 of timm: ReLU6, no squeeze-and-excitation"),
    ("tf_efficientnet_b0", "EfficientNet-B0 of timm with TensorFlow's padding and epsilon"),
    ("tf_efficientnet_lite0", "EfficientNet-Lite0 of timm with TensorFlow's padding and epsilon"),
];

/// The graph of a network for images `[height, width, channels]`, and the node of its logits.
///
/// # Errors
/// If there is no network of that name, or fewer than two classes. Images that are too small are an error
/// when the graph is built.
pub fn graph<T: Kernels>(
    name: &str,
    input: [usize; 3],
    classes: usize,
) -> Result<(GraphBuilder<T>, NodeId)> {
    graph_behind("rescaling", Arc::new(Rescaling::new(1.0 / 255.0)), name, input, classes)
}

/// [`graph`] with another first layer, named `first`, between the pixels and the network.
pub(super) fn graph_behind<T: Kernels>(
    first: &str,
    layer: Arc<dyn Layer<T>>,
    name: &str,
    input: [usize; 3],
    classes: usize,
) -> Result<(GraphBuilder<T>, NodeId)> {
    if classes < 2 {
        return Err(Error::setting(
            "the number of classes",
            "2 or more",
            classes,
            "a classifier needs something to tell apart",
        ));
    }
    if name == "reference" {
        let [height, width, channels] = input;
        let network =
            ReferenceCnn { image_size: (height, width), channels, ..ReferenceCnn::new(classes, 0) };
        return Ok(network.builder().into_graph());
    }
    let mut graph = GraphBuilder::new(input).name(name);
    let x = graph.shared_layer(Some(first.into()), layer, &[graph.input()]);
    let logits = match name {
        "lenet" => small::lenet(&mut graph, x, classes),
        "cnn-small" => small::cnn(&mut graph, x, classes),
        "vgg-small" => small::vgg(&mut graph, x, classes),
        "resnet10" => resnet::resnet(&mut graph, x, Basic, [1; 4], classes),
        "resnet18" => resnet::resnet(&mut graph, x, Basic, [2; 4], classes),
        "resnet34" => resnet::resnet(&mut graph, x, Basic, [3, 4, 6, 3], classes),
        "resnet50" => resnet::resnet(&mut graph, x, Bottleneck, [3, 4, 6, 3], classes),
        "mobilenetv2" => mobilenet::v2(&mut graph, x, classes),
        "efficientnet_b0" => efficientnet::B0.build(&mut graph, x, classes),
        "efficientnet_lite0" => efficientnet::LITE0.build(&mut graph, x, classes),
        "tf_efficientnet_b0" => efficientnet::TF_B0.build(&mut graph, x, classes),
        "tf_efficientnet_lite0" => efficientnet::TF_LITE0.build(&mut graph, x, classes),
        _ => {
            let names = NAMES.map(|(name, _)| name).join(", ");
            let remedy = "choose one, or describe the network in a file";
            return Err(Error::setting("the network", format!("one of {names}"), name, remedy));
        }
    };
    Ok((graph, logits))
}

/// A convolution without bias, for a batch normalisation to follow. Padding keeps the size at stride 1.
fn conv(filters: usize, kernel_size: usize) -> Conv2D {
    Conv2D::new(filters, kernel_size)
        .padding(Padding::symmetric(kernel_size / 2))
        .bias(false)
        .initializer(Initializer::HeNormal)
}

#[cfg(test)]
mod tests;
