//! Addresses that results link to, below the path of the coordinator.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Address of a run's page.
pub(crate) fn run_url(id: &str) -> String {
    format!("/runs/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}
