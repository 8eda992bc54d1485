//! Ports and data directories that cannot be used.

use std::fs;
use std::net::TcpListener;

use greylag_tests::Cluster;
use rustix::process::Signal;
use tempfile::TempDir;

use super::refusal::{REFUSED_WITHIN, assert_refused, entries};
use crate::support::{SOON, greylag};

#[tokio::test]
async fn ports_that_are_taken() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let listen = format!("127.0.0.1:{port}");
    let directory = TempDir::new().expect("a directory");
    for arguments in [
        vec!["coordinator", "--listen", &listen, "--data", "data"],
        vec![
            "run",
            "--port",
            &port,
            "--host",
            "http://127.0.0.1:1",
            "--scenario",
            "shop",
            "--data",
            "data",
        ],
        vec!["demo", "--port", &port, "--data", "data"],
    ] {
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_refused(&ended, &[&port, "in use"]);
    }
}

#[tokio::test]
async fn data_directories_that_cannot_be_used() {
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join("file"), "not a directory").expect("the directory is ours");
    // Below a file no user can write, not even root.
    for data in ["file", "file/below"] {
        let arguments = ["coordinator", "--listen", "127.0.0.1:0", "--data", data];
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_refused(&ended, &["data directory", "--data"]);
        let arguments = [
            "run",
            "--host",
            "http://127.0.0.1:1",
            "--scenario",
            "shop",
            "--data",
            data,
        ];
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_refused(&ended, &["data directory", "--data"]);
    }
    assert_eq!(entries(directory.path()), ["file"]);

    let mut cluster = Cluster::start(&greylag()).await;
    let data = cluster.data().to_str().expect("a path in UTF-8").to_owned();
    let second = ["coordinator", "--listen", "127.0.0.1:0", "--data", &data];
    let ended = greylag()
        .run_in(directory.path(), &second, REFUSED_WITHIN)
        .await;
    assert_refused(&ended, &["in use by another coordinator"]);

    cluster.coordinator().signal(Signal::TERM);
    cluster.coordinator().wait(SOON).await;
    let database =
        rusqlite::Connection::open(cluster.data().join("greylag.sqlite")).expect("the database");
    database
        .pragma_update(None, "user_version", 999)
        .expect("a newer schema");
    drop(database);
    let ended = greylag()
        .run_in(directory.path(), &second, REFUSED_WITHIN)
        .await;
    assert_refused(&ended, &["newer Greylag", "999"]);

    fs::write(
        cluster.data().join("greylag.sqlite"),
        "this is not a database, but a text",
    )
    .expect("ours");
    let ended = greylag()
        .run_in(directory.path(), &second, REFUSED_WITHIN)
        .await;
    assert_refused(&ended, &["greylag.sqlite"]);
}
