//! The executable `chancery`.

use std::process::ExitCode;

/// A request makes some hundred small allocations; this allocator makes them cheaper than the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    chancery_server::cli::run(std::env::args_os(), std::env::vars().collect())
}
