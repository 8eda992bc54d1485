//! Caught responses: the scenario has the last word.

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
        let page = client.get("/bad").catch().send().await.unwrap();
        page.success().unwrap();
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
        let samples = memory.samples();
        assert_eq!(samples[1].response_time, elapsed);
        assert!(samples[1].started_at < samples[0].started_at);
        assert_eq!(samples[1].length, 2);
    }
}

#[tokio::test]
async fn a_transport_failure_is_recorded_once() {
    let nobody = Server::nobody().await;
    for kind in BOTH {
        let (mut client, memory) = client(kind, &nobody);
        client.get("/").catch().send().await.unwrap_err();
        assert_eq!(memory.samples().len(), 1);
    }
}
