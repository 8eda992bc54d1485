//! Custom metrics of two runs.

use super::{ComparedMetric, MetricDifference};
use crate::compare::{Statistic, change_text};
use crate::plain_text::plain_text;
use crate::results::metric_text::{MetricStatistic, in_tables};
use crate::results::summary::SummaryMetric;

/// The metrics of either, in the order of the reference. Those whose kind or unit differs are different ones.
pub(super) fn compared(reference: &[SummaryMetric], run: &[SummaryMetric]) -> Vec<ComparedMetric> {
    let find = |metrics: &[SummaryMetric], wanted: &SummaryMetric| {
        let is_same = |known: &&SummaryMetric| {
            (&known.name, known.kind, &known.unit) == (&wanted.name, wanted.kind, &wanted.unit)
        };
        metrics.iter().find(is_same).cloned()
    };
    let known = reference
        .iter()
        .map(|metric| one(metric, Some(metric), find(run, metric).as_ref()));
    let only_of_run = run
        .iter()
        .filter(|metric| find(reference, metric).is_none())
        .map(|metric| one(metric, None, Some(metric)));
    known.chain(only_of_run).collect()
}

fn one(
    metric: &SummaryMetric,
    reference: Option<&SummaryMetric>,
    run: Option<&SummaryMetric>,
) -> ComparedMetric {
    let statistics = in_tables().filter_map(|statistic| {
        let value = |of: Option<&SummaryMetric>| of.and_then(|metric| statistic.value(metric));
        difference(statistic, value(reference), value(run))
    });
    ComparedMetric {
        name: plain_text(&metric.name),
        kind: metric.kind,
        unit: plain_text(&metric.unit),
        statistics: statistics.collect(),
    }
}

/// None where neither has the statistic.
fn difference(
    statistic: &MetricStatistic,
    reference: Option<f64>,
    value: Option<f64>,
) -> Option<MetricDifference> {
    reference.or(value)?;
    let change = reference.zip(value).and_then(|(reference, value)| {
        let difference = value - reference;
        match statistic.is_share() {
            true => Some(difference),
            false => (reference != 0.0).then(|| difference / reference.abs()),
        }
    });
    // They read like those of error rates, and like those of requests per second.
    let like = match statistic.is_share() {
        true => Statistic::ErrorRate,
        false => Statistic::Rate,
    };
    let text = |value: Option<f64>| value.map_or_else(String::new, |value| statistic.text(value));
    Some(MetricDifference {
        statistic: statistic.key.to_owned(),
        title: statistic.title.to_owned(),
        reference,
        value,
        change,
        reference_text: text(reference),
        value_text: text(value),
        change_text: change.map_or_else(String::new, |change| change_text(like, change)),
    })
}

#[cfg(test)]
mod tests {
    use greylag_infra::protocol::MetricKind;

    use super::*;

    fn gauge(name: &str, last: Option<f64>) -> SummaryMetric {
        SummaryMetric {
            name: name.to_owned(),
            kind: MetricKind::Gauge,
            last,
            ..SummaryMetric::default()
        }
    }

    #[test]
    fn changes_are_relative_to_the_size_of_the_reference_and_those_of_rates_in_points() {
        let rate = |rate| SummaryMetric {
            name: "hits".to_owned(),
            kind: MetricKind::Rate,
            rate: Some(rate),
            ..SummaryMetric::default()
        };
        let reference = [
            gauge("cold", Some(-20.0)),
            gauge("zero", Some(0.0)),
            rate(0.5),
        ];
        let run = [
            rate(0.75),
            gauge("zero", Some(3.0)),
            gauge("cold", Some(-15.0)),
        ];
        let compared = compared(&reference, &run);
        let texts: Vec<_> = compared
            .iter()
            .flat_map(|metric| &metric.statistics)
            .map(|one| {
                (
                    one.change,
                    one.change_text.as_str(),
                    one.value_text.as_str(),
                )
            })
            .collect();
        assert_eq!(
            texts,
            [
                (Some(0.25), "+25.0%", "-15"),
                (None, "", "3"),
                (Some(0.25), "+25.00 pp", "75.00%"),
            ]
        );
    }

    #[test]
    fn a_metric_of_one_run_has_no_change_and_one_of_another_kind_is_another() {
        let reference = [gauge("depth", Some(1.0)), gauge("gone", None)];
        let other = SummaryMetric {
            unit: "jobs".to_owned(),
            ..gauge("depth", Some(2.0))
        };
        let compared = compared(&reference, &[other]);
        let shown: Vec<_> = compared
            .iter()
            .map(|metric| {
                let values = metric
                    .statistics
                    .iter()
                    .map(|one| (one.reference, one.value));
                (metric.unit.as_str(), values.collect::<Vec<_>>())
            })
            .collect();
        let expected = [
            ("", vec![(Some(1.0), None)]),
            ("", vec![]),
            ("jobs", vec![(None, Some(2.0))]),
        ];
        assert_eq!(shown, expected);
    }
}
