//! Which lines of a run's log are asked for.

use super::level::level_of;
use super::pattern::LogPattern;
use crate::api_types::LogLevel;
use crate::store::Scope;

/// Which lines: all of these at once. The default is every line.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Of these seconds and of this agent; endpoints have no lines.
    pub scope: Scope,
    /// With this in their text or in the name of who said it.
    pub pattern: Option<LogPattern>,
    /// At least as serious.
    pub level: Option<LogLevel>,
    /// What the coordinator, an agent with all its workers, or one of these said, by its name.
    pub source: Option<String>,
    /// What the worker of this number said.
    pub worker: Option<u32>,
}

impl LogFilter {
    /// Of a part of the run, whatever is said.
    pub fn of(scope: Scope) -> Self {
        Self {
            scope,
            ..Self::default()
        }
    }

    /// Whether a line of these is wanted by what it says, and who says it.
    pub(super) fn takes(&self, source: &str, text: &str) -> bool {
        self.worker
            .is_none_or(|worker| worker_of(source) == Some(worker))
            && self
                .source
                .as_ref()
                .is_none_or(|name| is_said_by(name, source))
            && self.level.is_none_or(|level| level_of(text) >= Some(level))
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_in(text) || pattern.is_in(source))
    }
}

/// The number of the worker that lines with this source are from.
fn worker_of(source: &str) -> Option<u32> {
    source.rsplit_once("/worker-")?.1.parse().ok()
}

/// Whether lines with this source are of who has the name.
fn is_said_by(name: &str, source: &str) -> bool {
    let rest = source.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
