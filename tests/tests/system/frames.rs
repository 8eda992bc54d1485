//! What reaches the agents' socket and is not an agent's: it closes that connection, is counted and logged, and does no harm.

use std::time::Duration;

use greylag_infra::WallTime;
use greylag_infra::protocol::{
    self, Endpoint, Hello, MAX_FRAME_BYTES, PROTOCOL_VERSION, Snapshot, ToAgent, ToCoordinator,
};
use greylag_reporting::Interval;
use greylag_tests::{AgentSocket, Cluster, Heard, Nginx, heavy, hello, wait};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{RUN_TIMEOUT, SOON, assert_finishes_as_logged, greylag, test};

async fn welcome(url: &str, agent_id: &str) -> AgentSocket {
    let mut socket = AgentSocket::connect(url, &[])
        .await
        .expect("the socket is open to all without a token");
    socket
        .send(&ToCoordinator::Hello(hello(agent_id, "elsewhere")))
        .await;
    match socket.hear().await {
        Heard::Message(ToAgent::Welcome(welcome)) => assert_eq!(welcome.protocol, PROTOCOL_VERSION),
        other => panic!("a hello should be welcome: {other:?}"),
    }
    socket
}

/// Waits until the coordinator's log names the reason at least so often.
async fn wait_for_reason(cluster: &mut Cluster, reason: &str, least: usize) {
    wait::until(
        &format!("{least} x {reason} in the coordinator's log"),
        SOON,
        async || {
            let output = cluster.coordinator().output();
            if output.matches(reason).count() >= least {
                Ok(())
            } else {
                Err(output)
            }
        },
    )
    .await;
}

#[tokio::test]
async fn bad_frames_close_their_connection_only() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let url = cluster.api().url().to_owned();
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", json!({ "duration": 10 })))
        .await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;

    // Before the hello.
    for frame in [
        Message::Binary(b"\xc1 no MessagePack".to_vec().into()),
        Message::Text("{\"Hello\":{}}".into()),
        Message::Binary(Vec::new().into()),
        Message::Binary(
            protocol::encode(&ToCoordinator::Ping {
                sent_at: WallTime::from_micros(1),
                runs: vec![],
            })
            .into(),
        ),
    ] {
        let mut socket = AgentSocket::connect(&url, &[])
            .await
            .expect("the socket is open");
        socket.send_frame(frame).await;
        socket.wait_until_closed().await;
    }
    // After it.
    let mut garbage = welcome(&url, "garbage").await;
    garbage
        .send_frame(Message::Binary(vec![0xff; 1000].into()))
        .await;
    garbage.wait_until_closed().await;
    let mut oversized = welcome(&url, "oversized").await;
    oversized
        .send_frame(Message::Binary(vec![0; MAX_FRAME_BYTES + 1].into()))
        .await;
    oversized.wait_until_closed().await;
    let mut twice = welcome(&url, "twice").await;
    twice
        .send(&ToCoordinator::Hello(hello("twice", "elsewhere")))
        .await;
    twice.wait_until_closed().await;
    wait_for_reason(&mut cluster, "malformed", 5).await;
    wait_for_reason(&mut cluster, "oversized", 1).await;
    wait_for_reason(&mut cluster, "no_hello", 1).await;
    let counted = cluster.api().get("/api/v1/infrastructures").await;
    let counted: serde_json::Value = serde_json::from_str(&counted.body).expect("JSON");
    for (reason, times) in [("malformed", 5), ("oversized", 1), ("no_hello", 1)] {
        assert_eq!(counted["closed_connections"][reason], times, "{counted}");
    }

    assert_finishes_as_logged(&cluster, nginx, &id).await;
}

#[tokio::test]
async fn no_agent_adds_to_the_results_of_others() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let url = cluster.api().url().to_owned();
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", json!({ "duration": 8 })))
        .await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;
    let endpoint = Endpoint {
        method: "GET".into(),
        name: "/forged".into(),
    };
    let mut interval = Interval::default();
    interval.record(Duration::from_millis(1), None, 0, None);
    let forged = |run_id: &str, seq: u64| {
        ToCoordinator::Snapshot(Box::new(Snapshot {
            run_id: run_id.into(),
            seq,
            endpoints: vec![endpoint.clone()],
            intervals: vec![interval.to_wire(1, 0)],
            ..Snapshot::default()
        }))
    };

    // An unknown run: asked to forget it, the connection stays.
    let mut lost = welcome(&url, "lost").await;
    lost.send(&forged("nosuchrun000", 1)).await;
    match lost.hear().await {
        Heard::Message(ToAgent::Abandon { run_id }) => assert_eq!(run_id, "nosuchrun000"),
        other => panic!("an unknown run should be abandoned: {other:?}"),
    }
    lost.send(&ToCoordinator::Ping {
        sent_at: WallTime::from_micros(42),
        runs: vec![],
    })
    .await;
    assert!(matches!(
        lost.hear().await,
        Heard::Message(ToAgent::Pong { sent_at, .. }) if sent_at == WallTime::from_micros(42)
    ));
    // A run of another agent: refused.
    for seq in [1, 7, u64::MAX] {
        let mut stranger = welcome(&url, "stranger").await;
        stranger.send(&forged(&id, seq)).await;
        stranger.wait_until_closed().await;
    }

    assert_finishes_as_logged(&cluster, nginx, &id).await;
}

#[tokio::test]
async fn another_protocol_version_is_refused() {
    let mut cluster = Cluster::start(&greylag()).await;
    let mut socket = AgentSocket::connect(cluster.api().url(), &[])
        .await
        .expect("the socket is open");
    let newer = Hello {
        protocol: PROTOCOL_VERSION + 1,
        ..hello("newer", "lab")
    };
    socket.send(&ToCoordinator::Hello(newer)).await;
    match socket.hear().await {
        Heard::Message(ToAgent::Refused { reason }) => {
            assert!(
                reason.contains(&format!("version {}", PROTOCOL_VERSION + 1)),
                "{reason}"
            );
            assert!(
                reason.contains("install the same"),
                "it says what to do: {reason}"
            );
        }
        other => panic!("another version should be refused: {other:?}"),
    }
    socket.wait_until_closed().await;
    wait_for_reason(&mut cluster, "refused", 1).await;
    assert_eq!(
        cluster.api().infrastructures().await,
        json!([]),
        "no agent joined"
    );
}
