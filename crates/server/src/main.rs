//! The executable `chancery`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chancery_server::cli::run(std::env::args_os(), std::env::vars().collect())
}
