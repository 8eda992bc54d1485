//! The TOML file of a load test. Unknown keys are refused with the line and the nearest known key.

mod load;
mod reader;
mod requests;

use std::collections::BTreeMap;
use std::ops::Range;

use toml::{Table, Value};

use crate::declared::DeclaredScenario;
use crate::load_test::Stage;
use reader::Reader;

/// Largest file read, in bytes.
pub const MAX_TEST_FILE_BYTES: usize = 1024 * 1024;

const KEYS: [&str; 19] = [
    "name",
    "host",
    "users",
    "ramp_up",
    "duration",
    "workers",
    "infrastructure",
    "scenario",
    "stop_timeout",
    "spawn_rate",
    "arrival_rate",
    "stage",
    "user_types",
    "tags",
    "exclude_tags",
    "equal_weights",
    "options",
    "wait_time",
    "request",
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
    /// Users started per second.
    pub spawn_rate: Option<f64>,
    /// New iterations per second, whatever the target does.
    pub arrival_rate: Option<f64>,
    /// The stages, if there are any.
    pub stages: Vec<Stage>,
    /// User types that take part.
    pub user_types: Option<Vec<String>>,
    /// Only tasks with at least one of these tags.
    pub tags: Option<Vec<String>>,
    /// No tasks with any of these tags.
    pub exclude_tags: Option<Vec<String>>,
    /// Whether every user type and every task has the same weight.
    pub equal_weights: Option<bool>,
    /// The scenario's own options, as texts, by name.
    pub options: BTreeMap<String, String>,
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
            ramp_up_s: reader.duration(&table, "ramp_up", 0)?,
            duration_s: reader.duration(&table, "duration", 0)?,
            workers: reader
                .count(&table, "workers", 0)?
                .map(|workers| u32::try_from(workers).unwrap_or(u32::MAX)),
            infrastructure: reader.string(&table, "infrastructure", 0)?,
            scenario: reader.string(&table, "scenario", 0)?,
            stop_timeout_s: reader.duration(&table, "stop_timeout", 0)?,
            spawn_rate: reader.number(&table, "spawn_rate", 0)?,
            arrival_rate: reader.number(&table, "arrival_rate", 0)?,
            stages: reader.stages(&table)?,
            user_types: reader.strings(&table, "user_types", 0)?,
            tags: reader.strings(&table, "tags", 0)?,
            exclude_tags: reader.strings(&table, "exclude_tags", 0)?,
            equal_weights: reader.flag(&table, "equal_weights", 0)?,
            options: options(&reader, &table)?,
            declared: None,
        };
        reader.refuse_contradictions(&file)?;
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

/// The values of the `[options]` table as texts. The scenario knows what they must be.
fn options(reader: &Reader<'_>, table: &Table) -> Result<BTreeMap<String, String>, TestFileError> {
    let options = match table.get("options") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Table(options)) => options,
        Some(other) => {
            return Err(reader.wrong_kind("options", 0, "a table such as [options]", other));
        }
    };
    let from = reader.start_of_table("options");
    options
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                Value::Float(number) => number.to_string(),
                Value::Boolean(flag) => flag.to_string(),
                other => {
                    let wanted = "a text, a number, true or false";
                    return Err(reader.wrong_kind(name, from, wanted, other));
                }
            };
            Ok((name.clone(), text))
        })
        .collect()
}

#[cfg(test)]
mod tests;
