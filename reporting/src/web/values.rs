//! Values as people and programs write them: durations, numbers, texts of options.

use std::time::Duration;

use greylag_infra::parse_duration;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

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
    ///
    /// # Errors
    /// One sentence that names the field.
    pub(super) fn seconds(&self, field: &str) -> Result<u64, String> {
        match self {
            DurationValue::Seconds(seconds) => Ok(*seconds),
            DurationValue::Text(text) => parse_duration(text)
                .map(|duration: Duration| duration.as_secs())
                .map_err(|error| format!("{field}: {error}")),
        }
    }

    /// What was typed into a field; none if nothing was.
    pub(super) fn typed(text: &str) -> Option<Self> {
        typed(text).map(DurationValue::Text)
    }
}

/// The value of an option: its text, or what JSON has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OptionText(pub(super) String);

impl<'de> Deserialize<'de> for OptionText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value;
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Bool(flag) => Ok(Self(flag.to_string())),
            Value::Number(number) => Ok(Self(number.to_string())),
            // The value is not repeated: it may be a secret.
            Value::Null | Value::Array(_) | Value::Object(_) => Err(de::Error::custom(
                "the value of an option must be a text, a number, true or false",
            )),
        }
    }
}

/// What was typed into a field; none if nothing was.
pub(super) fn typed(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A whole number that was typed.
///
/// # Errors
/// One sentence that names the field.
pub(super) fn whole_number<T: std::str::FromStr>(
    text: &str,
    field: &str,
) -> Result<Option<T>, String> {
    number(text, field, "a whole number")
}

/// A number that was typed, with a point or without.
///
/// # Errors
/// One sentence that names the field.
pub(super) fn decimal(text: &str, field: &str) -> Result<Option<f64>, String> {
    number(text, field, "a number such as 2.5")
}

fn number<T: std::str::FromStr>(
    text: &str,
    field: &str,
    wanted: &str,
) -> Result<Option<T>, String> {
    let Some(text) = typed(text) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        format!("{field} is `{shown}`; write {wanted}")
    })
}

/// Names that were typed with commas or spaces between them.
pub(super) fn names(text: &str) -> Vec<String> {
    text.split([',', ' ', '\t']).filter_map(typed).collect()
}
