//! The stock `greylag`: the command line with the example scenarios.

use std::process::ExitCode;

// A load generator allocates per request; mimalloc does it in a fraction of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    greylag::main(greylag_scenarios::examples::all())
}
