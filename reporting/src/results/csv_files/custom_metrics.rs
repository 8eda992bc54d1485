//! `_custom_metrics.csv`: a row for each custom metric. What its kind does not have is empty.

use super::{file, float, put, written};
use crate::results::summary::SummaryMetric;

/// The file of some metrics; only the header without any.
pub(crate) fn custom_metrics(metrics: &[SummaryMetric]) -> Vec<u8> {
    let mut file = file(Vec::new());
    put(
        &mut file,
        &[
            "Name",
            "Kind",
            "Unit",
            "Count",
            "Total",
            "Per Second",
            "Rate",
            "Last",
            "Average",
            "Min",
            "Max",
            "50%",
            "90%",
            "95%",
            "99%",
        ],
    );
    for metric in metrics {
        let known = |value: Option<f64>| value.map_or_else(String::new, float);
        put(
            &mut file,
            &[
                metric.name.clone(),
                metric.kind.to_string(),
                metric.unit.clone(),
                metric.count.to_string(),
                known(metric.total),
                known(metric.per_second),
                known(metric.rate),
                known(metric.last),
                known(metric.avg),
                known(metric.min),
                known(metric.max),
                known(metric.p50),
                known(metric.p90),
                known(metric.p95),
                known(metric.p99),
            ],
        );
    }
    written(file)
}
