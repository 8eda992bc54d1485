//! A run's page as one file.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use greylag_infra::RunId;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api_types::ErrorBody;
use crate::results::urls::report_name;
use crate::web::error::WebError;
use crate::web::pages::html_response;
use crate::web::report_file::report_file;
use crate::web::state::WebState;

/// Whether a request asks for a run's page as a file. Its answer begins when the file is made, which may have to wait for others.
pub(in crate::web) fn is_report(path: &str) -> bool {
    path.starts_with("/api/v1/runs/") && path.ends_with("/report.html")
}

/// The page of a whole run as one HTML file that needs no server: of a run in progress, as it is now. It has at most 5 MB; what was
/// left out for that is said in the file.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/report.html",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/html"),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 503, description = "Too many pages are being saved as files, or the coordinator is shutting down", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn report(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Response, WebError> {
    let (file, run) = report_file(
        &state.coordinator,
        &state.file_places,
        id,
        state.trace_url(),
    )
    .await?;
    let name = report_name(&run.test.name, run.number);
    let mut response = html_response(StatusCode::OK, file);
    // It is not to be shown from here: this server's pages may run no scripts that stand in them.
    // Programs that do not know the second form take the first.
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii() { c } else { '-' })
        .collect();
    let disposition = format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        utf8_percent_encode(&name, NON_ALPHANUMERIC)
    );
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
