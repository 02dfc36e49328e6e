//! The `nn-cli` program. All its code is in the library of the same name.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    nn_cli::main()
}
