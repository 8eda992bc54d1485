//! Which failed requests of a worker are kept with their responses, and how.

use std::time::Duration;

use greylag_infra::protocol::{
    ErrorSampleData, MAX_ERROR_SAMPLES_OF_AGENT, MAX_SAMPLE_BODY_BYTES, MAX_SAMPLE_HEADER_BYTES,
    MAX_SAMPLE_HEADERS_BYTES, MAX_SAMPLE_URL_BYTES, keeps_error_sample,
};
use greylag_infra::{SecretMask, micros};
use greylag_scenarios::{FailedRequest, RequestSample};

use super::second::sampled_trace;

/// Of each error the first occurrence is kept, and then each that is so many times as late, so that samples are spread over a run.
const SPREAD: u64 = 10;
/// So many bytes more of a text are read than are kept, so that a secret that is cut is known.
const LOOK_AHEAD_BYTES: usize = 4_096;

/// Chooses failed requests.
#[derive(Debug, Default)]
pub(super) struct ErrorSamples {
    /// By number of the error.
    errors: Vec<Occurrences>,
    chosen: usize,
    /// Those that wait to be taken out.
    kept: Vec<KeptSample>,
}

/// Occurrences of an error.
#[derive(Debug, Clone, Copy)]
struct Occurrences {
    seen: u64,
    /// Counted from 1, so 0 is never.
    next_sample: u64,
    samples: usize,
}

impl Occurrences {
    const NONE: Self = Self {
        seen: 0,
        next_sample: 1,
        samples: 0,
    };
}

/// A failed request that was kept.
#[derive(Debug)]
pub(crate) struct KeptSample {
    /// Numbers of its endpoint and its error.
    pub(crate) endpoint: u32,
    pub(crate) error: u32,
    /// All else; positions are not used.
    pub(crate) data: ErrorSampleData,
}

impl ErrorSamples {
    /// Whether this occurrence of an error is to be kept.
    pub(super) fn chooses(&mut self, error: u32) -> bool {
        let index = error as usize;
        if index >= self.errors.len() {
            self.errors.resize(index + 1, Occurrences::NONE);
        }
        let of_error = &mut self.errors[index];
        of_error.seen += 1;
        if of_error.seen != of_error.next_sample {
            return false;
        }
        if !keeps_error_sample(of_error.samples, MAX_ERROR_SAMPLES_OF_AGENT, self.chosen) {
            of_error.next_sample = 0;
            return false;
        }
        of_error.next_sample *= SPREAD;
        of_error.samples += 1;
        self.chosen += 1;
        true
    }

    pub(super) fn keep(&mut self, sample: KeptSample) {
        self.kept.push(sample);
    }

    pub(super) fn take(&mut self) -> Vec<KeptSample> {
        std::mem::take(&mut self.kept)
    }
}

/// What is kept of a failed request that ended `at` this run time, without secrets.
pub(super) fn sample_of(
    sample: &RequestSample<'_>,
    failed: &FailedRequest<'_>,
    at: Duration,
    mask: &SecretMask,
) -> ErrorSampleData {
    let mut data = ErrorSampleData {
        at_us: micros(at),
        url: failed.url.map(|url| mask.text(url, MAX_SAMPLE_URL_BYTES)),
        status: sample.status,
        body_bytes: sample.response_length,
        trace_id: sampled_trace(sample),
        ..ErrorSampleData::default()
    };
    let Some(response) = failed.response else {
        return data;
    };
    let mut bytes = 0;
    for (name, value) in response.headers() {
        if bytes > MAX_SAMPLE_HEADERS_BYTES {
            data.headers_left_out += 1;
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = mask.header(name.as_str(), &value, MAX_SAMPLE_HEADER_BYTES);
        bytes += name.as_str().len() + value.len();
        data.headers.push((name.as_str().to_owned(), value));
    }
    let read = MAX_SAMPLE_BODY_BYTES + LOOK_AHEAD_BYTES;
    let body = response.body_start(read);
    data.body = body.map(|body| mask.text(&body, MAX_SAMPLE_BODY_BYTES));
    data.body_bytes = response.body_bytes();
    data.bounded()
}
