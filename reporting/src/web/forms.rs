//! What people and programs send to start a run, and how it becomes a [`LoadTest`].

use std::time::Duration;

use greylag_infra::{DeclaredScenario, LoadTest, parse_duration};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::front_view::StartDefaults;

/// Label of a declared scenario that has no name.
const DECLARED_LABEL: &str = "declared";

/// Body of `POST /api/v1/runs`. What is left out takes its default ([`StartDefaults`]).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StartRequest {
    /// Name of the test; by default the scenario's, of a declared scenario that of the host.
    pub(super) name: Option<String>,
    /// Base URL of the target. The one value without a default.
    pub(super) host: Option<String>,
    /// Peak concurrent users.
    pub(super) users: Option<u64>,
    /// Seconds, or Locust's text.
    pub(super) ramp_up: Option<DurationValue>,
    /// Seconds, or Locust's text.
    pub(super) duration: Option<DurationValue>,
    /// Worker processes.
    pub(super) workers: Option<u32>,
    /// Name of the infrastructure.
    pub(super) infrastructure: Option<String>,
    /// Name of the scenario; by default the first one known.
    pub(super) scenario: Option<String>,
    /// Seconds, or Locust's text.
    pub(super) stop_timeout: Option<DurationValue>,
    /// Requests of a declared scenario.
    pub(super) declared: Option<DeclaredScenario>,
}

/// A duration as JSON may hold it: whole seconds, or Locust's text, which is read later so that the mistake
/// can be told with the field's name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DurationValue {
    Seconds(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for DurationValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecondsOrText;
        impl Visitor<'_> for SecondsOrText {
            type Value = DurationValue;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a duration: whole seconds, or a text such as \"1h20m\"")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<DurationValue, E> {
                Ok(DurationValue::Seconds(seconds))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DurationValue, E> {
                Ok(DurationValue::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(SecondsOrText)
    }
}

impl DurationValue {
    /// In seconds.
    fn seconds(&self, field: &str) -> Result<u64, String> {
        match self {
            DurationValue::Seconds(seconds) => Ok(*seconds),
            DurationValue::Text(text) => parse_duration(text)
                .map(|duration: Duration| duration.as_secs())
                .map_err(|error| format!("{field}: {error}")),
        }
    }
}

impl StartRequest {
    /// The test that is meant. What only the coordinator can know (infrastructure, scenario, agents) is
    /// checked when the run is started.
    ///
    /// # Errors
    /// One sentence about the first mistake.
    pub(super) fn into_load_test(
        self,
        defaults: &StartDefaults,
        first_scenario: impl FnOnce(&str) -> Option<String>,
    ) -> Result<LoadTest, String> {
        let seconds = |value: Option<DurationValue>, field: &str, default: u64| {
            value.map_or(Ok(default), |value| value.seconds(field))
        };
        let host = self.host.ok_or(
            "no host is given; write the target's base URL, such as http://127.0.0.1:8080",
        )?;
        let infrastructure = self
            .infrastructure
            .unwrap_or_else(|| defaults.infrastructure.to_owned());
        let scenario = match (self.scenario, &self.declared) {
            (Some(scenario), _) => scenario,
            (None, Some(_)) => DECLARED_LABEL.to_owned(),
            // Without any, the coordinator's refusal says what is missing (an infrastructure, an agent).
            (None, None) => first_scenario(&infrastructure).unwrap_or_default(),
        };
        let mut test = LoadTest {
            name: String::new(),
            host,
            users: self.users.unwrap_or(defaults.users),
            ramp_up_s: seconds(self.ramp_up, "ramp_up", defaults.ramp_up_s)?,
            duration_s: seconds(self.duration, "duration", defaults.duration_s)?,
            workers: self.workers.unwrap_or(defaults.workers),
            infrastructure,
            scenario,
            stop_timeout_s: seconds(self.stop_timeout, "stop_timeout", defaults.stop_timeout_s)?,
            declared: self.declared,
            ..LoadTest::default()
        };
        test.name = match self.name {
            Some(name) => name,
            None => default_name(&test).map_err(|error| error.to_string())?,
        };
        test.check().map_err(|error| error.to_string())?;
        Ok(test)
    }
}

/// The scenario's name, or that of the host where the scenario has none of its own.
fn default_name(test: &LoadTest) -> Result<String, greylag_infra::LoadTestError> {
    if test.declared.is_none() && !test.scenario.is_empty() {
        return Ok(test.scenario.clone());
    }
    Ok(test.host_url()?.host_str().unwrap_or_default().to_owned())
}

/// The front page's form as it was sent: texts, so that they can be shown again beside the mistake. An
/// empty field takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct StartForm {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) users: String,
    pub(crate) ramp_up: String,
    pub(crate) duration: String,
    pub(crate) workers: String,
    pub(crate) infrastructure: String,
    pub(crate) scenario: String,
    pub(crate) stop_timeout: String,
    /// One sentence about the mistake in the values.
    #[serde(skip)]
    pub(crate) error: Option<String>,
}

impl StartForm {
    /// The form before anybody wrote into it: empty fields show their defaults in grey.
    pub(super) fn empty(defaults: &StartDefaults) -> Self {
        Self {
            infrastructure: defaults.infrastructure.to_owned(),
            ..Self::default()
        }
    }

    /// The same as a program would send it.
    ///
    /// # Errors
    /// One sentence about the first field that is no number.
    pub(super) fn to_request(&self) -> Result<StartRequest, String> {
        let text = |value: &str| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        let duration = |value: &str| text(value).map(DurationValue::Text);
        Ok(StartRequest {
            name: text(&self.name),
            host: text(&self.host),
            users: whole_number(&self.users, "users")?,
            ramp_up: duration(&self.ramp_up),
            duration: duration(&self.duration),
            workers: whole_number(&self.workers, "workers")?,
            infrastructure: text(&self.infrastructure),
            scenario: text(&self.scenario),
            stop_timeout: duration(&self.stop_timeout),
            declared: None,
        })
    }
}

fn whole_number<T: std::str::FromStr>(text: &str, field: &str) -> Result<Option<T>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        format!("{field} is `{shown}`; write a whole number")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(json: &str) -> Result<LoadTest, String> {
        let request: StartRequest = serde_json::from_str(json).expect("a request");
        request.into_load_test(&StartDefaults::default(), |infrastructure| {
            (infrastructure == "local").then(|| "shop".to_owned())
        })
    }

    #[test]
    fn what_is_left_out_takes_its_default() {
        let test = complete(r#"{"host": "http://a.example"}"#).unwrap();
        let expected = LoadTest {
            name: "shop".into(),
            host: "http://a.example".into(),
            users: 10,
            ramp_up_s: 10,
            duration_s: 60,
            workers: 1,
            infrastructure: "local".into(),
            scenario: "shop".into(),
            stop_timeout_s: 10,
            declared: None,
            ..LoadTest::default()
        };
        assert_eq!(test, expected);
    }

    #[test]
    fn durations_are_seconds_or_locusts_text() {
        let test = complete(
            r#"{"host": "http://a", "duration": "1h20m", "ramp_up": 90, "stop_timeout": "0s"}"#,
        )
        .unwrap();
        assert_eq!(
            (test.duration_s, test.ramp_up_s, test.stop_timeout_s),
            (4_800, 90, 0)
        );
    }

    #[test]
    fn a_declared_scenario_is_named_after_its_host() {
        let declared = r#"{"requests": [{"method": "GET", "path": "/", "weight": 1}]}"#;
        let test = complete(&format!(
            r#"{{"host": "http://a.example:80/x", "declared": {declared}}}"#
        ))
        .unwrap();
        assert_eq!(
            (test.name.as_str(), test.scenario.as_str()),
            ("a.example", "declared")
        );
    }

    #[test]
    fn without_a_scenario_the_coordinator_decides() {
        let test = complete(r#"{"host": "http://a.example", "infrastructure": "empty"}"#).unwrap();
        assert_eq!(
            (test.name.as_str(), test.scenario.as_str()),
            ("a.example", "")
        );
    }

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
}
