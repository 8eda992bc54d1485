//! Coordinators that cannot be reached, want a token, know no agent, or are of another version.

use futures_util::{SinkExt, StreamExt};
use greylag_infra::protocol::{self, ToAgent};
use greylag_tests::Cluster;
use serde_json::json;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

use super::refusal::{REFUSED_WITHIN, refused_run};
use crate::support::greylag;

#[tokio::test]
async fn coordinators_that_cannot_be_used() {
    let directory = TempDir::new().expect("a directory");
    // Nothing listens there.
    let nowhere = "http://127.0.0.1:9";
    let common = [
        "--host",
        "http://127.0.0.1:1",
        "--scenario",
        "shop",
        "--coordinator",
    ];
    refused_run(
        directory.path(),
        &[&common[..], &[nowhere]].concat(),
        &[nowhere],
    )
    .await;

    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let url = cluster.api().url();
    let to = |infrastructure| [&common[..], &[url, "--infrastructure", infrastructure]].concat();
    refused_run(directory.path(), &to("nowhere"), &["nowhere", "lab"]).await;
    let created = cluster
        .api()
        .post("/api/v1/infrastructures", &json!({ "name": "empty" }))
        .await;
    assert!(created.status.is_success(), "{created:?}");
    refused_run(
        directory.path(),
        &to("empty"),
        &["no agent is connected", "greylag agent"],
    )
    .await;
    let unknown = [
        "--host",
        "http://127.0.0.1:1",
        "--scenario",
        "unheard-of",
        "--coordinator",
        url,
        "--infrastructure",
        "lab",
    ];
    refused_run(directory.path(), &unknown, &["unheard-of", "shop"]).await;
    assert_eq!(
        cluster.api().get("/api/v1/runs").await.json()["runs"],
        json!([]),
        "something was started"
    );

    let guarded = Cluster::start_with(&greylag(), &["--token", "secret"]).await;
    let to_guarded = [&common[..], &[guarded.api().url()]].concat();
    refused_run(directory.path(), &to_guarded, &["token"]).await;
    refused_run(
        directory.path(),
        &[&to_guarded[..], &["--token", "wrong"]].concat(),
        &["token"],
    )
    .await;
}

/// An agent of one version and a coordinator of another: the agent ends with the coordinator's message.
#[tokio::test]
async fn coordinator_of_another_protocol_version() {
    const REASON: &str = "the agent speaks protocol version 1 and this coordinator version 7; install the same Greylag on both";
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = tokio_tungstenite::accept_async(stream)
                .await
                .expect("an agent");
            socket.next().await.expect("a hello").expect("a hello");
            let refused = protocol::encode(&ToAgent::Refused {
                reason: REASON.to_owned(),
            });
            socket
                .send(Message::Binary(refused.into()))
                .await
                .expect("the agent listens");
            // The agent closes.
            while let Some(Ok(_)) = socket.next().await {}
        }
    });
    let ended = greylag()
        .run(
            &["agent", "--coordinator", &url, "--infrastructure", "lab"],
            REFUSED_WITHIN,
        )
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("install the same Greylag on both"),
        "{ended:?}"
    );
}
