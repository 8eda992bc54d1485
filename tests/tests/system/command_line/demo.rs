//! `greylag demo`.

use greylag_tests::{Api, heavy};
use rustix::process::Signal;
use tempfile::TempDir;

use super::results::{TABLES, assert_tables, read_summary, run_page};
use crate::support::{RUN_TIMEOUT, SOON, greylag};

#[tokio::test]
async fn demo() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let port = greylag_tests::free_port().to_string();
    let arguments = [
        "demo",
        "--exit",
        "--users",
        "40",
        "--duration",
        "6s",
        "--ramp-up",
        "1s",
        "--workers",
        "2",
        "--port",
        &port,
        "--data",
        "demo-data",
        "--summary",
        "demo.json",
    ];
    let ended = greylag()
        .run_in(directory.path(), &arguments, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_tables(
        &ended.stdout,
        &["405 Client Error: Method Not Allowed", "Aggregated"],
    );
    let (server, id) = run_page(&ended);
    assert_eq!(server, format!("http://127.0.0.1:{port}"));
    let (summary, _) = read_summary(&directory.path().join("demo.json"));
    assert_eq!(summary.run.id, id);
    assert_eq!(
        (
            summary.run.users,
            summary.run.workers,
            summary.run.duration_s
        ),
        (40, 2, 6.0)
    );
    let refused: Vec<_> = summary
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.method == "POST" && endpoint.failures > 0)
        .collect();
    assert_eq!(
        refused.len(),
        1,
        "one POST answers 405: {:?}",
        summary.endpoints
    );
    assert_eq!(refused[0].requests, refused[0].failures);
    assert!(
        summary
            .endpoints
            .iter()
            .any(|endpoint| endpoint.method == "GET" && endpoint.failures == 0)
    );
}

#[tokio::test]
async fn demo_keeps_serving_until_interrupted() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let port = greylag_tests::free_port().to_string();
    let arguments = [
        "demo",
        "--users",
        "2",
        "--duration",
        "2s",
        "--ramp-up",
        "1s",
        "--port",
        &port,
        "--data",
        "demo-data",
    ];
    let mut demo = greylag().start_in(directory.path(), &arguments);
    demo.wait_for_output("the final tables", RUN_TIMEOUT, |output| {
        output.contains(TABLES[2]).then_some(())
    })
    .await;
    let api = Api::new(format!("http://127.0.0.1:{port}"));
    let runs = api.get("/api/v1/runs").await.json();
    let id = runs["runs"][0]["id"]
        .as_str()
        .expect("the demo's run")
        .to_owned();
    assert!(api.page(&id).await.contains("Finished"));
    demo.signal(Signal::INT);
    let ended = demo.wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
