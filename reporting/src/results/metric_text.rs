//! How custom metrics read: the same on the page, on terminals and in Markdown.

use greylag_infra::MetricKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::page_text::{count, percent};
use super::summary::SummaryMetric;
use crate::plain_text::plain_text;
use crate::store::Scope;

/// What a kind of metric does not have, or one without values.
const NONE: &str = "–";

/// The columns behind the metric's name.
pub(crate) const METRIC_COLUMNS: [&str; 11] = [
    "Values",
    "Total",
    "Per second",
    "Rate",
    "Last",
    "Average",
    "Min",
    "p50",
    "p95",
    "p99",
    "Max",
];

/// Custom Metrics on the page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct MetricsView {
    /// What has to be known of them beside the scope.
    pub note: String,
    /// In the order in which the scenario began to count them.
    pub rows: Vec<MetricRow>,
}

/// One of them, as it reads.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MetricRow {
    /// Its name.
    pub name: String,
    /// Kind and unit.
    pub kind: String,
    /// The cells of [`METRIC_COLUMNS`].
    #[schema(value_type = Vec<String>)]
    pub cells: [String; METRIC_COLUMNS.len()],
}

impl MetricsView {
    pub(crate) fn of(metrics: &[SummaryMetric], scope: &Scope) -> Self {
        let chosen = [
            (scope.endpoint.is_some(), "endpoints"),
            (scope.agent.is_some(), "agents"),
            (scope.outcome.is_some(), "outcomes"),
        ];
        let chosen: Vec<&str> = chosen.iter().filter(|of| of.0).map(|of| of.1).collect();
        let note = match &chosen[..] {
            [] => String::new(),
            chosen => format!("of all {}", chosen.join(" and ")),
        };
        Self {
            note,
            rows: metrics.iter().map(MetricRow::of).collect(),
        }
    }

    /// The titles of [`MetricRow::cells`].
    pub(crate) fn columns(&self) -> [&'static str; METRIC_COLUMNS.len()] {
        METRIC_COLUMNS
    }
}

impl MetricRow {
    pub(crate) fn of(metric: &SummaryMetric) -> Self {
        let unit = plain_text(&metric.unit);
        let kind = match unit.as_str() {
            "" => metric.kind.to_string(),
            unit => format!("{}, {unit}", metric.kind),
        };
        let known = |value: Option<f64>| value.map_or_else(|| NONE.to_owned(), number);
        // How many are true is in the rate, and a sum of speeds means nothing.
        let total = metric.total.filter(|_| metric.kind == MetricKind::Counter);
        Self {
            name: plain_text(&metric.name),
            kind,
            cells: [
                count(metric.count),
                known(total),
                known(metric.per_second),
                metric.rate.map_or_else(|| NONE.to_owned(), percent),
                known(metric.last),
                known(metric.avg),
                known(metric.min),
                known(metric.p50),
                known(metric.p95),
                known(metric.p99),
                known(metric.max),
            ],
        }
    }

    /// What it is in one line.
    pub(crate) fn line(&self) -> String {
        format!("{} ({}): {}", self.name, self.kind, self.values())
    }

    /// The cells that it has, with their titles.
    pub(crate) fn values(&self) -> String {
        let cells = METRIC_COLUMNS.iter().zip(&self.cells).skip(1);
        let cells = cells.filter(|(_, cell)| *cell != NONE);
        let mut parts: Vec<String> = cells
            .map(|(title, cell)| format!("{} {cell}", title.to_lowercase()))
            .collect();
        if parts.is_empty() {
            parts.push("no values".to_owned());
        }
        parts.join(", ")
    }
}

/// A number of any size and sign: three significant digits, and all digits before the point.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if size == 0.0 {
        return "0".to_owned();
    }
    // Values are whole millionths.
    let text = if size < 0.000_999_5 {
        format!("{size:.6}")
    } else if size < 0.099_95 {
        format!("{size:.4}")
    } else if size < 0.999_5 {
        format!("{size:.3}")
    } else if size < 9.995 {
        format!("{size:.2}")
    } else if size < 999.95 {
        format!("{size:.1}")
    } else {
        // Far below the greatest u64 but for sums, which end there.
        count(size.round() as u64)
    };
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_no_empty_ones() {
        let texts = [
            0.0,
            0.000_001,
            0.0123,
            -0.5,
            1.0,
            2.5,
            9.999,
            -53.24,
            999.94,
            1_000.4,
            12_345_678.9,
            -1e12,
        ]
        .map(number);
        assert_eq!(
            texts,
            [
                "0",
                "0.000001",
                "0.0123",
                "-0.5",
                "1",
                "2.5",
                "10",
                "-53.2",
                "999.9",
                "1,000",
                "12,345,679",
                "-1,000,000,000,000",
            ]
        );
    }

    #[test]
    fn a_row_has_what_its_kind_has() {
        let counter = SummaryMetric {
            name: "sent".to_owned(),
            kind: MetricKind::Counter,
            unit: "bytes".to_owned(),
            count: 3,
            total: Some(1_234.5),
            per_second: Some(0.25),
            ..SummaryMetric::default()
        };
        let line = MetricRow::of(&counter).line();
        assert_eq!(line, "sent (counter, bytes): total 1,235, per second 0.25");
        let empty = SummaryMetric {
            name: "queue".to_owned(),
            kind: MetricKind::Gauge,
            ..SummaryMetric::default()
        };
        assert_eq!(MetricRow::of(&empty).line(), "queue (gauge): no values");
    }
}
