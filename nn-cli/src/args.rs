//! The command line, as typed. `config` turns it into validated settings.

mod audit;
mod backbone;
mod check;
mod data;
mod experiment;
mod folds;
mod kept;
mod labels;
mod model;
mod network;
mod numbers;
mod predict;
mod sections;
mod tensor;
mod training;

pub use audit::AuditArgs;
pub use backbone::BackboneArgs;
pub use check::{CheckArgs, ExportArgs, ModelCommand};
pub use data::{DataCommand, DataRootArgs, FetchArgs, PreviewArgs, RenderArgs};
pub use experiment::ExperimentArgs;
pub use folds::FoldArgs;
pub use kept::{CompletionsArgs, ManArgs, RunOrder, RunsArgs};
pub use labels::LabelArgs;
pub use model::{ChannelOrder, ElsewhereArgs, ModelArgs, PerChannel, scale};
pub use network::{BenchArgs, NetworkArgs, SummaryArgs};
pub use predict::PredictArgs;
pub use sections::arranged;
pub use tensor::TensorArgs;
pub use training::{OptimizerName, ScheduleName, TrainingArgs};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use nn_core::data::augment::Augmentation;
use nn_core::data::{AlphaBackground, ResizeMode};
use nn_core::explain::Alignment;
use nn_study::config::{DEFAULT_DATA_ROOT, DEFAULT_VALIDATION_SPLIT};
use numbers::{rate, seed, share, whole};
use std::path::{Path, PathBuf};

/// The default seed.
pub const DEFAULT_SEED: u64 = 27;

/// Train, evaluate and look into small image classifiers, and see what data leakage does to them.
#[derive(Debug, Parser)]
#[command(
    name = "nn-cli",
    version,
    max_term_width = 80,
    arg_required_else_help = true,
    after_help = "Example:\n  nn-cli train --data same_backgrounds\n  \
        nn-cli evaluate --model runs/same_backgrounds\n  \
        nn-cli gradcam --model runs/same_backgrounds photo.jpg --out heat\n\n\
        A data set is a folder of images, or a name: same_backgrounds, different_backgrounds or \
        background_swap. If its photographs are not on disk, drawn animals stand in for them, and \
        every output says so; `nn-cli data fetch` downloads the photographs.\n\n\
        Exit status: 0 done, 1 failed, 2 wrong usage, 3 an audit found copies across splits or \
        a class that can be told from the file, 130 interrupted."
)]
pub struct Args {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, ClapArgs)]
pub struct GlobalArgs {
    /// How many threads compute; the results are the same for any number [default: all cores]
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "N",
        value_parser = whole::<u16>(1, 1024, 2),
        allow_negative_numbers = true,
        help_heading = "Everywhere"
    )]
    pub threads: Option<u16>,
    /// Instruction set to compute with: auto, portable, avx2, avx512 or neon. With auto it is the one
    /// that NN_KERNEL names, or else the fastest that this machine has
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "SET",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    pub kernel: String,
    /// Print results and warnings only
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub quiet: bool,
    /// Print the result as one JSON document on stdout; everything else goes to stderr
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a classifier on images; write its model, metrics and curves to a run folder
    Train(Box<TrainArgs>),
    /// Show what leakage does: train with it and without it, on photographs, and compare
    Experiment(Box<ExperimentArgs>),
    /// Measure a trained model on images: loss, accuracy, confusion matrix
    Evaluate(EvaluateArgs),
    /// Say which class images belong to, with probabilities
    Predict(PredictArgs),
    /// Show where in images a model looks: heat maps over each, and how much lies on the background
    Gradcam(GradcamArgs),
    /// Find leaks in an image folder before any training: copies, classes told from the file
    Audit(AuditArgs),
    /// List the runs there are, or compare some of them
    Runs(RunsArgs),
    /// Show a network's layers and their sizes, print it as a file, draw it
    Summary(SummaryArgs),
    /// Time training steps, predictions and each layer's passes on this machine
    Bench(BenchArgs),
    /// Find out how a model from elsewhere takes images; write models for other programs
    #[command(subcommand)]
    Model(ModelCommand),
    /// List, fetch, verify or render the named data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Print the script with which a shell completes commands and options
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them to a folder
    Man(ManArgs),
}

/// Where images come from.
#[derive(Debug, Clone, ClapArgs)]
pub struct DataArgs {
    /// A folder of images, or the name of a set under the data root
    #[arg(long, value_name = "FOLDER|NAME")]
    pub data: Option<String>,
    #[command(flatten)]
    pub images: ImageArgs,
}

/// Where named sets lie, and what to do about images that are broken.
#[derive(Debug, Clone, ClapArgs)]
pub struct ImageArgs {
    /// The folder that holds the named data sets [default: data]
    #[arg(long, value_name = "DIR", env = "NN_DATA_ROOT")]
    pub data_root: Option<PathBuf>,
    /// Leave out images that cannot be read, and list them, instead of ending with an error
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl ImageArgs {
    /// The folder that contains the named sets.
    pub fn root(&self) -> &Path {
        self.data_root.as_deref().unwrap_or(Path::new(DEFAULT_DATA_ROOT))
    }
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  nn-cli train --data photos/ --epochs 50 --early-stopping 8\n  \
    nn-cli train --data photos/ --backbone model.onnx --out runs/photos\n\n\
    The folder holds train/ and test/ with one sub-folder per class, perhaps val/, or the class folders \
    themselves. `nn-cli train --help` has all options."
)]
#[command(after_long_help = "Examples:\n  \
    nn-cli train --data same_backgrounds\n  \
    nn-cli train --data photos/ --image-size 128 --epochs 20 --out runs/photos\n  \
    nn-cli train --data photos/ --labels labels.csv --out runs/photos\n  \
    nn-cli train --data photos/ --architecture resnet18 --image-size 64\n  \
    nn-cli train --data photos/ --epochs 50 --early-stopping 8\n  \
    nn-cli train --data photos/ --folds 5\n  \
    nn-cli train --data photos/ --find-learning-rate\n  \
    nn-cli train --config runs/photos/config.toml --out runs/again\n  \
    nn-cli train --resume --out runs/photos\n\n\
    The folder holds train/ and test/ with one sub-folder per class, perhaps val/ (or valid/, \
    validation/, dev/, eval/, in any letter case), or the class folders themselves, which are then \
    split 70/10/20 (or as --validation-split says). Images are of the class whose folder they lie in, at any depth. Files that are \
    not used are listed in a line.\n\n\
    The run is saved after each epoch, and on Ctrl-C once the step under way is done (a second \
    Ctrl-C does not wait). --resume goes on from there, to the same result, bit for bit, as a run that was never stopped and computed with the same kernels.")]
pub struct TrainArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// The run folder to write [default: runs/NAME]
    ///
    /// NAME is that of the folder or set in --data; if runs/NAME is taken, it is runs/NAME-2 and so on.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run that is in the folder. Its results stay until the new ones are complete, its
    /// checkpoint until the new run is saved for the first time
    #[arg(long)]
    pub overwrite: bool,
    /// Go on with the run in --out, with the settings it began with
    ///
    /// A finished run is trained further if more --epochs are asked for; where there is no run yet, one begins.
    #[arg(long, requires = "out", conflicts_with_all = ["overwrite", "config"])]
    pub resume: bool,
    /// How many checkpoints stay when the run is finished: 0, 1 or 2. One is needed to train it
    /// further; each is three times the size of the model
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = whole::<u8>(0, 2, 1),
        allow_negative_numbers = true
    )]
    pub keep_checkpoints: u8,
    /// Also write event files for TensorBoard, into tensorboard/ in the run folder
    #[arg(long)]
    pub tensorboard: bool,
    /// A table that says which image is for training, validation and test (columns file, label,
    /// split), as `audit --repair` and every run write it; images that are not in it, or whose split is none, are
    /// left out
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,
    #[command(flatten)]
    pub labels: LabelArgs,
    /// Repeat a run from its config.toml, to the bit if it computes with the same kernels (--kernel);
    /// options given here win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: SettingArgs,
    #[command(flatten)]
    pub folds: FoldArgs,
    /// Train nothing, but try learning rates from 1e-7 to 10, a higher one at each step, for one pass over
    /// the training images (100 to 1000 steps): suggests one, and draws the losses into a new folder, --out
    /// [default: runs/NAME-learning-rate]
    #[arg(
        long,
        conflicts_with_all = ["overwrite", "resume"]
    )]
    pub find_learning_rate: bool,
}

/// How a network is trained.
#[derive(Debug, Clone, ClapArgs)]
pub struct SettingArgs {
    /// Passes over the training images [default: 10]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = whole::<usize>(1, u64::MAX, 10))]
    pub epochs: Option<usize>,
    /// Images per step [default: 4]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = whole::<usize>(1, u64::MAX, 4))]
    pub batch_size: Option<usize>,
    /// Step size of the optimiser: how much each step changes the weights [default: 0.001]
    #[arg(long, allow_hyphen_values = true, value_name = "RATE", value_parser = rate)]
    pub learning_rate: Option<f64>,
    /// How the learning rate changes over the epochs; see --schedule-epochs and --schedule-factor
    /// [default: constant]
    #[arg(long, value_enum)]
    pub schedule: Option<ScheduleName>,
    /// The optimiser: how the weights are changed [default: adam]
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerName>,
    /// Decides everything random: which image is for what, the first weights, the order of the
    /// images. The same seed gives the same result [default: 27]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = seed())]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Height and width images are resized to [default: 256, or what the network's file says]
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS", value_parser = image_size())]
    pub image_size: Option<usize>,
    /// Share of the images not kept for the test that validates, where there is no folder for it
    /// [default: 0.125]
    #[arg(long, allow_hyphen_values = true, value_name = "SHARE", value_parser = share)]
    pub validation_split: Option<f64>,
    #[command(flatten)]
    pub seen: SeenArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
    #[command(flatten)]
    pub backbone: BackboneArgs,
}

/// How images are brought to a network, and changed in training.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct SeenArgs {
    /// How images of another shape are resized: squash (all of the image), crop (its middle) or letterbox (all of it,
    /// with borders) [default: squash, or as the backbone was trained]
    #[arg(long, value_name = "HOW")]
    pub resize: Option<ResizeMode>,
    /// Colour behind transparent parts of images: white, black, grey, #rrggbb or r,g,b
    /// [default: white]
    #[arg(long, value_name = "COLOUR")]
    pub alpha_background: Option<AlphaBackground>,
    /// Change training images a little, in another way in each epoch: standard, colour, or a list [default: none]
    ///
    /// The list is of flip, flip-vertical, rotate, shear, zoom, translate, crop, brightness, contrast, saturation, hue,
    /// noise, blur, erase, mixup, cutmix, background, each with =STRENGTH if not as usual; `data preview` shows them.
    #[arg(long, value_name = "LIST")]
    pub augment: Option<Augmentation>,
    /// Pictures of backgrounds for the augmentation background [default: those of the other training images]
    #[arg(long, value_name = "DIR")]
    pub backgrounds: Option<PathBuf>,
}

/// The largest seed: the largest integer of TOML, in which runs are recorded.
const MOST_SEED: u64 = i64::MAX as u64;

/// A parser for an image size. Its range depends on the network.
fn image_size() -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    whole(0, u64::MAX, 256)
}

#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli evaluate --model runs/same_backgrounds\n  \
    nn-cli evaluate --model runs/different_backgrounds --data background_swap\n  \
    nn-cli evaluate --model runs/same_backgrounds --without-twins\n\n\
    A run knows what it was trained on, so without --data it is measured on that. For a model file \
    of another origin, name the images with --data.")]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub labels: LabelArgs,
    /// Which images [default: those in test/ where there is one, else in val/, else those that the
    /// model's run was neither trained nor validated on]
    #[arg(long, value_enum)]
    pub split: Option<SplitName>,
    /// A table that says which image is for what, as `train --split` reads it
    #[arg(long, value_name = "FILE")]
    pub split_file: Option<PathBuf>,
    /// Also tell the accuracy without the images that have a copy in another split
    #[arg(long)]
    pub without_twins: bool,
    /// Images per step
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 4, value_parser = whole::<usize>(1, u64::MAX, 4))]
    pub batch_size: usize,
    /// Seed of the split [default: the split of the run where it knows the images, else 27]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = seed())]
    pub seed: Option<u64>,
    /// Share of the images not kept for the test that validates, where there is no folder for it
    /// [default: that of the run, or 0.125]
    #[arg(long, allow_hyphen_values = true, value_name = "SHARE", value_parser = share)]
    pub validation_split: Option<f64>,
}

impl EvaluateArgs {
    /// The share of train/ held out for validation.
    pub fn share(&self) -> f64 {
        self.validation_split.unwrap_or(DEFAULT_VALIDATION_SPLIT)
    }

    /// The seed of the split.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(DEFAULT_SEED)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// The images that change the weights
    Train,
    /// The images looked at after each epoch
    Validation,
    /// The images kept for the end
    Test,
    /// All images
    All,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli gradcam --model runs/photos photo.jpg more-photos/ --out heat\n  \
    nn-cli gradcam --model runs/photos a.jpg --class wolf --layer conv2 --out b\n  \
    nn-cli gradcam --model resnet.onnx --preset imagenet a.jpg --out c\n\n\
    Writes NAME.CLASS.png for each image: the image, and beside it the image under its heat map, \
    red where most speaks for the class. More than one image also give a page of all, grid.png.\n\n\
    The table tells how much of the heat lies on the background, and how much of the picture is \
    background: heat that is spread evenly has the same share of both. The background is found by a \
    simple rule that is wrong now and then: the dashed line shows what was taken for the animal. There \
    is no share for a map without heat, and none where two ways to find the animal disagree.")]
pub struct GradcamArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Images, folders of images, or names of data sets
    #[arg(required_unless_present = "tensor", value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    #[command(flatten)]
    pub tensor: TensorArgs,
    #[command(flatten)]
    pub from: ImageArgs,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write into a folder that is not empty, and replace files of the same names
    #[arg(long)]
    pub overwrite: bool,
    /// The class to explain [default: the one the model predicts]. With --tensor, names or indices with commas:
    /// each gets its map
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// The layer to look at, by its name in `summary`, or a node or value of the ONNX file [default: the last feature map before the network
    /// pools or flattens it, such as the last convolution]
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,
    /// How the heat map is computed
    #[arg(long, value_enum, default_value_t = MethodName::GradCam)]
    pub method: MethodName,
    /// How a map is brought to the image: its cells at the centres of what they see, or, as tf-keras-vis
    /// does, from corner to corner
    #[arg(long, value_enum, default_value_t = AlignName::Centres)]
    pub align: AlignName,
    /// Also write maps for NumPy: NAME.CLASS.npy as computed, NAME.CLASS.full.npy at the model's image
    /// size and from 0 to 1
    #[arg(long)]
    pub raw: bool,
    /// Also compare each map with that of the same network with random weights, and warn if they
    /// hardly differ: such maps show nothing of what the model learned
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// The layer's maps added up, each weighted by its mean gradient
    GradCam,
    /// The layer's maps added up, each place weighted by its own gradient
    #[value(name = "hirescam")]
    HiResCam,
    /// How far the class's score falls when a part of the image is covered; slow
    Occlusion,
}

/// How a map is brought to the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlignName {
    /// Cells at the centres of what they see
    #[value(alias = "centers")]
    Centres,
    /// Corner cells in the corners, as tf-keras-vis does
    Corners,
}

impl AlignName {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Centres => "centres",
            Self::Corners => "corners",
        }
    }
}

impl From<AlignName> for Alignment {
    fn from(name: AlignName) -> Self {
        match name {
            AlignName::Centres => Self::Centres,
            AlignName::Corners => Self::Corners,
        }
    }
}
