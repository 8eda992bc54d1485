//! The front page's form as it was sent, so that it can be shown again beside the mistake.

use std::collections::BTreeMap;

use greylag_infra::{DEFAULT_INFRASTRUCTURE, StartTerms, TestDraft, parse_whole_seconds};
use serde::Deserialize;

use super::start_request::FieldError;
use super::values::{decimal, names, typed, whole_number};
use crate::front_view::OptionRow;

/// Texts, whatever they should be. An empty field takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct StartForm {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) users: String,
    pub(crate) ramp_up: String,
    pub(crate) spawn_rate: String,
    pub(crate) duration: String,
    pub(crate) arrival_rate: String,
    pub(crate) workers: String,
    pub(crate) infrastructure: String,
    pub(crate) scenario: String,
    pub(crate) stop_timeout: String,
    pub(crate) user_types: String,
    pub(crate) tags: String,
    pub(crate) exclude_tags: String,
    /// A ticked box, whatever it says.
    pub(crate) equal_weights: Option<String>,
    /// Likewise.
    pub(crate) allow_mixed_builds: Option<String>,
    /// Options of all scenarios ([`option_field`]), of which those of the chosen one count.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
    /// Whether the form is what the page is for, so that it is not folded away.
    #[serde(skip)]
    pub(crate) is_open: bool,
    /// What is wrong with the values, a line for each error.
    #[serde(skip)]
    pub(crate) error: Option<String>,
}

/// Name of the field of a scenario's option. Scenarios may have options of the same name.
pub fn option_field(scenario: &str, option: &str) -> String {
    // With the length, so that no name can be taken for a part of another.
    format!("option:{}:{scenario}:{option}", scenario.len())
}

impl StartForm {
    /// The form before anybody wrote into it: with these texts by the names of its fields, and empty fields, which
    /// show their defaults in grey.
    pub(super) fn filled(texts: &BTreeMap<String, String>) -> Self {
        let fields = texts
            .iter()
            .map(|(name, text)| (name.clone(), serde_json::Value::String(text.clone())));
        let mut form: Self =
            serde_json::from_value(fields.collect()).expect("every field of the form is a text");
        form.is_open = !texts.is_empty();
        if form.infrastructure.is_empty() {
            DEFAULT_INFRASTRUCTURE.clone_into(&mut form.infrastructure);
        }
        form
    }

    /// What was typed for an option.
    pub(crate) fn option_text(&self, scenario: &str, option: &str) -> &str {
        self.others
            .get(&option_field(scenario, option))
            .map_or("", String::as_str)
    }

    /// Whether a choice is what was chosen for an option, or its default before anybody chose.
    pub(crate) fn chose(&self, scenario: &str, option: &OptionRow, choice: &str) -> bool {
        match self.option_text(scenario, &option.name) {
            "" => option.default == choice,
            chosen => chosen == choice,
        }
    }

    /// Whether the part that is folded away has something in it.
    pub(crate) fn has_advanced(&self) -> bool {
        self.equal_weights.is_some()
            || self.allow_mixed_builds.is_some()
            || [
                &self.spawn_rate,
                &self.arrival_rate,
                &self.stop_timeout,
                &self.user_types,
                &self.tags,
                &self.exclude_tags,
            ]
            .iter()
            .any(|text| !text.trim().is_empty())
    }

    /// The same as a program would send it, with the fields that are wrong left out and told.
    pub(super) fn to_draft(&self) -> (TestDraft, Vec<FieldError>) {
        let mut errors = Errors::default();
        let list = |text: &str| Some(names(text)).filter(|names| !names.is_empty());
        let draft = TestDraft {
            name: typed(&self.name),
            host: typed(&self.host),
            users: errors.or_none("users", whole_number(&self.users, "users")),
            ramp_up_s: errors.or_none("ramp_up", seconds(&self.ramp_up, "ramp_up")),
            spawn_rate: errors.or_none("spawn_rate", decimal(&self.spawn_rate, "spawn_rate")),
            duration_s: errors.or_none("duration", seconds(&self.duration, "duration")),
            arrival_rate: errors
                .or_none("arrival_rate", decimal(&self.arrival_rate, "arrival_rate")),
            workers: errors.or_none("workers", whole_number(&self.workers, "workers")),
            infrastructure: typed(&self.infrastructure),
            scenario: typed(&self.scenario),
            stop_timeout_s: errors
                .or_none("stop_timeout", seconds(&self.stop_timeout, "stop_timeout")),
            user_types: list(&self.user_types),
            tags: list(&self.tags),
            exclude_tags: list(&self.exclude_tags),
            equal_weights: Some(self.equal_weights.is_some()),
            options: self.options(),
            terms: StartTerms {
                allow_mixed_builds: self.allow_mixed_builds.is_some(),
                client_build: None,
            },
            ..TestDraft::default()
        };
        if draft.ramp_up_s.is_some() && draft.spawn_rate.is_some() {
            let message = "`ramp_up` and `spawn_rate` are both given; keep one of the two";
            errors.0.push(FieldError::new("spawn_rate", message));
        }
        (draft, errors.0)
    }

    /// Those of the chosen scenario; spaces around them may be meant.
    fn options(&self) -> BTreeMap<String, String> {
        let prefix = option_field(self.scenario.trim(), "");
        self.others
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(field, value)| {
                let name = field.strip_prefix(&prefix)?;
                Some((name.to_owned(), value.clone()))
            })
            .collect()
    }
}

#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn or_none<T>(&mut self, field: &str, read: Result<Option<T>, String>) -> Option<T> {
        read.unwrap_or_else(|message| {
            self.0.push(FieldError::new(field, message));
            None
        })
    }
}

/// A duration in whole seconds that was typed.
fn seconds(text: &str, field: &str) -> Result<Option<u64>, String> {
    let Some(text) = typed(text) else {
        return Ok(None);
    };
    let read = parse_whole_seconds(&text);
    read.map(Some).map_err(|error| format!("{field}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_field_of_the_form_is_left_out() {
        let form = StartForm {
            host: " http://a.example ".into(),
            users: " 7 ".into(),
            duration: "2m".into(),
            ..StartForm::default()
        };
        let expected = TestDraft {
            host: Some("http://a.example".into()),
            users: Some(7),
            duration_s: Some(120),
            equal_weights: Some(false),
            ..TestDraft::default()
        };
        assert_eq!(form.to_draft(), (expected, Vec::new()));
        for users in ["1e3", "-1", "1.5", "zehn", "99999999999999999999"] {
            let form = StartForm {
                users: users.into(),
                ..StartForm::default()
            };
            let (_, errors) = form.to_draft();
            assert!(errors[0].message.contains(&format!("`{users}`")));
        }
        let form = StartForm {
            users: "many".into(),
            duration: "1.5s".into(),
            workers: "-1".into(),
            ..StartForm::default()
        };
        let (_, errors) = form.to_draft();
        let fields: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(fields, ["users", "duration", "workers"]);
    }

    #[test]
    fn a_form_can_be_filled_before_anybody_writes_into_it() {
        let texts = [
            ("host".to_owned(), "http://a".to_owned()),
            ("equal_weights".to_owned(), "on".to_owned()),
            (option_field("shop", "rows"), "3".to_owned()),
        ];
        let form = StartForm::filled(&texts.into());
        assert_eq!((form.host.as_str(), form.users.as_str()), ("http://a", ""));
        assert_eq!(form.option_text("shop", "rows"), "3");
        assert!(form.is_open && form.equal_weights.is_some());
        assert_eq!(form.infrastructure, "local");
        let empty = StartForm::filled(&BTreeMap::new());
        assert!(!empty.is_open && empty.host.is_empty());
    }

    #[test]
    fn only_the_options_of_the_chosen_scenario_count() {
        let form = StartForm {
            scenario: "shop".into(),
            tags: "api, slow  new".into(),
            spawn_rate: "2.5".into(),
            equal_weights: Some("on".into()),
            others: [
                (option_field("shop", "token"), " x ".to_owned()),
                (option_field("shop", "empty"), String::new()),
                (option_field("shop:2", "token"), "y".to_owned()),
                (option_field("sho", "p"), "z".to_owned()),
                ("token".to_owned(), "w".to_owned()),
            ]
            .into(),
            ..StartForm::default()
        };
        let (draft, errors) = form.to_draft();
        assert_eq!(errors, []);
        assert_eq!(draft.tags.unwrap(), ["api", "slow", "new"]);
        assert_eq!(draft.spawn_rate, Some(2.5));
        assert!(draft.equal_weights == Some(true) && form.has_advanced());
        assert_eq!(
            draft.options,
            [("token".to_owned(), " x ".to_owned())].into()
        );
        assert_eq!(form.option_text("shop:2", "token"), "y");
    }
}
