//! Answers for programs: JSON below `/api/v1`, errors as `{"error": "<message>"}`. `greylag run` is a
//! client of this and of nothing else.

mod builds;
mod bundle;
mod charts;
mod ci_report;
mod compare;
mod csv;
mod error_samples;
mod health;
mod hlog;
mod infrastructures;
mod log_lines;
mod metrics;
mod notes;
mod openapi;
mod report;
mod runs;
mod samples;
mod streamed;
mod summary;
mod tokens;
mod view;
mod workers;

pub(super) use builds::{
    PROGRAM, announce_build, delete_build, download_build, list_builds, upload_piece,
};
pub(super) use bundle::{IMPORT_PATH, bundle, import_run};
pub(super) use charts::{CHARTS, ChartError, TIMES, chart, distribution};
pub(super) use ci_report::{junit_file, markdown_summary};
pub(super) use compare::compare;
pub(super) use csv::csv_file;
pub(super) use error_samples::{ErrorSampleAnswer, error_samples};
pub(super) use health::{alive, ready};
pub(super) use hlog::hlog;
pub(super) use infrastructures::{create_infrastructure, list_infrastructures};
pub(super) use log_lines::log_lines;
pub(super) use metrics::metrics;
pub(super) use notes::{add_mark, change_notes, delete_mark, notes};
pub(super) use openapi::openapi_document;
pub(super) use report::{is_report, report};
pub(super) use runs::{
    change_users, completeness, delete_run, list_runs, log, progress, run, start_run, stop_run,
    tables,
};
pub(super) use samples::{SampleAnswer, samples};
pub(super) use summary::summary;
pub(super) use tokens::{create_token, list_tokens, revoke_token};
pub(super) use view::view;
pub(super) use workers::workers;

use axum::body::Bytes;
use serde::de::DeserializeOwned;

use super::error::{JsonError, WebError};

/// Reads a JSON object, whatever the body's content type says (curl says
/// `application/x-www-form-urlencoded`).
///
/// # Errors
/// The body is not one; the error says where.
fn json_body<T: DeserializeOwned>(body: &Bytes, what: &'static str) -> Result<T, WebError> {
    // serde would take the fields in order from a list, too.
    if body.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice(body).map_err(JsonError::from)
    } else {
        Err(JsonError::NotAnObject)
    }
    .map_err(|reason| WebError::Body { what, reason })
}
