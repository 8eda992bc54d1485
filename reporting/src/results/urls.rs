//! Addresses that results link to, below the path of the coordinator.

use greylag_infra::RunId;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Address of a run's page.
pub(crate) fn run_url(id: &RunId) -> String {
    format!(
        "/runs/{}",
        utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC)
    )
}
