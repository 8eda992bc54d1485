//! What stands behind the recording server here: hands out the answers and hears what became of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::answer::Answer;
use crate::conformance::recording_server::{App, End, Reply, Seen, respond};

pub(super) struct AnswersApp {
    answers: Vec<Answer>,
    numbers: BTreeMap<String, usize>,
    /// The number of the answer that the next free user asks for.
    next: AtomicUsize,
}

impl AnswersApp {
    pub(super) fn new(answers: Vec<Answer>) -> Self {
        let numbers = answers.iter().enumerate();
        let numbers: BTreeMap<_, _> = numbers
            .map(|(number, answer)| (answer.name.clone(), number))
            .collect();
        assert_eq!(
            numbers.len(),
            answers.len(),
            "each answer has a name of its own"
        );
        Self {
            answers,
            numbers,
            next: AtomicUsize::new(0),
        }
    }
}

impl App for AnswersApp {
    fn answer(&self, seen: &Seen) -> Reply {
        if seen.path() == "/next" {
            let answer = self.answers.get(self.next.fetch_add(1, Ordering::Relaxed));
            let next = answer.map(|answer| format!("{} {}", answer.method, answer.name));
            return last_on_its_connection(&next.unwrap_or_default());
        }
        if seen.path().starts_with("/after/") {
            return last_on_its_connection("after");
        }
        let number = seen
            .path()
            .strip_prefix("/answers/")
            .and_then(|name| self.numbers.get(name));
        let Some(number) = number else {
            return respond("200 OK", &[], "landed");
        };
        let host = seen.header("host").unwrap_or_default();
        let Answer { pieces, end, .. } = &self.answers[*number];
        let pieces = pieces.iter().map(|piece| filled(piece, host, &seen.target));
        Reply::Pieces(pieces.collect(), *end)
    }
}

/// What comes next begins on a new connection, whatever the answer left on this one.
fn last_on_its_connection(body: &str) -> Reply {
    match respond("200 OK", &[("connection", "close")], body) {
        Reply::Write(bytes) => Reply::Pieces(vec![bytes], End::Close),
        other => other,
    }
}

/// A piece with the server's own address in it.
fn filled(piece: &[u8], host: &str, target: &str) -> Vec<u8> {
    let mut filled = piece.to_vec();
    for (mark, value) in [
        ("{HERE}", format!("http://{host}")),
        ("{HOST}", host.to_owned()),
        ("{SAME}", target.to_owned()),
    ] {
        let at = filled
            .windows(mark.len())
            .position(|bytes| bytes == mark.as_bytes());
        if let Some(at) = at {
            filled.splice(at..at + mark.len(), value.into_bytes());
        }
    }
    filled
}
