//! The custom metrics of active runs: their names are labels, because a family has one type and one help.

use std::fmt;

use greylag_infra::MetricKind;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder};
use prometheus_client::metrics::MetricType;

use super::active_runs::ActiveRun;
use super::families::{Labels, NO_EXEMPLAR, labels_of};
use crate::plain_text::plain_text;
use crate::results::metric_text::percentiles;
use crate::results::summary::SummaryMetric;

/// A value, with the number of its percent if it is a percentile.
type Value = (Option<&'static str>, f64);

/// What is known of custom metrics under one name.
pub(super) struct CustomFamily {
    /// What follows the name that all of them begin with.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) help: &'static str,
    /// Whether it only grows.
    pub(super) is_counter: bool,
    /// Its values of a metric; none of kinds that do not have it.
    pub(super) of: fn(&SummaryMetric) -> Vec<Value>,
}

/// All of them, for Prometheus and for OpenTelemetry.
pub(super) const CUSTOM_FAMILIES: [CustomFamily; 6] = [
    CustomFamily {
        name: "values",
        help: "Values of custom metrics",
        is_counter: true,
        of: |metric| one(Some(metric.count as f64)),
    },
    CustomFamily {
        name: "added",
        help: "What was added to counters, in their unit",
        is_counter: true,
        of: |metric| one(metric.total.filter(|_| metric.kind == MetricKind::Counter)),
    },
    CustomFamily {
        name: "true",
        help: "Values of rates that are true",
        is_counter: true,
        of: |metric| one(metric.total.filter(|_| metric.kind == MetricKind::Rate)),
    },
    CustomFamily {
        name: "last",
        help: "The last value of gauges, in their unit",
        is_counter: false,
        of: |metric| one(metric.last),
    },
    CustomFamily {
        name: "mean",
        help: "The average value of histograms since the start of the run, in their unit",
        is_counter: false,
        of: |metric| one(metric.avg),
    },
    CustomFamily {
        name: "percentile",
        help: "Percentiles of histograms since the start of the run, in their unit",
        is_counter: false,
        of: |metric| {
            let known = percentiles(metric).filter_map(|(percent, value)| Some((percent, value?)));
            known
                .map(|(percent, value)| (Some(percent), value))
                .collect()
        },
    },
];

fn one(value: Option<f64>) -> Vec<Value> {
    value.into_iter().map(|value| (None, value)).collect()
}

/// Adds them; nothing without any.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, runs: &[ActiveRun]) -> fmt::Result {
    if runs.iter().all(|run| run.custom.is_empty()) {
        return Ok(());
    }
    for family in CUSTOM_FAMILIES {
        let name = format!("greylag_custom_{}", family.name);
        let kind = match family.is_counter {
            true => MetricType::Counter,
            false => MetricType::Gauge,
        };
        let mut encoder = encoder.encode_descriptor(&name, family.help, None, kind)?;
        for_metrics(runs, |labels, metric| {
            for (percentile, value) in (family.of)(metric) {
                match percentile {
                    Some(percentile) => {
                        let labels = (*labels, [("percentile", percentile)]);
                        put(&mut encoder, &family, &labels, value)?;
                    }
                    None => put(&mut encoder, &family, labels, value)?,
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn put(
    encoder: &mut MetricEncoder<'_>,
    family: &CustomFamily,
    labels: &impl EncodeLabelSet,
    value: f64,
) -> fmt::Result {
    let mut series = encoder.encode_family(labels)?;
    match family.is_counter {
        true => series.encode_counter(&value, NO_EXEMPLAR),
        false => series.encode_gauge(&value),
    }
}

/// Calls `encode` with the labels of each metric of these runs.
fn for_metrics(
    runs: &[ActiveRun],
    mut encode: impl FnMut(&(Labels<'_>, Labels<'_>), &SummaryMetric) -> fmt::Result,
) -> fmt::Result {
    for run in runs {
        for (name, metric) in &run.custom {
            let unit = plain_text(&metric.unit);
            let labels = [("metric", name.as_str()), ("unit", unit.as_str())];
            encode(&(labels_of(run), labels), metric)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prometheus_client::collector::Collector;
    use prometheus_client::registry::Registry;

    use super::*;

    #[derive(Debug)]
    struct Shown(Vec<ActiveRun>);

    impl Collector for Shown {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            encode(&mut encoder, &self.0)
        }
    }

    #[test]
    fn each_kind_has_its_series() {
        let metric = |name: &str, kind, unit: &str| SummaryMetric {
            name: name.to_owned(),
            kind,
            unit: unit.to_owned(),
            count: 4,
            ..SummaryMetric::default()
        };
        let metrics = [
            SummaryMetric {
                total: Some(2.5),
                ..metric("sent \"x\"", MetricKind::Counter, "bytes")
            },
            SummaryMetric {
                total: Some(3.0),
                rate: Some(0.75),
                ..metric("hits", MetricKind::Rate, "")
            },
            SummaryMetric {
                last: Some(-7.0),
                ..metric("depth", MetricKind::Gauge, "")
            },
            SummaryMetric {
                total: Some(10.0),
                avg: Some(2.5),
                p95: Some(4.0),
                ..metric("speed", MetricKind::Histogram, "tokens/s")
            },
        ];
        let custom: BTreeMap<String, SummaryMetric> = metrics
            .into_iter()
            .map(|metric| (metric.name.clone(), metric))
            .collect();
        let run = ActiveRun {
            id: "r".to_owned(),
            test: "t".to_owned(),
            number: 1,
            elapsed_s: 1.0,
            users: 0,
            endpoints: BTreeMap::new(),
            custom,
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Shown(vec![run])));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"greylag_custom_added_total{run="r",test="t",metric="sent \"x\"",unit="bytes"} 2.5"#,
            r#"greylag_custom_true_total{run="r",test="t",metric="hits",unit=""} 3.0"#,
            r#"greylag_custom_values_total{run="r",test="t",metric="hits",unit=""} 4.0"#,
            r#"greylag_custom_last{run="r",test="t",metric="depth",unit=""} -7.0"#,
            r#"greylag_custom_mean{run="r",test="t",metric="speed",unit="tokens/s"} 2.5"#,
            r#"greylag_custom_percentile{run="r",test="t",metric="speed",unit="tokens/s",percentile="95"} 4.0"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        // A histogram's sum is not a counter's.
        assert_eq!(text.matches("greylag_custom_added_total{").count(), 1);
    }
}
