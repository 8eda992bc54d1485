//! JSON APIs.

use http::Method;
use serde_json::{Value, json};

use crate::client::{RestResponse, ensure};
use crate::task::{TaskResult, stop_user};
use crate::testing::{BOTH, Reply, Seen, Server, client, respond};

async fn api() -> Server {
    Server::start(|seen: &Seen| {
        let (status, body): (_, &[u8]) = match seen.target.as_str() {
            "/empty" => ("204 No Content", b""),
            "/html" => ("200 OK", b"<html>\nnot JSON</html>"),
            "/gone" => ("404 Not Found", b"{\"error\":\"gone\"}"),
            _ => ("200 OK", b"{\"items\":[1,2]}"),
        };
        Reply::Write(respond(status, &[], body))
    })
    .await
}

#[tokio::test]
async fn json_goes_out_and_comes_back() {
    for kind in BOTH {
        let server = api().await;
        let (mut client, memory) = client(kind, &server.url);
        let page = client.rest(Method::POST, "/").json(&json!({"a": 1}));
        let page = page.send().await.unwrap();
        assert_eq!(page.js()["items"][1], 2);
        drop(page);
        let own = client.rest(Method::GET, "/").header("accept", "text/json");
        own.send().await.unwrap().success().unwrap();
        let empty = client.rest(Method::GET, "/empty").send().await.unwrap();
        assert_eq!(*empty.js(), Value::Null);
        drop(empty);
        let seen = server.seen();
        assert_eq!(seen[0].body, "{\"a\": 1}");
        for seen in [&seen[0], &seen[2]] {
            assert_eq!(seen.header("accept"), Some("application/json"));
            assert_eq!(seen.header("content-type"), Some("application/json"));
        }
        assert_eq!(seen[1].header("accept"), Some("text/json"));
        assert_eq!(memory.lines(), ["POST /", "GET /", "GET /empty"]);
    }
}

#[tokio::test]
async fn what_is_not_json_is_a_failure_unless_the_scenario_says_otherwise() {
    for kind in BOTH {
        let server = api().await;
        let (mut client, memory) = client(kind, &server.url);
        let page = client.rest(Method::GET, "/html").send().await.unwrap();
        assert_eq!(*page.js(), Value::Null);
        page.check(|page| ensure(page.js()["x"] == 1, "second").map_err(Into::into))
            .unwrap();
        let page = client.rest(Method::GET, "/html").send().await.unwrap();
        page.success().unwrap();
        drop(page);
        let lines = memory.lines();
        let start = "GET /html -> Could not parse response as JSON. <html> not JSON</html>, response code 200, error ";
        assert!(lines[0].starts_with(start), "{lines:?}");
        assert_eq!(lines[1], "GET /html");
    }
}

async fn checked(
    path: &str,
    check: impl FnOnce(&mut RestResponse) -> TaskResult,
) -> (TaskResult, String) {
    let server = api().await;
    let (mut client, memory) = client(crate::client::ClientKind::Fast, &server.url);
    let page = client
        .rest(Method::GET, path)
        .name("n")
        .send()
        .await
        .unwrap();
    let outcome = page.check(check);
    (outcome, memory.only().error.unwrap_or_default())
}

#[tokio::test]
async fn every_error_of_a_check_is_the_failure() {
    let (outcome, error) = checked("/", |_| Ok(())).await;
    outcome.unwrap();
    assert_eq!(error, "");

    let (outcome, error) = checked("/gone", |_| Ok(())).await;
    outcome.unwrap();
    assert_eq!(error, "404 Client Error: Not Found for url: n");

    let (outcome, error) = checked("/", |_| {
        ensure(false, "too few")?;
        Ok(())
    })
    .await;
    outcome.unwrap();
    assert_eq!(error, "too few");

    let (outcome, error) = checked("/", |_| {
        ensure(false, "too few,")?;
        Ok(())
    })
    .await;
    outcome.unwrap();
    assert_eq!(error, "too few, response was {\"items\":[1,2]}");

    let (outcome, error) = checked("/", |page| {
        assert!(page.js().is_null(), "asserted");
        Ok(())
    })
    .await;
    outcome.unwrap();
    assert_eq!(error, "asserted");

    let line = line!() + 2;
    let (outcome, error) = checked("/", |_| {
        let _: u8 = "x".parse()?;
        Ok(())
    })
    .await;
    outcome.unwrap();
    let expected = format!(
        "invalid digit found in string at {}:{line}. Response was {{\"items\":[1,2]}}",
        file!()
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn what_a_check_asks_for_is_no_failure() {
    let (outcome, error) = checked("/", |_| stop_user()).await;
    assert!(outcome.unwrap_err().flow().is_some());
    assert_eq!(error, "");
    let (outcome, error) = checked("/gone", |page| {
        page.mark_success();
        Ok(())
    })
    .await;
    outcome.unwrap();
    assert_eq!(error, "");
}

#[tokio::test]
async fn an_uncached_request_has_the_time_in_its_address_and_not_in_its_name() {
    for kind in BOTH {
        let server = api().await;
        let (mut client, memory) = client(kind, &server.url);
        for path in ["/a", "/a?b=1"] {
            client
                .rest_uncached(Method::GET, path)
                .send()
                .await
                .unwrap();
        }
        let own = client.rest_uncached(Method::GET, "/a").name("own");
        drop(own.send().await.unwrap());
        assert_eq!(
            memory.lines(),
            ["GET /a?_=...", "GET /a?b=1&_=...", "GET own"]
        );
        let seen = server.seen();
        for (seen, start) in seen.iter().zip(["/a?_=", "/a?b=1&_="]) {
            let time: u64 = seen.target.strip_prefix(start).unwrap().parse().unwrap();
            assert!(time > 1_600_000_000_000);
        }
    }
}
