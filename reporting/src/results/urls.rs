//! Addresses that results link to, below the path of the coordinator.

use std::borrow::Borrow;

use greylag_infra::RunId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a value of a query does not have as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// Most characters of a test's name in the name of a file.
const MAX_NAME_CHARS: usize = 80;

/// Address of a run's page.
pub(crate) fn run_url(id: &RunId) -> String {
    format!(
        "/runs/{}",
        utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC)
    )
}

/// The name of the file that a run's page is saved as: `checkout-12.html`.
pub(crate) fn report_name(test: &str, number: impl Borrow<u64>) -> String {
    let kept = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let test: String = test.chars().take(MAX_NAME_CHARS).map(kept).collect();
    let test = test.trim_matches(['-', '.']);
    let test = if test.is_empty() { "run" } else { test };
    format!("{test}-{}.html", number.borrow())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_any_system_can_have_it() {
        assert_eq!(
            report_name("check out: EU/1", 12_u64),
            "check-out--EU-1-12.html"
        );
        assert_eq!(report_name("../..", 1_u64), "run-1.html");
        assert_eq!(report_name("Straße", 3_u64), "Straße-3.html");
        assert_eq!(
            report_name(&"x".repeat(500), 3_u64).len(),
            MAX_NAME_CHARS + 7
        );
    }
}
