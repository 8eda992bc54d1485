//! Which runs are meant: those of one test, and those that a few words describe.

use std::sync::LazyLock;

use greylag_infra::{RunPhase, RunStatus};
use rusqlite::Connection;

use super::error::StoreResult;
use super::integers::from_sql;
use super::run_rows::json;

/// Most words of a search that are looked for.
const MAX_WORDS: usize = 8;
/// Most bytes of a word that are looked for; names of tests have no more.
const MAX_WORD_BYTES: usize = 200;

/// Which runs are asked for, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs of the test with this name.
    pub test: Option<String>,
    /// Only runs that every one of these words describes: a part of the test's name, of the host, of a label or of a note, the
    /// run's number (`12` or `#12`) or the beginning of its status; `label:commit=abc` or `label:commit` for those with the label,
    /// `is:pinned` for those that are pinned, `verdict:failed`, `verdict:passed` or `verdict:none` for those with this verdict. Case does not matter (of a to z).
    pub search: String,
    /// At most so many, [`super::MAX_RUNS_PER_QUERY`] if none is given.
    pub limit: Option<usize>,
    /// After leaving out so many.
    pub offset: usize,
}

impl RunFilter {
    /// The words as a list in JSON, for [`CONDITION`].
    pub(super) fn words(&self) -> String {
        let words: Vec<_> = self
            .search
            .split_whitespace()
            .take(MAX_WORDS)
            .map(|word| greylag_infra::protocol::cut(word, MAX_WORD_BYTES))
            .collect();
        json(&words)
    }
}

/// What a row of `runs` must be: `?1` is the test or NULL, `?2` the list of words.
///
/// Of a host only what follows its last `@` is looked at: by guessing piece by piece one could find out the password
/// before it.
pub(super) static CONDITION: LazyLock<String> = LazyLock::new(|| {
    let finished = json(&RunPhase::Finished);
    let [running, done, failed] = [
        RunStatus::Running.word(),
        RunStatus::Finished.word(),
        RunStatus::Failed.word(),
    ];
    format!(
        "(?1 IS NULL OR test = ?1) AND NOT EXISTS (
            SELECT 1 FROM json_each(?2) word WHERE NOT CASE
            WHEN lower(word.value) = 'is:pinned' THEN pinned
            WHEN word.value LIKE 'verdict:%' THEN coalesce(verdict, 'none') = lower(substr(word.value, 9))
            WHEN word.value LIKE 'label:%' THEN EXISTS (
                SELECT 1 FROM json_each(labels) label WHERE lower(substr(word.value, 7))
                    IN (lower(label.value), lower(substr(label.value, 1, instr(label.value, '=') - 1))))
            ELSE (
                instr(lower(test), lower(word.value)) > 0
                OR word.value IN (CAST(number AS TEXT), '#' || number)
                OR instr(lower(CASE WHEN NOT is_over THEN '{running}' WHEN phase = '{finished}' THEN '{done}' ELSE '{failed}' END),
                         lower(word.value)) = 1
                OR (SELECT instr(lower(substr(host, 1 + length(rtrim(host, replace(host, '@', ''))))), lower(word.value)) > 0
                    FROM (SELECT definition ->> '$.host' AS host))
                OR EXISTS (SELECT 1 FROM json_each(labels) label WHERE instr(lower(label.value), lower(word.value)) > 0)
                OR instr(lower(note), lower(word.value)) > 0
                OR EXISTS (SELECT 1 FROM run_marks
                    WHERE run_marks.run = runs.run AND instr(lower(run_marks.text), lower(word.value)) > 0))
            END)"
    )
});

/// How many runs a filter finds, whatever its limit and offset.
pub(super) fn count(connection: &Connection, filter: &RunFilter) -> StoreResult<u64> {
    let count: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM runs WHERE {}", *CONDITION))?
        .query_row((&filter.test, filter.words()), |row| row.get(0))?;
    Ok(from_sql(count))
}
