//! The TOML file of a load test. Unknown keys are refused with the line and the nearest known key.

use std::ops::Range;

use toml::{Table, Value};

use crate::declared::{DeclaredRequest, DeclaredScenario, MAX_REQUESTS, MAX_WAIT_S, WaitTime};
use crate::durations::parse_duration;

/// Largest file read, in bytes.
pub const MAX_TEST_FILE_BYTES: usize = 1024 * 1024;

const KEYS: [&str; 11] = [
    "name",
    "host",
    "users",
    "ramp_up",
    "duration",
    "workers",
    "infrastructure",
    "scenario",
    "stop_timeout",
    "wait_time",
    "request",
];
const REQUEST_KEYS: [&str; 8] = [
    "method",
    "path",
    "name",
    "weight",
    "headers",
    "body",
    "expect_status",
    "expect_body",
];

/// What a test file says; everything is optional here, defaults and flags come later.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestFile {
    /// Name of the test.
    pub name: Option<String>,
    /// Base URL of the target.
    pub host: Option<String>,
    /// Peak concurrent users.
    pub users: Option<u64>,
    /// Ramp-up in seconds.
    pub ramp_up_s: Option<u64>,
    /// Duration in seconds.
    pub duration_s: Option<u64>,
    /// Worker processes.
    pub workers: Option<u32>,
    /// Infrastructure that runs the test.
    pub infrastructure: Option<String>,
    /// A compiled-in scenario.
    pub scenario: Option<String>,
    /// Stop time-out in seconds.
    pub stop_timeout_s: Option<u64>,
    /// The declared requests, if there are any.
    pub declared: Option<DeclaredScenario>,
}

/// A mistake in a test file: one sentence, with the line where it is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TestFileError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there and what to do.
    pub message: String,
}

impl TestFile {
    /// Reads a test file's text.
    ///
    /// # Errors
    /// The first mistake: broken TOML, an unknown key, a value of the wrong kind.
    pub fn parse(text: &str) -> Result<Self, TestFileError> {
        let reader = Reader { text };
        if text.len() > MAX_TEST_FILE_BYTES {
            return Err(reader.error(
                0,
                format!("the file is larger than {MAX_TEST_FILE_BYTES} bytes"),
            ));
        }
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let Range { start, .. } = error.span().unwrap_or(0..0);
            reader.error(
                start,
                format!("this is not valid TOML: {}", error.message()),
            )
        })?;
        reader.refuse_unknown_keys(&table, &KEYS, "this file", 0)?;

        let mut file = TestFile {
            name: reader.string(&table, "name", 0)?,
            host: reader.string(&table, "host", 0)?,
            users: reader.count(&table, "users", 0)?,
            ramp_up_s: reader.duration(&table, "ramp_up")?,
            duration_s: reader.duration(&table, "duration")?,
            workers: reader
                .count(&table, "workers", 0)?
                .map(|workers| u32::try_from(workers).unwrap_or(u32::MAX)),
            infrastructure: reader.string(&table, "infrastructure", 0)?,
            scenario: reader.string(&table, "scenario", 0)?,
            stop_timeout_s: reader.duration(&table, "stop_timeout")?,
            declared: None,
        };
        let wait_time = reader.wait_time(&table)?;
        let requests = reader.requests(&table)?;
        if requests.is_empty() {
            if wait_time.is_some() {
                return Err(reader.at_key("wait_time", 0, "`wait_time` belongs to [[request]] tables, and there are none; a compiled-in scenario has its own wait time"));
            }
            return Ok(file);
        }
        if file.scenario.is_some() {
            return Err(reader.at_key("scenario", 0, "the file names a compiled-in `scenario` and lists [[request]] tables; keep one of the two"));
        }
        file.declared = Some(DeclaredScenario {
            requests,
            wait_time,
        });
        Ok(file)
    }
}

/// Reads values out of the parsed table and says where in the text a mistake is.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, offset: usize, message: impl Into<String>) -> TestFileError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        TestFileError {
            line: before.matches('\n').count() + 1,
            message: message.into(),
        }
    }

    /// The mistake is at the first line from `from` on that assigns `key`.
    fn at_key(&self, key: &str, from: usize, message: impl Into<String>) -> TestFileError {
        let mut offset = from;
        for line in self.text.get(from..).unwrap_or("").split_inclusive('\n') {
            let name = line.trim_start().trim_start_matches(['[', '"', '\'']);
            let assigns = name.strip_prefix(key).is_some_and(|rest| {
                rest.trim_start_matches(['"', '\''])
                    .trim_start()
                    .starts_with(['=', '.', ']'])
            });
            if assigns {
                return self.error(offset, message);
            }
            offset += line.len();
        }
        self.error(from, message)
    }

    fn refuse_unknown_keys(
        &self,
        table: &Table,
        known: &[&str],
        place: &str,
        from: usize,
    ) -> Result<(), TestFileError> {
        let unknown = table
            .keys()
            .filter(|key| !known.contains(&key.as_str()))
            .map(|key| (self.at_key(key, from, ""), key))
            .min_by_key(|(error, _)| error.line);
        let Some((error, key)) = unknown else {
            return Ok(());
        };
        let nearest = known
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b)))
            .filter(|nearest| strsim::jaro_winkler(key, nearest) > 0.6);
        let shown: String = key.chars().take(60).collect();
        let message = match nearest {
            Some(nearest) => format!("`{shown}` is no key of {place}; did you mean `{nearest}`?"),
            None => format!(
                "`{shown}` is no key of {place}; the keys are {}",
                known.join(", ")
            ),
        };
        Err(TestFileError { message, ..error })
    }

    fn string(
        &self,
        table: &Table,
        key: &str,
        from: usize,
    ) -> Result<Option<String>, TestFileError> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong_kind(key, from, "a text in quotes", other)),
        }
    }

    fn count(&self, table: &Table, key: &str, from: usize) -> Result<Option<u64>, TestFileError> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::Integer(number)) if *number >= 0 => Ok(Some(number.unsigned_abs())),
            Some(Value::Integer(number)) => Err(self.at_key(
                key,
                from,
                format!("`{key}` is {number}; give a whole number that is not below 0"),
            )),
            Some(other) => Err(self.wrong_kind(key, from, "a whole number", other)),
        }
    }

    fn duration(&self, table: &Table, key: &str) -> Result<Option<u64>, TestFileError> {
        match table.get(key) {
            Some(Value::String(text)) => parse_duration(text)
                .map(|duration| Some(duration.as_secs()))
                .map_err(|error| self.at_key(key, 0, format!("`{key}`: {error}"))),
            Some(Value::Integer(_)) => self.count(table, key, 0),
            None => Ok(None),
            Some(other) => Err(self.wrong_kind(key, 0, "a duration such as \"90s\" or 90", other)),
        }
    }

    fn wait_time(&self, table: &Table) -> Result<Option<WaitTime>, TestFileError> {
        const FORMS: &str = "seconds as a number (`1.5`), a duration (`\"2s\"`) or two numbers to wait between (`[1, 3]`)";
        let Some(value) = table.get("wait_time") else {
            return Ok(None);
        };
        let wrong = || self.wrong_kind("wait_time", 0, FORMS, value);
        let wait = match value {
            Value::String(text) => WaitTime::Constant(
                parse_duration(text)
                    .map_err(|error| self.at_key("wait_time", 0, format!("`wait_time`: {error}")))?
                    .as_secs_f64(),
            ),
            Value::Array(bounds) => match bounds.as_slice() {
                [low, high] => WaitTime::Between(
                    seconds(low).ok_or_else(wrong)?,
                    seconds(high).ok_or_else(wrong)?,
                ),
                _ => return Err(wrong()),
            },
            other => WaitTime::Constant(seconds(other).ok_or_else(wrong)?),
        };
        if !wait.is_valid() {
            return Err(self.at_key(
                "wait_time",
                0,
                format!(
                    "`wait_time` must be from 0 to {MAX_WAIT_S} seconds, the lesser bound first"
                ),
            ));
        }
        Ok(Some(wait))
    }

    fn requests(&self, table: &Table) -> Result<Vec<DeclaredRequest>, TestFileError> {
        let tables = match table.get("request") {
            None => return Ok(Vec::new()),
            Some(Value::Array(tables)) => tables,
            Some(other) => return Err(self.wrong_kind("request", 0, "[[request]] tables", other)),
        };
        if tables.len() > MAX_REQUESTS {
            return Err(self.at_key(
                "request",
                0,
                format!(
                    "there are {} [[request]] tables; the most is {MAX_REQUESTS}",
                    tables.len()
                ),
            ));
        }
        let starts: Vec<usize> = self
            .text
            .match_indices("[[")
            .filter(|(at, _)| {
                let line_start = self.text[..*at]
                    .rfind('\n')
                    .map_or(0, |newline| newline + 1);
                self.text[line_start..*at].trim().is_empty()
                    && self.text[at + 2..].trim_start().starts_with("request")
            })
            .map(|(at, _)| at)
            .collect();
        tables
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let from = starts.get(index).copied().unwrap_or(0);
                let Value::Table(request) = value else {
                    return Err(self.wrong_kind("request", 0, "[[request]] tables", value));
                };
                self.request(request, from)
            })
            .collect()
    }

    fn request(&self, table: &Table, from: usize) -> Result<DeclaredRequest, TestFileError> {
        self.refuse_unknown_keys(table, &REQUEST_KEYS, "a [[request]]", from)?;
        let Some(path) = self.string(table, "path", from)? else {
            return Err(self.error(
                from,
                "this [[request]] has no `path`; add one, such as path = \"/\"",
            ));
        };
        let weight = self.count(table, "weight", from)?.unwrap_or(1);
        let weight = u32::try_from(weight)
            .map_err(|_| self.at_key("weight", from, "`weight` is too large"))?;
        let expect_status = match self.count(table, "expect_status", from)? {
            None => None,
            Some(status @ 100..=599) => Some(status as u16),
            Some(status) => {
                return Err(self.at_key(
                    "expect_status",
                    from,
                    format!("`expect_status` is {status}; an HTTP status is from 100 to 599"),
                ));
            }
        };
        Ok(DeclaredRequest {
            method: self
                .string(table, "method", from)?
                .unwrap_or_else(|| "GET".to_owned())
                .to_ascii_uppercase(),
            path,
            name: self.string(table, "name", from)?,
            weight,
            headers: self.headers(table, from)?,
            body: self.string(table, "body", from)?,
            expect_status,
            expect_body: self.string(table, "expect_body", from)?,
        })
    }

    fn headers(&self, table: &Table, from: usize) -> Result<Vec<(String, String)>, TestFileError> {
        match table.get("headers") {
            None => Ok(Vec::new()),
            Some(Value::Table(headers)) => headers
                .iter()
                .map(|(name, value)| match value {
                    Value::String(value) => Ok((name.clone(), value.clone())),
                    other => Err(self.at_key(
                        "headers",
                        from,
                        format!(
                            "header `{name}` must be a text in quotes, not {}",
                            other.type_str()
                        ),
                    )),
                })
                .collect(),
            Some(other) => Err(self.wrong_kind(
                "headers",
                from,
                "a table such as { accept = \"application/json\" }",
                other,
            )),
        }
    }

    fn wrong_kind(&self, key: &str, from: usize, wanted: &str, found: &Value) -> TestFileError {
        self.at_key(
            key,
            from,
            format!("`{key}` must be {wanted}, not {}", found.type_str()),
        )
    }
}

fn seconds(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) if number.is_finite() => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_a_whole_file() {
        let file = TestFile::parse(
            r#"
name = "checkout"
host = "http://127.0.0.1:8080"
users = 50
ramp_up = "20s"
duration = "1m"
workers = 2
infrastructure = "local"
stop_timeout = 5
wait_time = [1, 2.5]

[[request]]
path = "/"
weight = 3

[[request]]
method = "post"
path = "/cart?id=1"
name = "/cart"
headers = { accept = "application/json" }
body = '{"id":1}'
expect_status = 201
expect_body = "ok"
"#,
        )
        .unwrap();
        assert_eq!(file.name.as_deref(), Some("checkout"));
        assert_eq!(
            (file.users, file.ramp_up_s, file.duration_s),
            (Some(50), Some(20), Some(60))
        );
        assert_eq!((file.workers, file.stop_timeout_s), (Some(2), Some(5)));
        let declared = file.declared.unwrap();
        assert_eq!(declared.wait_time, Some(WaitTime::Between(1.0, 2.5)));
        assert_eq!(declared.requests.len(), 2);
        assert_eq!(declared.requests[0].method, "GET");
        assert_eq!(declared.requests[0].weight, 3);
        assert_eq!(declared.requests[1].method, "POST");
        assert_eq!(declared.requests[1].expect_status, Some(201));
        assert_eq!(
            declared.requests[1].headers,
            [("accept".to_owned(), "application/json".to_owned())]
        );
    }

    #[test]
    fn mistakes_name_the_line_and_the_cure() {
        for (text, line, words) in [
            ("name = \"a\"\nuser = 5\n", 2, "did you mean `users`?"),
            ("rampup = 1", 1, "did you mean `ramp_up`?"),
            ("zzzz = 1", 1, "the keys are name, host"),
            (
                "name = \"a\"\n\nusers = \"x\"",
                3,
                "`users` must be a whole number, not string",
            ),
            ("users = -1", 1, "`users` is -1; give a whole number"),
            ("users = 1\nduration = \"soon\"", 2, "is not a duration"),
            ("users = 1\nduration =", 2, "not valid TOML"),
            (
                "[[request]]\npath = \"/\"\n[[request]]\npth = \"/\"",
                4,
                "did you mean `path`?",
            ),
            (
                "[[request]]\npath = \"/\"\n\n[[request]]\nname = \"x\"",
                4,
                "has no `path`",
            ),
            (
                "[[request]]\npath = \"/\"\nexpect_status = 7",
                3,
                "from 100 to 599",
            ),
            (
                "wait_time = 1\nscenario = \"shop\"",
                1,
                "belongs to [[request]]",
            ),
            (
                "scenario = \"shop\"\n[[request]]\npath = \"/\"",
                1,
                "keep one of the two",
            ),
            (
                "wait_time = [3, 1]\n[[request]]\npath = \"/\"",
                1,
                "lesser bound first",
            ),
            (
                "[[request]]\npath = \"/\"\nheaders = { a = 1 }",
                3,
                "text in quotes",
            ),
        ] {
            let error = TestFile::parse(text).unwrap_err();
            assert!(
                error.message.contains(words),
                "{text:?}: {error} should contain {words:?}"
            );
            assert_eq!(error.line, line, "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,200}") {
            let _ = TestFile::parse(&text);
        }

        #[test]
        fn never_panics_on_nearly_valid_files(
            lines in prop::collection::vec("(name|users|wait_time|ramp_up|\\[\\[request\\]\\]|path|headers|ü) ?=? ?(\"[a-z/]*\"|[0-9]{0,25}|\\[1, 2\\]|\\{ a = 1 \\})?", 0..8)
        ) {
            let _ = TestFile::parse(&lines.join("\n"));
        }
    }
}
