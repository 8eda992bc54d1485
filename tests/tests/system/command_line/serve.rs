//! `greylag serve`: the page waits for Start, and one signal ends everything.

use greylag_tests::{Api, Nginx, START_TIMEOUT, heavy, local_url};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, SOON, greylag};

#[tokio::test]
async fn serve_waits_for_start_runs_and_ends_whole() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let port = greylag_tests::free_port().to_string();
    let host = nginx.url();
    // As Locust's users type it, without a subcommand.
    let line = [
        "-H",
        &host,
        "-u",
        "7",
        "-r",
        "3.5",
        "-t",
        "90",
        "--scenario",
        "tagged",
        "-T",
        "read",
        "-P",
        &port,
        "--processes",
        "2",
    ];
    let mut serve = greylag().start_in(directory.path(), &line);
    let url = serve
        .wait_for_output("its URL", START_TIMEOUT, |output| {
            local_url(output.split_once("Greylag is at ")?.1)
        })
        .await;
    assert_eq!(url, format!("http://127.0.0.1:{port}"));
    let api = Api::new(&url);
    api.wait_for_agents("local", 1, START_TIMEOUT).await;
    let page = api.get("/").await.body;
    for field in [
        format!("name=\"host\" value=\"{host}\""),
        "name=\"users\" value=\"7\"".to_owned(),
        "value=\"3.5\"".to_owned(),
        "name=\"duration\" value=\"1m30s\"".to_owned(),
        "name=\"tags\" value=\"read\"".to_owned(),
        "<option value=\"tagged\" title=\"Has tags\" selected>".to_owned(),
    ] {
        assert!(page.contains(&field), "{field} is missing in\n{page}");
    }
    assert_eq!(nginx.log_so_far().totals().requests, 0, "it waits");

    let test = json!({
        "name": "served", "host": host, "scenario": "tagged", "infrastructure": "local",
        "users": 2, "ramp_up": 0, "duration": 2, "workers": 2, "tags": ["read"],
    });
    let id = api.start(&test).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let requests = api.summary(&id).await.totals.requests;
    assert!(requests > 0);
    let log = nginx.log_with(requests).await;
    assert_eq!(log.totals().requests, requests);

    // A run is under way when everything is ended.
    let mut long = test.clone();
    long["duration"] = json!(600);
    let id = api.start(&long).await;
    api.wait_for_requests(&id, 1, RUN_TIMEOUT).await;
    let children = serve.descendants();
    assert!(!children.is_empty(), "workers");
    serve.signal(Signal::INT);
    let ended = serve.wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    greylag_tests::wait::until("the end of all workers", SOON, async || {
        let left: Vec<_> = children.iter().filter(|child| child.is_alive()).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn serve_fills_its_form_in_from_any_test_file() {
    let directory = TempDir::new().expect("a directory");
    let text = "host = \"http://127.0.0.1:9\"\n[client]\nmax_redirects = 3\n[[request]]\npath = \"/a\"\n\
                [[stage]]\nusers = 5\nramp = \"30s\"\nduration = \"2m\"\n[[stage]]\nusers = 9\nduration = 60\n";
    std::fs::write(directory.path().join("own.toml"), text).expect("ours");
    let mut serve = greylag().start_in(directory.path(), &["serve", "own.toml", "-P", "0"]);
    let url = serve
        .wait_for_output("its URL", START_TIMEOUT, |output| {
            local_url(output.split_once("Greylag is at ")?.1)
        })
        .await;
    let page = Api::new(&url).get("/").await.body;
    for part in [
        "Filled in from the command line.",
        "Its HTTP client settings are used as they are.",
        "own: 1 request</output>",
        "name=\"stage:1:ramp\" value=\"30s\"",
        "name=\"stage:2:users\" value=\"9\"",
        "name=\"stage:2:duration\" value=\"1m\"",
        "name=\"users\" value=\"\" placeholder=\"10\"",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    let empty = Api::new(&url).get("/?form=empty").await.body;
    assert!(!empty.contains("Filled in from") && !empty.contains("own: 1 request"));
    serve.signal(Signal::INT);
    assert_eq!(serve.wait(SOON).await.code, Some(0));
}

#[tokio::test]
async fn serve_refuses_what_is_not_for_it() {
    let directory = TempDir::new().expect("a directory");
    for (line, said) in [
        (
            &["serve", "--scenario", "none"][..],
            "scenario `none` is unknown",
        ),
        (&["serve", "--web-host", "0.0.0.0"], "--token"),
        (
            &["serve", "--csv", "x", "--headless"],
            "--csv: not for `serve`",
        ),
    ] {
        let ended = greylag().run_in(directory.path(), line, SOON).await;
        assert_eq!(ended.code, Some(2), "{line:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{line:?}: {ended:?}");
    }
}

/// The page is there for whoever wants to look, and the file is started as it is.
#[tokio::test]
async fn serve_runs_such_a_file_from_another_terminal() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let text = declared_with_stages(&nginx.url());
    std::fs::write(directory.path().join("own.toml"), text).expect("ours");
    let mut serve = greylag().start_in(directory.path(), &["serve", "-P", "0"]);
    let url = serve
        .wait_for_output("its URL", START_TIMEOUT, |output| {
            local_url(output.split_once("Greylag is at ")?.1)
        })
        .await;
    Api::new(&url)
        .wait_for_agents("local", 1, START_TIMEOUT)
        .await;
    let line = ["run", "own.toml", "--infrastructure", "local"];
    let line = [&line[..], &["--coordinator", &url]].concat();
    let ended = greylag().run_in(directory.path(), &line, RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    nginx.log_with(1).await;
    serve.signal(Signal::INT);
    assert_eq!(serve.wait(SOON).await.code, Some(0));
}

fn declared_with_stages(host: &str) -> String {
    format!(
        "host = \"{host}\"\n[[request]]\npath = \"/\"\n[[stage]]\nusers = 2\nduration = \"2s\"\n"
    )
}
