//! The `nn-cli` program: trains, evaluates and looks into small image classifiers.
//!
//! [`main`] is parse, run, report. Commands live in `commands`, one a file; what they share is
//! beside them: `datasets` finds images by name, `config` merges settings, `training` makes a run,
//! `open_run` and `results` write it down.
//!
//! It is a library only so that tests can reach the readers of files in [`strangers`]; what other
//! programs may build on is `nn-core`.

#![forbid(unsafe_code)]

mod args;
mod audit;
mod command_line;
mod commands;
mod config;
mod datasets;
mod drafts;
mod experiment;
mod failure;
mod folder_lock;
mod images;
mod inspection;
mod interrupt;
mod labels;
mod made_folders;
mod npy;
mod open_run;
mod out_folder;
mod overlays;
mod plots;
mod published;
mod reading;
mod report;
mod results;
mod run_folder;
mod split_file;
mod stand_in;
pub mod strangers;
mod training;
mod treated;
mod ui;

use args::Args;
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;
use ui::Console;

/// The program: reads the command line, does what it says, and tells how it went.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let console = Console::new(args.global.json, args.global.quiet);
    match prepare(&args).and_then(|()| commands::run(&args, &console)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console.error(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// Applies the options that hold for the whole process.
fn prepare(args: &Args) -> Result<(), Failure> {
    interrupt::listen();
    nn_core::kernels::isa::force(&args.global.kernel)?;
    if let Some(threads) = args.global.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().map_err(
            |problem| Failure::failed(format!("cannot start {threads} threads: {problem}")),
        )?;
    }
    Ok(())
}
