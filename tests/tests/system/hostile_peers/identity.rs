//! No peer takes an agent's place: not with what the coordinator shows, nor with what its database holds.

use std::time::Duration;

use greylag_infra::protocol::{AgentEnd, Endpoint, Hello, Snapshot, ToAgent, ToCoordinator};
use greylag_infra::{AgentSecret, RunTime};
use greylag_reporting::Interval;
use greylag_tests::{
    AgentSocket, Cluster, Heard, Nginx, START_TIMEOUT, heavy, hello, stored_agent_ids,
};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, assert_finishes_as_logged, greylag, test};

/// Requests that are forged, and said to be all.
fn forged(run_id: &str, seq: u64) -> ToCoordinator {
    let mut interval = Interval::default();
    for _ in 0..1_200 {
        interval.record(Duration::from_millis(1), None, 0, None);
    }
    ToCoordinator::Snapshot(Box::new(Snapshot {
        run_id: run_id.into(),
        seq,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/forged".into(),
        }],
        intervals: vec![interval.to_wire(1, 0)],
        end: Some(AgentEnd {
            requests: 1_200,
            ended_at: RunTime::of_second(1),
            ..AgentEnd::default()
        }),
        ..Snapshot::default()
    }))
}

/// Says to be agent `east` and brings this as the proof; then sends what each of the next numbers would be.
async fn take_the_place(url: &str, run_id: &str, proof: &str) {
    for seq in 1..=40 {
        let mut socket = AgentSocket::connect(url, &[]).await.expect("it is open");
        let taking = Hello {
            secret: AgentSecret::new(proof),
            runs: vec![run_id.into()],
            ..hello("east", "lab")
        };
        socket.send(&ToCoordinator::Hello(taking)).await;
        match socket.hear().await {
            Heard::Message(ToAgent::Welcome(welcome)) => assert_ne!(welcome.name, "east"),
            other => panic!("a stranger is welcome as a stranger: {other:?}"),
        }
        socket.send(&forged(run_id, seq)).await;
        socket.wait_until_closed().await;
    }
}

#[tokio::test]
async fn no_peer_takes_an_agents_place() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let url = cluster.api().url().to_owned();
    let load = test(&nginx.url(), "lab", json!({ "duration": 12 }));
    let id = cluster.api().start(&load).await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;

    let ids = stored_agent_ids(cluster.data(), &id);
    assert_eq!(ids.len(), 1, "{ids:?}");
    let shown = [
        cluster.api().get("/api/v1/infrastructures").await.body,
        cluster.api().get("/").await.body,
        cluster.api().page(&id).await,
        cluster.coordinator().output(),
    ];
    for text in shown {
        assert!(!text.contains(&ids[0]), "an identity is shown: {text}");
    }
    take_the_place(&url, &id, &ids[0]).await;
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;
    cluster.api().wait_for_agents("lab", 1, START_TIMEOUT).await;
    take_the_place(&url, &id, &ids[0]).await;

    assert_finishes_as_logged(&cluster, nginx, &id).await;
}
