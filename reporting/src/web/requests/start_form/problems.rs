//! What is wrong with the form: beside the fields, and above them what belongs to none.

use std::collections::BTreeMap;

use greylag_infra::DraftError;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::fields::{field, known_field, place};
use super::option_fields::option_field;
use super::stage_rows::{column_of, stage_field};
use super::{SECRET_AGAIN, StartForm};

/// Messages by the name of the field, and those of the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Problems {
    of_fields: BTreeMap<String, String>,
    of_all: Vec<String>,
}

impl Problems {
    pub(super) fn are_any(&self) -> bool {
        !self.of_fields.is_empty() || !self.of_all.is_empty()
    }
}

impl StartForm {
    /// Marks what is wrong.
    pub(in crate::web) fn mark(&mut self, errors: &[DraftError]) {
        for error in errors {
            let message = error.message_with_labels().into_owned();
            let Some(name) = self.field_at(&error.path) else {
                self.problems.of_all.push(message);
                continue;
            };
            let of_field = self.problems.of_fields.entry(name).or_default();
            if !of_field.is_empty() {
                of_field.push('\n');
            }
            of_field.push_str(&message);
        }
    }

    /// The field of a path of the API's JSON, such as `stages[0].duration`.
    fn field_at(&self, path: &str) -> Option<String> {
        if let Some(option) = path.strip_prefix("options.") {
            let name = option_field(self.text("scenario").trim(), option);
            let is_shown = self.texts.contains_key(&name)
                || self.texts.contains_key(&format!("{SECRET_AGAIN}{name}"));
            return is_shown.then_some(name);
        }
        if path.starts_with("stage") {
            let rows = self.stage_numbers();
            let (index, key) = stage_at(path).unwrap_or((0, ""));
            return Some(stage_field(*rows.get(index)?, column_of(key)));
        }
        // Of a list the page shows the field.
        let path = path.split_once('[').map_or(path, |(list, _)| list);
        known_field(path).map(|field| field.name().to_owned())
    }

    /// What is wrong with a field.
    pub(crate) fn error(&self, name: &str) -> Option<&str> {
        self.problems.of_fields.get(name).map(String::as_str)
    }

    /// Whether a field is the first of those that are wrong, where the cursor goes.
    pub(crate) fn is_first_error(&self, name: &str) -> bool {
        let wrong = self.problems.of_fields.keys();
        wrong
            .min_by_key(|name| place(name))
            .is_some_and(|first| first == name)
    }

    /// What is said above the fields; nothing if nothing is wrong.
    pub(crate) fn summary(&self) -> Option<String> {
        if !self.problems.are_any() {
            return None;
        }
        if !self.problems.of_all.is_empty() {
            return Some(self.problems.of_all.join("\n"));
        }
        Some(match self.problems.of_fields.len() {
            1 => "The test was not started: 1 field needs fixing.".to_owned(),
            count => format!("The test was not started: {count} fields need fixing."),
        })
    }

    /// Id of the message beside a field.
    pub(crate) fn error_id(&self, name: &str) -> String {
        format!("error-{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
    }

    /// Ids of the texts that describe a field: what is wrong with it, and its help.
    pub(crate) fn described_by(&self, name: &str, help: &str) -> String {
        let error = self.error(name).map(|_| self.error_id(name));
        let help = Some(help.to_owned()).filter(|help| !help.is_empty());
        [error, help]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The same for one of the fields that every form has.
    pub(crate) fn describes(&self, name: &str) -> String {
        self.described_by(name, field(name).help())
    }
}

/// Index and key of a path such as `stages[0].duration`; the key is empty where it is about the whole stage.
fn stage_at(path: &str) -> Option<(usize, &str)> {
    let (index, key) = path.strip_prefix("stages[")?.split_once(']')?;
    Some((index.parse().ok()?, key.strip_prefix('.').unwrap_or(key)))
}
