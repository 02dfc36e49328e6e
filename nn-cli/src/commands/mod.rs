//! The commands, one in each file.

mod audit;
mod bench;
mod check;
mod data;
mod evaluate;
mod experiment;
mod export;
mod find_rate;
mod gradcam;
mod manual;
mod predict;
mod runs;
mod summary;
mod train;

use crate::args::{Args, Command, ModelCommand};
use crate::failure::Failure;
use crate::ui::Console;

/// Runs the command of the command line.
pub fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    match &args.command {
        Command::Train(args) if args.find_learning_rate => find_rate::run(args, console),
        Command::Train(args) => train::run(args, console),
        Command::Experiment(args) => experiment::run(args, console),
        Command::Evaluate(args) => evaluate::run(args, console),
        Command::Predict(args) => predict::run(args, console),
        Command::Gradcam(args) => gradcam::run(args, console),
        Command::Audit(args) => audit::run(args, console),
        Command::Summary(args) => summary::run(args, console),
        Command::Bench(args) => bench::run(args, console),
        Command::Model(ModelCommand::Check(args)) => check::run(args, console),
        Command::Model(ModelCommand::Export(args)) => export::run(args, console),
        Command::Data(command) => data::run(command, console),
        Command::Runs(args) => runs::run(args, console),
        Command::Completions(args) => manual::completions(args, console),
        Command::Man(args) => manual::pages(args, console),
    }
}
