//! Arguments of the commands that look at a network without images: `summary`, `bench`.

use super::image_size;
use super::numbers::whole;
use clap::Args as ClapArgs;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use nn_core::data::Channels;
use std::path::PathBuf;

/// Which network to build.
#[derive(Debug, Clone, ClapArgs)]
pub struct NetworkArgs {
    /// The network: a built-in one, such as resnet18, or a TOML file that describes it [default: reference]
    ///
    /// Built-in are reference, lenet, cnn-small, vgg-small, resnet10, resnet18, resnet34, resnet50, mobilenetv2,
    /// efficientnet_b0, efficientnet_lite0, tf_efficientnet_b0 and tf_efficientnet_lite0. `summary --toml` prints a file.
    #[arg(long, value_name = "NAME|FILE")]
    pub architecture: Option<String>,
    /// The channels in which the network takes images: in colour or in grey [default: rgb, or what the
    /// network's file says]
    #[arg(long, value_name = "rgb|grey", value_parser = channels())]
    pub channels: Option<Channels>,
}

pub(super) fn channels() -> impl TypedValueParser<Value = Channels> {
    let grey = PossibleValue::new(Channels::Grey.name()).alias("gray");
    PossibleValuesParser::new([PossibleValue::new(Channels::Rgb.name()), grey])
        .try_map(|name| name.parse::<Channels>())
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  nn-cli summary\n  \
    nn-cli summary --model runs/same_backgrounds\n  \
    nn-cli summary --architecture resnet18 --image-size 64 --classes 10\n  \
    nn-cli summary --architecture resnet18 --toml > mine.toml\n  \
    nn-cli summary --architecture mine.toml --svg mine.svg\n\n\
    Multiply-adds are those of convolutions and dense layers, as plain loops would compute them. The memory \
    is that of the numbers alone; where layers run as one, less is needed.\n\n\
    A file for --architecture lists the layers, each below a line [[layers]]: its kind, its settings where \
    they are not the usual ones, perhaps a name, and what it takes where that is not the layer above \
    (inputs = [\"stem\", \"conv2\"]). units = \"classes\" stands for the number of class folders. --toml \
    prints such a file for any network.")]
pub struct SummaryArgs {
    /// A run folder, model.safetensors, ONNX file, or weights of torchvision or timm, of the network that
    /// --architecture names where their tensors fit several [default: the network that --architecture names]
    #[arg(long, value_name = "FILE|RUN", conflicts_with = "channels")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Image size of the network [default: 256, or what its file says]
    #[arg(long, visible_alias = "input-size", allow_negative_numbers = true, value_name = "PIXELS", value_parser = image_size())]
    pub image_size: Option<usize>,
    /// Classes of the network
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 2, value_parser = whole::<usize>(2, u64::MAX, 2))]
    pub classes: usize,
    /// Print the network as a file for --architecture
    #[arg(long, conflicts_with = "json")]
    pub toml: bool,
    /// Also draw the network's graph
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  nn-cli bench\n  \
    nn-cli bench --batch-size 16 --image-size 128 --threads 1\n  \
    nn-cli bench --architecture resnet18 --image-size 64\n  \
    nn-cli bench --model resnet.onnx --batch-size 1\n\n\
    Nothing else should run meanwhile. Compare figures of one machine and one day only: clocks and \
    neighbours change more than programs do.")]
pub struct BenchArgs {
    /// A model file or run folder, ONNX among them: times opening it and its predictions instead
    #[arg(long, value_name = "FILE|RUN", conflicts_with_all = ["architecture", "channels"])]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Images per step
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 4, value_parser = whole::<usize>(1, u64::MAX, 4))]
    pub batch_size: usize,
    /// Height and width of the images [default: 256, or what the network's file says]
    #[arg(long, visible_alias = "input-size", allow_negative_numbers = true, value_name = "PIXELS", value_parser = image_size())]
    pub image_size: Option<usize>,
    /// How often each thing is timed
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 20, value_parser = whole::<usize>(1, u64::MAX, 20))]
    pub steps: usize,
}
