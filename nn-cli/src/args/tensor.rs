//! Numbers instead of images, for checks against other programs.

use clap::Args as ClapArgs;
use std::path::PathBuf;

/// A tensor in place of images.
#[derive(Debug, Clone, ClapArgs)]
pub struct TensorArgs {
    /// Instead of images: an array of NumPy, f32, [n, channels, height, width], as the network takes it behind its
    /// preprocessing. For comparison with other programs
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["images", "data_root", "skip_unreadable", "preset", "mean", "std", "scale", "channels", "resize", "interpolation", "crop_pct", "alpha_background"])]
    pub tensor: Option<PathBuf>,
}
