//! What is measured and how it adds up: intervals and their histograms, samples of requests, and windows of run time.
//!
//! Agents use it too, so it knows neither the store nor the web.

pub(crate) mod arrivals;
pub(crate) mod count_sum;
pub(crate) mod custom;
pub(crate) mod distribution;
pub(crate) mod health;
pub(crate) mod histogram_codec;
mod inflate;
pub(crate) mod interval;
pub(crate) mod packed_counts;
pub(crate) mod samples;
pub(crate) mod seconds;
pub(crate) mod series_point;
pub(crate) mod stats;
pub(crate) mod windows;
