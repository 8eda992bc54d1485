//! In what two systems differ over an answer, and what of that is on purpose.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::answer::Answer;
use super::exceptions::{Client, Exception, exceptions};
use super::outcome::{Became, Kind};
use crate::conformance::recording_server::End;

/// In what two systems differ over an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Aspect {
    /// Greylag fails where Locust does not.
    Stricter,
    /// Locust fails where Greylag does not.
    Looser,
    /// Both fail, for another reason.
    Kind,
    Status,
    /// The body, decoded.
    Body,
    Text,
    Json,
    /// The values of the two headers that are looked at.
    Headers,
    /// What was asked: repeats, redirects.
    Requests,
    /// Whether the next request went out on the same connection.
    Reuse,
    /// What the next request got.
    After,
    Cookies,
}

/// In what they differ over an answer. A failure against a success says it all.
fn differences(answer: &Answer, locust: &Became, greylag: &Became) -> Vec<Aspect> {
    match (locust.failed(), greylag.failed()) {
        (false, true) => return vec![Aspect::Stricter],
        (true, false) => return vec![Aspect::Looser],
        _ => {}
    }
    let (theirs, ours) = (&locust.observed, &greylag.observed);
    // Where a whole answer was read: what users see of one that was not is not the same thing.
    let is_read = matches!(locust.kind(), None | Some(Kind::Status));
    let has_body = ours.length > 0 || theirs.length > 0;
    // A silent close, or a reset, may be noticed before the next request or by it.
    let is_kept = answer.end == End::Keep;
    let headers = |of: &Became| (of.observed.odd.clone(), of.observed.behind.clone());
    let body = |of: &Became| (of.observed.length, of.observed.content.clone());
    let aspects = [
        (Aspect::Kind, locust.kind() != greylag.kind()),
        (Aspect::Status, is_read && theirs.status != ours.status),
        (Aspect::Body, is_read && body(locust) != body(greylag)),
        (
            Aspect::Text,
            is_read && has_body && theirs.text != ours.text,
        ),
        (
            Aspect::Json,
            is_read && has_body && theirs.json != ours.json,
        ),
        (
            Aspect::Headers,
            is_read && headers(locust) != headers(greylag),
        ),
        (Aspect::Requests, locust.requests != greylag.requests),
        (Aspect::Reuse, locust.reused != greylag.reused),
        (Aspect::After, is_kept && theirs.after != ours.after),
        (Aspect::Cookies, locust.cookies != greylag.cookies),
    ];
    let differing = aspects.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(aspect, _)| aspect).collect()
}

/// What is not as it should be: a difference without an exception, an exception without a difference.
pub(super) fn unexpected(
    client: Client,
    answers: &[Answer],
    locust: &BTreeMap<String, Became>,
    greylag: &BTreeMap<String, Became>,
) -> String {
    let exceptions = exceptions();
    let mut wrong = String::new();
    for answer in answers {
        let (name, theirs, ours) = (&answer.name, &locust[&answer.name], &greylag[&answer.name]);
        let differ = differences(answer, theirs, ours);
        for aspect in Aspect::ALL {
            let differs = differ.contains(&aspect);
            let allowed = exceptions
                .iter()
                .find(|exception| exception.covers(client, aspect, name));
            match (differs, allowed) {
                (true, None) => {
                    let (theirs, ours) = (shown(theirs), shown(ours));
                    let _ = writeln!(
                        wrong,
                        "{client:?} {name} differs in {aspect:?}\n    Locust  {theirs}\n    Greylag {ours}"
                    );
                }
                (false, Some(Exception { why, .. })) => {
                    let _ = writeln!(
                        wrong,
                        "{client:?} {name} does not differ in {aspect:?}, though exceptions.txt says so: {why}"
                    );
                }
                _ => {}
            }
        }
    }
    for name in exceptions.iter().flat_map(|exception| &exception.answers) {
        if !locust.contains_key(name) {
            let _ = writeln!(wrong, "exceptions.txt names {name}, which is not an answer");
        }
    }
    wrong
}

impl Aspect {
    pub(super) const ALL: [Self; 12] = [
        Self::Stricter,
        Self::Looser,
        Self::Kind,
        Self::Status,
        Self::Body,
        Self::Text,
        Self::Json,
        Self::Headers,
        Self::Requests,
        Self::Reuse,
        Self::After,
        Self::Cookies,
    ];
}

/// What became of an answer, in a line.
fn shown(became: &Became) -> String {
    let Became {
        observed,
        error,
        requests,
        reused,
        cookies,
    } = became;
    let mut line = match error {
        Some(error) => format!("fails: {error:.160}"),
        None => "succeeds".to_owned(),
    };
    let _ = write!(
        line,
        " | {} of {} bytes {:.24}",
        observed.status, observed.length, observed.content
    );
    for (what, value) in [
        ("text", &observed.text),
        ("json", &observed.json),
        ("X-Odd", &observed.odd),
        ("X-After", &observed.behind),
        ("after", &observed.after),
        ("cookies", cookies),
    ] {
        if let Some(value) = value {
            let _ = write!(line, " | {what} {value:.40?}");
        }
    }
    if requests.len() != 1 {
        let _ = write!(line, " | {requests:?}");
    }
    if let Some(reused) = reused {
        let _ = write!(line, " | reused {reused}");
    }
    line
}
