//! A crate made by `greylag new`, edited and compiled within seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use greylag_tests::Greylag;

use crate::support::{RUN_TIMEOUT, greylag};

/// How the users of such a crate name the page that they visit.
const PAGE: &str = ".get(\"";
/// What rustc says of a library that was compiled with others than there are now. Anything else is an error of the crate.
const LACKS_ITS_DEPENDENCIES: [&str; 2] = ["error[E0460]", "error[E0463]"];

/// The crate.
pub(super) struct MadeCrate {
    directory: PathBuf,
}

impl MadeCrate {
    /// Makes one that depends on the library under test.
    pub(super) async fn make(parent: &Path) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let repository = repository.and_then(Path::to_str).expect("a text");
        let arguments = ["new", "my-load", "--path", repository];
        let made = greylag().run_in(parent, &arguments, RUN_TIMEOUT).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        let directory = parent.join("my-load");
        assert!(directory.join("Cargo.toml").exists());
        Self { directory }
    }

    /// Lets its users visit another page.
    pub(super) fn edit(&self, page: &str) {
        let path = self.directory.join("src/main.rs");
        let text = fs::read_to_string(&path).expect("greylag new wrote it");
        let mut parts = text.split(PAGE);
        let mut edited = parts.next().expect("there is a first part").to_owned();
        let mut edits = 0;
        for part in parts {
            let (_, rest) = part.split_once('"').expect("the end of the text");
            edited += &format!("{PAGE}{page}\"{rest}");
            edits += 1;
        }
        assert!(edits > 0, "`{PAGE}` is not in {}", path.display());
        // As often as the test needs them.
        let edited = edited.replace("between(1.0, 3.0)", "constant(0.05)");
        fs::write(path, edited).expect("it can be written");
    }

    /// Compiles it. `cargo` would compile all dependencies again, with the profile and the features of this crate, which takes
    /// minutes. So this is what it does last: rustc, with the library that the tests were compiled with.
    pub(super) fn compile(&self) -> Greylag {
        let tests = std::env::current_exe().expect("our program");
        let libraries = tests.parent().expect("it is in a directory");
        let program = self.directory.join("my-load");
        let mut said_of_newest = None;
        for library in newest_first(libraries) {
            let mut command = Command::new("rustc");
            command
                .args([
                    "--edition",
                    "2024",
                    "--crate-name",
                    "my_load",
                    "src/main.rs",
                ])
                .args(["-C", "strip=symbols", "-o"])
                .arg(&program)
                .arg("-L")
                .arg(format!("dependency={}", libraries.display()))
                .arg("--extern")
                .arg(format!("greylag={}", library.display()))
                .current_dir(&self.directory)
                .env("CARGO_MANIFEST_DIR", &self.directory)
                .env("CARGO_PKG_NAME", "my-load")
                .env("CARGO_PKG_DESCRIPTION", "");
            let output = command.output().expect("rustc can be started");
            if output.status.success() {
                return Greylag::at(program);
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let is_of_others = LACKS_ITS_DEPENDENCIES
                .iter()
                .any(|code| said.contains(code));
            let of_newest = said_of_newest.get_or_insert(said);
            assert!(is_of_others, "the crate does not compile\n{of_newest}");
        }
        panic!(
            "the crate does not compile\n{}",
            said_of_newest.unwrap_or_default()
        );
    }
}

/// The libraries that the tests may have been compiled with. There are several where features or the code have changed: not every
/// one has its dependencies left.
fn newest_first(libraries: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(libraries).expect("a directory").flatten();
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_one = name.starts_with("libgreylag-") && name.ends_with(".rlib");
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            is_one.then_some((modified.ok()?, entry.path()))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().rev().map(|(_, path)| path).collect()
}
