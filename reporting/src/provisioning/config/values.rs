//! Values of the configuration file.

use std::time::Duration;

use greylag_infra::{duration_of_number, parse_duration};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use toml::Spanned;
use toml::de::DeValue;
use url::Url;

/// Most characters of a wrong value that are repeated in a message.
const SHOWN_CHARACTERS: usize = 60;

/// A duration as people write it: `90`, `"90s"`, `"1h20m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigDuration(pub Duration);

impl<'de> Deserialize<'de> for ConfigDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ConfigDuration;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a duration such as 90, \"90s\" or \"1h20m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ConfigDuration, E> {
                parse_duration(text).map(ConfigDuration).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<ConfigDuration, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<ConfigDuration, E> {
                let duration = duration_of_number(seconds);
                duration.map(ConfigDuration).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A value as one would write it on the command line; a list is separated by commas.
pub(super) fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Array(values) => {
            let values = values.iter().map(|value| scalar(value.get_ref()));
            Some(values.collect::<Option<Vec<_>>>()?.join(","))
        }
        value => scalar(value),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// An address of the coordinator.
pub(super) fn url(value: Spanned<DeValue<'_>>, key: &str) -> Result<Url, (usize, String)> {
    let at = value.span().start;
    let wrong = || {
        (
            at,
            format!("`{key}` must be a URL such as \"https://load.example\""),
        )
    };
    let text = value.get_ref().as_str().ok_or_else(wrong)?;
    let url = Url::parse(text).map_err(|_| wrong())?;
    let is_usable = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none();
    is_usable.then_some(url).ok_or_else(wrong)
}

/// What a message repeats of a text.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}
