//! How the thresholds of a run stand, as its page shows them.

use greylag_infra::{
    CustomMetric, CustomStatistic, RunRecord, TestVerdict, Threshold, ThresholdMetric,
    ThresholdPhase, ThresholdResult, ThresholdState, ThresholdSubject, TimedSpan,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::plain_text::plain_text;
use crate::results::page_text::clock;
use crate::results::summary::verdict_of;
use crate::store::{CustomMetrics, Scope};

/// How the thresholds of a run stand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ThresholdsView {
    /// What they say of the run: `passed` or `failed`; null without thresholds, and while it goes on.
    pub verdict: Option<TestVerdict>,
    /// How they stand together: `none`, `open`, `breached` while the run goes on, `passed` or `failed`.
    pub standing: &'static str,
    /// The same in words; empty where there is nothing to say beside the status.
    pub badge: String,
    /// Each, in the order of the test.
    pub rows: Vec<ThresholdRow>,
    /// Limits as lines across the charts of the part that is shown.
    pub lines: Vec<ChartLimit>,
}

/// How one threshold stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ThresholdRow {
    /// What came of it.
    #[serde(flatten)]
    pub result: ThresholdResult,
    /// What was measured, as people read it.
    pub actual_text: String,
    /// The limit, likewise.
    pub limit_text: String,
    /// Its state, likewise.
    pub state_text: String,
    /// Since when it is breached, on a clock of run time; empty where it is not.
    pub since_text: String,
}

/// A limit as a line across a chart.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChartLimit {
    /// Which chart: `total-requests-per-second`, `percentiles`, `response-time-distribution` or `custom-metric`.
    pub chart: &'static str,
    /// Of which custom metric; null for a chart of something else.
    pub metric: Option<String>,
    /// Of which times: `response`, `intended` or `first_byte`; null for a chart of something else.
    pub of: Option<&'static str>,
    /// Where, in the chart's unit.
    pub at: f64,
    /// The threshold.
    pub label: String,
}

/// What is not there.
const NOTHING: &str = "–";

impl ThresholdsView {
    /// Of a run with these results and custom metrics, for the page of a part of it.
    pub(crate) fn of(
        run: &RunRecord,
        scope: &Scope,
        results: &[ThresholdResult],
        metrics: &CustomMetrics,
    ) -> Self {
        let verdict = verdict_of(run, results);
        let is_failed = results.iter().any(|result| result.state.is_failed());
        let (standing, badge) = match verdict {
            Some(TestVerdict::Passed) => ("passed", "Verdict: passed".to_owned()),
            Some(TestVerdict::Failed) => ("failed", "Verdict: failed".to_owned()),
            None if results.is_empty() => ("none", String::new()),
            None if is_failed => ("breached", failed_so_far(results)),
            None => ("open", String::new()),
        };
        let thresholds = run.test.thresholds.iter().zip(results);
        Self {
            verdict,
            standing,
            badge,
            rows: results.iter().map(row).collect(),
            lines: thresholds
                .flat_map(|(threshold, result)| lines(threshold, result, scope, metrics))
                .collect(),
        }
    }

    /// What stands above the table.
    pub(crate) fn note(&self) -> &'static str {
        ThresholdPhase::UNLESS_WRITTEN
    }
}

/// How many conditions of a run in progress do not hold, or cannot any more: `2 conditions breached, 1 without data`.
fn failed_so_far(results: &[ThresholdResult]) -> String {
    let count = |state: ThresholdState| {
        let such = results.iter().filter(|result| result.state == state);
        such.count()
    };
    let things = |count: usize| match count {
        1 => "1 condition".to_owned(),
        count => format!("{count} conditions"),
    };
    match (
        count(ThresholdState::Breached),
        count(ThresholdState::NoData),
    ) {
        (breached, 0) => format!("{} breached", things(breached)),
        (0, without) => format!("{} without data", things(without)),
        (breached, without) => format!("{} breached, {without} without data", things(breached)),
    }
}

fn row(result: &ThresholdResult) -> ThresholdRow {
    let text = |value: Option<f64>| match value {
        Some(value) => result.unit.text(value),
        None => NOTHING.to_owned(),
    };
    ThresholdRow {
        actual_text: text(result.actual),
        limit_text: text(result.limit),
        state_text: result.state.to_string(),
        since_text: result.breached_since_s.map_or_else(String::new, clock),
        result: ThresholdResult {
            condition: plain_text(&result.condition),
            explanation: result.explanation.as_deref().map(plain_text),
            ..result.clone()
        },
    }
}

/// The chart of a custom metric.
const CUSTOM_METRIC: &str = "custom-metric";

/// The limit of a threshold that is about what a page shows, in each chart of the very quantity; the README says which have none, and why.
fn lines(
    threshold: &Threshold,
    result: &ThresholdResult,
    scope: &Scope,
    metrics: &CustomMetrics,
) -> Vec<ChartLimit> {
    if let ThresholdSubject::Metric { name } = &threshold.of {
        let mut metrics = metrics.metrics.iter();
        let metric = metrics.find(|known| known.metric.name == *name);
        return metric
            .and_then(|known| line_of_metric(threshold.metric, &known.metric, result))
            .into_iter()
            .collect();
    }
    let is_shown = match (&threshold.of, &scope.endpoint) {
        (ThresholdSubject::All, None) => true,
        (ThresholdSubject::Endpoint { method, name }, Some(shown)) => {
            (method, name) == (&shown.method, &shown.name)
        }
        _ => false,
    };
    let Some(at) = result.limit.filter(|_| is_shown) else {
        return Vec::new();
    };
    if scope.agent.is_some() || scope.outcome.is_some() {
        return Vec::new();
    }
    const PERCENTILES: &str = "percentiles";
    let charts: &[(&'static str, Option<&'static str>)] = match threshold.metric {
        ThresholdMetric::RequestsPerSecond => &[("total-requests-per-second", None)],
        ThresholdMetric::Time(TimedSpan::Response, _) => &[
            (PERCENTILES, Some("response")),
            ("response-time-distribution", Some("response")),
        ],
        ThresholdMetric::Time(TimedSpan::Intended, _) => &[(PERCENTILES, Some("intended"))],
        ThresholdMetric::Time(TimedSpan::FirstByte, _) => &[(PERCENTILES, Some("first_byte"))],
        _ => &[],
    };
    let label = plain_text(&result.condition);
    let lines = charts.iter().map(|&(chart, of)| ChartLimit {
        chart,
        metric: None,
        of,
        at,
        label: label.clone(),
    });
    lines.collect()
}

/// The limit of what the chart of a custom metric shows: totals and counts grow from the beginning of the phase, and that chart has those
/// of each step. A statistic that metrics of its kind do not have is never judged, and would be a line across something else.
fn line_of_metric(
    metric: ThresholdMetric,
    of: &CustomMetric,
    result: &ThresholdResult,
) -> Option<ChartLimit> {
    let is_drawn = match metric {
        ThresholdMetric::Custom(CustomStatistic::Total | CustomStatistic::Count) => false,
        ThresholdMetric::Custom(statistic) => statistic.is_of(of.kind),
        _ => false,
    };
    Some(ChartLimit {
        chart: CUSTOM_METRIC,
        metric: Some(plain_text(&of.name)),
        of: None,
        at: result.limit.filter(|_| is_drawn)?,
        label: plain_text(&result.condition),
    })
}

impl ThresholdRow {
    /// Its state for style sheets.
    pub(crate) fn state_word(&self) -> &'static str {
        match self.result.state {
            ThresholdState::Pending => "pending",
            ThresholdState::Passed => "passed",
            ThresholdState::Breached => "breached",
            ThresholdState::NoData => "no_data",
        }
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::protocol::MetricKind;
    use greylag_infra::{LoadTest, RunPhase, ThresholdUnit};

    use super::*;
    use crate::store::Window;

    fn view(state: ThresholdState, phase: RunPhase, scope: &Scope) -> ThresholdsView {
        let thresholds = vec!["p95 < 500ms".parse().unwrap()];
        let run = RunRecord {
            id: "r".into(),
            number: 1,
            test: LoadTest {
                thresholds,
                ..LoadTest::default()
            },
            phase,
            created_at: greylag_infra::WallTime::default(),
            started_at: None,
            ended_at: None,
            agents: Vec::new(),
            profile: greylag_infra::LoadProfile::default(),
            completeness: greylag_infra::Completeness::default(),
        };
        let result = ThresholdResult {
            condition: "p95 < 500ms".to_owned(),
            metric: "p95".to_owned(),
            unit: ThresholdUnit::Ms,
            actual: Some(612.0),
            limit: Some(500.0),
            state,
            breached_since_s: Some(65),
            explanation: None,
        };
        ThresholdsView::of(&run, scope, &[result], &CustomMetrics::default())
    }

    #[test]
    fn a_verdict_comes_at_the_end_and_a_breach_before_it() {
        let whole = Scope::default();
        let breached = view(ThresholdState::Breached, RunPhase::Running, &whole);
        assert_eq!((breached.verdict, breached.standing), (None, "breached"));
        assert_eq!(breached.rows[0].actual_text, "612 ms");
        assert_eq!(breached.rows[0].since_text, "1:05");
        assert_eq!(breached.badge, "1 condition breached");
        let with = |state: ThresholdState| ThresholdResult {
            state,
            ..breached.rows[0].result.clone()
        };
        use ThresholdState::{Breached, NoData, Passed};
        let badge = |states: &[ThresholdState]| {
            let results: Vec<_> = states.iter().map(|state| with(*state)).collect();
            failed_so_far(&results)
        };
        assert_eq!(badge(&[NoData, Passed]), "1 condition without data");
        let both = "2 conditions breached, 1 without data";
        assert_eq!(badge(&[Breached, NoData, Breached, Passed]), both);
        let failed = view(ThresholdState::Breached, RunPhase::Finished, &whole);
        assert_eq!(failed.verdict, Some(TestVerdict::Failed));
        assert_eq!(failed.badge, "Verdict: failed");
        let open = view(ThresholdState::Passed, RunPhase::Running, &whole);
        assert_eq!((open.standing, open.badge.as_str()), ("open", ""));
    }

    #[test]
    fn a_line_across_the_chart_of_a_metric_is_of_a_statistic_that_it_has() {
        let metric = |kind| CustomMetric::new("depth", kind, "");
        let result = ThresholdResult {
            limit: Some(5.0),
            ..view(ThresholdState::Passed, RunPhase::Running, &Scope::default())
                .rows
                .remove(0)
                .result
        };
        let drawn = |condition: &str| {
            let text = format!("metric depth {condition}");
            let threshold: Threshold = text.parse().unwrap();
            MetricKind::ALL
                .map(|kind| line_of_metric(threshold.metric, &metric(kind), &result).is_some())
        };
        // Of counters, gauges, rates and histograms.
        assert_eq!(drawn("per_second < 5"), [true, false, false, false]);
        assert_eq!(drawn("last < 5"), [false, true, false, false]);
        assert_eq!(drawn("rate < 5%"), [false, false, true, false]);
        assert_eq!(drawn("p95 < 5"), [false, false, false, true]);
        assert_eq!(drawn("max < 5"), [false, true, false, true]);
        assert_eq!(drawn("total < 5"), [false; 4]);
        assert_eq!(drawn("count < 5"), [false; 4]);
    }

    #[test]
    fn lines_are_those_of_the_requests_that_are_shown() {
        let lines = |scope: &Scope| {
            view(ThresholdState::Passed, RunPhase::Finished, scope)
                .lines
                .iter()
                .map(|line| line.chart)
                .collect::<Vec<_>>()
        };
        let both = ["percentiles", "response-time-distribution"];
        assert_eq!(lines(&Scope::default()), both);
        assert_eq!(lines(&Scope::of_window(Window::new(3, 9).unwrap())), both);
        let of_agent = Scope {
            agent: Some("eu".to_owned()),
            ..Scope::default()
        };
        assert!(lines(&of_agent).is_empty());
    }
}
