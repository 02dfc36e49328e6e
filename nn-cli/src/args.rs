//! The command line, as typed. `config` turns it into settings that were checked.

mod audit;

pub use audit::{AuditArgs, RepairAs};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use nn_core::data::AlphaBackground;
use std::path::{Path, PathBuf};

/// Where named sets lie unless the user says otherwise.
pub const DEFAULT_DATA_ROOT: &str = "data";

/// The share of the training images that validates unless the user says otherwise.
pub const DEFAULT_VALIDATION_SPLIT: f64 = 0.125;

/// Train, evaluate and look into small image classifiers, and see what data leakage does to them.
#[derive(Debug, Parser)]
#[command(
    name = "nn-cli",
    version,
    arg_required_else_help = true,
    after_help = "Example:\n  nn-cli train --data same_backgrounds\n  \
        nn-cli evaluate --model runs/same_backgrounds --data same_backgrounds\n  \
        nn-cli gradcam --model runs/same_backgrounds photo.jpg --out heat\n\n\
        A data set is a folder of images, or a name: same_backgrounds, different_backgrounds or\n\
        background_swap. A name that is not on disk is rendered: drawn animals stand in for the\n\
        published photographs, which `nn-cli data fetch` downloads.\n\n\
        Exit status: 0 done, 1 failed, 2 wrong usage, 3 an audit found a leak (copies across splits, or\n\
        a class told without the subject), 130 interrupted."
)]
pub struct Args {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, ClapArgs)]
pub struct GlobalArgs {
    /// Threads to compute with; results are the same for any number [default: all cores]
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024),
        allow_negative_numbers = true,
        help_heading = "Everywhere"
    )]
    pub threads: Option<u16>,
    /// Instruction set to compute with: portable, avx2, avx512 or neon; auto takes what NN_KERNEL
    /// says, or else the fastest this machine has
    #[arg(
        long,
        global = true,
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
    /// Show a network's layers, their output shapes and numbers of parameters
    Summary(SummaryArgs),
    /// Time training steps, predictions and each layer's passes on this machine
    Bench(BenchArgs),
    /// List, fetch, verify or render the named data sets
    #[command(subcommand)]
    Data(DataCommand),
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

/// What images show, where their folders do not say it.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct LabelArgs {
    /// A table (CSV) of what the images show, which may lie in one folder: a column for the files (file,
    /// filename, image, image_id, path or id), one for the classes (label, class, category or target),
    /// and perhaps one that says what each is for (split)
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// The column of that table with the classes
    #[arg(long, value_name = "NAME", requires = "labels")]
    pub label_column: Option<String>,
}

/// Where named sets lie, and what to do about images that are broken.
#[derive(Debug, Clone, ClapArgs)]
pub struct ImageArgs {
    /// Where named sets lie [default: data]
    #[arg(long, value_name = "DIR", env = "NN_DATA_ROOT")]
    pub data_root: Option<PathBuf>,
    /// Go on without images that cannot be read, and list them
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl ImageArgs {
    /// Where named sets lie.
    pub fn root(&self) -> &Path {
        self.data_root.as_deref().unwrap_or(Path::new(DEFAULT_DATA_ROOT))
    }
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli train --data same_backgrounds\n  \
    nn-cli train --data photos/ --image-size 128 --epochs 20 --out runs/photos\n  \
    nn-cli train --data photos/ --labels labels.csv --out runs/photos\n  \
    nn-cli train --config runs/photos/config.toml --out runs/again\n  \
    nn-cli train --resume --out runs/photos\n\n\
    The folder holds train/ and test/ with one sub-folder per class, perhaps val/ (or valid/,\n\
    validation/, dev/, eval/, in any letter case), or the class folders themselves, which are then\n\
    split 70/10/20 (or as --validation-split says). Images are of the class whose folder they lie in, at any depth. What is not\n\
    looked at is said.\n\n\
    The run is saved after each epoch, and on Ctrl-C once the step under way is done (a second\n\
    Ctrl-C does not wait). --resume goes on from there, to the same bits as an unbroken run with the\n\
    same kernels.")]
pub struct TrainArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// The run folder to write [default: runs/NAME, or runs/NAME-2 and so on if taken]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run in the folder: its results once the new ones are complete, its checkpoint
    /// with the new one's first
    #[arg(long)]
    pub overwrite: bool,
    /// Go on with the run in --out, which holds its settings; a finished one goes on with more
    /// --epochs, and one that is not there begins
    #[arg(long, requires = "out", conflicts_with_all = ["overwrite", "config"])]
    pub resume: bool,
    /// A table of which image is for what (columns file, label, split), as `audit --repair` and every
    /// run write it; images that are not in it are left out
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
}

/// How a network is trained.
#[derive(Debug, Clone, ClapArgs)]
pub struct SettingArgs {
    /// Passes over the training images [default: 10]
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    pub epochs: Option<usize>,
    /// Images per step [default: 4]
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Step size of the optimiser [default: 0.001]
    #[arg(long, allow_negative_numbers = true, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// How the learning rate changes over the epochs [default: constant]
    #[arg(long, value_enum)]
    pub schedule: Option<ScheduleName>,
    /// How weights follow gradients [default: adam]
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerName>,
    /// Decides everything random: split, weights, order [default: 27]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = seed_range())]
    pub seed: Option<u64>,
    /// Height and width images are resized to [default: 256]
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS")]
    pub image_size: Option<usize>,
    /// Share of the images not kept for the test that validates, where there is no folder for it
    /// [default: 0.125]
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
    pub validation_split: Option<f64>,
    /// Colour that transparent images are laid on: white, black, grey, #rrggbb or r,g,b
    /// [default: white]
    #[arg(long, value_name = "COLOUR")]
    pub alpha_background: Option<AlphaBackground>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli experiment --out runs/experiment\n  \
    nn-cli experiment --seeds 5 --out runs/five-seeds\n  \
    nn-cli experiment --image-size 64 --epochs 3 --out runs/quick\n\n\
    Trains on different_backgrounds (leaky: the background gives the class away) and on\n\
    same_backgrounds (clean), tests both, and tests the leaky model on background_swap, where the\n\
    backgrounds have changed places. Everything is in DIR/report.html, one page that can be mailed;\n\
    each run is in DIR/runs, as `train` writes it.\n\n\
    With --seeds N the seeds are that of --seed, then 1, 2, 3, ... without it: 27, 1, 2, 3, 4.")]
pub struct ExperimentArgs {
    #[command(flatten)]
    pub images: ImageArgs,
    /// The folder to write [default: runs/experiment, or runs/experiment-2 and so on if taken]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the folder if it is an experiment's, once the new one is complete
    #[arg(long)]
    pub overwrite: bool,
    /// Repeat everything with this many seeds, for mean, spread and interval
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=1000),
        allow_negative_numbers = true
    )]
    pub seeds: u16,
    /// Runs to make at the same time, the threads shared among them and each with its own memory
    /// [default: one for each thread, up to 4, as far as memory allows]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024),
        allow_negative_numbers = true
    )]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub settings: SettingArgs,
}

/// The seeds: what TOML, in which runs are recorded, can hold.
fn seed_range() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=i64::MAX as u64)
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ScheduleName {
    /// The same rate throughout
    Constant,
    /// A tenth of the rate after every third of the epochs
    Step,
    /// Down to zero along half a cosine
    Cosine,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OptimizerName {
    /// Adam, as Keras computes it
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
    /// Gradient descent with momentum 0.9
    Sgd,
}

/// A trained model.
#[derive(Debug, ClapArgs)]
pub struct ModelArgs {
    /// The trained model: a model.safetensors, or the run folder that holds one
    #[arg(long, value_name = "FILE|RUN")]
    pub model: PathBuf,
    /// Image size of a model whose file does not say [default: 256]
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS")]
    pub image_size: Option<usize>,
    /// Colour that transparent images are laid on: white, black, grey, #rrggbb or r,g,b
    /// [default: that of the model's training, or white]
    #[arg(long, value_name = "COLOUR")]
    pub alpha_background: Option<AlphaBackground>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli evaluate --model runs/different_backgrounds --data background_swap\n  \
    nn-cli evaluate --model runs/same_backgrounds --data same_backgrounds --without-twins")]
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
    /// A table of which image is for what, as `train --split` reads it
    #[arg(long, value_name = "FILE")]
    pub split_file: Option<PathBuf>,
    /// Also state the accuracy without the images that have a copy in another split
    #[arg(long)]
    pub without_twins: bool,
    /// Images per step
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 4)]
    pub batch_size: usize,
    /// Seed of the split [default: the split of the model's run where it knows the images, else 27]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = seed_range())]
    pub seed: Option<u64>,
    /// Share of train/ held back for validation, where there is no folder for it; give the one of the
    /// training [default: 0.125]
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
    pub validation_split: Option<f64>,
}

impl EvaluateArgs {
    /// The seed that draws a split.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(27)
    }

    /// The share of train/ held back for validation.
    pub fn share(&self) -> f64 {
        self.validation_split.unwrap_or(DEFAULT_VALIDATION_SPLIT)
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
#[command(after_help = "Example:\n  \
    nn-cli predict --model runs/same_backgrounds photo.jpg more-photos/\n  \
    nn-cli predict --model runs/same_backgrounds more-photos/ --top 3 --csv answers.csv")]
pub struct PredictArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Images, or folders to search for images
    #[arg(required_unless_present = "csv", value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Show this many classes of each image, the most probable first [default: all of up to 5, else 3]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub top: Option<u16>,
    /// Write a CSV table: to a file, or without one to standard output, instead of the table for people
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub csv: Option<Option<PathBuf>>,
    /// Go on without images that cannot be read, and list them
    #[arg(long)]
    pub skip_unreadable: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli gradcam --model runs/different_backgrounds photo.jpg more-photos/ --out heat\n  \
    nn-cli gradcam --model runs/photos photo.jpg --class wolf --layer conv2 --out heat\n\n\
    Writes NAME.CLASS.png for each image: the image, and beside it the image under its heat map,\n\
    red where most speaks for the class. More than one image also give a page of all, grid.png.\n\n\
    The table tells how much of the heat lies on the background, and how much of the picture is\n\
    background: a map that does not care where the animal is has the same share of both. The\n\
    background is found by a simple rule (its name is in --json) that fails now and then.")]
pub struct GradcamArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Images, or folders to search for images
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write into a folder that is not empty, and replace files of the same names
    #[arg(long)]
    pub overwrite: bool,
    /// The class to explain [default: the one the model predicts]
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// The layer to look at [default: the last convolution]
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,
    /// How heat is found
    #[arg(long, value_enum, default_value_t = MethodName::GradCam)]
    pub method: MethodName,
    /// Also write maps for NumPy: NAME.CLASS.npy as computed, NAME.CLASS.full.npy stretched to the
    /// model's image size and brought to 0 to 1
    #[arg(long)]
    pub raw: bool,
    /// Also compare each map with that of the same network with random weights, and warn if they
    /// hardly differ: such maps show nothing of what the model learned
    #[arg(long)]
    pub check: bool,
    /// Go on without images that cannot be read, and list them
    #[arg(long)]
    pub skip_unreadable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// Features, each channel weighed by its mean gradient
    GradCam,
    /// Features, each weighed by its own gradient
    #[value(name = "hirescam")]
    HiResCam,
    /// What covering a part of the image takes from the class's score; slow
    Occlusion,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  nn-cli summary\n  \
    nn-cli summary --model runs/same_backgrounds")]
pub struct SummaryArgs {
    /// A model.safetensors or run folder [default: the built-in network]
    #[arg(long, value_name = "FILE|RUN")]
    pub model: Option<PathBuf>,
    /// Image size of the built-in network [default: 256]
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS")]
    pub image_size: Option<usize>,
    /// Classes of the built-in network
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 2)]
    pub classes: usize,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  nn-cli bench\n  \
    nn-cli bench --batch-size 16 --image-size 128 --threads 1\n\n\
    Nothing else should run meanwhile. Compare figures of one machine and one day only: clocks and\n\
    neighbours change more than programs do.")]
pub struct BenchArgs {
    /// Images per step
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 4)]
    pub batch_size: usize,
    /// Height and width of the images
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS", default_value_t = 256)]
    pub image_size: usize,
    /// How often each thing is timed
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 20)]
    pub steps: usize,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  nn-cli data list\n  nn-cli data fetch\n\n\
    The sets are photographs of huskies and wolves: on white (same_backgrounds), on grass and\n\
    snow (different_backgrounds), and on each other's ground (background_swap). Where they are\n\
    not on disk, drawn animals stand in for them.")]
pub enum DataCommand {
    /// Show the named sets: published photographs, other folders, or stand-in
    #[command(after_help = "Example:\n  nn-cli data list --data-root ~/photographs")]
    List(DataRootArgs),
    /// Get the published photographs and check them against their checksums
    Fetch(FetchArgs),
    /// Compare the photographs on disk with their checksums; status 1 if any is amiss
    #[command(after_help = "Example:\n  nn-cli data verify --data-root ~/photographs")]
    Verify(DataRootArgs),
    /// Draw the stand-in for the photographs to disk
    Render(RenderArgs),
}

/// `data list` and `data verify` take it alone, `data fetch` and `data render` among others.
#[derive(Debug, ClapArgs)]
pub struct DataRootArgs {
    /// Where named sets lie
    #[arg(long, value_name = "DIR", env = "NN_DATA_ROOT", default_value = DEFAULT_DATA_ROOT)]
    pub data_root: PathBuf,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  nn-cli data fetch\n  \
    nn-cli data fetch --from ~/Downloads/photographs.tar.gz")]
pub struct FetchArgs {
    #[command(flatten)]
    pub root: DataRootArgs,
    /// Take them from a folder or an archive on disk
    #[arg(long, value_name = "DIR|ARCHIVE", conflicts_with = "url")]
    pub from: Option<PathBuf>,
    /// Download the archive from this address instead of the publisher's
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Replace folders of these names that are not the published sets
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  nn-cli data render same_backgrounds --out drawings")]
pub struct RenderArgs {
    /// Sets to draw: same_backgrounds, different_backgrounds, background_swap [default: all three]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Where to put their folders [default: the data root]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub root: DataRootArgs,
    /// Decides what the animals look like; another seed draws others
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = crate::stand_in::DEFAULT_SEED)]
    pub seed: u64,
    /// Height and width of the pictures
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS", default_value_t = crate::stand_in::DEFAULT_SIZE)]
    pub size: u32,
}
