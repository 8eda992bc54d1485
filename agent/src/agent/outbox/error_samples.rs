//! How many samples of errors an agent hands over, whatever its workers have: they may be many.

use std::collections::BTreeMap;

use greylag_infra::protocol::{MAX_ERROR_SAMPLES_OF_AGENT, keeps_error_sample};

/// Samples of errors that were handed over so far in a run.
#[derive(Debug, Default)]
pub(super) struct ErrorSampleLimit {
    /// By number of the error, of which there are not many.
    of_errors: BTreeMap<u32, usize>,
    all: usize,
}

impl ErrorSampleLimit {
    /// Whether one more of this error is handed over.
    pub(super) fn admits(&mut self, error: u32) -> bool {
        let of_error = self.of_errors.entry(error).or_default();
        if !keeps_error_sample(*of_error, MAX_ERROR_SAMPLES_OF_AGENT, self.all) {
            return false;
        }
        *of_error += 1;
        self.all += 1;
        true
    }
}
