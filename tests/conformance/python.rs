//! Python packages in virtual environments under the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use greylag_tests::{Process, clean_command, find_program};

use super::locust::here;

/// How long installing may take: some fifty packages over a slow line.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);
/// Without it these tests cannot run, and a user without it must learn what to do.
const HOW_TO_SKIP: &str = "the conformance tests compare with the real Locust and need Python 3.10 or newer with venv and pip \
     (Debian: apt-get install python3-venv; tests/run does it) and, the first time, PyPI; \
     without them skip these tests: cargo test --workspace -- --skip conformance";

/// The Python of an environment of this name that has the packages of a file beside this one; made unless it is there.
pub(super) async fn python_with(name: &str, requirements: &str) -> PathBuf {
    let requirements = here().join(requirements);
    let wanted = std::fs::read_to_string(&requirements).expect("it is beside this file");
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = environment.join("bin/python");
    // Written last: an installation that was cut off, or is of other versions, is made anew.
    let installed = environment.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|has| has == wanted) {
        return python;
    }
    let Some(system) = find_program(&["python3"]) else {
        panic!("there is no python3 here: {HOW_TO_SKIP}");
    };
    step(
        "python3 -m venv",
        clean_command(system)
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
    )
    .await;
    step(
        "pip install",
        clean_command(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(["--disable-pip-version-check", "--requirement"])
            .arg(&requirements),
    )
    .await;
    std::fs::write(&installed, wanted).expect("the environment was just made");
    python
}

async fn step(what: &str, command: &mut Command) {
    let ended = Process::start(what, command).wait(INSTALL_TIMEOUT).await;
    assert!(
        ended.code == Some(0),
        "{what} failed: {HOW_TO_SKIP}\n{}\n{}",
        ended.stdout,
        ended.stderr
    );
}
