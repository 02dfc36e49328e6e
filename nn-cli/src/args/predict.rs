//! The options of `nn-cli predict`.

use super::numbers::whole;
use super::{ImageArgs, ModelArgs, TensorArgs};
use clap::Args as ClapArgs;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli predict --model runs/same_backgrounds photo.jpg more-photos/\n  \
    nn-cli predict --model runs/same_backgrounds more-photos/ --top 3 --csv answers.csv\n  \
    nn-cli predict --model lite0.onnx --preset lite --classes imagenet.txt photo.jpg")]
pub struct PredictArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Images, folders of images, or names of data sets
    #[arg(required_unless_present_any = ["csv", "tensor"], value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Show this many classes of each image, the most probable first [default: all of up to 5, else 3]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = whole::<usize>(1, u64::MAX, 3))]
    pub top: Option<usize>,
    /// Write a CSV table: to a file, or without one to standard output, instead of the table for people
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub csv: Option<Option<PathBuf>>,
    #[command(flatten)]
    pub tensor: TensorArgs,
    /// With --json: also the numbers before softmax or sigmoid, in the order of the network's outputs
    #[arg(long, requires = "json")]
    pub logits: bool,
    #[command(flatten)]
    pub from: ImageArgs,
}
