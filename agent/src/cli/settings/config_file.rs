//! Locust's configuration files: `key = value` lines as ConfigArgParse reads them, and `[tool.locust]` of TOML.

use std::path::Path;
use std::{fs, io};

use greylag_infra::MAX_TEST_FILE_BYTES;
use toml::{Table, Value};

/// What a file says, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfigFile {
    /// Its name for messages.
    pub(super) shown: String,
    /// Long names of options without dashes, and their values as one would write them in a variable.
    pub(super) settings: Vec<(String, String)>,
}

/// Why a configuration file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigFileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is larger than {MAX_TEST_FILE_BYTES} bytes")]
    TooLarge,
    #[error("it is not valid TOML: {}", .0.message())]
    Toml(Box<toml::de::Error>),
}

/// Reads a file of a bounded size.
///
/// # Errors
/// It cannot be read, or is too large.
pub(super) fn read(path: &Path) -> Result<String, ConfigFileError> {
    if fs::metadata(path)?.len() > MAX_TEST_FILE_BYTES as u64 {
        return Err(ConfigFileError::TooLarge);
    }
    Ok(fs::read_to_string(path)?)
}

impl From<toml::de::Error> for ConfigFileError {
    fn from(error: toml::de::Error) -> Self {
        Self::Toml(Box::new(error))
    }
}

impl ConfigFile {
    /// Reads `key = value`, `key: value`, `key value` and `key` alone, which means yes. Comments begin with `#` or `;`;
    /// lines such as `[section]` and `---` are skipped.
    pub(super) fn of_lines(shown: &str, text: &str) -> Self {
        let settings = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with(['#', ';', '[']) && *line != "---")
            .filter_map(|line| {
                let line = line.trim_start_matches('-');
                let (key, value) =
                    match line.find(|c: char| c == '=' || c == ':' || c.is_whitespace()) {
                        Some(end) => {
                            let value = line[end..].trim_start().trim_start_matches(['=', ':']);
                            (&line[..end], without_comment(value).trim())
                        }
                        None => (line, "true"),
                    };
                let value = value
                    .strip_prefix('"')
                    .and_then(|value| value.strip_suffix('"'))
                    .or_else(|| value.strip_prefix('\'')?.strip_suffix('\''))
                    .unwrap_or(value);
                (!value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
            })
            .collect();
        Self {
            shown: shown.to_owned(),
            settings,
        }
    }

    /// Reads the table `[tool.locust]`; none when there is no such table.
    ///
    /// # Errors
    /// The text is not TOML.
    pub(super) fn of_toml(shown: &str, text: &str) -> Result<Option<Self>, ConfigFileError> {
        let table: Table = text.parse()?;
        let locust = table.get("tool").and_then(|tool| tool.get("locust"));
        let Some(Value::Table(locust)) = locust else {
            return Ok(None);
        };
        Ok(Some(Self {
            shown: shown.to_owned(),
            settings: locust
                .iter()
                .map(|(key, value)| (key.clone(), text_of(value)))
                .collect(),
        }))
    }
}

/// A comment begins with `#` or `;` after a space, as ConfigArgParse has it.
fn without_comment(value: &str) -> &str {
    let starts = [" #", "\t#", " ;", "\t;"];
    let end = starts.iter().filter_map(|start| value.find(start)).min();
    &value[..end.unwrap_or(value.len())]
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(text_of).collect();
            format!("[{}]", texts.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(settings: &[(String, String)]) -> Vec<(&str, &str)> {
        settings
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect()
    }

    #[test]
    fn lines_are_read_as_locust_reads_them() {
        let text = "# a comment\n; another\n[section]\n---\nhost = http://h:8080 # not this\n--users: 5\n\
                    spawn-rate 2\nheadless\ntags = [a, b]\nlogfile =\n name = \"a b\" \n";
        let read = ConfigFile::of_lines("locust.conf", text);
        assert_eq!(
            pairs(&read.settings),
            [
                ("host", "http://h:8080"),
                ("users", "5"),
                ("spawn-rate", "2"),
                ("headless", "true"),
                ("tags", "[a, b]"),
                ("name", "a b"),
            ]
        );
    }

    #[test]
    fn only_the_table_of_locust_is_read() {
        let text = "[tool.other]\nusers = 1\n[tool.locust]\nusers = 7\nheadless = true\ntags = [\"a\", \"b\"]\n";
        let read = ConfigFile::of_toml("pyproject.toml", text)
            .unwrap()
            .unwrap();
        let mut found = pairs(&read.settings);
        found.sort_unstable();
        assert_eq!(
            found,
            [("headless", "true"), ("tags", "[a, b]"), ("users", "7")]
        );
        assert_eq!(ConfigFile::of_toml("x", "users = 3").unwrap(), None);
        assert!(ConfigFile::of_toml("x", "users =").is_err());
    }
}
