//! What is wrong with a configuration file: everything together, each with its line.

use std::{fmt, io};

/// Most errors that are reported.
const MAX_ERRORS: usize = 50;

/// Everything that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ConfigError {
    /// Line from 1.
    pub line: usize,
    /// What is wrong there and what to do.
    pub message: String,
}

impl ConfigErrors {
    /// Each of them, in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ConfigError::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Why a file says nothing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConfigFileError {
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("the file is not UTF-8 text")]
    NotText,
    #[error(transparent)]
    Wrong(#[from] ConfigErrors),
}

/// Collects errors while a text is read.
pub(super) struct Problems<'a> {
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl<'a> Problems<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            found: Vec::new(),
        }
    }

    /// Adds an error at an offset in the text.
    pub(super) fn add(&mut self, at: usize, message: String) {
        if self.found.len() < MAX_ERRORS {
            self.found.push((at, message));
        }
    }

    /// What was read, or none and its error is added.
    pub(super) fn take<T>(&mut self, read: Result<T, (usize, String)>) -> Option<T> {
        read.map_err(|(at, message)| self.add(at, message)).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at);
        let before = before.unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// What was made, if nothing is wrong.
    pub(super) fn or<T>(mut self, made: T) -> Result<T, ConfigErrors> {
        if self.found.is_empty() {
            return Ok(made);
        }
        self.found.sort_by_key(|(at, _)| *at);
        let found = std::mem::take(&mut self.found);
        let errors = found.into_iter().map(|(at, message)| ConfigError {
            line: self.line(at),
            message,
        });
        Err(ConfigErrors(errors.collect()))
    }
}
