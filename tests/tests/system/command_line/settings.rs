//! What is compiled in, and settings from the environment.

use std::time::Duration;

use tempfile::TempDir;

use crate::support::{SOON, greylag};

#[tokio::test]
async fn what_is_compiled_in() {
    let listed = greylag().run(&["scenarios"], Duration::from_secs(20)).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    for name in ["shop", "classic", "per-process", "hostile"] {
        assert!(
            listed.stdout.contains(name),
            "{name} is missing: {}",
            listed.stdout
        );
    }
    let help = greylag().run(&["--help"], Duration::from_secs(20)).await;
    assert_eq!(help.code, Some(0));
    for command in ["demo", "run", "coordinator", "agent", "scenarios"] {
        assert!(
            help.stdout.contains(command),
            "{command} is missing: {}",
            help.stdout
        );
    }
    assert!(
        !help.stdout.contains("worker "),
        "the worker's command is not for users: {}",
        help.stdout
    );
}

#[tokio::test]
async fn environment_variables_are_flags() {
    let directory = TempDir::new().expect("a directory");
    let mut command = greylag().command(["run"]);
    command
        .current_dir(directory.path())
        .env("GREYLAG_HOST", "http://127.0.0.1:1")
        .env("GREYLAG_SCENARIO", "shop")
        .env("GREYLAG_USERS", "0");
    let ended = greylag_tests::Process::start("greylag run", &mut command)
        .wait(SOON)
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("users must be between 1 and 1000000, got 0"),
        "{ended:?}"
    );
}
