//! The requests of a declared scenario and the wait between them.

use super::section::Section;
use crate::load_test::{DeclaredRequest, MAX_REQUESTS, WAIT_TIME_RANGE, WaitTime};

pub(super) const REQUEST_KEYS: [&str; 8] = [
    "method",
    "path",
    "name",
    "weight",
    "headers",
    "body",
    "expect_status",
    "expect_body",
];

pub(super) fn wait_time(section: &Section<'_>) -> Option<WaitTime> {
    let wait = match section.one_or_two_durations("wait_time")? {
        (wait, None) => WaitTime::Constant(wait.as_secs_f64()),
        (low, Some(high)) => WaitTime::Between(low.as_secs_f64(), high.as_secs_f64()),
    };
    if !wait.is_valid() {
        section.wrong(
            "wait_time",
            format!("`wait_time` must be {WAIT_TIME_RANGE}"),
        );
        return None;
    }
    Some(wait)
}

pub(super) fn requests(section: &Section<'_>) -> Vec<DeclaredRequest> {
    section
        .sections("request", "a request", MAX_REQUESTS)
        .iter()
        .map(request)
        .collect()
}

fn request(section: &Section<'_>) -> DeclaredRequest {
    section.refuse_other_keys(&REQUEST_KEYS);
    if section.lacks("path", &REQUEST_KEYS) {
        section.wrong(
            "path",
            "this request has no `path`; add one, such as path = \"/\"",
        );
    }
    let expect_status = section.whole("expect_status");
    let mut request = DeclaredRequest {
        method: section
            .text("method")
            .unwrap_or_else(|| "GET".to_owned())
            .to_ascii_uppercase(),
        path: section.text("path").unwrap_or_else(|| "/".to_owned()),
        name: section.text("name"),
        weight: section.small("weight").unwrap_or(1),
        headers: section.pairs("headers"),
        body: section.text("body"),
        expect_status: None,
        expect_body: section.text("expect_body"),
    };
    // Beyond 16 bits it is not a status either.
    request.expect_status = expect_status.map(|status| u16::try_from(status).unwrap_or(u16::MAX));
    for (key, problem) in request.problems() {
        section.wrong(key, problem);
    }
    // It is counted even when it is wrong, so that nothing else is reported because of it.
    request
}
