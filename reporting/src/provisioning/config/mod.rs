//! The coordinator's configuration file (TOML): its options, and its infrastructures with their kinds.
//!
//! ```toml
//! listen = "0.0.0.0:8089"                      # options of `greylag coordinator`, by their long names
//! coordinator_url = "https://load.example"     # where agents reach this coordinator
//!
//! [infrastructures.lab]
//! kind = "machines"
//! ```

mod errors;
mod infrastructure;
mod values;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use greylag_infra::toml_errors;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use url::Url;

use errors::Problems;

pub use errors::{ConfigError, ConfigErrors, ConfigFileError};
pub use infrastructure::{InfrastructureConfig, KindConfig, ProviderPlaces};
pub use values::ConfigDuration;

/// Largest configuration file read, in bytes.
pub const MAX_CONFIG_FILE_BYTES: usize = 256 * 1024;
/// Most infrastructures in a file.
const MAX_CONFIGURED: usize = 100;

/// The table of the infrastructures.
const INFRASTRUCTURES: &str = "infrastructures";
/// Where agents reach the coordinator, for all infrastructures or for one.
const COORDINATOR_URL: &str = "coordinator_url";

/// What the file says.
#[derive(Debug, Clone, Default)]
pub struct CoordinatorFile {
    /// The other keys of the outermost table: options of `greylag coordinator`, to be checked by the command line.
    pub options: Vec<ConfiguredOption>,
    /// Where agents reach the coordinator, unless an infrastructure says otherwise.
    pub coordinator_url: Option<Url>,
    /// The infrastructures by name.
    pub infrastructures: BTreeMap<String, InfrastructureConfig>,
}

/// One option of the command line, as the file gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredOption {
    /// Its long name, as it is written.
    pub name: String,
    /// Its value as one would write it on the command line.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

impl CoordinatorFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn from_toml(text: &str) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::of(text);
        if text.len() > MAX_CONFIG_FILE_BYTES {
            problems.add(
                0,
                format!("the file is larger than {MAX_CONFIG_FILE_BYTES} bytes"),
            );
            return problems.or(Self::default());
        }
        for (at, message) in toml_errors(text) {
            problems.add(at, format!("this is not valid TOML: {message}"));
        }
        let mut file = Self::default();
        if let (true, Ok(table)) = (problems.is_empty(), DeTable::parse(text)) {
            file.take(table.into_inner(), &mut problems);
        }
        problems.or(file)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or something is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigFileError> {
        let mut bytes = Vec::new();
        let most = MAX_CONFIG_FILE_BYTES as u64 + 1;
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigFileError::NotText)?;
        Ok(Self::from_toml(&text)?)
    }

    fn take(&mut self, table: DeTable<'_>, problems: &mut Problems<'_>) {
        for (key, value) in table {
            let at = key.span().start;
            match key.get_ref().as_ref() {
                INFRASTRUCTURES => self.read_infrastructures(value, problems),
                COORDINATOR_URL => {
                    self.coordinator_url = problems.take(values::url(value, COORDINATOR_URL));
                }
                name => match values::text(value.get_ref()) {
                    Some(value) => self.options.push(ConfiguredOption {
                        name: name.to_owned(),
                        value,
                        line: problems.line(at),
                    }),
                    None => problems.add(
                        at,
                        format!(
                            "`{}` must be a string, a number, a boolean or a list of them",
                            values::shown(name)
                        ),
                    ),
                },
            }
        }
    }

    fn read_infrastructures(&mut self, value: Spanned<DeValue<'_>>, problems: &mut Problems<'_>) {
        let at = value.span().start;
        let DeValue::Table(table) = value.into_inner() else {
            problems.add(
                at,
                "`infrastructures` must be a table: [infrastructures.NAME]".to_owned(),
            );
            return;
        };
        if table.len() > MAX_CONFIGURED {
            problems.add(
                at,
                format!(
                    "there are {} infrastructures, maximum {MAX_CONFIGURED}",
                    table.len()
                ),
            );
            return;
        }
        for (name, value) in table {
            let at = name.span().start;
            let name = name.get_ref().to_string();
            if let Some(config) = infrastructure::read(&name, at, value, problems) {
                self.infrastructures.insert(name, config);
            }
        }
    }
}

/// Reads a table into what a kind knows; its errors have their places.
fn deserialize<'de, T: Deserialize<'de>>(
    value: Spanned<DeValue<'de>>,
) -> Result<T, (usize, String)> {
    let start = value.span().start;
    T::deserialize(ValueDeserializer::from(value)).map_err(|error| {
        let at = error.span().map_or(start, |span| span.start);
        // In the words of people who write TOML.
        let message = error.message().replace("unknown field", "unknown key");
        let message = message.replace("missing field", "missing key");
        (
            at,
            message.replace(", there are no fields", "; this kind has no settings"),
        )
    })
}

#[cfg(test)]
mod tests;
