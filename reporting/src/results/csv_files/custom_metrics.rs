//! `_custom_metrics.csv`: a row for each custom metric. What its kind does not have is empty.

use super::{file, float, put, written};
use crate::results::metric_text::METRIC_STATISTICS;
use crate::results::summary::SummaryMetric;

/// The file of some metrics; only the header without any.
pub(crate) fn custom_metrics(metrics: &[SummaryMetric]) -> Vec<u8> {
    let mut file = file(Vec::new());
    let columns = METRIC_STATISTICS.iter().map(|one| one.column);
    let header = ["Name", "Kind", "Unit", "Count"].into_iter().chain(columns);
    put(&mut file, &header.collect::<Vec<_>>());
    for metric in metrics {
        let statistics = METRIC_STATISTICS.iter().map(|one| (one.of)(metric));
        let statistics = statistics.map(|value| value.map_or_else(String::new, float));
        let first = [
            metric.name.clone(),
            metric.kind.to_string(),
            metric.unit.clone(),
            metric.count.to_string(),
        ];
        let row: Vec<String> = first.into_iter().chain(statistics).collect();
        put(&mut file, &row);
    }
    written(file)
}
