//! The thresholds: texts, or tables that say some of their parts apart.

use super::section::{Element, Section};
use crate::load_test::threshold::{Clause, MAX_THRESHOLDS, Threshold};

/// The key of the list; of its tables `threshold`.
const KEY: &str = "thresholds";
const CONDITION: &str = "condition";
pub(super) const TABLE_KEYS: [&str; 5] = [CONDITION, "for", "during", "within", "abort_after"];
const WANTED: &str =
    "a list of conditions such as [\"p95 < 500ms\"], or tables such as [[threshold]]";

/// Each as its canonical text; those that are wrong are named and left out.
pub(super) fn thresholds(section: &Section<'_>) -> Option<Vec<String>> {
    let elements = section.elements(KEY, "a threshold", WANTED, MAX_THRESHOLDS)?;
    let read = elements.into_iter().filter_map(|element| match element {
        Element::Text(text, place) => match Threshold::written(text, &[]) {
            Ok(threshold) => Some(threshold.to_string()),
            Err(error) => {
                place.wrong("", error.to_string());
                None
            }
        },
        Element::Table(table) => of_table(&table),
    });
    Some(read.collect())
}

fn of_table(table: &Section<'_>) -> Option<String> {
    table.refuse_other_keys(&TABLE_KEYS);
    if table.lacks(CONDITION, &TABLE_KEYS) {
        let message =
            "this threshold has no `condition`; write one such as condition = \"p95 < 500ms\"";
        table.wrong(CONDITION, message);
    }
    let parts: Vec<(Clause, String)> = Clause::ALL
        .into_iter()
        .filter_map(|clause| {
            let text = match clause {
                Clause::For | Clause::During => table.text(clause.key()),
                // Durations may be numbers of seconds.
                Clause::Within | Clause::AbortAfter => table.count(clause.key()),
            };
            Some((clause, text?))
        })
        .collect();
    let parts: Vec<(Clause, &str)> = parts
        .iter()
        .map(|(clause, text)| (*clause, text.as_str()))
        .collect();
    match Threshold::written(&table.text(CONDITION)?, &parts) {
        Ok(threshold) => Some(threshold.to_string()),
        Err(error) => {
            table.wrong("", error.to_string());
            None
        }
    }
}
