//! Tells the program where it was built from, which decides what the crates of `greylag new` depend on.

#[path = "src/cli/commands/new/built_from/find.rs"]
mod find;

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/cli/commands/new/built_from/find.rs");
    for name in [find::GIT_URL, find::GIT_REVISION] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let variable = |name: &str| std::env::var(name).ok();
    let directory = variable("CARGO_MANIFEST_DIR").expect("Cargo sets it for build scripts");
    let version = variable("CARGO_PKG_VERSION").expect("Cargo sets it for build scripts");
    let found = find::built_from(Path::new(&directory), &version, variable);
    println!("cargo::rustc-env=GREYLAG_BUILT_FROM={found}");
}
