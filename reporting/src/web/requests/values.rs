//! Values as people and programs write them: durations and numbers.

use std::time::Duration;

use greylag_infra::{
    DurationError, FieldValueError, duration_of_number, parse_duration, parse_whole_seconds,
};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A duration as JSON may hold it: seconds, or a text, which is read later so that the error can name the field. The
/// description of the API has it as [`greylag_infra::DurationValue`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(in crate::web) enum DurationValue {
    Seconds(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for DurationValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecondsOrText;
        impl Visitor<'_> for SecondsOrText {
            type Value = DurationValue;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a duration: seconds, or a text such as \"1h20m\" or \"500ms\"")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<DurationValue, E> {
                Ok(DurationValue::Seconds(seconds as f64))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<DurationValue, E> {
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
    /// The duration, which may have parts of a second.
    ///
    /// # Errors
    /// One message that names the field.
    pub(in crate::web) fn duration(&self, field: &str) -> Result<Duration, ValueError> {
        match self {
            DurationValue::Seconds(seconds) => duration_of_number(*seconds),
            DurationValue::Text(text) => parse_duration(text),
        }
        .map_err(|error| ValueError::Duration {
            field: field.to_owned(),
            error,
        })
    }

    /// What was typed into a field; none if nothing was.
    pub(in crate::web) fn typed(text: &str) -> Option<Self> {
        typed(text).map(DurationValue::Text)
    }
}

/// Why what was typed or sent is not a value of its field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::web) enum ValueError {
    #[error("{field} must be {wanted}, not `{shown}`")]
    Number {
        field: String,
        /// What was given, cut.
        shown: String,
        wanted: &'static str,
    },
    #[error("{field} {error}")]
    Field {
        field: &'static str,
        #[source]
        error: FieldValueError,
    },
    #[error("{field}: {error}")]
    Duration {
        field: String,
        #[source]
        error: DurationError,
    },
    /// Beside its field.
    #[error(transparent)]
    Seconds(#[from] DurationError),
    #[error(
        "Stage {number} has no duration; enter how long it lasts, its ramp included, such as 2m"
    )]
    NoStageDuration { number: usize },
}

/// What was typed into a field; none if nothing was.
pub(in crate::web) fn typed(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A whole number that was typed.
///
/// # Errors
/// One message that names the field.
pub(in crate::web) fn whole_number<T: std::str::FromStr>(
    text: &str,
    field: &str,
) -> Result<Option<T>, ValueError> {
    number(text, field, "a whole number")
}

/// A duration in whole seconds that was typed; none if nothing was.
///
/// # Errors
/// It is not one; the message does not name the field.
pub(in crate::web) fn whole_seconds(text: &str) -> Result<Option<u64>, DurationError> {
    typed(text)
        .map(|text| parse_whole_seconds(&text))
        .transpose()
}

/// A number that was typed, with a point or without.
///
/// # Errors
/// One message that names the field.
pub(in crate::web) fn decimal(text: &str, field: &str) -> Result<Option<f64>, ValueError> {
    number(text, field, "a number such as 2.5")
}

fn number<T: std::str::FromStr>(
    text: &str,
    field: &str,
    wanted: &'static str,
) -> Result<Option<T>, ValueError> {
    let Some(text) = typed(text) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| ValueError::Number {
        field: field.to_owned(),
        shown: text.chars().take(60).collect(),
        wanted,
    })
}

/// Names that were typed with commas or spaces between them; one that has such characters stands in quotes.
pub(in crate::web) fn names(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        let name = names.last_mut().expect("it begins with one name");
        match character {
            QUOTE => is_quoted = !is_quoted,
            ',' | ' ' | '\t' if !is_quoted => names.push(String::new()),
            other => name.push(other),
        }
    }
    names.into_iter().filter_map(|name| typed(&name)).collect()
}

/// Names as [`names`] reads them.
pub(in crate::web) fn names_text(names: &[String]) -> String {
    let quoted = |name: &String| {
        if name.contains([',', ' ', '\t']) {
            format!("{QUOTE}{name}{QUOTE}")
        } else {
            name.clone()
        }
    };
    names.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// Around a name that has commas or spaces.
const QUOTE: char = '"';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_between_commas_or_spaces_or_in_quotes() {
        assert_eq!(names(" api, slow\t new,, "), ["api", "slow", "new"]);
        assert_eq!(names("\"slow path\",api"), ["slow path", "api"]);
        assert_eq!(names(" ,\"\""), Vec::<String>::new());
        let odd = ["a b".to_owned(), "c".to_owned(), "d,e".to_owned()];
        assert_eq!(names(&names_text(&odd)), odd);
    }
}
