//! The live events of a run, as a browser receives them.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use greylag_tests::Api;
use reqwest::Method;
use serde_json::Value;

/// One stream of events.
pub(crate) struct Events {
    bytes: BoxStream<'static, Vec<u8>>,
    text: String,
}

impl Events {
    /// Follows a run for at most this long.
    pub(crate) async fn of_run(api: &Api, id: &str, within: Duration) -> Self {
        let request = api
            .request(Method::GET, &format!("/api/v1/runs/{id}/events"))
            .timeout(within);
        let response = request.send().await.expect("an event stream");
        assert!(response.status().is_success(), "{}", response.status());
        let bytes = response.bytes_stream();
        let bytes = bytes.take_while(|part| std::future::ready(part.is_ok()));
        let bytes = bytes.map(|part| part.map(|part| part.to_vec()).unwrap_or_default());
        Self {
            bytes: bytes.boxed(),
            text: String::new(),
        }
    }

    /// The next event as text; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                return Some(self.text.drain(..end + 2).collect());
            }
            let part = self.bytes.next().await?;
            self.text.push_str(&String::from_utf8_lossy(&part));
        }
    }
}

/// The run's total of requests, if the event changes it.
pub(crate) fn total_of(event: &str) -> Option<usize> {
    event.lines().find(|line| line.trim_end() == "event: run")?;
    let data = event.lines().find_map(|line| line.strip_prefix("data: "))?;
    let run: Value = serde_json::from_str(data).ok()?;
    // The whole view at first, then what changed of it; a value that is new is in brackets.
    let total = match &run["view"] {
        Value::Array(whole) => &whole.first()?["cards"]["requests"],
        patch => &patch["cards"]["requests"][0],
    };
    usize::try_from(total.as_u64()?).ok()
}
