//! A recorder that keeps what it is given.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;

use crate::client::RequestTrace;
use crate::recorder::{
    Arrival, FailedRequest, GeneratorLimit, MetricValue, Recorder, RequestSample,
};
use crate::task::TagSet;

/// A sample, kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) method: String,
    pub(crate) name: String,
    pub(crate) started_at: Instant,
    pub(crate) response_time: Duration,
    pub(crate) time_to_first_byte: Option<Duration>,
    pub(crate) length: u64,
    pub(crate) error: Option<String>,
    pub(crate) from_intended_start: Option<Duration>,
    pub(crate) first_byte_only: bool,
    pub(crate) tags: TagSet,
    pub(crate) trace: Option<RequestTrace>,
    pub(crate) failed: Option<KeptFailure>,
}

/// A failed request, kept.
#[derive(Debug, Clone)]
pub(crate) struct KeptFailure {
    pub(crate) url: Option<String>,
    pub(crate) response: Option<KeptResponse>,
}

/// What came back for one.
#[derive(Debug, Clone)]
pub(crate) struct KeptResponse {
    pub(crate) headers: HeaderMap,
    /// The first eight bytes.
    pub(crate) body_start: Option<String>,
    pub(crate) body_bytes: u64,
}

impl KeptFailure {
    fn of(failed: FailedRequest<'_>) -> Self {
        Self {
            url: failed.url.map(str::to_owned),
            response: failed.response.map(|response| KeptResponse {
                headers: response.headers().clone(),
                body_start: response.body_start(8).map(Into::into),
                body_bytes: response.body_bytes(),
            }),
        }
    }
}

/// Keeps everything.
#[derive(Default)]
pub(crate) struct Memory {
    samples: Mutex<Vec<Kept>>,
    news: tokio::sync::Notify,
    task_errors: Mutex<Vec<(String, String)>>,
    pub(crate) started: AtomicUsize,
    pub(crate) stopped: AtomicUsize,
    starts: Mutex<Vec<Instant>>,
    arrivals: Mutex<Vec<Arrival>>,
    stop_reasons: Mutex<Vec<String>>,
    finish_reasons: Mutex<Vec<String>>,
    generator_limits: Mutex<Vec<String>>,
    metrics: Mutex<Vec<String>>,
}

impl Memory {
    pub(crate) fn samples(&self) -> Vec<Kept> {
        self.samples.lock().unwrap().clone()
    }

    /// Waits until this many samples were recorded.
    pub(crate) async fn has_samples(&self, count: usize) {
        loop {
            let news = self.news.notified();
            if self.samples.lock().unwrap().len() >= count {
                return;
            }
            news.await;
        }
    }

    /// The only sample there is.
    pub(crate) fn only(&self) -> Kept {
        let samples = self.samples();
        assert_eq!(samples.len(), 1, "{samples:?}");
        samples[0].clone()
    }

    /// Method, name, error of every sample, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |kept: Kept| match kept.error {
            None => format!("{} {}", kept.method, kept.name),
            Some(error) => format!("{} {} -> {error}", kept.method, kept.name),
        };
        self.samples().into_iter().map(line).collect()
    }

    /// Tasks and their errors, without the errors' places.
    pub(crate) fn task_errors(&self) -> Vec<(String, String)> {
        let errors = self.placed_task_errors();
        let without = |(task, text): (String, String)| {
            let placed = text
                .rsplit_once(" (")
                .filter(|(_, place)| place.contains(".rs:") && place.ends_with(')'));
            let text = placed.map_or(text.as_str(), |(text, _)| text).to_owned();
            (task, text)
        };
        errors.into_iter().map(without).collect()
    }

    /// Tasks and their errors as they were reported.
    pub(crate) fn placed_task_errors(&self) -> Vec<(String, String)> {
        self.task_errors.lock().unwrap().clone()
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    /// What `stop_test` was called with.
    pub(crate) fn stop_reasons(&self) -> Vec<String> {
        self.stop_reasons.lock().unwrap().clone()
    }

    /// What `finish_test` was called with.
    pub(crate) fn finish_reasons(&self) -> Vec<String> {
        self.finish_reasons.lock().unwrap().clone()
    }

    /// What the load generator ran short of.
    pub(crate) fn generator_limits(&self) -> Vec<String> {
        self.generator_limits.lock().unwrap().clone()
    }

    /// Values of custom metrics: kind, name, unit, millionths.
    pub(crate) fn metrics(&self) -> Vec<String> {
        self.metrics.lock().unwrap().clone()
    }

    pub(crate) fn starts(&self) -> Vec<Instant> {
        self.starts.lock().unwrap().clone()
    }
}

impl Recorder for Memory {
    fn request(&self, sample: &RequestSample<'_>) {
        self.samples.lock().unwrap().push(Kept {
            method: sample.method.to_owned(),
            name: sample.name.to_owned(),
            started_at: sample.started_at,
            response_time: sample.response_time,
            time_to_first_byte: sample.time_to_first_byte,
            length: sample.response_length,
            error: sample.error.map(str::to_owned),
            from_intended_start: sample.from_intended_start,
            first_byte_only: sample.first_byte_only,
            tags: sample.tags,
            trace: sample.trace,
            failed: sample.failed.map(KeptFailure::of),
        });
        self.news.notify_waiters();
    }

    fn user_started(&self) {
        self.starts.lock().unwrap().push(Instant::now());
        self.started.fetch_add(1, Ordering::SeqCst);
    }

    fn user_stopped(&self) {
        self.stopped.fetch_add(1, Ordering::SeqCst);
    }

    fn arrival(&self, arrival: Arrival) {
        self.arrivals.lock().unwrap().push(arrival);
    }

    fn generator_limit(&self, limit: GeneratorLimit<'_>) {
        self.generator_limits
            .lock()
            .unwrap()
            .push(format!("{limit:?}"));
    }

    fn metric(&self, value: &MetricValue<'_>) {
        let MetricValue {
            name,
            kind,
            unit,
            millionths,
        } = value;
        let line = format!("{kind:?} {name} {unit} {millionths:?}");
        self.metrics.lock().unwrap().push(line);
    }

    fn stop_test(&self, reason: &str) {
        self.stop_reasons.lock().unwrap().push(reason.to_owned());
    }

    fn finish_test(&self, reason: &str) {
        self.finish_reasons.lock().unwrap().push(reason.to_owned());
    }

    fn task_error(&self, task: &str, error: &str) {
        let entry = (task.to_owned(), error.to_owned());
        self.task_errors.lock().unwrap().push(entry);
    }
}
