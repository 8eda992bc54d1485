//! What happened: intervals and their sums, the store, and the web server that shows them.

mod histogram_codec;
mod interval;

pub mod view;

pub use histogram_codec::HistogramError;
pub use interval::{Interval, IntervalError};
