//! What a run came to, for people and programs: one JSON document, console tables, CSV files and what the pages show.
//!
//! Everything is put together from what the store answers. The types of the document are there for clients, too.

#[cfg(feature = "coordinator")]
pub(crate) mod announcement;
pub(crate) mod calendar;
#[cfg(feature = "coordinator")]
pub(crate) mod ci_report;
pub(crate) mod comparison;
#[cfg(feature = "coordinator")]
pub(crate) mod console_tables;
#[cfg(feature = "coordinator")]
pub(crate) mod csv_files;
#[cfg(feature = "coordinator")]
pub(crate) mod error_place;
#[cfg(feature = "coordinator")]
pub(crate) mod hlog;
#[cfg(feature = "coordinator")]
pub(crate) mod markdown;
#[cfg(feature = "coordinator")]
pub(crate) mod measured_text;
#[cfg(feature = "coordinator")]
pub(crate) mod metric_text;
#[cfg(feature = "coordinator")]
pub(crate) mod metrics;
#[cfg(feature = "coordinator")]
pub(crate) mod page_text;
pub(crate) mod summary;
#[cfg(feature = "coordinator")]
pub(crate) mod urls;
#[cfg(feature = "coordinator")]
pub(crate) mod views;
