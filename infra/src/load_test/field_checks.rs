//! What makes single fields of a load test invalid, whatever the others say. The list of fields names these checks.

use super::LoadTest;
use super::error::LoadTestError;
use super::threshold::{MAX_THRESHOLDS, Threshold, ThresholdMetric};

/// Longest name of a test, in bytes.
pub(crate) const MAX_TEST_NAME_BYTES: usize = 200;
/// Longest stop timeout, in seconds.
const MAX_STOP_TIMEOUT_S: u64 = 86_400;
/// Longest name of the run that thresholds compare with, in bytes: a test's name with a number, or an id.
pub(crate) const MAX_BASELINE_BYTES: usize = MAX_TEST_NAME_BYTES + 24;
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

/// The thresholds of these texts, each once, and what is wrong with the others.
pub(super) fn read_thresholds(texts: &[String]) -> (Vec<Threshold>, Vec<LoadTestError>) {
    let (mut thresholds, mut errors) = (Vec::new(), Vec::new());
    if let Some(error) = too_many("thresholds", "thresholds", texts.len(), MAX_THRESHOLDS) {
        return (thresholds, vec![error]);
    }
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<Threshold>() {
            Ok(threshold) if thresholds.contains(&threshold) => {}
            Ok(threshold) => thresholds.push(threshold),
            Err(error) => errors.push(LoadTestError::Threshold { index, error }),
        }
    }
    (thresholds, errors)
}

/// The thresholds of a test as texts; none if it has none.
pub(crate) fn threshold_texts(test: &LoadTest) -> Option<Vec<String>> {
    let texts: Vec<String> = test.thresholds.iter().map(Threshold::to_string).collect();
    (!texts.is_empty()).then_some(texts)
}

/// Thresholds that could only ever be without data.
pub(super) fn check_thresholds(test: &LoadTest) -> Vec<LoadTestError> {
    if test.arrival_rate.is_some() || test.has_rate_stages() {
        return Vec::new();
    }
    let of_skips = test.thresholds.iter();
    let of_skips = of_skips.filter(|threshold| threshold.metric == ThresholdMetric::Skipped);
    of_skips
        .map(|threshold| LoadTestError::SkipsNothing(threshold.to_string()))
        .collect()
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
