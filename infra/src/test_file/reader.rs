//! Values out of a parsed test file, and where in its text a mistake is.

use toml::{Table, Value};

use super::TestFileError;
use crate::durations::parse_duration;
use crate::nearest::nearest;

/// Reads values out of the parsed table and says where in the text a mistake is.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
}

impl Reader<'_> {
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> TestFileError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        TestFileError {
            line: before.matches('\n').count() + 1,
            message: message.into(),
        }
    }

    /// The mistake is at the first line from `from` on that assigns `key`.
    pub(super) fn at_key(
        &self,
        key: &str,
        from: usize,
        message: impl Into<String>,
    ) -> TestFileError {
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

    /// Where the `[key]` table begins; 0 if it is written otherwise.
    pub(super) fn start_of_table(&self, key: &str) -> usize {
        let mut offset = 0;
        for line in self.text.split_inclusive('\n') {
            let header = line.trim_start().strip_prefix('[');
            if header.is_some_and(|rest| rest.trim_start().starts_with(key)) {
                return offset;
            }
            offset += line.len();
        }
        0
    }

    pub(super) fn refuse_unknown_keys(
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
        let nearest = nearest(key, known.iter().copied());
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

    pub(super) fn string(
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

    pub(super) fn count(
        &self,
        table: &Table,
        key: &str,
        from: usize,
    ) -> Result<Option<u64>, TestFileError> {
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

    pub(super) fn duration(
        &self,
        table: &Table,
        key: &str,
        from: usize,
    ) -> Result<Option<u64>, TestFileError> {
        match table.get(key) {
            Some(Value::String(text)) => parse_duration(text)
                .map(|duration| Some(duration.as_secs()))
                .map_err(|error| self.at_key(key, from, format!("`{key}`: {error}"))),
            Some(Value::Integer(_)) => self.count(table, key, from),
            None => Ok(None),
            Some(other) => {
                Err(self.wrong_kind(key, from, "a duration such as \"90s\" or 90", other))
            }
        }
    }

    pub(super) fn number(
        &self,
        table: &Table,
        key: &str,
        from: usize,
    ) -> Result<Option<f64>, TestFileError> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(Value::Float(number)) => Ok(Some(*number)),
            Some(other) => Err(self.wrong_kind(key, from, "a number", other)),
        }
    }

    pub(super) fn flag(
        &self,
        table: &Table,
        key: &str,
        from: usize,
    ) -> Result<Option<bool>, TestFileError> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong_kind(key, from, "true or false", other)),
        }
    }

    /// A list of texts; a single one may stand without the brackets.
    pub(super) fn strings(
        &self,
        table: &Table,
        key: &str,
        from: usize,
    ) -> Result<Option<Vec<String>>, TestFileError> {
        const WANTED: &str = "a list of texts such as [\"a\", \"b\"]";
        match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(self.at_key(
                        key,
                        from,
                        format!(
                            "`{key}` must be {WANTED}, and one of its values is {}",
                            other.type_str()
                        ),
                    )),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(other) => Err(self.wrong_kind(key, from, WANTED, other)),
        }
    }

    /// The `[[key]]` tables, each with where it begins in the text.
    pub(super) fn tables<'t>(
        &self,
        table: &'t Table,
        key: &str,
        most: usize,
    ) -> Result<Vec<(&'t Table, usize)>, TestFileError> {
        let wanted = format!("[[{key}]] tables");
        let tables = match table.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(tables)) => tables,
            Some(other) => return Err(self.wrong_kind(key, 0, &wanted, other)),
        };
        if tables.len() > most {
            let message = format!("there are {} {wanted}; the most is {most}", tables.len());
            return Err(self.at_key(key, 0, message));
        }
        let starts: Vec<usize> = self
            .text
            .match_indices("[[")
            .filter(|(at, _)| {
                let line_start = self.text[..*at]
                    .rfind('\n')
                    .map_or(0, |newline| newline + 1);
                self.text[line_start..*at].trim().is_empty()
                    && self.text[at + 2..].trim_start().starts_with(key)
            })
            .map(|(at, _)| at)
            .collect();
        tables
            .iter()
            .enumerate()
            .map(|(index, value)| match value {
                Value::Table(table) => Ok((table, starts.get(index).copied().unwrap_or(0))),
                other => Err(self.wrong_kind(key, 0, &wanted, other)),
            })
            .collect()
    }

    pub(super) fn wrong_kind(
        &self,
        key: &str,
        from: usize,
        wanted: &str,
        found: &Value,
    ) -> TestFileError {
        self.at_key(
            key,
            from,
            format!("`{key}` must be {wanted}, not {}", found.type_str()),
        )
    }
}
