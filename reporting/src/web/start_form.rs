//! The front page's form as it was sent, so that it can be shown again beside the mistake.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::start_request::StartRequest;
use super::values::{DurationValue, OptionText, decimal, names, typed, whole_number};
use crate::front_view::{OptionRow, StartDefaults};

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
    /// Options of all scenarios ([`option_field`]), of which those of the chosen one count.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
    /// Whether the form is what the page is for, so that it is not folded away.
    #[serde(skip)]
    pub(crate) is_open: bool,
    /// One sentence about the mistake in the values.
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
    pub(super) fn filled(defaults: &StartDefaults, texts: &BTreeMap<String, String>) -> Self {
        let fields = texts
            .iter()
            .map(|(name, text)| (name.clone(), serde_json::Value::String(text.clone())));
        let mut form: Self =
            serde_json::from_value(fields.collect()).expect("every field of the form is a text");
        form.is_open = !texts.is_empty();
        if form.infrastructure.is_empty() {
            defaults.infrastructure.clone_into(&mut form.infrastructure);
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

    /// The same as a program would send it.
    ///
    /// # Errors
    /// One sentence about the first field that is no number.
    pub(super) fn to_request(&self) -> Result<StartRequest, String> {
        Ok(StartRequest {
            name: typed(&self.name),
            host: typed(&self.host),
            users: whole_number(&self.users, "users")?,
            ramp_up: DurationValue::typed(&self.ramp_up),
            spawn_rate: decimal(&self.spawn_rate, "spawn_rate")?,
            duration: DurationValue::typed(&self.duration),
            stages: Vec::new(),
            arrival_rate: decimal(&self.arrival_rate, "arrival_rate")?,
            workers: whole_number(&self.workers, "workers")?,
            infrastructure: typed(&self.infrastructure),
            scenario: typed(&self.scenario),
            stop_timeout: DurationValue::typed(&self.stop_timeout),
            declared: None,
            user_types: names(&self.user_types),
            tags: names(&self.tags),
            exclude_tags: names(&self.exclude_tags),
            equal_weights: self.equal_weights.is_some(),
            options: self.options(),
        })
    }

    /// Those of the chosen scenario; spaces around them may be meant.
    fn options(&self) -> BTreeMap<String, OptionText> {
        let prefix = option_field(self.scenario.trim(), "");
        self.others
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(field, value)| {
                let name = field.strip_prefix(&prefix)?;
                Some((name.to_owned(), OptionText(value.clone())))
            })
            .collect()
    }
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
        let request = form.to_request().unwrap();
        let expected = StartRequest {
            host: Some("http://a.example".into()),
            users: Some(7),
            duration: Some(DurationValue::Text("2m".into())),
            ..StartRequest::default()
        };
        assert_eq!(request, expected);
        for users in ["1e3", "-1", "1.5", "zehn", "99999999999999999999"] {
            let form = StartForm {
                users: users.into(),
                ..StartForm::default()
            };
            assert!(
                form.to_request()
                    .unwrap_err()
                    .contains(&format!("`{users}`"))
            );
        }
    }

    #[test]
    fn a_form_can_be_filled_before_anybody_writes_into_it() {
        let texts = [
            ("host".to_owned(), "http://a".to_owned()),
            ("equal_weights".to_owned(), "on".to_owned()),
            (option_field("shop", "rows"), "3".to_owned()),
        ];
        let form = StartForm::filled(&StartDefaults::default(), &texts.into());
        assert_eq!((form.host.as_str(), form.users.as_str()), ("http://a", ""));
        assert_eq!(form.option_text("shop", "rows"), "3");
        assert!(form.is_open && form.equal_weights.is_some());
        assert_eq!(form.infrastructure, "local");
        let empty = StartForm::filled(&StartDefaults::default(), &BTreeMap::new());
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
        let request = form.to_request().unwrap();
        assert_eq!(request.tags, ["api", "slow", "new"]);
        assert_eq!(request.spawn_rate, Some(2.5));
        assert!(request.equal_weights && form.has_advanced());
        assert_eq!(
            request.options,
            [("token".to_owned(), OptionText(" x ".to_owned()))].into()
        );
        assert_eq!(form.option_text("shop:2", "token"), "y");
    }
}
