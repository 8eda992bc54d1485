//! The product's command line with the scenarios that are compared with the real Locust.

use std::process::ExitCode;

fn main() -> ExitCode {
    greylag::main(greylag_scenarios::examples::all())
}
