//! The custom metrics of an active run as metrics of OTLP: the families that Prometheus has of them, too.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, Sum, metric, number_data_point,
};

use super::custom_families::CUSTOM_FAMILIES;
use super::otlp::text;
use crate::plain_text::plain_text;
use crate::results::summary::SummaryMetric;

/// What is known of the metrics of a run, whose attributes are these, from its beginning until now.
pub(super) fn metrics(
    of_run: &[KeyValue],
    custom: &BTreeMap<String, SummaryMetric>,
    started_ns: u64,
    now_ns: u64,
) -> Vec<Metric> {
    let families = CUSTOM_FAMILIES.iter().filter_map(|family| {
        let mut points = Vec::new();
        for (name, metric) in custom {
            for (percentile, value) in (family.of)(metric) {
                let mut attributes = of_run.to_vec();
                attributes.push(text("greylag.metric", name.clone()));
                attributes.push(text("greylag.unit", plain_text(&metric.unit)));
                attributes.extend(percentile.map(|it| text("greylag.percentile", it.to_owned())));
                points.push(NumberDataPoint {
                    attributes,
                    start_time_unix_nano: if family.is_counter { started_ns } else { 0 },
                    time_unix_nano: now_ns,
                    value: Some(number_data_point::Value::AsDouble(value)),
                    ..NumberDataPoint::default()
                });
            }
        }
        let data = match family.is_counter {
            _ if points.is_empty() => return None,
            true => metric::Data::Sum(Sum {
                data_points: points,
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
            false => metric::Data::Gauge(Gauge {
                data_points: points,
            }),
        };
        Some(Metric {
            name: format!("greylag.custom.{}", family.name),
            description: format!("{}.", family.help),
            data: Some(data),
            ..Metric::default()
        })
    });
    families.collect()
}
