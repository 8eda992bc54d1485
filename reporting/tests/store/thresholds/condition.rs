//! Conditions as the naive evaluation knows them: what each text means is written here by hand, and not read by the product.

use proptest::prelude::*;

use crate::scopes::events::{Event, endpoints, intended_us};

/// A threshold, without its text's grammar.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) text: String,
    pub(super) metric: Metric,
    pub(super) sign: Sign,
    pub(super) limit: Limit,
    pub(super) of: Option<&'static str>,
    pub(super) during: Option<&'static str>,
    pub(super) within_s: Option<u32>,
    pub(super) abort_after_s: Option<u32>,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(super) enum Metric {
    /// A time of a request in µs, if it has one.
    Time(fn(&Event) -> Option<u64>, Of),
    Rps,
    Requests,
    Failures,
    ErrorRate,
    Skipped,
    Saturated,
    /// Of the custom metric at this position; none where the metric is missing, or where its kind lacks that statistic.
    Custom(Option<usize>, Custom),
}

/// A statistic of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Of {
    /// So many of a thousand are below it.
    Percentile(u64),
    Mean,
    Min,
    Max,
}

/// A statistic of a custom metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Custom {
    Total,
    PerSecond,
    Count,
    Rate,
    Last,
    Of(Of),
}

/// How the value must compare with the limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sign {
    /// The limit is the most that it may be.
    pub(super) is_upper: bool,
    /// It may be the limit itself.
    pub(super) may_be_equal: bool,
}

/// The limit in the unit in which it is shown: ms, a fraction, a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    Fixed(f64),
    /// The baseline and this fraction of it.
    Relative(f64),
    /// The baseline and this amount.
    Absolute(f64),
}

impl Sign {
    pub(super) fn holds(self, value: f64, limit: f64) -> bool {
        if value == limit {
            return self.may_be_equal;
        }
        (value < limit) == self.is_upper
    }
}

impl Limit {
    pub(super) fn is_of_baseline(self) -> bool {
        !matches!(self, Self::Fixed(_))
    }
}

fn response(event: &Event) -> Option<u64> {
    Some(event.response_us)
}

fn first_byte(event: &Event) -> Option<u64> {
    Some(event.response_us / 2)
}

fn intended(event: &Event) -> Option<u64> {
    intended_us(&endpoints()[event.endpoint], event.response_us)
}

/// Each with its unit and the limits that are neither always nor never exceeded.
fn metrics() -> Vec<(&'static str, Metric, &'static str, std::ops::Range<u32>)> {
    let time = |of, which| Metric::Time(which, of);
    let custom = |at, statistic| Metric::Custom(Some(at), statistic);
    let none = |statistic| Metric::Custom(None, statistic);
    let (sent, depth, hits, tokens) = (0, 1, 2, 3);
    let tokens = |of| custom(tokens, Custom::Of(of));
    let p = Of::Percentile;
    vec![
        ("p95", time(p(950), response), "ms", 1_000..5_000),
        ("p50", time(p(500), response), "ms", 1_000..4_000),
        ("median", time(p(500), response), "ms", 1_000..4_000),
        ("p99", time(p(990), response), "ms", 3_000..5_000),
        ("p99.9", time(p(999), response), "ms", 3_000..5_000),
        ("mean", time(Of::Mean, response), "ms", 1_500..3_500),
        ("min", time(Of::Min, response), "ms", 1..500),
        ("max", time(Of::Max, response), "ms", 3_000..5_000),
        ("ttfb.p90", time(p(900), first_byte), "ms", 500..2_500),
        ("ttfb.max", time(Of::Max, first_byte), "ms", 1_000..2_500),
        (
            "intended.median",
            time(p(500), intended),
            "ms",
            2_000..12_000,
        ),
        (
            "intended.mean",
            time(Of::Mean, intended),
            "ms",
            2_000..12_000,
        ),
        ("rps", Metric::Rps, "", 1..3),
        ("requests", Metric::Requests, "", 1..300),
        ("failures", Metric::Failures, "", 1..150),
        ("error_rate", Metric::ErrorRate, "%", 20..80),
        // Twice more: of the metrics whose noise is weighed, it is the only one in points.
        ("error_rate", Metric::ErrorRate, "%", 20..80),
        ("error_rate", Metric::ErrorRate, "%", 20..80),
        ("skipped", Metric::Skipped, "%", 20..60),
        ("generator.saturated", Metric::Saturated, "%", 1..20),
        ("metric sent total", custom(sent, Custom::Total), "", 1..200),
        (
            "metric sent per_second",
            custom(sent, Custom::PerSecond),
            "",
            0..3,
        ),
        ("metric sent count", custom(sent, Custom::Count), "", 1..80),
        ("metric sent p95", none(Custom::Of(p(950))), "", 1..5),
        ("metric depth last", custom(depth, Custom::Last), "", 0..5),
        (
            "metric depth min",
            custom(depth, Custom::Of(Of::Min)),
            "",
            0..3,
        ),
        (
            "metric depth max",
            custom(depth, Custom::Of(Of::Max)),
            "",
            0..6,
        ),
        ("metric hits rate", custom(hits, Custom::Rate), "%", 20..80),
        ("metric \"tokens per second\" p90", tokens(p(900)), "", 1..5),
        ("metric \"tokens per second\" p50", tokens(p(500)), "", 0..2),
        (
            "metric \"tokens per second\" mean",
            tokens(Of::Mean),
            "",
            0..2,
        ),
        (
            "metric \"tokens per second\" max",
            tokens(Of::Max),
            "",
            1..6,
        ),
        (
            "metric \"tokens per second\" count",
            custom(3, Custom::Count),
            "",
            1..80,
        ),
        ("metric never count", none(Custom::Count), "", 1..5),
    ]
}

/// A limit and its text: fixed, or what the baseline had, or that and a tenth of a per cent, or a thousandth of the unit.
fn limit(
    unit: &'static str,
    fixed: std::ops::Range<u32>,
) -> impl Strategy<Value = (Limit, String)> {
    let fixed = fixed.prop_map(move |limit| {
        let value = f64::from(limit);
        let value = if unit == "%" { value / 100.0 } else { value };
        (Limit::Fixed(value), format!("{limit}{unit}"))
    });
    let same = Just((Limit::Absolute(0.0), "baseline".to_owned()));
    let sign = any::<bool>().prop_map(|is_less| if is_less { ('-', -1.0) } else { ('+', 1.0) });
    let relative = (sign.clone(), 1..2_000_u32).prop_map(|((sign, times), tenths)| {
        let text = format!("baseline {sign} {}.{}%", tenths / 10, tenths % 10);
        (Limit::Relative(times * f64::from(tenths) / 1e3), text)
    });
    let most = if unit == "ms" { 2_000_000 } else { 3_000_u32 };
    let absolute = (sign, 1..most).prop_map(move |((sign, times), thousandths)| {
        let by = times * f64::from(thousandths) / 1e3;
        let number = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
        match unit {
            "%" => (
                Limit::Absolute(times * f64::from(thousandths) / 1e5),
                format!("baseline{sign}{number}pp"),
            ),
            unit => (
                Limit::Absolute(by),
                format!("baseline {sign} {number}{unit}"),
            ),
        }
    });
    prop_oneof![4 => fixed, 1 => same, 2 => relative, 2 => absolute]
}

pub(super) fn condition() -> impl Strategy<Value = Condition> {
    let metric = prop::sample::select(metrics());
    let metric = metric.prop_flat_map(|(name, metric, unit, limits)| {
        let sign = prop::sample::select(vec!["<", "<=", ">", ">="]);
        (Just(name), Just(metric), sign, limit(unit, limits))
    });
    let of = prop::option::of(prop::sample::select(vec![
        "GET /a",
        "GET /b",
        "POST /b",
        "GET /never",
        "tag api",
        "tag slow",
        "tag never",
    ]));
    let phases = vec!["ramp-up", "steady", "ramp-down", "whole"];
    let during = prop::option::of(prop::sample::select(phases));
    let within = prop::option::of(prop::sample::select(vec![1_u32, 7, 30, 90, 700]));
    let abort = prop::option::weighted(0.1, prop::sample::select(vec![1_u32, 20, 200]));
    let parts = (metric, of, during, within, abort);
    parts.prop_map(
        |(
            (name, metric, sign, (mut limit, mut limit_text)),
            of,
            during,
            within_s,
            abort_after_s,
        )| {
            let is_of_requests = !matches!(
                metric,
                Metric::Skipped | Metric::Saturated | Metric::Custom(..)
            );
            // That no value is below 0 cannot be asked.
            if sign == "<" && limit_text.trim_end_matches('%') == "0" {
                (limit, limit_text) = (Limit::Fixed(1.0), "1".to_owned());
            }
            let of = of.filter(|_| is_of_requests);
            let mut text = format!("{name} {sign} {limit_text}");
            if let Some(of) = of {
                text += &format!(" for {of}");
            }
            if let Some(during) = during {
                text += &format!(" during {during}");
            }
            if let Some(within_s) = within_s {
                text += &format!(" within {within_s}s");
            }
            if let Some(abort_after_s) = abort_after_s {
                text += &format!(" abort after {abort_after_s}s");
            }
            let sign = Sign {
                is_upper: sign.starts_with('<'),
                may_be_equal: sign.ends_with('='),
            };
            Condition {
                text,
                metric,
                sign,
                limit,
                of,
                during,
                within_s,
                abort_after_s,
            }
        },
    )
}
