//! The `[[request]]` tables of a test file and the wait between them.

use toml::{Table, Value};

use super::TestFileError;
use super::reader::Reader;
use crate::declared::{DeclaredRequest, MAX_REQUESTS, MAX_WAIT_S, WaitTime};
use crate::durations::parse_duration;

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

impl Reader<'_> {
    pub(super) fn wait_time(&self, table: &Table) -> Result<Option<WaitTime>, TestFileError> {
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

    pub(super) fn requests(&self, table: &Table) -> Result<Vec<DeclaredRequest>, TestFileError> {
        self.tables(table, "request", MAX_REQUESTS)?
            .into_iter()
            .map(|(request, from)| self.request(request, from))
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
}

fn seconds(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) if number.is_finite() => Some(*number),
        _ => None,
    }
}
