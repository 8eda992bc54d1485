//! Which lines of a run's log are asked for: `?q=&regex=&level=&worker=` beside what says which part of the run.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::api_types::LogLevel;
use crate::store::{LogFilter, LogPattern, PatternError, Scope};

/// The part of a query that says which lines are meant. What is missing or empty narrows nothing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct LogFilterQuery {
    /// Only lines with this text, in upper or lower case, in them or in the name of who said it.
    #[param(required = false)]
    q: String,
    /// `true`: the text is a regular expression (of the Rust crate `regex`), upper and lower case as written.
    #[param(required = false, value_type = Option<bool>)]
    regex: String,
    /// Only lines that are at least as serious: `warning` or `error`.
    #[param(required = false, value_type = Option<LogLevel>)]
    level: String,
    /// Only lines of who has this name: `coordinator`, an agent with all its workers, or one of these as `AGENT/worker-3`.
    #[param(required = false)]
    source: String,
    /// Only lines of the worker with this number.
    #[param(required = false, value_type = Option<u32>)]
    worker: String,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(in crate::web) enum LogFilterError {
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error("regex must be true or false, got `{0}`")]
    Regex(String),
    #[error("level must be warning or error, got `{0}`")]
    Level(String),
    #[error("order must be first or last, got `{0}`")]
    Order(String),
    #[error("{name} must be {what}, got `{got}`")]
    Number {
        name: &'static str,
        what: &'static str,
        got: String,
    },
}

impl LogFilterQuery {
    /// These lines of a part of a run.
    ///
    /// # Errors
    /// A value is not valid.
    pub(in crate::web) fn filter(&self, scope: Scope) -> Result<LogFilter, LogFilterError> {
        let is_regex = match self.regex.trim() {
            "" | "false" => false,
            "true" => true,
            other => return Err(LogFilterError::Regex(other.to_owned())),
        };
        let pattern = match (self.q.as_str(), is_regex) {
            ("", _) => None,
            (pattern, true) => Some(LogPattern::regex(pattern)?),
            (text, false) => Some(LogPattern::text(text)?),
        };
        let level = match self.level.trim() {
            "" => None,
            "warning" => Some(LogLevel::Warning),
            "error" => Some(LogLevel::Error),
            other => return Err(LogFilterError::Level(other.to_owned())),
        };
        let worker = match self.worker.trim() {
            "" => None,
            worker => Some(worker.parse().map_err(|_| LogFilterError::Number {
                name: "worker",
                what: "a worker's number",
                got: worker.to_owned(),
            })?),
        };
        Ok(LogFilter {
            scope,
            pattern,
            level,
            source: Some(self.source.trim().to_owned()).filter(|name| !name.is_empty()),
            worker,
        })
    }
}
