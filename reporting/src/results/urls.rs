//! Addresses that results link to, below the path of the coordinator.

use greylag_infra::RunId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a value of a query does not have as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// Address of a run's page.
pub(crate) fn run_url(id: &RunId) -> String {
    format!(
        "/runs/{}",
        utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC)
    )
}

/// A query from `?` on; empty without members.
pub(crate) fn query_of(members: &[(&'static str, String)]) -> String {
    let mut query = String::new();
    for (name, value) in members {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(name);
        query.push('=');
        query.extend(utf8_percent_encode(value, ESCAPED));
    }
    query
}
