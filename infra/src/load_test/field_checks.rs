//! What makes single fields of a load test invalid, whatever the others say. The list of fields names these checks.

use super::LoadTest;
use super::error::LoadTestError;

/// Longest name of a test, in bytes.
pub(crate) const MAX_TEST_NAME_BYTES: usize = 200;
/// Longest stop timeout, in seconds.
const MAX_STOP_TIMEOUT_S: u64 = 86_400;
/// Most user types, and most tags, that a test selects.
const MAX_SELECTED: usize = 1_000;
/// Longest name of a user type or tag, in bytes.
const MAX_SELECTED_BYTES: usize = 200;

pub(crate) fn check_name(test: &LoadTest) -> Vec<LoadTestError> {
    let is_wrong = test.name.trim().is_empty()
        || test.name.len() > MAX_TEST_NAME_BYTES
        || test.name.chars().any(char::is_control);
    is_wrong
        .then_some(LoadTestError::Name)
        .into_iter()
        .collect()
}

pub(crate) fn check_stop_timeout(test: &LoadTest) -> Vec<LoadTestError> {
    let seconds = test.stop_timeout_s;
    let error = (seconds > MAX_STOP_TIMEOUT_S).then_some(LoadTestError::StopTimeout(seconds));
    error.into_iter().collect()
}

pub(crate) fn check_user_types(test: &LoadTest) -> Vec<LoadTestError> {
    let names = &test.selection.user_types;
    check_names("user_types", "name of a user type", "user types", names)
}

pub(crate) fn check_tags(test: &LoadTest) -> Vec<LoadTestError> {
    check_names("tags", "tag", "tags", &test.selection.tags)
}

pub(crate) fn check_excluded_tags(test: &LoadTest) -> Vec<LoadTestError> {
    let tags = &test.selection.exclude_tags;
    check_names("exclude_tags", "tag", "excluded tags", tags)
}

fn check_names(
    key: &'static str,
    what: &'static str,
    things: &'static str,
    names: &[String],
) -> Vec<LoadTestError> {
    if let Some(error) = too_many(key, things, names.len(), MAX_SELECTED) {
        return vec![error];
    }
    let errors = names.iter();
    errors
        .filter_map(|name| bad_name(key, what, name, MAX_SELECTED_BYTES))
        .collect()
}

pub(super) fn too_many(
    key: &'static str,
    what: &'static str,
    count: usize,
    most: usize,
) -> Option<LoadTestError> {
    (count > most).then_some(LoadTestError::TooMany {
        key,
        what,
        count,
        most,
    })
}

/// A control character other than those of a text of several lines.
pub(crate) fn is_control_in_lines(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

pub(super) fn bad_name(
    key: &'static str,
    what: &'static str,
    text: &str,
    most: usize,
) -> Option<LoadTestError> {
    let is_good =
        !text.trim().is_empty() && text.len() <= most && !text.chars().any(char::is_control);
    (!is_good).then(|| LoadTestError::Text {
        key,
        what,
        text: text.chars().filter(|c| !c.is_control()).take(60).collect(),
        most,
    })
}
