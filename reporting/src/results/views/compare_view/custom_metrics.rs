//! The table of custom metrics: a row for each statistic, with the value of each run and its difference to the reference.

use greylag_infra::protocol::MetricKind;

use crate::results::comparison::{Comparison, MetricDifference};
use crate::results::metric_text::{kind_text, of_key};

/// What is not known.
const NONE: &str = "–";

/// A metric of any of the runs.
#[derive(Debug)]
pub(crate) struct MetricRows {
    pub(crate) name: String,
    /// Kind and unit.
    pub(crate) kind: String,
    pub(crate) rows: Vec<StatisticRow>,
}

/// A statistic of it.
#[derive(Debug)]
pub(crate) struct StatisticRow {
    pub(crate) title: &'static str,
    /// The reference's value.
    pub(crate) reference: String,
    /// The value of each other run, and its difference.
    pub(crate) runs: Vec<(String, String)>,
}

/// The metrics of all runs that have values, in the order of the reference.
pub(super) fn rows(comparison: &Comparison) -> Vec<MetricRows> {
    let mut known: Vec<(&str, MetricKind, &str)> = Vec::new();
    let of_runs = comparison.runs.iter().flat_map(|run| &run.custom_metrics);
    for metric in of_runs {
        let key = (metric.name.as_str(), metric.kind, metric.unit.as_str());
        if !known.contains(&key) {
            known.push(key);
        }
    }
    known
        .into_iter()
        .map(|key| of_metric(comparison, key))
        .filter(|metric| !metric.rows.is_empty())
        .collect()
}

fn of_metric(comparison: &Comparison, key: (&str, MetricKind, &str)) -> MetricRows {
    let (name, kind, unit) = key;
    let find = |place: usize| {
        let mut metrics = comparison.runs[place].custom_metrics.iter();
        metrics.find(|metric| (metric.name.as_str(), metric.kind, metric.unit.as_str()) == key)
    };
    let mut statistics: Vec<&str> = Vec::new();
    for metric in (0..comparison.runs.len()).filter_map(find) {
        for one in &metric.statistics {
            if !statistics.contains(&one.statistic.as_str()) {
                statistics.push(&one.statistic);
            }
        }
    }
    let rows = statistics.into_iter().map(|statistic| {
        let of_run = |place: usize| -> Option<&MetricDifference> {
            let mut all = find(place)?.statistics.iter();
            all.find(|one| one.statistic == statistic)
        };
        let runs = (0..comparison.runs.len()).map(|place| {
            let one = of_run(place);
            let text = |text: Option<&String>| match text {
                Some(text) if !text.is_empty() => text.replace('-', "−"),
                _ => NONE.to_owned(),
            };
            (
                text(one.map(|one| &one.value_text)),
                text(one.map(|one| &one.change_text)),
            )
        });
        let mut references = (0..comparison.runs.len()).filter_map(of_run);
        let reference = references.find(|one| !one.reference_text.is_empty());
        StatisticRow {
            title: of_key(statistic).map_or("", |known| known.title),
            reference: reference
                .map_or(NONE.to_owned(), |one| one.reference_text.replace('-', "−")),
            runs: runs.collect(),
        }
    });
    MetricRows {
        name: name.to_owned(),
        kind: kind_text(kind, unit),
        rows: rows.collect(),
    }
}
