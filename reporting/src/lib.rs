#![doc = include_str!("../README.md")]

mod about_view;
mod console_tables;
mod csv_files;
mod histogram_codec;
mod interval;
mod known_scenarios;
mod page_text;
mod plain_text;
mod samples;
mod shown_host;
mod store;
mod summary;
mod view_builder;
mod windows;

pub mod coordinator;
pub mod front_view;
pub mod view;
pub mod web;

pub use console_tables::console_tables;
pub use histogram_codec::HistogramError;
pub use interval::{Interval, IntervalError, Sums, Times};
pub use plain_text::plain_text;
pub use samples::{MAX_SAMPLES_PER_SECOND, Sample, SampleReservoir, thin_samples};
pub use store::{
    Arrivals, CURRENT_RPS_WINDOW_S, CurrentRps, MAX_LOG_BYTES, MAX_LOG_LINES, MAX_RUNS_PER_QUERY,
    RunFilter, RunTotals, Samples, SaveOutcome, Series, Store, StoreError, TestRecord,
    other_endpoint,
};
pub use summary::{
    Summary, SummaryArrivals, SummaryEndpoint, SummaryError, SummaryIntended, SummaryRun,
    SummarySecond, SummaryTotals, SummaryWarning,
};
