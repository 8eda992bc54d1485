//! Durations.

use std::time::Duration;

use super::Section;
use crate::base::{DurationError, duration_of_number, parse_duration, whole_seconds};
use crate::load_test::draft::tree::{Node, Table, Value};

impl Section<'_> {
    /// A duration that may have parts of a second.
    pub(in crate::load_test::draft) fn duration(&self, key: &str) -> Option<Duration> {
        self.read_duration(key).map(|(duration, _)| duration)
    }

    /// A duration that must be a whole number of seconds.
    pub(in crate::load_test::draft) fn seconds(&self, key: &str) -> Option<u64> {
        let (duration, text) = self.read_duration(key)?;
        match whole_seconds(duration, &text) {
            Ok(seconds) => Some(seconds),
            Err(error) => {
                self.wrong(key, format!("`{key}`: {error}"));
                None
            }
        }
    }

    fn read_duration(&self, key: &str) -> Option<(Duration, String)> {
        match duration_of(&self.entry(key)?.node) {
            Ok(read) => Some(read),
            Err(NoDuration::Invalid(error)) => {
                self.wrong(key, format!("`{key}`: {error}"));
                None
            }
            Err(NoDuration::Kind(kind)) => {
                let message =
                    format!("`{key}` must be a duration such as \"90s\" or 90, not {kind}");
                self.wrong(key, message);
                None
            }
        }
    }

    /// One duration or two: the bounds of a wait.
    pub(in crate::load_test::draft) fn one_or_two_durations(
        &self,
        key: &str,
    ) -> Option<(Duration, Option<Duration>)> {
        const FORMS: &str = "seconds (`1.5`), a duration (`\"500ms\"`) or two of them to wait between (`[1, \"2.5s\"]`)";
        let node = &self.entry(key)?.node;
        let wrong = |found: &str| {
            self.wrong(key, format!("`{key}` must be {FORMS}, not {found}"));
            None
        };
        let read = |node: &Node| match duration_of(node) {
            Ok((duration, _)) => Some(duration),
            Err(NoDuration::Invalid(error)) => {
                self.wrong(key, format!("`{key}`: {error}"));
                None
            }
            Err(NoDuration::Kind(kind)) => wrong(kind),
        };
        match &node.value {
            Value::List(bounds) => match bounds.as_slice() {
                [low, high] => {
                    let (low, high) = (read(low), read(high));
                    Some((low?, Some(high?)))
                }
                _ => wrong("a list of another length").map(|never: Duration| (never, None)),
            },
            // As earlier versions of the API had it: {"Constant": 1} and {"Between": [1, 2]}.
            Value::Table(Table(entries)) => match entries.as_slice() {
                [entry] if entry.key == "Constant" => read(&entry.node).map(|wait| (wait, None)),
                [entry] if entry.key == "Between" => match &entry.node.value {
                    Value::List(bounds) if bounds.len() == 2 => {
                        let (low, high) = (read(&bounds[0]), read(&bounds[1]));
                        Some((low?, Some(high?)))
                    }
                    other => wrong(other.kind()).map(|never| (never, None)),
                },
                _ => wrong("a table").map(|never| (never, None)),
            },
            _ => read(node).map(|duration| (duration, None)),
        }
    }
}

enum NoDuration {
    Invalid(DurationError),
    /// Neither text nor number but this.
    Kind(&'static str),
}

/// A duration and how it was written.
fn duration_of(node: &Node) -> Result<(Duration, String), NoDuration> {
    let of_number = |number: f64| {
        duration_of_number(number)
            .map(|duration| (duration, number.to_string()))
            .map_err(NoDuration::Invalid)
    };
    match &node.value {
        Value::Text(text) => parse_duration(text)
            .map(|duration| (duration, text.clone()))
            .map_err(NoDuration::Invalid),
        Value::Whole(number) => match u64::try_from(*number) {
            Ok(seconds) => Ok((Duration::from_secs(seconds), number.to_string())),
            Err(_) => of_number(*number as f64),
        },
        Value::Decimal(number) => of_number(*number),
        other => Err(NoDuration::Kind(other.kind())),
    }
}
