//! What the API answers to bad input, as a snapshot: a changed word is a changed file, which the review of a change
//! shows.
//!
//! `INSTA_UPDATE=always cargo test -p greylag-reporting --test web messages` writes it anew.

use std::fmt::Write;

use crate::site::{Site, load_test};

const RUN: &str = "run00000000a";
const HOST: &str = r#""host":"http://127.0.0.1:9""#;

#[tokio::test]
async fn each_bad_request_has_its_message() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/", "500")
        .await;
    site.coordinator
        .create_infrastructure("local")
        .await
        .expect("created");
    let of_run = |path: &str| format!("/api/v1/runs/{RUN}{path}");
    let posts: Vec<(String, String)> = [
        "{",
        "[]",
        "{}",
        r#"{"host":"example"}"#,
        r#"{HOST,"hots":1}"#,
        r#"{HOST,"users":0}"#,
        r#"{HOST,"users":-1,"workers":"two","duration":1.5}"#,
        r#"{HOST,"users":5,"workers":6}"#,
        r#"{HOST,"duration":"soon","ramp_up":"31d"}"#,
        r#"{HOST,"name":""}"#,
        r#"{HOST,"tags":"a"}"#,
        r#"{HOST,"declared":{"requests":[]}}"#,
        r#"{HOST,"declared":{"requests":[{"path":"x","metod":1}]}}"#,
        r#"{HOST,"declared":{"requests":[{"path":"/"}]},"scenario":"shop"}"#,
        r#"{HOST,"stages":[{"users":5}]}"#,
        r#"{HOST,"client":{"proxy":"x"}}"#,
        r#"{HOST,"infrastructure":"nowhere"}"#,
        r#"{HOST,"infrastructure":"local"}"#,
    ]
    .into_iter()
    .map(|body| ("/api/v1/runs".to_owned(), body.replace("HOST", HOST)))
    .chain(
        ["{}", r#"{"name":"a/b"}"#, r#"{"name":"local"}"#]
            .map(|body| ("/api/v1/infrastructures".to_owned(), body.to_owned())),
    )
    .chain(
        [
            "{}",
            r#"{"users":1000001}"#,
            r#"{"users":5,"ramp_up":"soon"}"#,
            r#"{"users":5,"spawn_rate":0}"#,
            r#"{"users":5,"spawn_rate":1,"ramp_up":1}"#,
            r#"{"users":5}"#,
        ]
        .map(|body| (of_run("/users"), body.to_owned())),
    )
    .chain([(of_run("/stop"), String::new())])
    .collect();
    let mut text = String::new();
    for (path, body) in posts {
        let answer = site.post(&path, body.clone()).await;
        let path = path.replace(RUN, "RUN");
        writeln!(text, "POST {path} {body}").expect("a string");
        writeln!(
            text,
            "{} {}\n",
            answer.status.as_u16(),
            answer.error_message()
        )
        .expect("a string");
    }
    for path in [
        "/nothing".to_owned(),
        "/runs/nosuchrun/summary".to_owned(),
        "/runs?limit=x".to_owned(),
        format!("/runs/{RUN}/log/lines?after=x"),
        format!("/runs/{RUN}/summary?step=0"),
        format!("/runs/{RUN}/csv/history"),
        format!("/runs/{RUN}/csv/stats_history?from=x"),
        format!("/runs/{RUN}/summary?from=x"),
        format!("/runs/{RUN}/summary?from=0.5&to=2"),
        format!("/runs/{RUN}/summary?to=-1"),
        format!("/runs/{RUN}/tables?from=5&to=5"),
        format!("/runs/{RUN}/csv/stats?from=9&to=3"),
        format!("/runs/{RUN}/summary?from=10"),
        format!("/runs/{RUN}/summary?endpoint=/"),
        format!("/runs/{RUN}/log/lines?agent=unknown"),
    ] {
        let answer = site.get(&format!("/api/v1{path}")).await;
        let path = path.replace(RUN, "RUN");
        writeln!(text, "GET /api/v1{path}").expect("a string");
        writeln!(
            text,
            "{} {}\n",
            answer.status.as_u16(),
            answer.error_message()
        )
        .expect("a string");
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("bad_requests", text));
}
