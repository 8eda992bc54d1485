//! A failed request with what came back: the sample of an error.

use serde::{Deserialize, Serialize};

use super::TraceId;
use super::trace_id::if_valid;
use crate::base::{bounded_list, cut};

/// Most samples of one error that an agent hands over, or a worker.
pub const MAX_ERROR_SAMPLES_OF_AGENT: usize = 3;
/// Most samples of one error that are kept of a run.
pub const MAX_ERROR_SAMPLES_OF_ERROR: usize = 5;
/// Most samples of all errors of a run, and of all that an agent or a worker hands over.
pub const MAX_ERROR_SAMPLES_OF_RUN: usize = 1_000;
/// So many samples of a run, worker or agent may be any. Beyond them only the first of an error is kept, so that a few errors
/// early in a run do not use up all places.
const MAX_REPEATED_SAMPLES: usize = MAX_ERROR_SAMPLES_OF_RUN / 2;
/// Most bytes of a response's body in a sample.
pub const MAX_SAMPLE_BODY_BYTES: usize = 2_048;
/// Most bytes of all headers of a response in a sample, names and values; later ones are left out.
pub const MAX_SAMPLE_HEADERS_BYTES: usize = 4_096;
/// Longest value of a header in a sample, in bytes, and longest name.
pub const MAX_SAMPLE_HEADER_BYTES: usize = 512;
/// Longest address of a request in a sample, in bytes.
pub const MAX_SAMPLE_URL_BYTES: usize = 1_024;
/// Most headers of a list that is read.
const MAX_HEADERS_READ: usize = 1_000;

/// A failed request, and what is kept of its response. Secrets have been hidden by the worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorSampleData {
    /// Position in [`Snapshot::endpoints`](super::Snapshot::endpoints).
    pub endpoint: u32,
    /// Position in [`Snapshot::sample_errors`](super::Snapshot::sample_errors).
    pub error: u32,
    /// Global index of the worker; its agent says it.
    pub worker: Option<u32>,
    /// When the request ended: µs of run time.
    pub at_us: u64,
    /// The address that was asked for, of the first request if it was redirected.
    pub url: Option<String>,
    /// Status of the response; none where none came.
    pub status: Option<u16>,
    /// Its headers, in order.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_HEADERS_READ>")]
    pub headers: Vec<(String, String)>,
    /// Headers that were left out.
    pub headers_left_out: u32,
    /// Start of the body as text; none where it was not read.
    pub body: Option<String>,
    /// Length of the whole body in bytes, decoded; of a streamed response what its head says.
    pub body_bytes: u64,
    /// Its trace, if it was sampled.
    #[serde(deserialize_with = "if_valid")]
    pub trace_id: Option<TraceId>,
}

/// Whether one more sample of an error is kept where there are `of_error` of it, of at most `limit`, and `of_all` of all errors.
#[must_use]
pub fn keeps_error_sample(of_error: usize, limit: usize, of_all: usize) -> bool {
    let limit = if of_all < MAX_REPEATED_SAMPLES {
        limit
    } else {
        limit.min(1)
    };
    of_error < limit && of_all < MAX_ERROR_SAMPLES_OF_RUN
}

impl ErrorSampleData {
    /// The same within the limits.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        fn shorten(text: &mut String, limit: usize) {
            if text.len() > limit {
                *text = cut(text, limit).into_owned();
            }
        }
        if let Some(url) = &mut self.url {
            shorten(url, MAX_SAMPLE_URL_BYTES);
        }
        if let Some(body) = &mut self.body {
            shorten(body, MAX_SAMPLE_BODY_BYTES);
        }
        let (mut bytes, mut kept) = (0, 0);
        for (name, value) in &mut self.headers {
            shorten(name, MAX_SAMPLE_HEADER_BYTES);
            shorten(value, MAX_SAMPLE_HEADER_BYTES);
            bytes += name.len() + value.len();
            if bytes > MAX_SAMPLE_HEADERS_BYTES {
                break;
            }
            kept += 1;
        }
        let beyond = u32::try_from(self.headers.len() - kept).unwrap_or(u32::MAX);
        self.headers_left_out = self.headers_left_out.saturating_add(beyond);
        self.headers.truncate(kept);
        self
    }

    /// Bytes of all its texts.
    pub fn text_bytes(&self) -> usize {
        let headers = self.headers.iter();
        let of_headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        let texts = [&self.url, &self.body].into_iter().flatten();
        of_headers + texts.map(String::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_come_late_in_a_run_have_a_sample_too() {
        let mut kept = Vec::new();
        for error in 0..1_200 {
            for sample in 0..MAX_ERROR_SAMPLES_OF_AGENT {
                if keeps_error_sample(sample, MAX_ERROR_SAMPLES_OF_AGENT, kept.len()) {
                    kept.push(error);
                }
            }
        }
        assert_eq!(kept.len(), MAX_ERROR_SAMPLES_OF_RUN);
        let of = |error: u32| kept.iter().filter(|&&kept| kept == error).count();
        assert_eq!([of(0), of(166), of(167)], [3, 2, 1]);
        assert_eq!([of(200), of(666), of(667)], [1, 1, 0]);
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_is_too_much_left_out() {
        let sample = ErrorSampleData {
            url: Some("ü".repeat(MAX_SAMPLE_URL_BYTES)),
            body: Some("b".repeat(10 * MAX_SAMPLE_BODY_BYTES)),
            headers: vec![("h".into(), "v".repeat(10_000)); 20],
            headers_left_out: 1,
            ..ErrorSampleData::default()
        }
        .bounded();
        assert!(sample.url.as_ref().unwrap().len() <= MAX_SAMPLE_URL_BYTES);
        assert_eq!(sample.body.as_ref().unwrap().len(), MAX_SAMPLE_BODY_BYTES);
        let each = 1 + MAX_SAMPLE_HEADER_BYTES;
        let kept = MAX_SAMPLE_HEADERS_BYTES / each;
        assert_eq!(sample.headers.len(), kept);
        assert_eq!(sample.headers_left_out as usize, 1 + 20 - kept);
        assert!(sample.text_bytes() <= 7_168);
        assert_eq!(sample.clone().bounded(), sample);
    }

    #[test]
    fn a_damaged_trace_id_is_left_out() {
        let damaged = serde_json::json!({"body": "b", "trace_id": [1, 2, 3]});
        let read: ErrorSampleData = serde_json::from_value(damaged).unwrap();
        assert_eq!((read.body.as_deref(), read.trace_id), (Some("b"), None));
    }
}
