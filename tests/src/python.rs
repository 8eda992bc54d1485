//! Python packages in virtual environments of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::proc_fs::find_program;
use crate::process::{Process, clean_command};

/// How long installing may take: some fifty packages over a slow line.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);

/// The Python of this environment, which has the packages of a file of requirements; made unless it exists.
///
/// # Panics
/// It cannot be made; then with what is `needed` for it.
pub async fn python_with(environment: &Path, requirements: &Path, needed: &str) -> PathBuf {
    let wanted = std::fs::read_to_string(requirements).expect("a file of requirements");
    let python = environment.join("bin/python");
    // Written last: an installation that was cut off, or is of other versions, is made anew.
    let installed = environment.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|has| has == wanted) {
        return python;
    }
    let Some(system) = find_program(&["python3"]) else {
        panic!("there is no python3 here: {needed}");
    };
    step(
        "python3 -m venv",
        clean_command(system)
            .args(["-m", "venv", "--clear"])
            .arg(environment),
        needed,
    )
    .await;
    step(
        "pip install",
        clean_command(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(["--disable-pip-version-check", "--requirement"])
            .arg(requirements),
        needed,
    )
    .await;
    std::fs::write(&installed, wanted).expect("the environment was just made");
    python
}

async fn step(what: &str, command: &mut Command, needed: &str) {
    let ended = Process::start(what, command).wait(INSTALL_TIMEOUT).await;
    assert!(
        ended.code == Some(0),
        "{what} failed: {needed}\n{}\n{}",
        ended.stdout,
        ended.stderr
    );
}
