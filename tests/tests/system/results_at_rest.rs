//! The directory of results: backups while it is written, and disks that are full.

use std::fs;
use std::path::Path;
use std::process::Command;

use greylag_tests::{Cluster, Nginx, Process, clean_command, wait};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, SOON, greylag, test};

#[tokio::test]
async fn a_backup_of_a_running_coordinator_opens_with_the_run_in_it() {
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", json!({ "duration": 600 })))
        .await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;
    let directory = TempDir::new().expect("a directory");
    let data = cluster.data().to_string_lossy().into_owned();
    let backup = async |more: &[&str]| {
        let arguments = [&["backup", "greylag.sqlite", "--data", &data], more].concat();
        greylag().run_in(directory.path(), &arguments, SOON).await
    };
    let ended = backup(&[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let file = directory.path().join("greylag.sqlite");
    let first = fs::read(&file).expect("the backup");
    // never over what is there, unless that is asked for
    let ended = backup(&[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--force"), "{ended:?}");
    assert_eq!(fs::read(&file).expect("the backup"), first);
    let ended = backup(&["--force"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let entries = fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!(entries, 1, "nothing else is left");
    // nor over the results themselves
    for name in ["greylag.sqlite", "greylag.sqlite-wal"] {
        let own = cluster.data().join(name).to_string_lossy().into_owned();
        let arguments = ["backup", &own, "--data", &data, "--force"];
        let ended = greylag().run_in(directory.path(), &arguments, SOON).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("choose another file"), "{ended:?}");
    }
    cluster.api().stop(&id).await;

    let copy = greylag_on(directory.path(), &[]);
    let url = copy.url().await;
    let run = reqwest::get(format!("{url}/api/v1/runs/{id}/summary")).await;
    let run = run.expect("an answer").text().await.expect("a text");
    assert!(
        run.contains(&id) && !run.contains("\"requests\":0,\"failures\":0,\"rps\""),
        "{run}"
    );
}

/// A coordinator that is not one of a cluster.
struct Alone(Process);

impl Alone {
    async fn url(&self) -> String {
        wait::until("the address", SOON, async || {
            let out = self.0.stdout();
            greylag_tests::local_url(&out).ok_or(out)
        })
        .await
    }
}

fn greylag_on(data: &Path, prefix: &[&str]) -> Alone {
    let data = data.to_string_lossy().into_owned();
    let greylag = greylag().command(["coordinator", "--listen", "127.0.0.1:0", "--data", &data]);
    let mut command = match prefix {
        [] => greylag,
        [program, more @ ..] => {
            let mut command = clean_command(program);
            command
                .args(more)
                .arg(greylag.get_program())
                .args(greylag.get_args());
            command
        }
    };
    Alone(Process::start(
        "coordinator on its own".to_owned(),
        &mut command,
    ))
}

/// Words that start a program with a file system of so many kB at `at` that only it sees; none where that is not allowed.
fn with_small_disk(at: &Path, kilobytes: u32, fill: bool) -> Option<Vec<String>> {
    let fill = if fill {
        format!(
            "head -c {}k /dev/zero > {}/filler 2>/dev/null; ",
            kilobytes,
            at.display()
        )
    } else {
        String::new()
    };
    let script = format!(
        "mount -t tmpfs -o size={kilobytes}k tmpfs {} && {{ {fill}exec \"$0\" \"$@\"; }}",
        at.display()
    );
    let unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c", &script].map(str::to_owned);
    let allowed = Command::new(&unshare[0])
        .args(&unshare[1..])
        .arg("true")
        .status()
        .is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("not tested: no file system can be mounted here");
    }
    allowed.then(|| unshare.to_vec())
}

fn words(prefix: &[String]) -> Vec<&str> {
    prefix.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_full_disk_is_called_full_and_not_damage() {
    let directory = TempDir::new().expect("a directory");
    let Some(prefix) = with_small_disk(directory.path(), 256, true) else {
        return;
    };
    let mut coordinator = greylag_on(directory.path(), &words(&prefix));
    let ended = coordinator.0.wait(SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("is full"), "{ended:?}");
    assert!(!ended.stderr.contains("damaged"), "{ended:?}");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_warned_of() {
    let directory = TempDir::new().expect("a directory");
    let Some(prefix) = with_small_disk(directory.path(), 8_192, false) else {
        return;
    };
    let coordinator = greylag_on(directory.path(), &words(&prefix));
    let url = coordinator.url().await;
    let page = reqwest::get(format!("{url}/")).await.expect("the page");
    let page = page.text().await.expect("a text");
    assert!(
        page.contains("The results disk is nearly full"),
        "{page:.3000}"
    );
    let log = coordinator.0.stderr();
    assert!(log.contains("nearly full"), "{log}");
}
