//! How the JSON of the API writes what is kept otherwise, for the API's description.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Seconds, or a text such as `90s`, `1h20m` or `500ms`.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum DurationValue {
    /// Seconds.
    Seconds(f64),
    /// A number with its unit.
    Text(String),
}

#[expect(dead_code, reason = "it is only described")]
/// A wait: always the same, or two bounds to draw from.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum WaitValue {
    /// Always the same.
    Constant(DurationValue),
    /// The smaller bound first.
    Between([DurationValue; 2]),
}

#[expect(dead_code, reason = "it is only described")]
/// Headers: names with their values, or pairs, which may have a name more than once.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum HeaderValues {
    /// A value for each name.
    ByName(BTreeMap<String, String>),
    /// In this order.
    Pairs(Vec<(String, String)>),
}

#[expect(dead_code, reason = "it is only described")]
/// A threshold: a text, or its parts apart.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum ThresholdValue {
    /// Such as `p95 < 500ms for GET /checkout`.
    Text(String),
    /// The condition, and what else it may say.
    Parts(ThresholdParts),
}

#[expect(dead_code, reason = "it is only described")]
/// A threshold of which some parts are said apart from its text.
#[derive(ToSchema)]
pub(crate) struct ThresholdParts {
    /// Such as `p95 < 500ms`.
    pub(super) condition: String,
    /// An endpoint, such as `GET /checkout`, or a tag of tasks, such as `tag api`.
    pub(super) r#for: Option<String>,
    /// `ramp-up`, `steady`, `ramp-down` or `whole`; everything after the ramp-up without it.
    pub(super) during: Option<String>,
    /// The condition must hold in any stretch of this length.
    pub(super) within: Option<DurationValue>,
    /// The run is stopped when the condition has been breached for so long.
    pub(super) abort_after: Option<DurationValue>,
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;
    use utoipa::openapi::{RefOr, Schema};

    use super::super::{DECLARED_KEYS, Source, TABLES, section};
    use super::super::{client, load, requests, thresholds};
    use super::ThresholdParts;
    use crate::load_test::{ClientSettings, DeclaredRequest, DeclaredScenario, Stage, TestDraft};

    /// The properties of a described type, each as the reader of drafts calls it.
    fn described<T: PartialSchema>() -> Vec<String> {
        let RefOr::T(Schema::Object(object)) = T::schema() else {
            panic!("it is described as an object");
        };
        let names = object.properties.keys();
        let mut names: Vec<String> = names
            .map(|name| section::canonical(name).to_owned())
            .collect();
        names.sort();
        names
    }

    fn sorted(keys: &[&str]) -> Vec<String> {
        let mut keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        keys.sort();
        keys
    }

    #[test]
    fn what_is_described_is_what_is_read() {
        assert_eq!(described::<Stage>(), sorted(&load::STAGE_KEYS));
        assert_eq!(
            described::<ThresholdParts>(),
            sorted(&thresholds::TABLE_KEYS)
        );
        assert_eq!(described::<ClientSettings>(), sorted(&client::KEYS));
        assert_eq!(described::<DeclaredScenario>(), sorted(&DECLARED_KEYS));
        assert_eq!(
            described::<DeclaredRequest>(),
            sorted(&requests::REQUEST_KEYS)
        );
        let mut keys = Source::Api.keys();
        // They may stand in `declared`, which is described, or beside it.
        keys.retain(|key| !DECLARED_KEYS.contains(key));
        assert_eq!(described::<TestDraft>(), sorted(&keys));
        assert!(TABLES.iter().any(|(key, _)| *key == "declared"));
    }
}
