//! `greylag new`: a crate of one's own with a first user in it. It depends on what this program was built from: a version,
//! a Git repository or a directory (`built_from.rs`), unless another source is named (`source.rs`).

mod built_from;
mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::print::print_line;
use built_from::BuiltFrom;
use source::Source;

/// Longest name of a crate, as on crates.io.
const LONGEST_NAME: usize = 64;
/// Names that Cargo refuses or that mean something else already (keywords, crates that come with Rust).
const TAKEN_NAMES: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "greylag",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

const MANIFEST: &str = include_str!("Cargo.toml.template");
const MAIN: &str = include_str!("main.rs");
const README: &str = include_str!("README.md.template");
const IGNORED: &str = include_str!("gitignore.template");

/// Options of `greylag new`.
#[derive(Debug, Args)]
pub(crate) struct NewOptions {
    /// The directory to create; its last part is the crate's name.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Depend on Greylag's source in this directory [default: what this binary was built from].
    #[arg(long, value_name = "DIR", conflicts_with = "git")]
    path: Option<PathBuf>,
    /// Depend on Greylag's source in this Git repository.
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

/// Makes the crate and prints the next steps.
pub(crate) fn new(options: &NewOptions) -> Result<ExitCode, Failure> {
    let directory = &options.directory;
    let name = crate_name(directory)?;
    let source = Source::choose(options, BuiltFrom::of_this_program())?;
    check_free(directory)?;
    let fill = |template: &str| {
        template
            .replace("{{name}}", name)
            .replace("{{dependency}}", &source.dependency())
    };
    let mut files = vec![
        ("Cargo.toml", fill(MANIFEST)),
        ("src/main.rs", MAIN.to_owned()),
        ("README.md", fill(README)),
        (".gitignore", IGNORED.to_owned()),
    ];
    // The versions that Greylag itself was built and tested with.
    if let Some(lock) = source.lock_file() {
        files.push(("Cargo.lock", lock));
    }
    for (file, text) in files {
        let path = directory.join(file);
        write(&path, &text).map_err(|error| {
            Failure::failed(format!("{} cannot be written: {error}", path.display()))
        })?;
    }
    let shown = directory.display();
    print_line(format_args!(
        "Created {shown}, which depends on {source}.\n\
         \n    cd {shown}\n    cargo run --release -- run --host http://127.0.0.1:8080\n\
         \nruns its first user, src/main.rs, against that host."
    ));
    Ok(ExitCode::SUCCESS)
}

/// The crate's name, if the directory's name can be one.
fn crate_name(directory: &Path) -> Result<&str, Failure> {
    let refused = |reason: &str| {
        Failure::bad_input(format!(
            "`{}` is not a valid crate name: {reason}; try my-load",
            directory
                .file_name()
                .unwrap_or(directory.as_os_str())
                .display()
        ))
    };
    let name = directory
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| refused("it is not a name"))?;
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if !name.chars().all(allowed) {
        return Err(refused("only a–z, A–Z, 0–9, `-` and `_` are allowed"));
    }
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(refused("it must begin with a letter"));
    }
    if name.len() > LONGEST_NAME {
        return Err(refused(&format!(
            "it is longer than {LONGEST_NAME} characters"
        )));
    }
    if TAKEN_NAMES.contains(&name) {
        return Err(refused("that name is reserved by Rust or Greylag"));
    }
    Ok(name)
}

/// Nothing of the user's is ever overwritten.
fn check_free(directory: &Path) -> Result<(), Failure> {
    let shown = directory.display();
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::bad_input(format!(
                "{shown} already exists and is not empty; choose another directory"
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(Failure::bad_input(
            format!("{shown} already exists and is not a directory; choose another name"),
        )),
        Err(error) => Err(Failure::bad_input(format!(
            "{shown} cannot be read: {error}"
        ))),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}
