//! The recorder of a worker, for the benches.

use std::sync::Arc;
use std::time::Instant;

use greylag_infra::protocol::Endpoint;
use greylag_scenarios::{Recorder, RequestSample};

use crate::recorder::{Reports, RunRecorder};

/// What a worker counts with.
pub struct WorkerRecorder {
    recorder: RunRecorder,
    endpoints: Vec<Arc<Endpoint>>,
}

impl WorkerRecorder {
    /// That of a run which begins now.
    pub fn begin() -> Self {
        let recorder = RunRecorder::new();
        recorder.begin(Instant::now());
        Self {
            recorder,
            endpoints: Vec::new(),
        }
    }

    /// Counts a request.
    pub fn request(&self, sample: &RequestSample<'_>) {
        self.recorder.request(sample);
    }

    /// Takes out and encodes everything that was counted; how many intervals that is.
    pub fn close(&mut self) -> usize {
        let mut taken = self.recorder.take(None, &mut self.endpoints);
        let mut reports = Reports::default();
        for second in &mut taken.seconds {
            second.empty_into(&mut reports, &self.endpoints);
        }
        self.recorder.give_back(taken.seconds);
        let reports = reports.finish();
        reports.iter().map(|report| report.intervals.len()).sum()
    }
}
