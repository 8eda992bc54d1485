//! What became of an answer with one client, in the same form for all.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answer::Answer;
use crate::conformance::pair::Outcome;
use crate::conformance::recording_server::{End, Seen};

/// What a user saw of an answer, in its own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Observed {
    pub(super) name: String,
    /// 0 where there was no response.
    pub(super) status: u16,
    pub(super) length: usize,
    /// Its beginning, in hexadecimal digits.
    pub(super) content: String,
    pub(super) text: Option<String>,
    pub(super) json: Option<String>,
    /// The header `X-Odd`.
    pub(super) odd: Option<String>,
    /// The header `X-After`.
    pub(super) behind: Option<String>,
    /// Status and text of the request that followed.
    pub(super) after: Option<String>,
    /// A Python exception that the client let through.
    pub(super) raised: Option<String>,
}

/// Why a request failed, as far as both systems tell the same things apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The status.
    Status,
    /// The connection ended before the answer did.
    Ended,
    /// The answer did not end.
    TimedOut,
    /// A body that is not encoded as its head says.
    Undecodable,
    /// Redirects that lead nowhere.
    Redirects,
    /// An answer that cannot be read.
    Malformed,
}

impl Kind {
    /// By the words of Locust's two clients and of Greylag.
    fn of(error: &str) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
        if says(&STATUS) {
            Self::Status
        } else if says(&REDIRECTS) {
            Self::Redirects
        } else if says(&UNDECODABLE) {
            Self::Undecodable
        } else if says(&TIMED_OUT) {
            Self::TimedOut
        } else if says(&ENDED) {
            Self::Ended
        } else {
            Self::Malformed
        }
    }
}

const STATUS: [&str; 4] = [
    " Client Error: ",
    " Server Error: ",
    " Unexpected Status: ",
    "LocustBadStatusCode",
];
const REDIRECTS: [&str; 10] = [
    "TooManyRedirects",
    "Redirection limit",
    "Redirect to ",
    "refusing to follow redirect",
    "InvalidURL(",
    "InvalidSchema(",
    "Port out of range",
    "Port could not be cast",
    "Invalid IPv6 URL",
    "No host specified",
];
const UNDECODABLE: [&str; 5] = [
    "decompress",
    "ContentDecodingError",
    "brotli",
    "Unknown content encoding",
    "cannot be decoded",
];
const TIMED_OUT: [&str; 3] = ["ReadTimeout", "timed out", "timeout"];
const ENDED: [&str; 9] = [
    "RemoteDisconnected",
    "ConnectionResetError",
    "IncompleteRead",
    "Incomplete response",
    "Invalid EOF state",
    "Response ended prematurely",
    "connection closed",
    "Connection closed",
    "closed by the server",
];

/// What became of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Became {
    pub(super) observed: Observed,
    /// `None` for a success.
    pub(super) error: Option<String>,
    /// Requests that the server saw for it, before the one that followed.
    pub(super) requests: Vec<String>,
    /// Whether the one that followed came on the same connection; `None` if none came.
    pub(super) reused: Option<bool>,
    /// The cookies that the one that followed had.
    pub(super) cookies: Option<String>,
}

impl Became {
    pub(super) fn failed(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.error.as_deref().map(Kind::of)
    }
}

/// What became of all answers in a run.
pub(super) fn all(answers: &[Answer], outcome: &Outcome) -> BTreeMap<String, Became> {
    let observed: BTreeMap<_, _> = outcome
        .seen
        .iter()
        .filter(|seen| seen.path() == "/next")
        .filter_map(|seen| {
            serde_json::from_str::<Option<Observed>>(&seen.body)
                .ok()
                .flatten()
        })
        .map(|observed| (observed.name.clone(), observed))
        .collect();
    let mut requests: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for seen in &outcome.seen {
        if let Some(name) = seen.header("x-answer") {
            requests.entry(name).or_default().push(seen);
        }
    }
    let each = answers.iter().map(|answer| {
        let (name, system) = (&answer.name, outcome.system);
        let observed = observed
            .get(name)
            .unwrap_or_else(|| panic!("{system} says nothing of {name}"));
        let (after, own): (Vec<&Seen>, Vec<_>) = requests
            .get(name.as_str())
            .into_iter()
            .flatten()
            .partition(|seen| seen.path().starts_with("/after/"));
        let (samples, failures) = outcome.results.counts(answer.method, name);
        let error = match (&observed.raised, failures) {
            (Some(raised), _) => Some(raised.clone()),
            (None, 0) => None,
            (None, _) => outcome
                .results
                .errors_of(answer.method, name)
                .first()
                .map(|text| (*text).to_owned()),
        };
        assert!(
            samples == 1 || observed.raised.is_some(),
            "{system} counts {samples} samples of {name}"
        );
        let is_kept = answer.end == End::Keep;
        let became = Became {
            observed: observed.clone(),
            error,
            reused: after.last().filter(|_| is_kept).map(|after| {
                own.last()
                    .is_some_and(|own| own.connection == after.connection)
            }),
            cookies: after
                .last()
                .and_then(|after| after.header("cookie"))
                .map(str::to_owned),
            requests: own.into_iter().map(Seen::line).collect(),
        };
        (name.clone(), became)
    });
    each.collect()
}
