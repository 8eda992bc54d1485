//! How the requests of a goose user become known.
//!
//! A goose user tells its logger of each request when its response has begun, and its parent of a verdict that
//! the transaction gave later (`set_success`, `set_failure`). Both are channels of ours. Because a verdict
//! changes a request that is known already, requests are held back: until their transaction ends, but for
//! [`HOLD`] and [`MAX_HELD`] at most.
//!
//! What goose does not tell: the length of the body, and the time until its end. So the response time is that
//! until the first byte, and marked so.

use std::any::Any;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use ::goose::goose::{GooseMethod, GooseUser, TransactionResult};
use ::goose::logger::GooseLog;
use ::goose::metrics::{GooseMetric, GooseRequestMetric};
use url::Url;

use crate::engine::report;
use crate::recorder::{FailedRequest, RequestSample};
use crate::run::UserContext;

/// How long a request waits for a verdict of its transaction. A later one is reported as an error.
const HOLD: Duration = Duration::from_secs(5);
/// Most requests of one user that wait for a verdict.
const MAX_HELD: usize = 100;

/// Hears of one user's requests and records them.
pub(super) struct Observer<'c> {
    context: &'c UserContext,
    /// What a request's `elapsed` counts from.
    started: Instant,
    requests: flume::Receiver<Option<GooseLog>>,
    verdicts: flume::Receiver<GooseMetric>,
    held: VecDeque<Held>,
    /// The name that requests of the present transaction inherit.
    inherited: Option<String>,
    base_url: Option<Url>,
    /// How much later than intended the present iteration began, for an arrival rate.
    delay: Option<Duration>,
}

struct Held {
    metric: Box<GooseRequestMetric>,
    until: Instant,
}

enum Step<T> {
    Ended(T),
    /// Requests were heard of, so there is something to hold.
    News,
}

/// How a transaction ended: its result, or its panic.
pub(super) type Outcome = Result<TransactionResult, Box<dyn Any + Send>>;

impl<'c> Observer<'c> {
    /// Takes over a new user's channels.
    pub(super) fn attach(user: &mut GooseUser, context: &'c UserContext) -> Self {
        // Emptied whenever the user has been polled, so they hold what one poll makes.
        let (logger, requests) = flume::unbounded();
        let (metrics, verdicts) = flume::unbounded();
        user.logger = Some(logger);
        user.metrics_channel = Some(metrics);
        Self {
            context,
            started: user.started,
            requests,
            verdicts,
            held: VecDeque::new(),
            inherited: None,
            base_url: None,
            delay: None,
        }
    }

    pub(super) fn context(&self) -> &'c UserContext {
        self.context
    }

    /// Says how much later than intended the iteration that follows begins; `None` without a pace.
    pub(super) fn set_delay(&mut self, delay: Option<Duration>) {
        self.delay = delay;
    }

    /// A transaction begins; requests without a name of their own have the name `inherited`, if there is one.
    pub(super) fn begin(&mut self, inherited: Option<&str>, base_url: &Url) {
        self.inherited = inherited.map(str::to_owned);
        self.base_url = inherited.map(|_| base_url.clone());
    }

    /// Runs a transaction to its end, or until `deadline` (then `None`), and records its requests.
    pub(super) async fn watch(
        &mut self,
        mut running: Pin<&mut impl Future<Output = Outcome>>,
        mut deadline: Pin<&mut impl Future<Output = ()>>,
    ) -> Option<Outcome> {
        let ended = loop {
            let release_at = self.held.front().map(|held| held.until);
            let release = async {
                match release_at {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let step = poll_fn(|cx| match running.as_mut().poll(cx) {
                Poll::Ready(ended) => Poll::Ready(Step::Ended(ended)),
                Poll::Pending if self.listen() && release_at.is_none() => Poll::Ready(Step::News),
                Poll::Pending => Poll::Pending,
            });
            tokio::select! {
                biased;
                step = step => match step {
                    Step::Ended(ended) => break Some(ended),
                    Step::News => {}
                },
                () = deadline.as_mut() => break None,
                () = release => {}
            }
            self.release_until(Instant::now());
        };
        self.listen();
        while let Some(held) = self.held.pop_front() {
            self.record(&held.metric);
        }
        ended
    }

    /// Takes what the user reported; whether there was a request.
    fn listen(&mut self) -> bool {
        let mut heard = false;
        while let Ok(log) = self.requests.try_recv() {
            let Some(GooseLog::Request(metric)) = log else {
                continue;
            };
            heard = true;
            if self.held.len() == MAX_HELD
                && let Some(oldest) = self.held.pop_front()
            {
                self.record(&oldest.metric);
            }
            self.held.push_back(Held {
                metric: Box::new(metric),
                until: Instant::now() + HOLD,
            });
        }
        while let Ok(metric) = self.verdicts.try_recv() {
            match metric {
                GooseMetric::Request(verdict) if verdict.update => self.judge(verdict),
                // The requests themselves, which the logger has reported already.
                _ => {}
            }
        }
        heard
    }

    /// A transaction says of an earlier request that it succeeded or failed after all.
    fn judge(&mut self, verdict: Box<GooseRequestMetric>) {
        let judged = self.held.iter_mut().rev().find(|held| {
            held.metric.elapsed == verdict.elapsed
                && held.metric.name == verdict.name
                && held.metric.raw.url == verdict.raw.url
                && held.metric.response_time_micros() == verdict.response_time_micros()
        });
        match judged {
            Some(held) => held.metric = verdict,
            None => report(
                self.context,
                &verdict.name,
                &format!(
                    "the transaction judged this request after it was recorded: {}",
                    if verdict.success {
                        "success"
                    } else {
                        &verdict.error
                    }
                ),
            ),
        }
    }

    fn release_until(&mut self, now: Instant) {
        while self.held.front().is_some_and(|held| held.until <= now)
            && let Some(held) = self.held.pop_front()
        {
            self.record(&held.metric);
        }
    }

    fn record(&self, metric: &GooseRequestMetric) {
        let name = self.name_of(metric);
        let error = (!metric.success).then(|| {
            if name == &*metric.name {
                metric.error.clone()
            } else {
                renamed(&metric.error, &metric.name, name)
            }
        });
        let response_time = Duration::from_micros(metric.response_time_micros());
        // Other protocols are timed by the transaction itself, to whatever end it chose.
        let custom = metric.raw.method == GooseMethod::Custom;
        let answered = !custom && metric.status_code != 0;
        let started_at = self.started + Duration::from_millis(metric.elapsed);
        let method = metric.raw.method_label();
        self.context.record(&RequestSample {
            time_to_first_byte: answered.then_some(response_time),
            status: answered.then_some(metric.status_code),
            error: error.as_deref(),
            from_intended_start: self.delay.map(|delay| response_time + delay),
            first_byte_only: !custom,
            user: Some(self.context.info.index),
            failed: (!metric.success).then_some(FailedRequest {
                url: (!custom).then_some(&*metric.raw.url),
                // goose hands over what it measured, not what came back.
                response: None,
            }),
            // goose's transactions have no tags.
            ..RequestSample::new(method, name, started_at, response_time)
        });
    }

    /// The name as goose gives it: the request's own, the transaction's, or the path.
    ///
    /// The transaction's name cannot be set on a user from outside, so a request of a named transaction comes
    /// with its path for a name unless it has one of its own.
    fn name_of<'a>(&'a self, metric: &'a GooseRequestMetric) -> &'a str {
        match &self.inherited {
            Some(inherited) if self.is_path(metric) => inherited,
            _ => &metric.name,
        }
    }

    fn is_path(&self, metric: &GooseRequestMetric) -> bool {
        let leads_there = |base: &Url| {
            base.join(&metric.name)
                .is_ok_and(|url| url.as_str() == metric.raw.url)
        };
        metric.raw.method != GooseMethod::Custom
            && (metric.name.is_empty()
                || self.base_url.as_ref().is_some_and(leads_there)
                || Url::parse(&metric.raw.url).is_ok_and(|requested| leads_there(&requested)))
    }
}

/// What goose's error texts begin with when a request could not be made.
const KINDS: [&str; 6] = [
    "builder error",
    "error sending request",
    "request or response body error",
    "error decoding response body",
    "error following redirect",
    "Http status",
];

/// goose's error text with the name the request should have had: `404 Not Found: NAME`, or
/// `error sending request NAME: …`. A text of the transaction's own stays as it is.
fn renamed(error: &str, from: &str, to: &str) -> String {
    for kind in KINDS {
        let rest = error
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|rest| rest.strip_prefix(from))
            .filter(|rest| rest.is_empty() || rest.starts_with(": "));
        if let Some(rest) = rest {
            return format!("{kind} {to}{rest}");
        }
    }
    match error
        .strip_suffix(from)
        .and_then(|rest| rest.strip_suffix(": "))
    {
        Some(status) if status.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{status}: {to}")
        }
        _ => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_texts_carry_the_name_that_goose_gives() {
        let cases = [
            ("404 Not Found: /a", "404 Not Found: index"),
            (
                "error sending request /a: refused",
                "error sending request index: refused",
            ),
            ("builder error /a", "builder error index"),
            ("no basket at: /a", "no basket at: /a"),
            (
                "error sending request /ab: x",
                "error sending request /ab: x",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(renamed(error, "/a", "index"), expected);
        }
    }
}
