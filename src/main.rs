//! The `indago` command: run, map the outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    indago::cli::run(std::env::args_os()).into()
}
