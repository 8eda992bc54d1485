//! The custom metrics of active runs: their names are labels, because a family has one type and one help.

use std::fmt;

use greylag_infra::MetricKind;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::active_runs::ActiveRun;
use super::families::{Labels, NO_EXEMPLAR, gauges, labels_of};
use crate::plain_text::plain_text;
use crate::results::metric_text::percentiles;
use crate::results::summary::SummaryMetric;

/// Adds them; nothing without any.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, runs: &[ActiveRun]) -> fmt::Result {
    if runs.iter().all(|run| run.custom.is_empty()) {
        return Ok(());
    }
    counters(
        encoder,
        "greylag_custom_values",
        "Values of custom metrics",
        runs,
        |metric| Some(metric.count as f64),
    )?;
    counters(
        encoder,
        "greylag_custom_added",
        "What was added to counters, in their unit",
        runs,
        |metric| metric.total.filter(|_| metric.kind == MetricKind::Counter),
    )?;
    counters(
        encoder,
        "greylag_custom_true",
        "Values of rates that are true",
        runs,
        |metric| metric.total.filter(|_| metric.kind == MetricKind::Rate),
    )?;
    let mut family = gauges(
        encoder,
        "greylag_custom_last",
        "The last value of gauges, in their unit",
    )?;
    for_metrics(runs, |labels, metric| match metric.last {
        Some(last) => family.encode_family(labels)?.encode_gauge(&last),
        None => Ok(()),
    })?;
    let mut family = gauges(
        encoder,
        "greylag_custom_mean",
        "The average value of histograms since the start of the run, in their unit",
    )?;
    for_metrics(runs, |labels, metric| match metric.avg {
        Some(mean) => family.encode_family(labels)?.encode_gauge(&mean),
        None => Ok(()),
    })?;
    let mut family = gauges(
        encoder,
        "greylag_custom_percentile",
        "Percentiles of histograms since the start of the run, in their unit",
    )?;
    for_metrics(runs, |labels, metric| {
        for (percentile, value) in percentiles(metric) {
            if let Some(value) = value {
                let labels = (*labels, [("percentile", percentile)]);
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    })
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    runs: &[ActiveRun],
    of: impl Fn(&SummaryMetric) -> Option<f64>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for_metrics(runs, |labels, metric| match of(metric) {
        Some(value) => family
            .encode_family(labels)?
            .encode_counter(&value, NO_EXEMPLAR),
        None => Ok(()),
    })
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
