//! What is timed that is not a request.

use std::io;
use std::time::{Duration, Instant};

use crate::client::{Client, ClientKind, Recorded};
use crate::task::{TaskError, stop_user};
use crate::testing::{Memory, Server, client};

fn measuring() -> (Client, std::sync::Arc<Memory>) {
    client(ClientKind::Fast, &Server::unreachable())
}

#[tokio::test]
async fn a_measure_is_recorded_once_however_it_ends() {
    let (client, memory) = measuring();
    client.measure("WS", "echo").success(5);
    client.measure("WS", "echo").failure("no echo");
    drop(client.measure("WS", "echo"));
    let mut late = client.measure(String::from("DB"), "?");
    late.first_byte();
    late.set_name("select");
    late.success(0);
    let gone = "WS echo -> Aborted: the task gave up before the response was complete";
    assert_eq!(
        memory.lines(),
        ["WS echo", "WS echo -> no echo", gone, "DB select"]
    );
    let samples = memory.samples();
    assert_eq!(samples[0].length, 5);
    assert_eq!(samples[0].time_to_first_byte, None);
    assert!(samples[3].time_to_first_byte.unwrap() <= samples[3].response_time);
}

#[tokio::test]
async fn a_block_is_timed_and_its_result_returned() {
    let (client, memory) = measuring();
    let pause = Duration::from_millis(20);
    let block = async {
        tokio::time::sleep(pause).await;
        Ok::<u8, io::Error>(7)
    };
    assert_eq!(client.measure("DB", "query").run(block).await.unwrap(), 7);
    assert!(memory.only().response_time >= pause);

    let failing = async { Err::<(), _>(io::Error::other("no table")) };
    let Recorded(error) = client
        .measure("DB", "query")
        .run(failing)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "no table");
    assert_eq!(memory.lines(), ["DB query", "DB query -> no table"]);
}

#[tokio::test]
async fn a_recorded_error_is_no_error_of_the_task_too() {
    let (client, memory) = measuring();
    let measured = async |error: TaskError| -> TaskError {
        let block = async { Err::<(), TaskError>(error) };
        let ended = async {
            client.measure("DB", "query").run(block).await?;
            Ok::<(), TaskError>(())
        };
        ended.await.unwrap_err()
    };
    let error = measured(TaskError::new("mine")).await;
    assert!(error.is_recorded());
    assert_eq!(error.to_string(), "mine");
    // What is asked for is not a failure, and is still asked for.
    let error = measured(stop_user::<()>().unwrap_err()).await;
    assert!(!error.is_recorded() && error.flow().is_some());
    assert_eq!(memory.lines(), ["DB query -> mine", "DB query"]);
}

#[tokio::test]
async fn a_measure_belongs_to_whoever_has_it() {
    let (mut client, memory) = measuring();
    client.set_delay(Some(Duration::from_secs(3)));
    let measure = client.measure("WS", "push");
    let elsewhere = tokio::spawn(async move { measure.success(1) });
    drop(client);
    elsewhere.await.unwrap();
    assert_eq!(memory.lines(), ["WS push"]);
}

#[tokio::test]
async fn a_measure_can_be_let_go() {
    let (client, memory) = measuring();
    client.measure("WS", "push").discard();
    let mut started = client.measure("WS", "push");
    started.first_byte();
    started.discard();
    client.measure("WS", "echo").success(0);
    assert_eq!(memory.lines(), ["WS echo"]);
}

#[tokio::test]
async fn a_time_measured_elsewhere_is_recorded() {
    let (client, memory) = measuring();
    let took = Duration::from_millis(1_500);
    let before = Instant::now();
    client.record("JOB", "render", took);
    client.record("RPC", "answer", took).success(12);
    client
        .record("RPC", "answer", took)
        .context("tenant", 7)
        .failure(format!("no {}", "answer"));
    // Longer than this machine has been running.
    client.record("JOB", "render", Duration::MAX);
    assert_eq!(
        memory.lines(),
        [
            "JOB render",
            "RPC answer",
            "RPC answer -> no answer",
            "JOB render"
        ]
    );
    let samples = memory.samples();
    let lengths = samples.iter().map(|sample| sample.length);
    assert_eq!(lengths.collect::<Vec<_>>(), [0, 12, 0, 0]);
    assert!(
        samples[..3]
            .iter()
            .all(|sample| sample.response_time == took)
    );
    assert!(samples[0].started_at + took >= before);
    assert!(samples[0].started_at + took <= Instant::now());
}

#[tokio::test]
async fn a_block_given_up_is_a_failure() {
    let (client, memory) = measuring();
    let never = std::future::pending::<Result<(), io::Error>>();
    let run = client.measure("WS", "push").run(never);
    let moment = Duration::from_millis(10);
    assert!(tokio::time::timeout(moment, run).await.is_err());
    let error = memory.only().error.unwrap();
    assert!(error.starts_with("Aborted: "), "{error}");
}
