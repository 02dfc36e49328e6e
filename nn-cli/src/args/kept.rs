//! The options of `nn-cli runs`, `nn-cli completions` and `nn-cli man`.

use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli runs\n  \
    nn-cli runs --sort accuracy\n  \
    nn-cli runs runs/photos runs/photos-2\n\n\
    The list tells what each run was trained on, how many epochs, its accuracy and of how many test \
    images, when it was written (universal time) and its size. A run that was interrupted or is \
    broken is listed as that. Two or more runs are compared: results, and the settings that differ.")]
pub struct RunsArgs {
    /// A folder of runs to list, or the runs to compare [default: the folder runs]
    #[arg(value_name = "DIR|RUN")]
    pub runs: Vec<PathBuf>,
    /// What the list is sorted by
    #[arg(long, value_enum, default_value_t = RunOrder::Name)]
    pub sort: RunOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunOrder {
    /// From A to Z
    Name,
    /// The newest first
    Date,
    /// The best first
    Accuracy,
    /// The largest first
    Size,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli completions bash > ~/.local/share/bash-completion/completions/nn-cli\n  \
    nn-cli completions zsh > ~/.zfunc/_nn-cli\n  \
    nn-cli completions fish > ~/.config/fish/completions/nn-cli.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    nn-cli man > nn-cli.1\n  \
    nn-cli man ~/.local/share/man/man1        # a page for each command")]
pub struct ManArgs {
    /// The folder to write to: nn-cli.1, nn-cli-train.1 and so on. Files of these names are replaced
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
