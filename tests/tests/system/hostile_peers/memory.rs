//! What peers send takes a bounded part of the coordinator's memory, whatever they announce and however slowly it comes.

use greylag_infra::protocol::{
    Hello, MAX_FRAME_BYTES, ScenarioInfo, ToAgent, ToCoordinator, encode,
};
use greylag_tests::{AgentSocket, Api, Cluster, Heard, Nginx, ProcessId, heavy, hello, wait};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{RUN_TIMEOUT, assert_equal_to_log, greylag, test};

/// How much the coordinator's memory may grow: 64 MiB for messages on their way, as much for agents' scenarios, and the
/// run beside them.
const MAX_GROWTH: u64 = 200 << 20;
/// Largest list of infrastructures here.
const MAX_LIST_BYTES: usize = 1 << 20;

/// A hello of about so many bytes, different for each agent.
fn large_hello(number: usize, bytes: usize) -> Hello {
    let scenarios = (0..bytes / 600).map(|part| ScenarioInfo {
        name: format!("agent {number} part {part}"),
        description: "x".repeat(500),
        ..ScenarioInfo::default()
    });
    Hello {
        scenarios: scenarios.collect(),
        ..hello(&format!("large-{number}"), "crowd")
    }
}

/// The head of a frame with this opcode byte (with or without the bit for the last one), masked with zeros.
fn frame_head(opcode: u8, bytes: u64) -> Vec<u8> {
    let mut head = vec![opcode, 0xff];
    head.extend(bytes.to_be_bytes());
    head.extend([0; 4]);
    head
}

/// A message in frames of the largest size that never ends.
async fn send_half_message(socket: &mut AgentSocket, bytes: usize) {
    let part = vec![0xc0; MAX_FRAME_BYTES];
    for number in 0..bytes / MAX_FRAME_BYTES {
        let opcode = if number == 0 { 0x02 } else { 0x00 };
        socket
            .send_raw(&frame_head(opcode, MAX_FRAME_BYTES as u64))
            .await;
        socket.send_raw(&part).await;
    }
}

struct Watched {
    process: ProcessId,
    before: u64,
}

impl Watched {
    /// The coordinator has not grown too much and answers.
    async fn check(&self, api: &Api, when: &str) {
        for path in ["/", "/api/v1/infrastructures"] {
            let answer = api.get(path).await;
            assert!(answer.status.is_success(), "{path} {when}: {answer:?}");
            assert!(
                path == "/" || answer.body.len() < MAX_LIST_BYTES,
                "{}",
                answer.body.len()
            );
        }
        let growth = self.process.resident_bytes().saturating_sub(self.before);
        println!("{when}: grown by {} MiB", growth >> 20);
        assert!(
            growth < MAX_GROWTH,
            "{when} it has grown by {} MiB",
            growth >> 20
        );
    }
}

#[tokio::test]
async fn large_and_half_messages_take_bounded_memory() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let url = cluster.api().url().to_owned();
    let process = ProcessId::of(cluster.coordinator().pid()).expect("it runs");
    let watched = Watched {
        process,
        before: process.resident_bytes(),
    };
    let load = test(&nginx.url(), "lab", json!({ "duration": 15 }));
    let id = cluster.api().start(&load).await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;
    let connect = async || AgentSocket::connect(&url, &[]).await.expect("it is open");
    let mut open = Vec::new();

    let too_large = encode(&ToCoordinator::Hello(large_hello(0, 20 << 20)));
    for _ in 0..30 {
        let mut socket = connect().await;
        socket
            .send_frame(Message::Binary(too_large.clone().into()))
            .await;
        socket.wait_until_closed().await;
    }
    watched.check(cluster.api(), "after hellos of 20 MB").await;
    for number in 0..30 {
        let mut socket = connect().await;
        let largest = ToCoordinator::Hello(large_hello(number, 240 << 10));
        socket.send(&largest).await;
        let heard = socket.hear().await;
        assert!(
            matches!(heard, Heard::Message(ToAgent::Welcome(_))),
            "{heard:?}"
        );
        open.push(socket);
    }
    watched
        .check(cluster.api(), "with hellos of the largest size")
        .await;
    for number in 0..60 {
        let mut socket = connect().await;
        let name = format!("half-{number}");
        socket
            .send(&ToCoordinator::Hello(hello(&name, "crowd")))
            .await;
        socket.hear().await;
        if number % 3 == 0 {
            socket.send_raw(&frame_head(0x82, 31 << 20)).await;
            socket.send_raw(&vec![0; 1 << 20]).await;
        } else {
            send_half_message(&mut socket, 7 << 20).await;
        }
        open.push(socket);
    }
    watched.check(cluster.api(), "with half messages").await;
    let mut named = connect().await;
    let mut bad = hello("bad", "crowd");
    bad.name = "<".repeat(200_000);
    named.send(&ToCoordinator::Hello(bad)).await;
    named.wait_until_closed().await;
    let output = wait::until("half messages to be closed", RUN_TIMEOUT, async || {
        let output = cluster.coordinator().output();
        if output.contains("crowded_out") {
            Ok(output)
        } else {
            Err(output)
        }
    })
    .await;
    let longest = output.lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 2_000, "a line of {longest} bytes in the log");

    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    watched.check(cluster.api(), "after the run").await;
    let log = nginx.finish().await;
    assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
}
