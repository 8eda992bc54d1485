//! Live events, and the server's end, with an active run.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt;
use greylag_infra::WallTime;
use greylag_infra::protocol::{LogLine, Snapshot, ToAgent, ToCoordinator};
use greylag_reporting::coordinator::agent_routes;
use greylag_reporting::web::{WebConfig, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::events::{DEADLINE, Events, Run};
use crate::fake_agent::FakeAgent;
use crate::site::{AGENT, Site, load_test, snapshot};

/// The server on a socket, for an agent.
pub(crate) struct Socket {
    pub(crate) address: std::net::SocketAddr,
    ending: CancellationToken,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

pub(crate) async fn serve_on_socket(site: &Site) -> Socket {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let ending = CancellationToken::new();
    let served = tokio::spawn(serve(
        listener,
        site.coordinator.clone(),
        agent_routes(site.coordinator.clone()),
        WebConfig::default(),
        ending.clone(),
    ));
    Socket {
        address,
        ending,
        served,
    }
}

#[tokio::test]
async fn a_run_that_is_over_is_sent_whole_and_ends() {
    let site = Site::start(None).await;
    site.finished_run("abcdefabcdef", load_test("checkout"), "/cart", "500")
        .await;
    let mut events = Events::open(&site, "/api/v1/runs/abcdefabcdef/events").await;
    let Run { view, delta, over } = events.run().await;
    assert_eq!(view["cards"]["requests"], json!(50));
    assert_eq!(delta["reset"], json!(true));
    assert_eq!(delta["series"].as_array().map(Vec::len), Some(11));
    let dots = &delta["dots"];
    assert_eq!(
        (&dots["at_ms"], &dots["response_us"], &dots["kind"]),
        (&json!([500]), &json!([30_000]), &json!([1])),
        "one failure"
    );
    assert_eq!(dots["endpoints"], json!([["GET", "/cart"]]));
    assert_eq!(dots["of"], json!(50));
    assert_eq!(delta["log"][0]["text"], json!("saw 500"));
    assert!(over);
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn two_viewers_follow_a_run_from_its_start_to_its_end() {
    let site = Site::start(None).await;
    let socket = serve_on_socket(&site).await;
    let mut agent = FakeAgent::join(socket.address, "local", "shop").await;
    site.until_connected("local").await;

    let started = site
        .post(
            "/api/v1/runs",
            r#"{"host":"http://127.0.0.1:9","users":2,"duration":10,"ramp_up":2}"#,
        )
        .await;
    assert_eq!(started.status, StatusCode::CREATED, "{started:?}");
    let started = started.json();
    assert_eq!(started["number"], json!(1));
    let id = started["id"].as_str().expect("an id").to_owned();
    assert_eq!(started["url"], json!(format!("/runs/{id}")));

    let mut viewers = [
        Events::open(&site, &format!("/api/v1/runs/{id}/events")).await,
        Events::open(&site, &format!("/api/v1/runs/{id}/events")).await,
    ];
    let mut front = Events::open(&site, "/api/v1/events").await;
    assert_eq!(
        front.next().await.map(|(name, _)| name).as_deref(),
        Some("change")
    );
    for viewer in &mut viewers {
        let Run { view, delta, .. } = viewer.run().await;
        assert_eq!(view["about"]["status"], json!("Running"));
        assert_eq!(view["about"]["test_name"], json!("shop"));
        assert_eq!(view["about"]["infrastructure_status"], json!("Connected"));
        assert_eq!(view["about"]["can_stop"], json!(true));
        assert_eq!(
            (&delta["reset"], &delta["series"]),
            (&json!(true), &json!([]))
        );
    }

    agent
        .until(|message| matches!(message, ToAgent::Prepare(_)))
        .await;
    agent
        .send(&ToCoordinator::Ready {
            run_id: id.as_str().into(),
            shape: None,
            set_up_data: None,
        })
        .await;
    agent
        .until(|message| matches!(message, ToAgent::Start { .. }))
        .await;
    let mut last = snapshot(&id, "/cart", "500 Server Error");
    let end = last.end.take();
    agent.send(&ToCoordinator::Snapshot(Box::new(last))).await;
    agent
        .until(|message| matches!(message, ToAgent::Ack { .. }))
        .await;

    for viewer in &mut viewers {
        let mut points = 0;
        let (mut samples, mut lines) = (0, 0);
        loop {
            let Run { view, delta, .. } = viewer.run().await;
            assert_eq!(delta["reset"], json!(false), "nothing was rewritten");
            points += delta["series"].as_array().map_or(0, Vec::len);
            samples += delta["dots"]["kind"].as_array().map_or(0, Vec::len);
            lines += log_lines(&delta, "saw 500 Server Error");
            if view["cards"]["requests"] == json!(50) {
                assert_eq!(view["endpoints"][0]["failures"], json!(10));
                break;
            }
        }
        assert_eq!((points, samples, lines), (10, 1, 1), "each is sent once");
    }

    // What has been sent is not sent again with what comes next.
    let more = Snapshot {
        run_id: id.as_str().into(),
        seq: 2,
        log: vec![LogLine {
            at: WallTime::from_micros(1_795_413_907_000_000),
            source: "agent-1".into(),
            text: "one more line".into(),
        }],
        ..Default::default()
    };
    agent.send(&ToCoordinator::Snapshot(Box::new(more))).await;
    for viewer in &mut viewers {
        loop {
            let Run { delta, .. } = viewer.run().await;
            assert_eq!(
                (&delta["series"], &delta["dots"]["kind"]),
                (&json!([]), &json!([]))
            );
            // The coordinator may have something to say meanwhile.
            if log_lines(&delta, "one more line") == 1 {
                break;
            }
        }
    }

    // The end comes without further results; the browser is informed and let go.
    let over = Snapshot {
        run_id: id.as_str().into(),
        seq: 3,
        end,
        ..Default::default()
    };
    let stopped = site.post(&format!("/api/v1/runs/{id}/stop"), "").await;
    assert_eq!(stopped.status, StatusCode::ACCEPTED, "{stopped:?}");
    agent
        .until(|message| matches!(message, ToAgent::Stop { .. }))
        .await;
    agent.send(&ToCoordinator::Snapshot(Box::new(over))).await;
    for viewer in &mut viewers {
        loop {
            let Run { view, over, .. } = viewer.run().await;
            assert_eq!(view["about"]["status"] == json!("Failed"), over);
            if over {
                assert_eq!(view["cards"]["requests"], json!(50));
                assert_eq!(view["about"]["can_stop"], json!(false));
                break;
            }
        }
        assert_eq!(viewer.next().await, None);
    }
    let again = site.post_form(&format!("/runs/{id}/again"), "").await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{again:?}");
    let runs = site.get("/api/v1/runs").await.json();
    assert_eq!(runs["runs"][0]["number"], json!(2));
    assert_eq!(
        again.header(header::LOCATION),
        runs["runs"][0]["url"].as_str().expect("an address")
    );
}

/// How many such lines were added to the log.
fn log_lines(delta: &Value, text: &str) -> usize {
    let added = delta["log"].as_array().into_iter().flatten();
    added.filter(|line| line["text"] == text).count()
}

/// Results of one second, with a dot.
fn second_with_a_dot(run_id: &str, seq: u64, second: u32) -> Snapshot {
    let mut results = snapshot(run_id, "/cart", "500");
    results.seq = seq;
    results.intervals.truncate(1);
    results.intervals[0].second = second;
    results.samples[0].at_us = u64::from(second) * 1_000_000 + 500_000;
    results.user_changes.clear();
    results.log.clear();
    results.end = None;
    results
}

#[tokio::test]
async fn dots_of_results_that_come_long_after_others_are_shown() {
    let site = Site::start(None).await;
    let id = "abcdefabcdef";
    let first = second_with_a_dot(id, 1, 0);
    site.running_run(id, load_test("checkout"), first).await;
    let save = |results: Snapshot| async {
        let change = format!("after-{}", results.seq);
        let store = site.coordinator.store();
        store
            .save_snapshot(&id.into(), &AGENT.into(), results)
            .await
            .expect("saved");
        // Streams look when the coordinator says that something changed.
        let changed = site.coordinator.create_infrastructure(&change).await;
        changed.expect("created");
    };
    save(second_with_a_dot(id, 2, 60)).await;
    let mut events = Events::open(&site, &format!("/api/v1/runs/{id}/events")).await;
    assert_eq!(
        events.run().await.delta["dots"]["at_ms"],
        json!([500, 60_000])
    );
    for (seq, second, forget, at_ms) in [
        (3, 58, false, json!([58_500])),
        (4, 20, true, json!([500, 20_000, 38_000, 2_000])),
        (5, 61, false, json!([61_500])),
    ] {
        save(second_with_a_dot(id, seq, second)).await;
        let with_dots = async {
            loop {
                let dots = events.run().await.delta["dots"].take();
                if dots["kind"] != json!([]) {
                    break dots;
                }
            }
        };
        let dots = timeout(DEADLINE, with_dots).await.expect("dots in time");
        assert_eq!((&dots["forget"], &dots["at_ms"]), (&json!(forget), &at_ms));
    }
}

#[tokio::test]
async fn one_stream_is_enough_for_many_pages_and_beats_when_nothing_happens() {
    let site = Site::start(None).await;
    for id in ["aaaaaaaaaaaa", "bbbbbbbbbbbb"] {
        site.finished_run(id, load_test("checkout"), "/cart", "500")
            .await;
    }
    let path = "/api/v1/events?runs=bbbbbbbbbbbb,nosuchrun,aaaaaaaaaaaa&front=true";
    let mut events = Events::open(&site, path).await;
    let mut named = Vec::new();
    for _ in 0..4 {
        let (name, event) = events.next().await.expect("an event");
        named.push((name, event["id"].as_str().unwrap_or_default().to_owned()));
    }
    named.sort();
    let expected = [
        ("change", ""),
        ("gone", "nosuchrun"),
        ("run", "aaaaaaaaaaaa"),
        ("run", "bbbbbbbbbbbb"),
    ];
    assert_eq!(
        named,
        expected.map(|(name, id)| (name.to_owned(), id.to_owned()))
    );
    // The runs are over, and the stream continues for the front page.
    let beat = events.next().await.map(|(name, _)| name);
    assert_eq!(beat.as_deref(), Some("beat"));
    site.coordinator
        .create_infrastructure("new")
        .await
        .expect("created");
    let change = events.next_but_beats().await.map(|(name, _)| name);
    assert_eq!(change.as_deref(), Some("change"));

    let many = (0..51).map(|n| format!("run{n}")).collect::<Vec<_>>();
    let answer = site
        .get(&format!("/api/v1/events?runs={}", many.join(",")))
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.error_message().contains("51 runs are open"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_compressed_stream_holds_no_event_back() {
    let site = Site::start(None).await;
    let request = Request::get("/api/v1/events")
        .header(header::HOST, "localhost:8089")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(Body::empty())
        .expect("a request");
    let answer = site
        .router
        .clone()
        .oneshot(request)
        .await
        .expect("the router never fails");
    assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
    let mut body = answer.into_body().into_data_stream();
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    while !decoder.get_ref().ends_with(b"\n\n") {
        let piece = timeout(DEADLINE, body.next())
            .await
            .expect("an event before the stream ends")
            .expect("the stream continues")
            .expect("a piece");
        std::io::Write::write_all(&mut decoder, &piece).expect("gzip");
        std::io::Write::flush(&mut decoder).expect("gzip");
    }
    assert!(decoder.get_ref().starts_with(b"event: change\n"));
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let site = Site::start(None).await;
    let mut open = Vec::new();
    let refused = loop {
        let request = Request::get("/api/v1/events")
            .header(header::HOST, "localhost:8089")
            .body(Body::empty())
            .expect("a request");
        let response = site
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router never fails");
        if response.status() != StatusCode::OK {
            break response;
        }
        open.push(response);
        assert!(open.len() < 10_000, "there is a limit");
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    open.pop();
    Events::open(&site, "/api/v1/events").await;
}

#[tokio::test]
async fn the_server_ends_with_its_streams() {
    let site = Site::start(None).await;
    let socket = serve_on_socket(&site).await;
    let mut browser = TcpStream::connect(socket.address)
        .await
        .expect("a connection");
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n",
        socket.address
    );
    browser.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("event: change") {
        let mut piece = [0; 4096];
        let read = timeout(DEADLINE, browser.read(&mut piece))
            .await
            .expect("in time")
            .expect("a piece");
        assert_ne!(
            read,
            0,
            "the stream continues: {}",
            String::from_utf8_lossy(&answer)
        );
        answer.extend_from_slice(&piece[..read]);
    }
    socket.ending.cancel();
    timeout(DEADLINE, browser.read_to_end(&mut answer))
        .await
        .expect("in time")
        .expect("the rest");
    // The last chunk is there: the stream was ended, not cut off when the server's patience was.
    assert!(
        answer.ends_with(b"0\r\n\r\n"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    let served = timeout(DEADLINE, socket.served)
        .await
        .expect("in time")
        .expect("no panic");
    assert!(served.is_ok(), "{served:?}");
    assert!(
        TcpStream::connect(socket.address).await.is_err(),
        "the port is closed"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_words() {
    let site = Site::start(None).await;
    let socket = serve_on_socket(&site).await;
    let mut client = TcpStream::connect(socket.address)
        .await
        .expect("a connection");
    let body = vec![b' '; 8 << 20];
    let head = format!(
        "POST /api/v1/runs HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        socket.address,
        body.len()
    );
    client.write_all(head.as_bytes()).await.expect("sent");
    client.write_all(&body).await.expect("all of it is taken");
    let mut answer = String::new();
    timeout(DEADLINE, client.read_to_string(&mut answer))
        .await
        .expect("in time")
        .expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("the maximum is 1024 KiB"), "{answer}");
}

#[tokio::test]
async fn headers_beyond_the_limit_harm_no_others() {
    let site = Site::start(None).await;
    let socket = serve_on_socket(&site).await;
    let mut client = TcpStream::connect(socket.address)
        .await
        .expect("a connection");
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n",
        socket.address,
        "x".repeat(100_000)
    );
    // The server may close before everything is written.
    let _ = client.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let closed = timeout(DEADLINE, client.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "the connection is closed");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    assert_eq!(site.get("/").await.status, StatusCode::OK);
}
