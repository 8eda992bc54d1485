//! `greylag new`: what it writes compiles, runs and is refused where it should be.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What `greylag new` writes as src/main.rs, which is also the example `new_load` of this package.
const MAIN: &str = include_str!("../src/cli/commands/new/main.rs");

fn run(program: impl AsRef<Path>, directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(directory);
    command.output().unwrap()
}

fn greylag(directory: &Path, arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_greylag"), directory, arguments)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeeded(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Asserts that this is refused with these words.
fn assert_refused(directory: &Path, arguments: &[&str], words: &str) {
    let output = greylag(directory, arguments);
    let said = text(&output.stderr);
    assert!(
        said.contains(words),
        "{arguments:?} should say {words:?} and says {said:?}"
    );
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
}

/// The target directory of this build.
fn target_directory() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap().to_owned()
}

/// What `greylag new` writes as a program. Cargo builds examples before tests, unless it is asked for
/// single tests.
fn new_load() -> PathBuf {
    let profile = Path::new(env!("CARGO_BIN_EXE_greylag")).parent().unwrap();
    let binary = profile.join("examples/new_load");
    if !binary.exists() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--example", "new_load"]);
        cargo.env("CARGO_TARGET_DIR", target_directory());
        succeeded(&cargo.current_dir(package).output().unwrap());
    }
    binary
}

/// The dev profile of this workspace, for crates that are checked in its target directory: with another one all their
/// dependencies would be compiled again, for minutes.
fn dev_profile_of_this_workspace() -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let dev = manifest["profile"]["dev"].clone();
    let profile = toml::Table::from_iter([("dev".to_owned(), dev)]);
    toml::Table::from_iter([("profile".to_owned(), profile.into())]).to_string()
}

#[test]
fn the_new_crate_compiles() {
    let directory = tempfile::tempdir().unwrap();
    let said = succeeded(&greylag(directory.path(), &["new", "my-load"]));
    assert!(said.contains("this greylag was built from"), "{said}");
    assert!(said.contains("cargo run --release -- run --host"), "{said}");
    let made = directory.path().join("my-load");
    assert_eq!(fs::read_to_string(made.join("src/main.rs")).unwrap(), MAIN);
    let readme = fs::read_to_string(made.join("README.md")).unwrap();
    assert!(readme.starts_with("# my-load\n"), "{readme}");
    assert!(!readme.contains("{{"), "{readme}");
    let ignored = fs::read_to_string(made.join(".gitignore")).unwrap();
    assert!(ignored.contains("/target"), "{ignored}");
    let profile = directory.path().join("profile.toml");
    fs::write(&profile, dev_profile_of_this_workspace()).unwrap();
    let checked = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--config"])
        .arg(&profile)
        .env("CARGO_TARGET_DIR", target_directory())
        .current_dir(&made)
        .output()
        .unwrap();
    succeeded(&checked);
    let said = text(&checked.stderr);
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn the_new_crate_has_its_scenario_and_every_subcommand() {
    let binary = new_load();
    let directory = tempfile::tempdir().unwrap();
    let scenarios = succeeded(&run(&binary, directory.path(), &["scenarios"]));
    assert!(scenarios.contains("Visitor (weight 1)"), "{scenarios}");
    // Named after the crate it was compiled in, which here is this one.
    assert!(scenarios.starts_with(env!("CARGO_PKG_NAME")), "{scenarios}");
    let help = succeeded(&run(&binary, directory.path(), &["--help"]));
    for subcommand in ["run", "coordinator", "agent", "demo", "scenarios"] {
        assert!(help.contains(subcommand), "{subcommand}: {help}");
    }
    let completions = succeeded(&run(&binary, directory.path(), &["completions", "bash"]));
    assert!(completions.contains("_new_load"), "{completions}");
}

#[test]
fn the_dependency_is_named_as_asked() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = |name: &str| -> toml::Table {
        let path = directory.path().join(name).join("Cargo.toml");
        fs::read_to_string(path).unwrap().parse().unwrap()
    };
    let package = fs::canonicalize(env!("CARGO_MANIFEST_DIR")).unwrap();
    let repository = package.parent().unwrap();

    let url = "https://git.test/grey \"lag\".git";
    let said = succeeded(&greylag(directory.path(), &["new", "far", "--git", url]));
    assert!(said.contains(url), "{said}");
    let far = manifest("far");
    assert_eq!(far["dependencies"]["greylag"]["git"].as_str(), Some(url));
    assert_eq!(far["package"]["name"].as_str(), Some("far"));
    assert!(!directory.path().join("far/Cargo.lock").exists());

    for (name, path) in [("near", package.as_path()), ("nearby", repository)] {
        let path = path.to_str().unwrap();
        succeeded(&greylag(directory.path(), &["new", name, "--path", path]));
        let near = manifest(name);
        let found = near["dependencies"]["greylag"]["path"].as_str();
        assert_eq!(found, package.to_str());
        assert!(directory.path().join(name).join("Cargo.lock").exists());
    }

    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    assert_refused(
        directory.path(),
        &["new", "none", "--path", empty],
        "does not contain the source of Greylag",
    );
    assert_refused(directory.path(), &["new", "none", "--git", " "], "--git");
    assert!(!directory.path().join("none").exists());
}

/// The optimised build is that of this repository.
#[test]
fn the_everyday_build_is_quick_and_the_load_test_build_is_this_repositorys() {
    let directory = tempfile::tempdir().unwrap();
    succeeded(&greylag(directory.path(), &["new", "my-load"]));
    let read =
        |path: PathBuf| -> toml::Table { fs::read_to_string(path).unwrap().parse().unwrap() };
    let ours = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
    let new = read(directory.path().join("my-load/Cargo.toml"));
    let new_profile = &new["profile"];
    // Thin LTO made one changed line cost minutes.
    assert_eq!(new_profile["release"]["lto"].as_str(), Some("off"));
    assert_eq!(new_profile["release"]["incremental"].as_bool(), Some(true));
    let for_load_tests = &new_profile["load-test"];
    assert_eq!(for_load_tests["inherits"].as_str(), Some("release"));
    assert_eq!(for_load_tests["incremental"].as_bool(), Some(false));
    for key in ["lto", "codegen-units"] {
        assert_eq!(
            for_load_tests[key], ours["profile"]["release"][key],
            "{key}"
        );
    }
    assert_eq!(
        new["package"]["edition"],
        ours["workspace"]["package"]["edition"]
    );
}

#[test]
fn nothing_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let there = directory.path().join("there");
    fs::create_dir(&there).unwrap();
    fs::write(there.join("notes.txt"), "mine").unwrap();
    assert_refused(directory.path(), &["new", "there"], "is not empty");
    assert_eq!(fs::read_dir(&there).unwrap().count(), 1);
    fs::write(directory.path().join("file"), "mine").unwrap();
    assert_refused(directory.path(), &["new", "file"], "is not a directory");
    fs::create_dir(directory.path().join("empty")).unwrap();
    succeeded(&greylag(directory.path(), &["new", "empty"]));
    succeeded(&greylag(directory.path(), &["new", "some/where/deep"]));
}

#[test]
fn names_that_cargo_would_refuse_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (name, words) in [
        ("1st", "begin with a letter"),
        ("_load", "begin with a letter"),
        ("my load", "are allowed"),
        ("łoad", "are allowed"),
        ("my.load", "are allowed"),
        ("match", "is reserved by Rust"),
        ("greylag", "reserved by Rust or Greylag"),
        ("..", "it is not a name"),
    ] {
        assert_refused(directory.path(), &["new", name], words);
    }
    let long = "a".repeat(65);
    assert_refused(directory.path(), &["new", &long], "longer than 64");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
