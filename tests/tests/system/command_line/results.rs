//! What a run leaves behind: tables, summary, the page's address.

use std::fs;
use std::path::Path;

use greylag_tests::summary::Summary;
use greylag_tests::{Ended, local_url};
use serde_json::Value;

/// Headings of Locust's three console tables.
pub(super) const TABLES: [&str; 6] = [
    "# reqs",
    "# fails",
    "Response time percentiles (approximated)",
    "99.9%",
    "Error report",
    "# occurrences",
];

pub(super) fn assert_tables(stdout: &str, texts: &[&str]) {
    for text in TABLES.iter().chain(texts) {
        assert!(stdout.contains(text), "{text:?} is missing in\n{stdout}");
    }
    assert!(
        !stdout.contains('\u{1b}'),
        "escapes in output that is not a terminal: {stdout:?}"
    );
}

pub(crate) fn read_summary(path: &Path) -> (Summary, Value) {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("no summary was written: {error}"));
    let summary =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no summary ({error}): {text}"));
    (summary, serde_json::from_str(&text).expect("it is JSON"))
}

/// The page's address in the output of a run.
pub(super) fn run_page(ended: &Ended) -> (String, String) {
    let output = format!("{}{}", ended.stdout, ended.stderr);
    let server = local_url(&output).unwrap_or_else(|| panic!("no address in\n{output}"));
    let (_, rest) = output
        .split_once(&format!("{server}/runs/"))
        .unwrap_or_else(|| panic!("no address of the run in\n{output}"));
    let id = rest
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    (server, id)
}
