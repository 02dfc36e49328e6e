//! The `nn-cli` program: trains, evaluates and looks into small image classifiers.
//!
//! [`main`] parses the command line, runs the command and reports the result. Commands are in `commands`,
//! one in each file. Modules that they share are beside it: `datasets` finds images by name, `config`
//! merges settings. The work itself is done by `nn-core` and by the crates nested here: `nn-study` makes
//! runs, experiments and pages.
//!
//! It is a library only so that tests can reach the parsers in [`fuzz_entry`]. Other programs should use
//! `nn-core` instead.

#![forbid(unsafe_code)]

mod args;
mod backbone;
mod command_line;
mod commands;
mod config;
mod datasets;
mod failure;
pub mod fuzz_entry;
mod grouping;
mod hints;
mod images;
mod interrupt;
mod labels;
mod model;
mod npy;
mod observer;
mod out;
mod reading;
mod tensors;
mod ui;

use args::Args;
use clap::FromArgMatches;
use clap::error::ErrorKind;
use failure::Failure;
use nn_core::kernels::isa::{self, Isa};
use std::process::ExitCode;
use ui::Console;

/// Runs the program: parses the command line, runs the command and reports the result.
pub fn main() -> ExitCode {
    let typed = args::arranged().try_get_matches();
    let args = match typed.and_then(|typed| Args::from_arg_matches(&typed)) {
        Ok(args) => args,
        Err(refused) if refused.use_stderr() => return wrong_usage(&refused),
        // Help and version, which the user asked for.
        Err(asked) => asked.exit(),
    };
    let console = Console::new(args.global.json, args.global.quiet);
    match prepare(&args).and_then(|()| commands::run(&args, &console)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console.error(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// Reports an error in the command line, wrapped to the terminal.
fn wrong_usage(refused: &clap::Error) -> ExitCode {
    if refused.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Help, which clap has wrapped already.
        refused.exit();
    }
    Console::new(false, false).complain(&refused.to_string());
    Failure::usage("").exit_code()
}

/// Applies the options that concern the whole process.
fn prepare(args: &Args) -> Result<(), Failure> {
    interrupt::listen();
    let kernel = &args.global.kernel;
    isa::force(kernel).map_err(|refused| {
        let known = Isa::ALL.map(Isa::name).into_iter().chain(["auto"]);
        // A known name is refused because this machine does not support it.
        let meant = match known.clone().any(|name| name == kernel) {
            true => String::new(),
            false => hints::did_you_mean(kernel, known),
        };
        Failure::usage(format!("{refused}{meant}"))
    })?;
    if let Some(threads) = args.global.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().map_err(
            |problem| Failure::failed(format!("cannot start {threads} threads: {problem}")),
        )?;
    }
    Ok(())
}
