//! The recorder of a worker, for the benches.

use std::time::Instant;

use greylag_infra::SecretMask;
use greylag_scenarios::{MetricValue, Recorder, RequestSample};

use crate::bounded_names::KnownNames;
use crate::recorder::{Reports, RunRecorder};

/// What a worker counts with.
pub struct WorkerRecorder {
    recorder: RunRecorder,
    names: KnownNames,
}

impl WorkerRecorder {
    /// That of a run which begins now.
    pub fn begin() -> Self {
        let recorder = RunRecorder::new(Some(SecretMask::default()));
        recorder.begin(Instant::now());
        Self {
            recorder,
            names: KnownNames::default(),
        }
    }

    /// Counts a request.
    pub fn request(&self, sample: &RequestSample<'_>) {
        self.recorder.request(sample);
    }

    /// Adds a value to a custom metric.
    pub fn metric(&self, value: &MetricValue<'_>) {
        self.recorder.metric(value);
    }

    /// Takes out and encodes everything that was counted; how many intervals that is.
    pub fn close(&mut self) -> usize {
        let mut taken = self.recorder.take(None, &mut self.names);
        let mut reports = Reports::default();
        for second in &mut taken.seconds {
            second.empty_into(&mut reports, &self.names);
        }
        self.recorder.give_back(taken.seconds);
        let reports = reports.finish();
        reports.iter().map(|report| report.intervals.len()).sum()
    }
}
