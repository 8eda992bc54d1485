//! The speed of what comes over a stream: events of a server, tokens of a language model, rows of an export.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Amount, Histogram};
use crate::client::{Client, StreamedResponse};
use crate::run::Run;

/// What comes so soon after the first came with it: in one packet, whose pieces are read one after the other.
const SAME_TIME: Duration = Duration::from_millis(1);

/// Two custom metrics of streams: how long the first thing takes to come, and how many come per second from then on.
///
/// ```
/// # use greylag_scenarios::prelude::*;
/// static TOKENS: StreamMetrics = StreamMetrics::new("time to first token", "tokens per second").unit("tokens/s");
///
/// async fn ask(client: &mut Client) -> TaskResult {
///     let mut answer = client.post("/v1/completions").stream().send().await?;
///     let mut tokens = TOKENS.follow(client, &answer);
///     while let Some(event) = answer.event().await? {
///         if event.data() != "[DONE]" {
///             tokens.came(&answer, 1);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StreamMetrics {
    first: Histogram,
    per_second: Histogram,
}

impl StreamMetrics {
    /// With the names of the two; see [`Counter::new`](super::Counter::new). The first is in ms, the second in `/s` unless
    /// [`unit`](Self::unit) says otherwise.
    pub const fn new(first: &'static str, per_second: &'static str) -> Self {
        Self {
            first: Histogram::new(first).unit("ms"),
            per_second: Histogram::new(per_second).unit("/s"),
        }
    }

    /// The same with a unit of the second metric, such as `tokens/s`.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self {
            per_second: self.per_second.unit(unit),
            ..self
        }
    }

    /// Follows the stream of one response, whose time began when its request was sent.
    pub fn follow(&self, client: &Client, stream: &StreamedResponse) -> StreamTimes {
        StreamTimes {
            metrics: *self,
            run: Arc::clone(client.run()),
            pace: Pace::since(stream.sent_at()),
        }
    }
}

/// What has come over one stream: [`StreamMetrics::follow`]. Dropped, it records how many came per second, also when the stream broke
/// off.
#[derive(Debug)]
pub struct StreamTimes {
    metrics: StreamMetrics,
    run: Arc<Run>,
    pace: Pace,
}

impl StreamTimes {
    /// So many have come with the bytes that were read last of this stream; 0 changes nothing. The first time records how long that
    /// took since the request was sent. What comes within a millisecond of the first came with it.
    pub fn came(&mut self, stream: &StreamedResponse, amount: u32) {
        if let Some(first_ms) = self.pace.came(amount, stream.came_at()) {
            self.metrics.first.add(&*self.run, first_ms);
        }
    }

    /// How many have come so far.
    pub fn count(&self) -> u64 {
        self.pace.count
    }
}

impl Drop for StreamTimes {
    fn drop(&mut self) {
        if let Some(per_second) = self.pace.per_second() {
            self.metrics.per_second.add(&*self.run, per_second);
        }
    }
}

/// When what came.
#[derive(Debug)]
struct Pace {
    sent_at: Instant,
    count: u64,
    /// When the first came, and how many at that time: they had come before the time that the others took.
    first: Option<(Instant, u64)>,
    last_at: Instant,
}

impl Pace {
    fn since(sent_at: Instant) -> Self {
        Self {
            sent_at,
            count: 0,
            first: None,
            last_at: sent_at,
        }
    }

    /// So many have come at this time. What it gives is in how many ms, of the first.
    fn came(&mut self, amount: u32, at: Instant) -> Option<impl Amount + use<>> {
        if amount == 0 {
            return None;
        }
        let amount = u64::from(amount);
        self.count = self.count.saturating_add(amount);
        self.last_at = at;
        match &mut self.first {
            Some((first_at, with_it)) if at.saturating_duration_since(*first_at) < SAME_TIME => {
                *with_it = with_it.saturating_add(amount);
                return None;
            }
            Some(_) => return None,
            None => self.first = Some((at, amount)),
        }
        Some(at.saturating_duration_since(self.sent_at).as_secs_f64() * 1e3)
    }

    /// How many came per second after the first, from the first to the last; none if nothing came after it.
    fn per_second(&self) -> Option<f64> {
        let (first_at, with_it) = self.first?;
        let seconds = self
            .last_at
            .saturating_duration_since(first_at)
            .as_secs_f64();
        let others = self.count - with_it;
        (others > 0 && seconds > 0.0).then(|| others as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BOTH, Reply, Seen, Server, client, respond};

    #[test]
    fn the_pace_is_that_from_the_first_to_the_last() {
        let sent_at = Instant::now();
        let at = |ms| sent_at + Duration::from_millis(ms);
        let mut pace = Pace::since(sent_at);
        assert!(pace.came(0, at(100)).is_none());
        assert_eq!(pace.per_second(), None);
        let first_ms = pace.came(3, at(250)).and_then(Amount::millionths);
        assert_eq!(first_ms, Some(250_000_000));
        assert!(pace.came(2, at(250)).is_none());
        assert_eq!(pace.per_second(), None, "all came at the same time");
        assert!(pace.came(1, at(500)).is_none());
        assert!(pace.came(4, at(1_250)).is_none());
        assert!(pace.came(0, at(9_000)).is_none());
        assert_eq!((pace.count, pace.per_second()), (10, Some(5.0)));
    }

    #[tokio::test]
    async fn a_stream_is_timed_until_it_breaks_off_and_what_comes_at_once_has_no_pace() {
        static TOKENS: StreamMetrics = StreamMetrics::new("first", "speed").unit("tokens/s");
        for kind in BOTH {
            let server = Server::start(|seen: &Seen| {
                let events = b"data: a\n\ndata: b\n\ndata: c\n\n";
                match seen.target.as_str() {
                    "/cut" => {
                        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n";
                        Reply::WriteAndClose([&head[..], events].concat())
                    }
                    "/empty" => Reply::Write(respond("200 OK", &[], b"")),
                    _ => Reply::Write(respond("200 OK", &[], events)),
                }
            })
            .await;
            let (mut client, memory) = client(kind, &server.url);
            for (path, came, recorded) in [("/whole", 3, 1), ("/cut", 3, 1), ("/empty", 0, 0)] {
                let before = memory.metrics().len();
                let mut stream = client.get(path).stream().send().await.unwrap();
                let mut tokens = TOKENS.follow(&client, &stream);
                while let Ok(Some(_)) = stream.event().await {
                    tokens.came(&stream, 1);
                }
                assert_eq!(tokens.count(), came);
                drop(tokens);
                let kept = memory.metrics().split_off(before);
                assert_eq!(kept.len(), recorded, "{path}: {kept:?}");
                assert!(
                    kept.iter()
                        .all(|kept| kept.starts_with("Histogram first ms Some(")),
                    "{kept:?}"
                );
            }
        }
    }
}
