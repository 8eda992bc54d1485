//! What the form asks for, as a program would send it.

use std::collections::BTreeMap;

use greylag_infra::{DraftError, DraftErrors, FIELDS, Field, FieldKind, FieldValue, TestDraft};

use super::option_fields::{option_field, split_option_field};
use super::{SECRET_AGAIN, StartForm};
use crate::web::requests::values::{
    ValueError, decimal, names, typed, whole_number, whole_seconds,
};

impl StartForm {
    /// The draft, with what `carried` says that the form has no fields for, and the fields that are wrong left out
    /// and named.
    pub(in crate::web) fn to_draft(&self, carried: &TestDraft) -> (TestDraft, DraftErrors) {
        let mut errors = DraftErrors::default();
        let mut draft = TestDraft {
            stages: self.read_stages(&mut errors),
            declared: carried.declared.clone(),
            client: carried.client.clone(),
            build: carried.build.clone(),
            data: carried.data.clone(),
            ..TestDraft::default()
        };
        for field in FIELDS {
            let read = typed_value(field, self.text(field.key)).and_then(|value| match value {
                Some(value) => field
                    .set(&mut draft, value)
                    .map_err(|error| ValueError::Field {
                        field: field.label,
                        error,
                    }),
                None => Ok(()),
            });
            if let Err(error) = read {
                errors.add(DraftError::new(field.key, error.to_string()));
            }
        }
        if carried.declared.is_some() {
            draft.scenario.clone_from(&carried.scenario);
        } else if carried.build.is_some() {
            // Only its program has the scenario, so the form knows of its options only which secrets are missing.
            draft.scenario.clone_from(&carried.scenario);
            draft.options.clone_from(&carried.options);
            draft
                .options
                .extend(self.secrets_entered(draft.scenario.as_deref()));
        } else {
            draft.options = self.options();
        }
        let chosen = match &carried.build {
            Some(_) => carried.scenario.as_deref().unwrap_or_default(),
            None => self.text("scenario").trim(),
        };
        self.ask_for_secrets(chosen, &mut errors);
        (draft, errors)
    }

    /// A secret that was not written into the page must not be missing by oversight.
    fn ask_for_secrets(&self, chosen: &str, errors: &mut DraftErrors) {
        for (name, in_its_place) in self.secrets_again() {
            let name = name.strip_prefix(SECRET_AGAIN).unwrap_or(name);
            match split_option_field(name) {
                Some((scenario, option)) if scenario == chosen && self.text(name).is_empty() => {
                    let message =
                        format!("Enter {option} again; secrets are not shown on the page");
                    errors.add(DraftError::new(format!("options.{option}"), message));
                }
                None if name == "host" && self.text(name).trim() == in_its_place => {
                    let message = "Enter the password again, as https://user:password@name; it is not shown on the page";
                    errors.add(DraftError::new(name, message));
                }
                _ => {}
            }
        }
    }

    /// Secrets of a scenario that were asked for.
    fn secrets_entered(&self, chosen: Option<&str>) -> Vec<(String, String)> {
        let asked = self.secrets_again().filter_map(|(name, _)| {
            let field = name.strip_prefix(SECRET_AGAIN)?;
            let (scenario, option) = split_option_field(field)?;
            let text = self.text(field);
            let is_entered = Some(scenario) == chosen && !text.is_empty();
            is_entered.then(|| (option.to_owned(), text.to_owned()))
        });
        asked.collect()
    }

    /// Those of the chosen scenario; spaces around them may be meant.
    fn options(&self) -> BTreeMap<String, String> {
        let prefix = option_field(self.text("scenario").trim(), "");
        self.texts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(field, value)| {
                let name = field.strip_prefix(&prefix)?;
                Some((name.to_owned(), value.clone()))
            })
            .collect()
    }
}

/// What was typed into a field; none if nothing was.
fn typed_value(field: &Field, text: &str) -> Result<Option<FieldValue>, ValueError> {
    Ok(match field.kind {
        // Browsers send two characters for the end of a line.
        FieldKind::Text => typed(&text.replace("\r\n", "\n")).map(FieldValue::Text),
        FieldKind::Count | FieldKind::Choice => typed(text).map(FieldValue::Text),
        FieldKind::Whole => whole_number(text, field.label)?.map(FieldValue::Whole),
        FieldKind::Number => decimal(text, field.label)?.map(FieldValue::Number),
        // The error needs no name beside its field.
        FieldKind::Seconds => whole_seconds(text)?.map(FieldValue::Whole),
        FieldKind::Flag => typed(text).map(|_| FieldValue::Flag(true)),
        FieldKind::List => Some(names(text))
            .filter(|names| !names.is_empty())
            .map(FieldValue::List),
        FieldKind::Thresholds => {
            let lines = text.lines().filter_map(typed);
            Some(Vec::from_iter(lines))
                .filter(|lines| !lines.is_empty())
                .map(FieldValue::List)
        }
    })
}
