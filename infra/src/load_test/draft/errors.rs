//! What is wrong with a test file or the JSON of a load test: everything at once, each with its place.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use super::FIELDS;

/// Most errors that are reported; a text with more is another kind of text.
const MAX_ERRORS: usize = 50;

/// Most errors that are kept while a text is read, to be put in the order of their places; further ones are counted.
const MAX_KEPT: usize = 1_000;

/// Everything that is wrong with a description of a load test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftErrors {
    errors: Vec<DraftError>,
    /// Beyond [`MAX_ERRORS`].
    more: usize,
}

/// One error: a message, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftError {
    /// Line from 1, of a test file.
    pub line: Option<usize>,
    /// Where in the structure, such as `declared.requests[0].path`; empty for the whole.
    pub path: String,
    /// What is wrong there and what to do.
    pub message: String,
    found: Found,
}

/// When an error was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The text as such cannot be read: broken TOML or JSON.
    Syntax,
    /// While a text was read; the message says nothing of its place.
    Reading,
    /// In values that could be read; the message names what is wrong.
    Checking,
    /// Between values that are valid for themselves; the message has their keys between backticks and nothing else.
    Contradiction,
}

impl DraftError {
    /// An error in values that could be read, whose message names what is wrong.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            line: None,
            path: path.into(),
            message: message.into(),
            found: Found::Checking,
        }
    }

    /// Values that must not be given together; the message has their keys, and nothing else, between backticks.
    pub(super) fn contradiction(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            found: Found::Contradiction,
            ..Self::new(path, message)
        }
    }

    /// The message for a page that shows fields by their labels, where it names fields and no values.
    pub fn message_with_labels(&self) -> Cow<'_, str> {
        let mut message = Cow::from(&self.message);
        if self.found == Found::Contradiction {
            for field in FIELDS {
                message = message
                    .replace(&format!("`{}`", field.key), field.label)
                    .into();
            }
        }
        message
    }

    /// What it is about on the outermost level.
    fn field(&self) -> &str {
        match self.path.split(['.', '[']).next().unwrap_or_default() {
            "stages" => "stage",
            "requests" | "declared" => "request",
            "threshold" => "thresholds",
            key => key,
        }
    }
}

impl fmt::Display for DraftError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "line {line}: {}", self.message),
            // The message names a key of the outermost level itself.
            None if self.found == Found::Reading && self.path.contains(['.', '[']) => {
                write!(formatter, "{}: {}", self.path, self.message)
            }
            None => formatter.write_str(&self.message),
        }
    }
}

impl DraftErrors {
    /// These errors, in their order.
    pub fn of(errors: impl IntoIterator<Item = DraftError>) -> Self {
        let mut of = Self::default();
        for error in errors {
            of.add(error);
        }
        of
    }

    /// Adds an error.
    pub fn add(&mut self, error: DraftError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        } else {
            self.more += 1;
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// What was made, if nothing is wrong with it.
    ///
    /// # Errors
    /// These, if there are any.
    pub fn or<T>(self, made: T) -> Result<T, Self> {
        if self.is_empty() { Ok(made) } else { Err(self) }
    }

    /// What was made of a draft, if nothing was wrong while it was read either.
    ///
    /// # Errors
    /// Those that were met while it was read, and those of `made`, but for fields of which there is an error already:
    /// it may be the cause.
    pub fn and<T>(mut self, made: Result<T, Self>) -> Result<T, Self> {
        let consequences = match made {
            Ok(made) => return self.or(made),
            Err(errors) => errors,
        };
        let read = self.errors.len();
        for error in consequences.errors {
            let is_known = |known: &DraftError| known.field() == error.field();
            if !self.errors[..read].iter().any(is_known) {
                self.add(error);
            }
        }
        self.more += consequences.more;
        Err(self)
    }

    /// Each of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &DraftError> {
        self.errors.iter()
    }

    /// How many there are beside those of [`DraftErrors::iter`].
    pub fn more(&self) -> usize {
        self.more
    }

    /// Whether the text as such cannot be read: broken TOML or JSON.
    pub fn are_of_syntax(&self) -> bool {
        let mut errors = self.errors.iter();
        errors.any(|error| error.found == Found::Syntax)
    }
}

impl fmt::Display for DraftErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        if self.more > 0 {
            write!(formatter, "\nand {} more errors", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for DraftErrors {}

/// Collects errors while a text is read.
pub(super) struct Problems<'a> {
    /// The TOML text; none for JSON, which has no lines that people know.
    text: Option<&'a str>,
    found: RefCell<Vec<(usize, DraftError)>>,
    /// Beyond [`MAX_KEPT`].
    beyond: Cell<usize>,
}

impl<'a> Problems<'a> {
    pub(super) fn of_toml(text: &'a str) -> Self {
        Self {
            text: Some(text),
            found: RefCell::default(),
            beyond: Cell::default(),
        }
    }

    pub(super) fn of_json() -> Self {
        Self {
            text: None,
            found: RefCell::default(),
            beyond: Cell::default(),
        }
    }

    /// Adds an error at a place: an offset in the text, and a path.
    pub(super) fn add(&self, at: usize, path: &str, message: impl Into<String>) {
        self.push(at, path, message.into(), Found::Reading);
    }

    /// Adds an error of the text as such.
    pub(super) fn add_syntax(&self, at: usize, message: impl Into<String>) {
        self.push(at, "", message.into(), Found::Syntax);
    }

    /// Whether so many errors were found that further ones are only counted.
    pub(super) fn are_many(&self) -> bool {
        self.found.borrow().len() >= MAX_KEPT
    }

    /// Counts an error without keeping it.
    pub(super) fn count_only(&self) {
        self.beyond.set(self.beyond.get() + 1);
    }

    fn push(&self, at: usize, path: &str, message: String, by: Found) {
        if self.are_many() {
            self.count_only();
            return;
        }
        let line = self.text.map(|text| {
            let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
            before.iter().filter(|byte| **byte == b'\n').count() + 1
        });
        let error = DraftError {
            line,
            path: path.to_owned(),
            message,
            found: by,
        };
        self.found.borrow_mut().push((at, error));
    }

    /// Whether something is wrong with a key of the outermost level, or below it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.found.borrow().iter().any(|(_, error)| {
            error
                .path
                .strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    pub(super) fn into_errors(self) -> DraftErrors {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(at, _)| *at);
        let mut errors = DraftErrors::of(found.into_iter().map(|(_, error)| error));
        errors.more += self.beyond.get();
        errors
    }
}
