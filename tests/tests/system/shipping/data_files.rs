//! Data files travel with the program, and are what they were when the run was started.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use greylag_tests::wait::until_true;
use greylag_tests::{AccessLog, Nginx, START_TIMEOUT, heavy};
use tempfile::TempDir;

use super::{fetched, lab, run};
use crate::command_line::results::read_summary;
use crate::support::{RUN_TIMEOUT, SOON, greylag};

/// Users of `rows-from-file`, whose rows are in `data/accounts.csv`.
const TEST: [&str; 8] = [
    "--scenario",
    "rows-from-file",
    "-u",
    "4",
    "-t",
    "2s",
    "--workers",
    "2",
];

/// Writes the file of rows into a directory.
pub(super) fn write_rows(directory: &Path, names: &[&str]) {
    fs::create_dir_all(directory.join("data")).expect("ours");
    let rows = format!("name\n{}\n", names.join("\n"));
    fs::write(directory.join("data").join("accounts.csv"), rows).expect("ours");
}

/// The rows that users were given.
pub(super) fn rows_of(log: &AccessLog) -> BTreeSet<&str> {
    let paths = log.requests.iter().map(|request| request.path.as_str());
    paths
        .filter_map(|path| path.strip_prefix("/row/"))
        .collect()
}

#[tokio::test]
async fn data_files_travel_with_the_program() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let cache = directory.path().join("cache");
    let mut cluster = lab(&["a", "b"], Some(&cache)).await;
    let here = directory.path();

    // A file that is missing is noticed before anything is uploaded or started.
    let nginx = Nginx::start().await;
    let refused = run(&greylag(), &cluster, &nginx.url(), here, &TEST).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let words = "data file `data/accounts.csv` cannot be read in";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
    assert!(!refused.stderr.contains("Uploading"), "{}", refused.stderr);
    let runs = cluster.api().get("/api/v1/runs").await.json();
    assert_eq!(runs["runs"], serde_json::json!([]), "{runs}");

    write_rows(here, &["ann", "bob"]);
    let ended = run(&greylag(), &cluster, &nginx.url(), here, &TEST).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for what in ["build", "data file data/accounts.csv"] {
        let words = format!("Uploading {what}");
        assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    }
    assert_eq!(rows_of(&nginx.finish().await), ["ann", "bob"].into());
    let (first, _) = read_summary(&here.join("summary.json"));
    let build = &first.run.builds[0];
    let data = &build.shipped.as_ref().expect("it was uploaded").data;
    let [file] = &data[..] else {
        panic!("the scenario has one data file: {data:?}");
    };
    assert_eq!((file.path.as_str(), file.size), ("data/accounts.csv", 13));
    let page = cluster.api().page(&first.run.id).await;
    assert!(page.contains(&file.sha256[..12]), "{page}");

    // Only the data are edited: the program is there already, and agents need no restart.
    write_rows(here, &["cay"]);
    let nginx = Nginx::start().await;
    let ended = run(&greylag(), &cluster, &nginx.url(), here, &TEST).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let uploaded = &ended.stderr;
    assert!(uploaded.contains("Uploading data file"), "{uploaded}");
    assert!(!uploaded.contains("Uploading build"), "{uploaded}");
    assert_eq!(rows_of(&nginx.finish().await), ["cay"].into());

    // A run of the same build has the data that it names.
    let nginx = Nginx::start().await;
    let draft = serde_json::json!({
        "scenario": "rows-from-file", "host": nginx.url(), "infrastructure": "lab",
        "users": 2, "workers": 2, "duration": 2, "ramp_up": 0,
        "build": build.sha256,
        "data": [{ "path": file.path, "sha256": file.sha256, "size": file.size }],
    });
    let id = cluster.api().start(&draft).await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    assert_eq!(rows_of(&nginx.finish().await), ["ann", "bob"].into());

    // Each of the three files was fetched once for both agents, and nothing is left of the runs.
    assert_eq!(fetched(&mut cluster), 3);
    until_true("the runs' directories to be deleted", SOON, || {
        fs::read_dir(&cache).expect("ours").count() == 3
    })
    .await;

    let url = cluster.api().url().to_owned();
    let delete = [
        "builds",
        "delete",
        &build.sha256[..12],
        "--coordinator",
        &url,
    ];
    let deleted = greylag().run(&delete, RUN_TIMEOUT).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    let left = fs::read_dir(cluster.data().join("builds")).expect("a directory");
    assert_eq!(left.count(), 0, "the data files go with their build");
}

/// An agent that ends takes the copies of its run with it, and those that an agent left behind which was killed.
#[tokio::test]
async fn agents_that_end_leave_no_data_files_behind() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let here = directory.path();
    let cache = here.join("cache");
    let mut cluster = lab(&[], None).await;
    let left = cache.join("run-left").join("data");
    fs::create_dir_all(&left).expect("ours");
    for shared in [&cache, &left] {
        fs::set_permissions(shared, fs::Permissions::from_mode(0o700)).expect("ours");
    }
    fs::write(left.join("accounts.csv"), "name\nsecret\n").expect("ours");
    let url = cluster.api().url().to_owned();
    let cache_option = cache.to_str().expect("a text");
    let options = ["--accept-uploads", "--once", "--cache", cache_option];
    cluster.start_agent_at(&url, "a", "lab", &options);
    cluster.api().wait_for_agents("lab", 1, START_TIMEOUT).await;
    until_true("what was left behind to be deleted", SOON, || {
        !cache.join("run-left").exists()
    })
    .await;

    write_rows(here, &["ann"]);
    let nginx = Nginx::start().await;
    let ended = run(&greylag(), &cluster, &nginx.url(), here, &TEST).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let agent = cluster.agent(0).wait(RUN_TIMEOUT).await;
    assert_eq!(agent.code, Some(0), "{agent:?}");
    let kept = fs::read_dir(&cache).expect("ours").flatten();
    let names: Vec<_> = kept.map(|entry| entry.file_name()).collect();
    // The program and the file of rows.
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        !names
            .iter()
            .any(|name| name.to_string_lossy().starts_with("run-")),
        "{names:?}"
    );

    // A directory that others can write is refused before anything is fetched into it.
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("ours");
    cluster.start_agent_at(&url, "b", "lab", &options);
    let refused = cluster.agent(1).wait(SOON).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--cache"), "{refused:?}");
}

#[tokio::test]
async fn a_run_here_reads_the_same_files() {
    let directory = TempDir::new().expect("a directory");
    let here = directory.path();
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let local = [&["run", "--headless", "--host", &host][..], &TEST].concat();
    let refused = greylag().run_in(here, &local, RUN_TIMEOUT).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let words = "data file `data/accounts.csv` cannot be read in";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
    write_rows(here, &["dan"]);
    let ended = greylag().run_in(here, &local, RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(rows_of(&nginx.finish().await), ["dan"].into());
}
