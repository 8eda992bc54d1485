//! How custom metrics read: the same on the page, on terminals and in Markdown.

use std::iter;

use greylag_infra::MetricKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::page_text::{count, percent, rounded};
use super::summary::SummaryMetric;
use crate::plain_text::plain_text;
use crate::store::Scope;

/// What a kind of metric does not have, or one without values.
const NONE: &str = "–";

/// How a number of a metric reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// A number of any size.
    Number,
    /// A fraction as a percentage.
    Share,
}

/// A statistic of custom metrics.
#[derive(Debug, Serialize)]
pub(crate) struct MetricStatistic {
    /// Its key in a summary.
    pub(crate) key: &'static str,
    /// Its title for people.
    pub(crate) title: &'static str,
    /// Its column in CSV files.
    #[serde(skip)]
    pub(crate) column: &'static str,
    /// Its value; none where the metric's kind does not have it, or without values.
    #[serde(skip)]
    pub(crate) of: fn(&SummaryMetric) -> Option<f64>,
    form: Form,
    /// The only kind of which it says something to people.
    only_of: Option<MetricKind>,
    /// Whether tables for people have it.
    #[serde(skip)]
    in_tables: bool,
}

/// Every statistic but the number of values, in order.
pub(crate) const METRIC_STATISTICS: [MetricStatistic; 11] = [
    MetricStatistic {
        // How many are true is in the rate, and a sum of speeds means nothing.
        only_of: Some(MetricKind::Counter),
        ..of("total", "Total", "Total", |metric| metric.total)
    },
    of("per_second", "Per second", "Per Second", |metric| {
        metric.per_second
    }),
    MetricStatistic {
        form: Form::Share,
        ..of("rate", "Rate", "Rate", |metric| metric.rate)
    },
    of("last", "Last", "Last", |metric| metric.last),
    of("avg", "Average", "Average", |metric| metric.avg),
    of("min", "Min", "Min", |metric| metric.min),
    of("max", "Max", "Max", |metric| metric.max),
    of("p50", "p50", "50%", |metric| metric.p50),
    MetricStatistic {
        in_tables: false,
        ..of("p90", "p90", "90%", |metric| metric.p90)
    },
    of("p95", "p95", "95%", |metric| metric.p95),
    of("p99", "p99", "99%", |metric| metric.p99),
];

const fn of(
    key: &'static str,
    title: &'static str,
    column: &'static str,
    of: fn(&SummaryMetric) -> Option<f64>,
) -> MetricStatistic {
    MetricStatistic {
        key,
        title,
        column,
        of,
        form: Form::Number,
        only_of: None,
        in_tables: true,
    }
}

/// That of a key.
pub(crate) fn of_key(key: &str) -> Option<&'static MetricStatistic> {
    METRIC_STATISTICS.iter().find(|one| one.key == key)
}

/// Those that tables for people have.
pub(crate) fn in_tables() -> impl Iterator<Item = &'static MetricStatistic> {
    METRIC_STATISTICS.iter().filter(|one| one.in_tables)
}

/// The percentiles: each as the number of its percent, with its value.
pub(crate) fn percentiles(
    metric: &SummaryMetric,
) -> impl Iterator<Item = (&'static str, Option<f64>)> {
    let percentiles = METRIC_STATISTICS.iter();
    percentiles.filter_map(|one| Some((one.column.strip_suffix('%')?, (one.of)(metric))))
}

impl MetricStatistic {
    /// Its value where it says something to people.
    pub(crate) fn value(&self, metric: &SummaryMetric) -> Option<f64> {
        let says = self.only_of.is_none_or(|kind| kind == metric.kind);
        (self.of)(metric).filter(|_| says)
    }

    /// Whether its values are fractions.
    pub(crate) fn is_share(&self) -> bool {
        self.form == Form::Share
    }

    /// How a value reads.
    pub(crate) fn text(&self, value: f64) -> String {
        match self.form {
            Form::Number => number(value),
            Form::Share => percent(value),
        }
    }
}

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
    /// How its values add up.
    pub kind: MetricKind,
    /// The unit of its values; empty without one.
    pub unit: String,
    /// How many values there are, and its statistics.
    pub cells: Vec<String>,
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
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static str> {
        iter::once("Values").chain(in_tables().map(|one| one.title))
    }
}

/// Kind and unit of a metric.
pub(crate) fn kind_text(kind: MetricKind, unit: &str) -> String {
    match unit {
        "" => kind.to_string(),
        unit => format!("{kind}, {unit}"),
    }
}

impl MetricRow {
    pub(crate) fn of(metric: &SummaryMetric) -> Self {
        let statistics = in_tables().map(|one| match one.value(metric) {
            Some(value) => one.text(value),
            None => NONE.to_owned(),
        });
        Self {
            name: plain_text(&metric.name),
            kind: metric.kind,
            unit: plain_text(&metric.unit),
            cells: iter::once(count(metric.count)).chain(statistics).collect(),
        }
    }

    /// Kind and unit.
    pub(crate) fn kind_text(&self) -> String {
        kind_text(self.kind, &self.unit)
    }

    /// What it is in one line.
    pub(crate) fn line(&self) -> String {
        format!("{} ({}): {}", self.name, self.kind_text(), self.values())
    }

    /// The cells that it has, with their titles.
    pub(crate) fn values(&self) -> String {
        let cells = in_tables().zip(self.cells.iter().skip(1));
        let cells = cells.filter(|(_, cell)| *cell != NONE);
        let mut parts: Vec<String> = cells
            .map(|(one, cell)| format!("{} {cell}", one.title.to_lowercase()))
            .collect();
        if parts.is_empty() {
            parts.push("no values".to_owned());
        }
        parts.join(", ")
    }
}

/// A number of any size and sign: three significant digits, and all digits before the point. `assets/js/format.js` says the same.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if size == 0.0 {
        return "0".to_owned();
    }
    // Values are whole millionths.
    let places = match size {
        _ if size < 0.000_999_5 => 6,
        _ if size < 0.099_95 => 4,
        _ if size < 0.999_5 => 3,
        _ if size < 9.995 => 2,
        _ if size < 999.95 => 1,
        _ => 0,
    };
    let text = match places {
        // Far below the greatest u64 but for sums, which end there.
        0 => count(size.round() as u64),
        places => rounded(size, places),
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
            1.125,
            2.5,
            9.999,
            -53.24,
            999.94,
            1_000.4,
            12_345_678.9,
            -1e12,
            1e21,
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
                "1.13",
                "2.5",
                "10",
                "-53.2",
                "999.9",
                "1,000",
                "12,345,679",
                "-1,000,000,000,000",
                "18,446,744,073,709,551,615",
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
