//! The programs that Greylag is compared with, installed where they are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use greylag_tests::{find_program, python_with};
use rustix::process::geteuid;

use crate::greylag_path;

/// The version of oha that is installed from crates.io.
const OHA: &str = "1.16.0";

/// Where everything is.
pub(crate) struct Tools {
    pub(crate) wrk: PathBuf,
    pub(crate) oha: PathBuf,
    /// Of an environment that has Locust.
    pub(crate) python: PathBuf,
    pub(crate) greylag: PathBuf,
}

impl Tools {
    /// Finds or installs them: wrk with apt, oha from crates.io (minutes, once), Locust from PyPI.
    pub(crate) async fn find() -> Self {
        Self {
            wrk: wrk(),
            oha: oha(),
            python: python().await,
            greylag: greylag_path(),
        }
    }
}

fn wrk() -> PathBuf {
    if find_program(&["wrk"]).is_none() && find_program(&["apt-get"]).is_some() {
        let install = [
            "apt-get",
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "wrk",
        ];
        let sudo: &[&str] = if geteuid().is_root() { &[] } else { &["sudo"] };
        let words = [sudo, &install].concat();
        run(Command::new(words[0]).args(&words[1..]));
    }
    find_program(&["wrk"]).expect("this measurement needs wrk; on Debian: apt-get install wrk")
}

/// One that is installed already may be of another version and built in another way.
fn oha() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oha-{OHA}"));
    let program = root.join("bin/oha");
    if !program.is_file() {
        println!("Installing oha {OHA} from crates.io, which takes minutes");
        run(Command::new(env!("CARGO"))
            .args(["install", "oha", "--locked", "--version", OHA, "--root"])
            .arg(&root)
            // Built apart, and thrown away: nothing of it is used again.
            .env_remove("CARGO_TARGET_DIR"));
    }
    program
}

async fn python() -> PathBuf {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("locust");
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/requirements.txt");
    python_with(
        &environment,
        &requirements,
        "this measurement needs Python 3.10 or newer with venv and pip (Debian: apt-get install python3-venv) and, the first time, PyPI",
    )
    .await
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
