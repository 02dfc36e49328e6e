//! The options of `nn-cli data`.

use super::network::channels;
use super::numbers::{seed, whole};
use super::{DEFAULT_DATA_ROOT, ImageArgs, LabelArgs, SeenArgs};
use clap::{Args as ClapArgs, Subcommand};
use nn_core::data::Channels;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  nn-cli data list\n  nn-cli data fetch\n\n\
    The sets are photographs of huskies and wolves: on white (same_backgrounds), on grass and \
    snow (different_backgrounds), and on each other's ground (background_swap). Where they are \
    not on disk, drawn animals stand in for them.")]
pub enum DataCommand {
    /// Show the named sets and what each is: photographs, another folder, or drawings
    #[command(after_help = "Example:\n  nn-cli data list --data-root ~/photographs")]
    List(DataRootArgs),
    /// Get the published photographs and check them against their checksums
    Fetch(FetchArgs),
    /// Compare the photographs on disk with their checksums; status 1 if one is missing or changed
    #[command(after_help = "Example:\n  nn-cli data verify --data-root ~/photographs")]
    Verify(DataRootArgs),
    /// Draw the stand-in for the photographs to disk
    Render(RenderArgs),
    /// Show training images as a network sees them: resized, and changed by --augment, epoch by epoch
    Preview(Box<PreviewArgs>),
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli data preview --data photos/ --out sheet.png\n  \
    nn-cli data preview --data photos/ --augment standard --out sheet.png\n  \
    nn-cli data preview --data different_backgrounds --augment background=1 --out sheet.png\n\n\
    Each row is an image, first as it is, then as in the first epochs of `train` with the same seed, split and \
    settings; mixup and cutmix show what the images of the sheet would become if they were a batch.")]
pub struct PreviewArgs {
    /// The PNG to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub overwrite: bool,
    /// How many images
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 6, value_parser = whole::<usize>(1, 100, 6))]
    pub images: usize,
    /// How many epochs
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 7, value_parser = whole::<usize>(1, 50, 7))]
    pub epochs: usize,
    /// A folder of images, or the name of a set under the data root
    #[arg(long, value_name = "FOLDER|NAME")]
    pub data: String,
    #[command(flatten)]
    pub labels: LabelArgs,
    #[command(flatten)]
    pub from: ImageArgs,
    #[command(flatten)]
    pub seen: SeenArgs,
    /// Seed of the split and of what is changed [default: 27]
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = seed())]
    pub seed: Option<u64>,
    /// Height and width images are resized to [default: 256]
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS", value_parser = whole::<usize>(1, 1024, 256))]
    pub image_size: Option<usize>,
    /// The channels in which images are read: in colour or in grey [default: rgb]
    #[arg(long, value_name = "rgb|grey", value_parser = channels())]
    pub channels: Option<Channels>,
}

/// `data list` and `data verify` take it alone, `data fetch` and `data render` among others.
#[derive(Debug, ClapArgs)]
pub struct DataRootArgs {
    /// The folder that holds the named data sets
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
    /// Decides what the animals look like; another seed gives other drawings
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = nn_synthetic::DEFAULT_SEED, value_parser = seed())]
    pub seed: u64,
    /// Height and width of the pictures
    #[arg(long, allow_negative_numbers = true, value_name = "PIXELS", default_value_t = nn_synthetic::DEFAULT_SIZE, value_parser = whole::<u32>(1, u32::MAX.into(), 256))]
    pub size: u32,
}
