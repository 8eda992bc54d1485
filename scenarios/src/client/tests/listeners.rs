//! Who listens to requests, and what they hear.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::client::{Client, ClientKind, ClientOptions, ClientShared};
use crate::events::{Events, RequestEvent};
use crate::run::{RunSettings, UserContext};
use crate::testing::{BOTH, Memory, Reply, Seen, Server, respond};

type Listener = Box<dyn Fn(&mut RequestEvent<'_>) + Send + Sync>;

async fn listening(kind: ClientKind, listeners: Vec<Listener>) -> (Client, Arc<Memory>, Server) {
    let server = Server::start(|seen: &Seen| {
        let (status, location) = match seen.target.as_str() {
            "/moved" => ("302 Found", "/there"),
            "/bad" => ("404 Not Found", ""),
            _ => ("200 OK", ""),
        };
        Reply::Write(respond(status, &[("location", location)], b"fine"))
    })
    .await;
    let memory = Arc::new(Memory::default());
    let mut user = UserContext::outside_a_run(RunSettings::default(), memory.clone());
    let mut events = Events::default();
    for listener in listeners {
        events.request.push(Arc::new(listener));
    }
    Arc::get_mut(&mut user.run).unwrap().events = Arc::new(events);
    let options = Arc::new(ClientOptions::new(kind));
    let shared = ClientShared::new(&server.url, options).unwrap();
    (
        Client::new(Arc::new(shared), Arc::new(user)),
        memory,
        server,
    )
}

#[tokio::test]
async fn listeners_hear_everything() {
    for kind in BOTH {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&lines);
        let (mut client, _, server) = listening(
            kind,
            vec![Box::new(move |event| {
                // In this order: a clock that was read before would be behind.
                let started = event.start_time();
                let age = SystemTime::now().duration_since(started).unwrap();
                assert!(age >= event.response_time() && age < Duration::from_secs(60));
                assert_eq!(event.user.index, 0);
                let contexts: Vec<_> = event.contexts().map(|(k, v)| format!("{k}={v}")).collect();
                keep.lock().unwrap().push(format!(
                    "{} {} {:?} {:?} {} {:?} {}",
                    event.method(),
                    event.name(),
                    event.url(),
                    event.status().map(|status| status.as_u16()),
                    event.response_length(),
                    event.error(),
                    contexts.join(","),
                ));
            })],
        )
        .await;
        client.context_mut().set("user", "ada");
        client.context_mut().set("step", "none");
        client.get("/moved").send().await.unwrap();
        client
            .get("/bad")
            .context("step", 2)
            .context("x", "y")
            .send()
            .await
            .unwrap();
        let caught = client.get("/").name("n").context("step", 3).catch();
        let mut caught = caught.send().await.unwrap();
        caught.context_mut().set("basket", 7);
        caught.success().unwrap();
        drop(caught);
        client.context_mut().clear();
        client.measure("WS", "echo").context("a", "b").success(3);
        client
            .get("http://127.0.0.1:1/")
            .name("gone")
            .send()
            .await
            .unwrap_err();
        let url = &server.url;
        let refused = "ConnectionRefusedError(111, 'Connection refused')";
        let expected = [
            format!("GET /moved Some(\"{url}moved\") Some(200) 4 None user=ada,step=none"),
            format!(
                "GET /bad Some(\"{url}bad\") Some(404) 4 Some(\"404 Client Error: Not Found for url: /bad\") user=ada,step=2,x=y"
            ),
            format!("GET n Some(\"{url}\") Some(200) 4 None user=ada,step=3,basket=7"),
            "WS echo None None 3 None a=b".to_owned(),
            format!("GET gone Some(\"http://127.0.0.1:1/\") None 0 Some(\"{refused}\") "),
        ];
        assert_eq!(*lines.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn the_last_listener_that_renames_wins() {
    for kind in BOTH {
        let (mut client, memory, _server) = listening(
            kind,
            vec![
                Box::new(|event| event.rename("one")),
                Box::new(|event| {
                    assert_eq!(event.name(), "one");
                    let name = format!("{} more", event.name());
                    event.rename(name);
                }),
            ],
        )
        .await;
        client.get("/").send().await.unwrap();
        assert_eq!(memory.lines(), ["GET one more"]);
    }
}

#[tokio::test]
async fn a_listener_that_panics_harms_nobody() {
    for kind in BOTH {
        let (mut client, memory, _server) = listening(
            kind,
            vec![
                Box::new(|event| {
                    event.rename("before");
                    panic!("a listener of the test");
                }),
                Box::new(|event| {
                    let name = format!("{} and after", event.name());
                    event.rename(name);
                }),
            ],
        )
        .await;
        for _ in 0..2 {
            client.get("/").send().await.unwrap();
        }
        assert_eq!(memory.lines(), ["GET before and after"; 2]);
    }
}

#[tokio::test]
async fn context_never_reaches_the_statistics() {
    let (mut client, memory, _server) = listening(ClientKind::Fast, Vec::new()).await;
    client.context_mut().set("a", "b");
    client.get("/").context("c", "d").send().await.unwrap();
    assert_eq!(memory.lines(), ["GET /"]);
    client.context_mut().remove("a");
    assert!(client.context_mut().is_empty());
}
