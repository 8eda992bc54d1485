//! What an uploaded program does not get from the agent that runs it: its token, and with `--worker-user` its rights.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use greylag_tests::{Cluster, Nginx, Process, ProcessId, START_TIMEOUT, heavy, wait};
use tempfile::TempDir;

use super::data_files::{rows_of, write_rows};
use super::stock;
use crate::support::{RUN_TIMEOUT, SOON, greylag};

const OWNER: &str = "correct-horse-battery-staple";
/// A user that every machine has, with few rights.
const USER: &str = "nobody";

/// A line of a process's status, such as `Uid`: what follows the name.
fn status_of(process: ProcessId, name: &str) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).expect("it runs");
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let (_, rest) = lines.find(|(of, _)| *of == name).expect("it is there");
    rest.split_ascii_whitespace().map(str::to_owned).collect()
}

fn environment_of(pid: u32) -> String {
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("it runs");
    String::from_utf8_lossy(&environment).into_owned()
}

/// What `id` says of the other user.
fn id_of_user(option: &str) -> String {
    let said = Command::new("id").args([option, USER]).output();
    let said = String::from_utf8(said.expect("every system has it").stdout);
    said.expect("a number").trim().to_owned()
}

/// What an agent with a worker user does is not looked at, with a reason in the output, without root.
#[tokio::test]
async fn workers_get_neither_the_token_nor_the_rights_of_their_agent() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let here = directory.path();
    // The other user must get through to the cache.
    fs::set_permissions(here, fs::Permissions::from_mode(0o755)).expect("ours");
    let cache = here.join("cache").to_str().expect("a text").to_owned();
    let cluster = Cluster::start_with(&stock(), &["--accept-uploads", "--token", OWNER]).await;
    let api = cluster.api().clone().with_token(OWNER);
    let is_root = rustix::process::geteuid().is_root();
    let mut options = vec!["agent", "--coordinator", api.url(), "--name", "east"];
    options.extend(["--infrastructure", "lab", "--accept-uploads"]);
    options.extend(["--cache", &cache]);
    if is_root {
        options.extend(["--worker-user", USER]);
    } else {
        eprintln!("skipped in part: only root may start processes of another user");
    }
    let mut command = stock().command(options);
    command.env("GREYLAG_TOKEN", OWNER).current_dir(here);
    let agent = Process::start("agent east", &mut command);
    api.wait_for_agents("lab", 1, START_TIMEOUT).await;
    assert!(environment_of(agent.pid()).contains(OWNER));

    write_rows(here, &["eve"]);
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let mut arguments = vec!["run", "--coordinator", api.url(), "--token", OWNER];
    arguments.extend(["--infrastructure", "lab", "--host", &host]);
    arguments.extend(["--scenario", "rows-from-file", "-u", "4", "-t", "1h"]);
    arguments.extend(["--workers", "2"]);
    let mut run = greylag().start_in(here, &arguments);
    let id = wait::until("the run to be started", RUN_TIMEOUT, async || {
        let runs = api.get("/api/v1/runs").await.json();
        let id = runs["runs"][0]["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| runs.to_string())
    })
    .await;
    api.wait_for_requests(&id, 4, RUN_TIMEOUT).await;

    let workers = agent.descendants_with("worker");
    assert_eq!(workers.len(), 2, "{workers:?}");
    for worker in workers {
        let environment = environment_of(worker.pid);
        assert!(environment.contains("PATH="), "{environment}");
        assert!(!environment.contains("GREYLAG_TOKEN"), "{environment}");
        assert!(!environment.contains(OWNER), "{environment}");
        if !is_root {
            continue;
        }
        let (user, group) = (id_of_user("-u"), id_of_user("-g"));
        for (name, id) in [("Uid", &user), ("Gid", &group)] {
            assert_eq!(status_of(worker, name), vec![id.clone(); 4], "{name}");
        }
        let others = status_of(worker, "Groups");
        assert!(others.iter().all(|other| *other == group), "{others:?}");
    }

    api.stop(&id).await;
    run.wait(RUN_TIMEOUT).await;
    assert_eq!(rows_of(&nginx.finish().await), ["eve"].into());
}

#[tokio::test]
async fn workers_do_not_run_as_root_on_purpose() {
    let mut arguments = vec!["agent", "--coordinator", "http://127.0.0.1:9"];
    arguments.extend(["--infrastructure", "lab", "--accept-uploads"]);
    arguments.extend(["--worker-user", "root"]);
    let refused = greylag().run(&arguments, SOON).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("--worker-user") && refused.stderr.contains("root"),
        "{refused:?}"
    );
}
