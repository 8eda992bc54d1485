#![doc = include_str!("../README.md")]

mod api_types;
#[cfg(feature = "coordinator")]
mod builds;
mod compare;
#[cfg_attr(
    not(feature = "coordinator"),
    expect(
        dead_code,
        unused_imports,
        reason = "adding stored intervals up is the coordinator's work"
    )
)]
mod measure;
mod plain_text;
mod results;
#[cfg(feature = "coordinator")]
mod store;
#[cfg(feature = "coordinator")]
mod thresholds;
mod tokens;
mod trace_url;

#[cfg(feature = "coordinator")]
pub mod coordinator;
#[cfg(feature = "coordinator")]
pub mod provisioning;
#[cfg(feature = "coordinator")]
pub mod web;

pub use api_types::{
    BuildAnnounced, BuildAnnouncement, BuildList, ErrorBody, ListedBuild, ListedToken, LogLevel,
    LogLines, LogRow, NEXT_SECOND_HEADER, NewToken, RunImported, RunStarted, RunStopping,
    TokenCreated, TokenList, UsersChanging,
};
#[cfg(feature = "coordinator")]
pub use builds::{Announced, BuildError, BuildStore, Stored, StoredBuild};
pub use compare::{
    Difference, EndpointDifferences, MeasuredRun, NotTested, RunDifferences, RunVerdict, Statistic,
    Verdict, change_text, compare,
};
pub use measure::{
    arrivals::Arrivals,
    custom::{MetricError, MetricNumbers, MetricSums, PackedMetric, check_metric, in_units},
    distribution::{CurvePoint, Distribution, DistributionBucket},
    histogram_codec::HistogramError,
    interval::{
        Interval, IntervalError, Measure, Outcome, Outcomes, SparseInterval, Sums, Times,
        check_wire,
    },
    samples::{Complete, MAX_SAMPLES_PER_SECOND, Sample, SampleReservoir, thin_samples},
    series_point::SeriesPoint,
    stats::{IntendedStats, Stats, TimeStats},
};
pub use plain_text::plain_text;
pub use results::calendar::rfc3339;
pub use results::comparison::{
    ComparedMetric, ComparedRun, Comparison, MetricDifference, RunComparison, finding, run_verdict,
    statistic_name,
};
pub use results::summary::{
    ErrorSpread, Progress, Summary, SummaryBuild, SummaryCompleteness, SummaryCoverage,
    SummaryEndpoint, SummaryEndpointName, SummaryError, SummaryGap, SummaryGenerator, SummaryLoss,
    SummaryMetric, SummaryRun, SummaryScope, SummaryShipped, SummaryStretch, SummaryTotals,
    SummaryWarning, SummaryWorst,
};
#[cfg(feature = "coordinator")]
pub use results::{
    console_tables::console_tables,
    summary::MAX_SUMMARY_POINTS,
    views::{front_view, generator_view, run_view},
};
#[cfg(feature = "coordinator")]
pub use store::{
    AnnotationChange, Annotations, BundleError, CURRENT_RPS_WINDOW_S, Chart, ChartData, ChartLine,
    ChartSteps, CurrentRate, CurrentRps, CustomMetrics, EmptyWindow, Judgement, LogFilter,
    LogOrder, LogPage, LogPattern, LogRange, MAX_CHART_STEPS, MAX_LOG_BYTES, MAX_LOG_LINES,
    MAX_RUN_MARKS, MAX_RUNS_PER_QUERY, MetricTotals, PatternError, RunFilter, RunIsPinned, RunMark,
    RunNotOver, RunTotals, SamplePoint, SampleRow, Samples, SaveOutcome, Scope, Series, Store,
    StoreError, TestRecord, TooManyMarks, UnknownAgentName, UnknownEndpoint, UnknownMetric, Window,
    WorkerRow, other_endpoint,
};
#[cfg(feature = "coordinator")]
pub use thresholds::ThresholdAbort;
#[cfg(feature = "coordinator")]
pub use tokens::{
    CreateTokenError, RevokeTokenError, TokenId, TokenRecord, TokenStore, ValidToken,
};
pub use tokens::{
    Grant, GrantError, MAX_TOKEN_BYTES, Role, RoleError, Token, TokenError, hide_tokens,
};
pub use trace_url::{TraceUrl, TraceUrlError};
