//! The options of `nn-cli model`.

use super::model::{InputSize, input_size};
use super::numbers::whole;
use super::{ElsewhereArgs, ImageArgs, LabelArgs};
use clap::{Args as ClapArgs, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  nn-cli model check resnet50.onnx --data photos --classes imagenet.txt"
)]
pub enum ModelCommand {
    /// Find out how a model takes pixels, by trying the usual ways on images whose classes are known
    Check(Box<CheckArgs>),
    /// Write a model as an ONNX file, or as one of our own that remembers all
    Export(Box<ExportArgs>),
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli model check mine.onnx --data photos\n  \
    nn-cli model check resnet50.onnx --data photos --classes imagenet.txt --write\n  \
    nn-cli model check lite0.onnx --data pets --map husky=248-250 --map wolf=269-272\n\n\
    Tries every preset with both orders of colours, and images squashed, cropped and with borders. The table has the \
    best first, by the mean cross-entropy: the lower, the more probable the model holds what the images show. An \
    answer is right if the most probable of all the model's classes is one of the folder's. Ways that these images \
    cannot tell from the best are named: their difference, image by image, has a 95 % interval with 0 in it.\n\n\
    A folder stands for the model's classes of its name, whatever the case, with - and _ as spaces; of names with \
    commas each part counts. --map says which it stands for otherwise. If a model names no classes and has as many as \
    there are folders, they are taken in alphabetical order. If no folder has a class, ways are compared by how much \
    the answers differ from image to image, which is weaker evidence: a model can be sure and wrong.")]
pub struct CheckArgs {
    /// The model: an ONNX file, weights of torchvision or timm, or a run folder or model.safetensors
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Images in folders named after their classes: a folder, or the name of a set under the data root
    #[arg(long, value_name = "FOLDER|NAME")]
    pub data: String,
    #[command(flatten)]
    pub images: ImageArgs,
    #[command(flatten)]
    pub labels: LabelArgs,
    /// The classes of the model that a folder of images stands for: names, indices from 0 on, and ranges such as
    /// 248-250, with commas. For each folder once
    #[arg(long, value_name = "FOLDER=CLASSES")]
    pub map: Vec<String>,
    /// A text file with the names of the classes, one a line, in the order of the network's outputs
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// Height and width of the images, for a model whose file takes any or does not say
    #[arg(long, visible_alias = "image-size", allow_negative_numbers = true, value_name = "PIXELS|HxW", value_parser = input_size)]
    pub input_size: Option<InputSize>,
    /// The network whose weights torchvision or timm published, where its tensors fit several
    #[arg(long, value_name = "NAME")]
    pub architecture: Option<String>,
    /// Look at this many images, spread over the folders
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true, value_parser = whole::<usize>(1, u64::MAX, 100))]
    pub most_images: usize,
    /// Write what fits best into a file beside the model, model.toml for model.onnx, which every command reads
    #[arg(long)]
    pub write: bool,
    /// Replace that file if it is there
    #[arg(long, requires = "write")]
    pub overwrite: bool,
}

impl CheckArgs {
    /// What is said of the model.
    pub fn elsewhere(&self) -> ElsewhereArgs {
        ElsewhereArgs {
            classes: self.classes.clone(),
            input_size: self.input_size,
            architecture: self.architecture.clone(),
            ..ElsewhereArgs::default()
        }
    }
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli model export runs/photos --onnx photos.onnx\n  \
    nn-cli model export runs/photos --onnx photos.onnx --with-preprocessing\n  \
    nn-cli model export resnet50.onnx --preset imagenet --classes names.txt --safetensors resnet50.safetensors\n\n\
    An ONNX file takes what the network takes, as PyTorch's files do: images [batch, channels, height, width], scaled. Its \
    metadata says how pixels become that and what the classes are called, which nn-cli reads: no option is needed to use \
    it. With --with-preprocessing it takes pixels from 0 to 255. A safetensors file takes pixels, remembers everything, \
    and has its tensors under PyTorch's names and in PyTorch's shapes.")]
#[command(
    override_usage = "nn-cli model export [OPTIONS] <--onnx FILE|--safetensors FILE> <MODEL>"
)]
#[command(group = clap::ArgGroup::new("to").required(true).multiple(true).args(["onnx", "safetensors"]))]
pub struct ExportArgs {
    /// The model: a run folder or model.safetensors, an ONNX file, or weights of torchvision or timm
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Write an ONNX file
    #[arg(long, value_name = "FILE")]
    pub onnx: Option<PathBuf>,
    /// Write a file of our own form, which every command takes without options
    #[arg(long, value_name = "FILE")]
    pub safetensors: Option<PathBuf>,
    /// Let the ONNX file take pixels from 0 to 255: what scales them becomes nodes of its graph
    #[arg(long, requires = "onnx")]
    pub with_preprocessing: bool,
    /// Replace files that are there
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub elsewhere: ElsewhereArgs,
}
