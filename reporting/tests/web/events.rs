//! A browser's stream of events, read as the page reads it.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::request::Builder;
use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::site::Site;

/// How long anything awaited here may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// One browser's stream of events.
pub(crate) struct Events {
    body: BodyDataStream,
    text: String,
    view: Value,
}

/// A run as a browser knows it after an event.
pub(crate) struct Run {
    pub(crate) view: Value,
    pub(crate) delta: Value,
    pub(crate) over: bool,
}

/// What the page does with a patch.
fn patched(old: Value, patch: &Value) -> Value {
    match (patch, old) {
        (Value::Array(whole), _) => whole[0].clone(),
        (Value::Object(changes), mut old) => {
            for (key, change) in changes {
                match (key.parse::<usize>(), &mut old) {
                    (Ok(at), Value::Array(items)) => {
                        items.resize(items.len().max(at + 1), Value::Null);
                        items[at] = patched(items[at].take(), change);
                    }
                    (_, old) => old[key] = patched(old[key].take(), change),
                }
            }
            old
        }
        (patch, _) => panic!("{patch} is not a patch"),
    }
}

impl Events {
    pub(crate) async fn open(site: &Site, path: &str) -> Self {
        Self::of_answer_to(site, Request::get(path)).await
    }

    /// The same for whoever has this token.
    pub(crate) async fn open_with(site: &Site, path: &str, token: &str) -> Self {
        let request = Request::get(path);
        let bearer = format!("Bearer {token}");
        Self::of_answer_to(site, request.header(header::AUTHORIZATION, bearer)).await
    }

    async fn of_answer_to(site: &Site, request: Builder) -> Self {
        let request = request
            .header(header::HOST, "localhost:8089")
            .body(Body::empty())
            .expect("a request");
        let response = site
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router never fails");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
            view: Value::Null,
        }
    }

    /// The next event's name and data; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(|value| value.trim_start().to_owned())
                };
                let parsed = field("event:").map(|name| {
                    let data = field("data:").expect("an event has data");
                    (
                        name,
                        serde_json::from_str(&data).unwrap_or(Value::String(data)),
                    )
                });
                self.text = rest.to_owned();
                match parsed {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let piece = timeout(DEADLINE, self.body.next())
                .await
                .expect("an event in time")?;
            self.text
                .push_str(std::str::from_utf8(&piece.expect("a piece")).expect("UTF-8"));
        }
    }

    /// The next event that is not a beat.
    pub(crate) async fn next_but_beats(&mut self) -> Option<(String, Value)> {
        loop {
            match self.next().await {
                Some((name, _)) if name == "beat" => {}
                other => return other,
            }
        }
    }

    /// The next `run`: its view as it is now, and what was added.
    pub(crate) async fn run(&mut self) -> Run {
        let (name, event) = self.next_but_beats().await.expect("a run");
        assert_eq!(name, "run");
        if let Some(patch) = event.get("view") {
            self.view = patched(self.view.take(), patch);
        }
        Run {
            view: self.view.clone(),
            delta: event.get("delta").cloned().unwrap_or_else(
                || json!({ "reset": false, "series": [], "log": [], "dots": { "kind": [] } }),
            ),
            over: event["over"] == json!(true),
        }
    }
}
