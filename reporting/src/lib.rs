#![doc = include_str!("../README.md")]

#[cfg(feature = "coordinator")]
mod about_view;
mod api_names;
#[cfg(feature = "coordinator")]
mod clock;
#[cfg(feature = "coordinator")]
mod console_tables;
#[cfg(feature = "coordinator")]
mod csv_files;
#[cfg(feature = "coordinator")]
mod error_place;
#[cfg_attr(
    not(feature = "coordinator"),
    expect(
        dead_code,
        reason = "adding stored intervals up is the coordinator's work"
    )
)]
mod histogram_codec;
#[cfg_attr(
    not(feature = "coordinator"),
    expect(
        dead_code,
        unused_imports,
        reason = "adding stored intervals up is the coordinator's work"
    )
)]
mod interval;
#[cfg(feature = "coordinator")]
mod known_scenarios;
#[cfg(feature = "coordinator")]
mod live_notices;
#[cfg(feature = "coordinator")]
mod page_text;
mod plain_text;
mod samples;
#[cfg(feature = "coordinator")]
mod store;
mod summary;
mod token;
#[cfg(feature = "coordinator")]
mod view_builder;
#[cfg(feature = "coordinator")]
mod windows;

#[cfg(feature = "coordinator")]
pub mod coordinator;
#[cfg(feature = "coordinator")]
pub mod front_view;
#[cfg(feature = "coordinator")]
pub mod view;
#[cfg(feature = "coordinator")]
pub mod web;

pub use api_names::NEXT_SECOND_HEADER;
#[cfg(feature = "coordinator")]
pub use console_tables::console_tables;
pub use histogram_codec::HistogramError;
pub use interval::{CheckedInterval, Interval, IntervalError, Sums, Times, check_wire};
pub use plain_text::plain_text;
#[cfg(feature = "coordinator")]
pub use samples::Complete;
pub use samples::{MAX_SAMPLES_PER_SECOND, Sample, SampleReservoir, thin_samples};
#[cfg(feature = "coordinator")]
pub use store::{
    Arrivals, CURRENT_RPS_WINDOW_S, CurrentRps, MAX_LOG_BYTES, MAX_LOG_LINES, MAX_RUNS_PER_QUERY,
    MAX_SUMMARY_POINTS, RunFilter, RunTotals, Samples, SaveOutcome, Series, Store, StoreError,
    TestRecord, other_endpoint,
};
pub use summary::{
    Summary, SummaryArrivals, SummaryBuild, SummaryCompleteness, SummaryEndpoint, SummaryError,
    SummaryGap, SummaryIntended, SummaryRun, SummarySecond, SummaryTotals, SummaryWarning,
};
pub use token::{MAX_TOKEN_BYTES, Token, TokenError};
