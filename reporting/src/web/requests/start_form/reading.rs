//! What the form asks for, as a program would send it.

use std::collections::BTreeMap;

use greylag_infra::{StartTerms, TestDraft, parse_whole_seconds};

use super::fields::field;
use super::option_fields::{option_field, split_option_field};
use super::{SECRET_AGAIN, StartForm};
use crate::web::requests::start_request::FieldError;
use crate::web::requests::values::{decimal, names, typed, whole_number};

impl StartForm {
    /// The draft, with what `carried` says that the form has no fields for, and the fields that are wrong left out
    /// and named.
    pub(in crate::web) fn to_draft(&self, carried: &TestDraft) -> (TestDraft, Vec<FieldError>) {
        let mut errors = Vec::new();
        let stages = self.read_stages(&mut errors);
        let mut reader = Reader { form: self, errors };
        let draft = TestDraft {
            name: typed(self.text("name")),
            host: typed(self.text("host")),
            users: reader.read("users", whole_number),
            ramp_up_s: reader.read("ramp_up", seconds),
            spawn_rate: reader.read("spawn_rate", decimal),
            duration_s: reader.read("duration", seconds),
            arrival_rate: reader.read("arrival_rate", decimal),
            workers: reader.read("workers", whole_number),
            infrastructure: typed(self.text("infrastructure")),
            scenario: match &carried.declared {
                Some(_) => carried.scenario.clone(),
                None => typed(self.text("scenario")),
            },
            stop_timeout_s: reader.read("stop_timeout", seconds),
            user_types: reader.list("user_types"),
            tags: reader.list("tags"),
            exclude_tags: reader.list("exclude_tags"),
            equal_weights: Some(self.has("equal_weights")),
            options: match &carried.declared {
                Some(_) => BTreeMap::new(),
                None => self.options(),
            },
            terms: StartTerms {
                allow_mixed_builds: self.has("allow_mixed_builds"),
                client_build: None,
            },
            declared: carried.declared.clone(),
            client: carried.client.clone(),
            stages,
        };
        let mut errors = reader.errors;
        self.refuse_contradictions(&draft, &mut errors);
        self.ask_for_secrets(&mut errors);
        (draft, errors)
    }

    fn refuse_contradictions(&self, draft: &TestDraft, errors: &mut Vec<FieldError>) {
        if self.has("ramp_up") && self.has("spawn_rate") {
            errors.push(FieldError::new(
                "spawn_rate",
                format!(
                    "{} and {} are both given; leave one of the two empty",
                    field("ramp_up").label,
                    field("spawn_rate").label
                ),
            ));
        }
        if self.stage_numbers().is_empty() {
            return;
        }
        let has_rates = draft
            .stages
            .iter()
            .any(|stage| stage.arrival_rate.is_some());
        for name in ["users", "duration", "ramp_up", "spawn_rate", "arrival_rate"] {
            // The most users that may be busy at once, which no stage of an arrival rate says.
            let belongs = name == "users" && has_rates;
            if self.has(name) && !belongs {
                let message = "The stages define the load; leave this empty";
                errors.push(FieldError::new(name, message));
            }
        }
    }

    /// A secret that was not written into the page must not be missing by oversight.
    fn ask_for_secrets(&self, errors: &mut Vec<FieldError>) {
        let chosen = self.text("scenario").trim();
        for (name, in_its_place) in self.secrets_again() {
            let name = name.strip_prefix(SECRET_AGAIN).unwrap_or(name);
            match split_option_field(name) {
                Some((scenario, option)) if scenario == chosen && self.text(name).is_empty() => {
                    let message =
                        format!("Enter {option} again; secrets are not shown on the page");
                    errors.push(FieldError::new(format!("options.{option}"), message));
                }
                None if name == "host" && self.text(name).trim() == in_its_place => {
                    let message = "Enter the password again, as https://user:password@name; it is not shown on the page";
                    errors.push(FieldError::new(name, message));
                }
                _ => {}
            }
        }
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

struct Reader<'a> {
    form: &'a StartForm,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    fn read<T>(
        &mut self,
        name: &str,
        reader: impl Fn(&str, &str) -> Result<Option<T>, String>,
    ) -> Option<T> {
        reader(self.form.text(name), field(name).label).unwrap_or_else(|message| {
            self.errors.push(FieldError::new(name, message));
            None
        })
    }

    fn list(&mut self, name: &str) -> Option<Vec<String>> {
        Some(names(self.form.text(name))).filter(|names| !names.is_empty())
    }
}

/// A duration in whole seconds that was typed; the error needs no name beside its field.
fn seconds(text: &str, _: &str) -> Result<Option<u64>, String> {
    let Some(text) = typed(text) else {
        return Ok(None);
    };
    let read = parse_whole_seconds(&text);
    read.map(Some).map_err(|error| error.to_string())
}
