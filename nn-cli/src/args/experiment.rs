//! Arguments of `experiment`.

use super::numbers::whole;
use super::{ImageArgs, SettingArgs};
use clap::Args as ClapArgs;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  nn-cli experiment --out runs/experiment\n  \
    nn-cli experiment --seeds 5 --out runs/five-seeds\n\n\
    `nn-cli experiment --help` has all options.")]
#[command(after_long_help = "Examples:\n  \
    nn-cli experiment --out runs/experiment\n  \
    nn-cli experiment --seeds 5 --out runs/five-seeds\n  \
    nn-cli experiment --image-size 64 --epochs 3 --out runs/quick\n\n\
    Trains on different_backgrounds (leaky: the background gives the class away) and on \
    same_backgrounds (clean), tests both, and tests the leaky model on background_swap, where the \
    backgrounds have changed places. Everything is in DIR/report.html, one page that can be mailed; \
    each run is in DIR/runs, as `train` writes it.\n\n\
    With --seeds 5 the seeds are 27, 1, 2, 3, 4: that of --seed, then 1, 2, 3, ... without it.")]
pub struct ExperimentArgs {
    #[command(flatten)]
    pub images: ImageArgs,
    /// The folder to write [default: runs/experiment]
    ///
    /// If runs/experiment is taken, it is runs/experiment-2 and so on.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the folder if it is an experiment's, once the new one is complete
    #[arg(long)]
    pub overwrite: bool,
    /// Repeat everything with this many seeds, and tell mean, range and interval
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = whole::<u16>(1, 1000, 5),
        allow_negative_numbers = true
    )]
    pub seeds: u16,
    /// How many runs are made at the same time [default: one for each thread, up to 4, as far as memory allows]
    ///
    /// They share the threads, and each needs its own memory.
    #[arg(
        long,
        value_name = "N",
        value_parser = whole::<u16>(1, 1024, 2),
        allow_negative_numbers = true
    )]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub settings: SettingArgs,
}
