//! Caught responses: the scenario has the last word.

use std::time::Duration;

use crate::client::{Client, ResponseError, ensure};
use crate::task::{TaskError, TaskResult, stop_user};
use crate::testing::{BOTH, Reply, Seen, Server, client, respond};

async fn server() -> Server {
    Server::start(|seen: &Seen| {
        let status = if seen.target == "/bad" {
            "404 Not Found"
        } else {
            "200 OK"
        };
        Reply::Write(respond(status, &[], b"[]"))
    })
    .await
}

#[tokio::test]
async fn the_scenario_decides() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = client(kind, &server.url);
        let page = client.get("/").catch().send().await.unwrap();
        page.failure("empty catalogue").unwrap();
        drop(page);
        let page = client.get("/bad").catch().send().await.unwrap();
        page.success().unwrap();
        drop(page);
        assert_eq!(memory.lines(), ["GET / -> empty catalogue", "GET /bad"]);
    }
}

#[tokio::test]
async fn undecided_the_normal_rule_holds() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = client(kind, &server.url);
        drop(client.get("/").catch().send().await.unwrap());
        drop(client.get("/bad").name("n").catch().send().await.unwrap());
        let failed = "GET n -> 404 Client Error: Not Found for url: n";
        assert_eq!(memory.lines(), ["GET /", failed]);
    }
}

#[tokio::test]
async fn it_is_recorded_when_decided_with_the_time_at_the_end_of_the_body() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = client(kind, &server.url);
        let page = client.get("/").catch().send().await.unwrap();
        assert!(memory.samples().is_empty());
        let elapsed = page.elapsed();
        // Another request of the same user may come in between.
        client.get("/other").send().await.unwrap();
        page.success().unwrap();
        drop(page);
        let samples = memory.samples();
        assert_eq!(samples[1].response_time, elapsed);
        assert!(samples[1].started_at < samples[0].started_at);
        assert_eq!(samples[1].length, 2);
    }
}

#[tokio::test]
async fn a_transport_failure_is_recorded_once() {
    let unreachable = Server::unreachable();
    for kind in BOTH {
        let (mut client, memory) = client(kind, &unreachable);
        client.get("/").catch().send().await.unwrap_err();
        assert_eq!(memory.samples().len(), 1);
    }
}

#[tokio::test]
async fn the_last_verdict_wins_and_everything_can_be_rewritten() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = client(kind, &server.url);
        let mut page = client.get("/").name("first").catch().send().await.unwrap();
        assert_eq!(page.name(), "first");
        page.mark_failure("first thought");
        page.mark_success();
        page.mark_failure("second thought");
        page.set_name("second");
        page.set_response_length(7);
        page.set_response_time(Duration::from_secs(9));
        drop(page);
        let kept = memory.only();
        assert_eq!(memory.lines(), ["GET second -> second thought"]);
        assert_eq!(
            (kept.length, kept.response_time),
            (7, Duration::from_secs(9))
        );
        let page = client.get("/bad").catch().send().await.unwrap();
        page.mark_failure("no");
        page.success().unwrap();
        drop(page);
        assert_eq!(memory.samples()[1].error, None);
    }
}

#[tokio::test]
async fn the_error_for_the_status_honours_the_verdict() {
    for kind in BOTH {
        let server = server().await;
        let (mut client, memory) = client(kind, &server.url);
        let good = client.get("/").catch().send().await.unwrap();
        good.error_for_status().unwrap();
        good.mark_failure("mine");
        assert_eq!(good.error_for_status().unwrap_err().to_string(), "mine");
        let bad = client.get("/bad").catch().send().await.unwrap();
        let error = bad.error_for_status().unwrap_err();
        assert_eq!(
            error.to_string(),
            "404 Client Error: Not Found for url: /bad"
        );
        assert!(TaskError::from(error).is_recorded());
        bad.mark_success();
        bad.error_for_status().unwrap();
        drop((good, bad));
        let plain = client.get("/bad").send().await.unwrap();
        assert!(TaskError::from(plain.error_for_status().unwrap_err()).is_recorded());
        assert_eq!(memory.samples().len(), 3);
    }
}

/// What a task made of a response to `path`, and what was recorded.
async fn outcome(
    path: &str,
    task: impl AsyncFnOnce(&mut Client) -> TaskResult,
) -> (Result<(), (String, bool)>, Vec<String>) {
    let server = server().await;
    let (mut client, memory) = client(crate::client::ClientKind::Fast, &server.url);
    client.set_request_name(Some(path));
    let outcome = task(&mut client).await;
    let outcome = outcome.map_err(|error| (error.to_string(), error.is_recorded()));
    (outcome, memory.lines())
}

#[tokio::test]
async fn an_error_in_a_judgement_is_the_failure_and_goes_no_further() {
    let (ended, lines) = outcome("n", async |client| {
        client.get("/").catch().send().await?.judge(|page| {
            ensure(page.status() == 200, "not reached")?;
            ensure(
                page.text() == "{}",
                format_args!("{} bytes", page.bytes().len()),
            )?;
            Ok(())
        })
    })
    .await;
    assert_eq!(
        (ended, lines),
        (Ok(()), vec!["GET n -> 2 bytes".to_owned()])
    );

    let (ended, lines) = outcome("n", async |client| {
        client.get("/").catch().send().await?.judge(|page| {
            page.mark_success();
            Err(ResponseError::new("too late").into())
        })
    })
    .await;
    assert_eq!((ended, lines), (Ok(()), vec!["GET n".to_owned()]));
}

#[tokio::test]
async fn other_errors_propagate_and_the_request_is_still_counted() {
    let bad = "404 Client Error: Not Found for url: n";
    let (ended, lines) = outcome("n", async |client| {
        let judged = client.get("/bad").catch().send().await?;
        judged.judge(|_| Err(TaskError::new("mine")))
    })
    .await;
    assert_eq!(ended, Err(("mine".to_owned(), false)));
    assert_eq!(lines, [format!("GET n -> {bad}")], "by the normal rule");

    let (ended, lines) = outcome("n", async |client| {
        let judged = client.get("/bad").catch().send().await?;
        judged.judge(|page| {
            page.mark_success();
            stop_user()
        })
    })
    .await;
    assert_eq!(ended, Err(("the user stops".to_owned(), false)));
    assert_eq!(lines, ["GET n"], "by its verdict");

    let (ended, lines) = outcome("n", async |client| {
        let page = client.get("/bad").catch().send().await?;
        let _: u8 = page.json()?;
        page.success()
    })
    .await;
    assert!(
        ended
            .unwrap_err()
            .0
            .starts_with("GET n: the response is not the expected JSON: ")
    );
    assert_eq!(lines, [format!("GET n -> {bad}")], "by the normal rule");
}

#[tokio::test]
async fn what_is_required_is_the_failure_and_no_second_error() {
    let (ended, lines) = outcome("n", async |client| {
        let page = client.get("/").catch().send().await?;
        let _: u8 = page.require(page.json())?;
        page.success()
    })
    .await;
    let (text, recorded) = ended.unwrap_err();
    assert!(recorded, "{text}");
    assert_eq!(lines, [format!("GET n -> {text}")]);
}

#[tokio::test]
async fn a_judgement_may_await_and_the_task_can_still_move_between_threads() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let server = server().await;
    let (mut client, memory) = client(crate::client::ClientKind::Fast, &server.url);
    let task = sendable(async {
        let page = client.get("/").catch().send().await?;
        page.judge_async(async |page| {
            tokio::task::yield_now().await;
            ensure(page.text() == "{}", "not empty")?;
            Ok::<(), TaskError>(())
        })
        .await
    });
    task.await.unwrap();
    assert_eq!(memory.lines(), ["GET / -> not empty"]);
}
