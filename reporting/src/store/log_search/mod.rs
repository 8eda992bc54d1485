//! Search in a run's console log: which lines are asked for, and a page of them.
//!
//! Lines are looked at one after the other, in either direction, and each page says where the next one begins: no answer
//! takes long, however many lines there are and however few of them are wanted.

mod filter;
mod level;
mod page;
mod pattern;

pub use filter::LogFilter;
pub use page::{LogOrder, LogPage, LogRange};
pub(super) use page::{position_at, read_page, row_of};
pub use pattern::{LogPattern, PatternError};

#[cfg(test)]
mod tests;
