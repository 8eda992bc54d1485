//! Builds: programs that are uploaded, and fetched by agents.

use std::io::SeekFrom;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flate2::read::GzDecoder;
use greylag_infra::FileHash;
use serde::Deserialize;
use std::io::Read;
use tokio::io::AsyncSeekExt;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use super::json_body;
use crate::api_types::{
    BuildAnnounced, BuildAnnouncement, BuildList, ErrorBody, ListedBuild, MissingData,
};
use crate::builds::{Announced, BuildError, Stored, StoredBuild};
use crate::coordinator::StartRefused;
use crate::tokens::Role;
use crate::web::access::auth::AccessDenied;
use crate::web::access::identity::Identity;
use crate::web::error::WebError;
use crate::web::query::{Query, whole_number};
use crate::web::requests::start_error::StartError;
use crate::web::state::WebState;

/// Content type of a program.
pub(in crate::web) const PROGRAM: &str = "application/octet-stream";
/// Most bytes of a piece, unpacked.
const MAX_PIECE_BYTES: u64 = 4 << 20;
/// How much of a program is in memory at a time for each agent that fetches it.
const DOWNLOAD_BYTES: usize = 64 * 1024;

/// Query of `PUT /api/v1/builds/{sha256}`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct PieceQuery {
    /// Where in the program the piece begins, in bytes.
    #[param(required = false)]
    #[serde(deserialize_with = "whole_number")]
    offset: u64,
}

impl From<Stored> for BuildAnnounced {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Whole => Self {
                is_whole: true,
                received_bytes: 0,
                missing_data: Vec::new(),
            },
            Stored::Part(received_bytes) => Self {
                is_whole: false,
                received_bytes,
                missing_data: Vec::new(),
            },
        }
    }
}

impl From<Announced> for BuildAnnounced {
    fn from(announced: Announced) -> Self {
        let missing = announced.missing_data.into_iter();
        let missing = missing.map(|(sha256, received_bytes)| MissingData {
            sha256,
            received_bytes,
        });
        Self {
            missing_data: missing.collect(),
            ..announced.program.into()
        }
    }
}

impl From<StoredBuild> for ListedBuild {
    fn from(build: StoredBuild) -> Self {
        let StoredBuild {
            manifest,
            uploaded_at,
        } = build;
        let scenarios = manifest.scenarios.into_iter();
        Self {
            sha256: manifest.sha256,
            size: manifest.size,
            version: manifest.version,
            platform: manifest.platform,
            uploaded_by: manifest.uploaded_by,
            uploaded_at,
            commit: manifest.commit,
            scenarios: scenarios.map(|scenario| scenario.info.name).collect(),
        }
    }
}

/// Lists the builds that were uploaded, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/builds",
    tag = "builds",
    responses((status = 200, description = "All builds", body = BuildList)),
)]
pub(in crate::web) async fn list_builds(
    State(state): State<WebState>,
) -> Result<Json<BuildList>, WebError> {
    let builds = state.coordinator.builds().list().await?;
    Ok(Json(BuildList {
        accept_uploads: state.accept_uploads,
        takes_data: true,
        builds: builds.into_iter().map(ListedBuild::from).collect(),
    }))
}

/// Announces a build that is to be uploaded with its data files, and says how much of them is there already.
#[utoipa::path(
    post,
    path = "/api/v1/builds",
    tag = "builds",
    request_body = BuildAnnouncement,
    responses(
        (status = 200, description = "It may be uploaded, or is there", body = BuildAnnounced),
        (status = 409, description = "No agent can run it, there is no room for it, or it is being uploaded", body = ErrorBody),
        (status = 413, description = "It is too large", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn announce_build(
    State(state): State<WebState>,
    body: Bytes,
) -> Result<Json<BuildAnnounced>, WebError> {
    require_uploads(&state)?;
    let BuildAnnouncement {
        manifest,
        infrastructure,
    } = json_body(&body, "a build, with its manifest and infrastructure")?;
    let announced = state.coordinator.announce_build(manifest, &infrastructure);
    Ok(Json(announced.await?.into()))
}

/// Uploads the next piece of an announced build or data file; the last one completes it. With `Content-Encoding: gzip` it may be compressed.
#[utoipa::path(
    put,
    path = "/api/v1/builds/{sha256}",
    tag = "builds",
    params(("sha256" = String, Path, description = "SHA-256 of the program, or of a data file"), PieceQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It is stored", body = BuildAnnounced),
        (status = 404, description = "The build was not announced", body = ErrorBody),
        (status = 409, description = "Another piece is expected", body = ErrorBody),
        (status = 413, description = "The piece is too large", body = ErrorBody),
        (status = 422, description = "The build is not what was announced", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn upload_piece(
    State(state): State<WebState>,
    Path(sha256): Path<String>,
    Query(query): Query<PieceQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<BuildAnnounced>, WebError> {
    require_uploads(&state)?;
    let hash = hash_of(&sha256)?;
    let piece = unpacked(&headers, body).await?;
    let builds = state.coordinator.builds();
    let stored = builds.add_piece(&hash, query.offset, piece).await?;
    Ok(Json(stored.into()))
}

/// Downloads a build or a data file; `Range: bytes=N-` continues where an earlier download broke off.
#[utoipa::path(
    get,
    path = "/api/v1/builds/{sha256}",
    tag = "builds",
    params(("sha256" = String, Path, description = "SHA-256 of the program, or of a data file")),
    responses(
        (status = 200, description = "The program", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The rest of the program", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "The build was not found", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn download_build(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    Path(sha256): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let hash = hash_of(&sha256)?;
    if let Some(token) = identity.token()
        && token.record.grant.role == Role::Agent
        && !state
            .coordinator
            .may_fetch(&token.record.grant, &hash)
            .await?
    {
        let path = format!("build {}", hash.short());
        state.access.forbidden.count(&token.record, &method, &path);
        return Err(AccessDenied::OtherRuns.into());
    }
    let (file, size) = state.coordinator.builds().open(&hash).await?;
    let mut file = tokio::fs::File::from_std(file);
    // What is not such a range is answered with the whole, as HTTP allows.
    let from = range_start(&headers).filter(|from| *from < size);
    if let Some(from) = from {
        let moved = file.seek(SeekFrom::Start(from)).await;
        moved.map_err(BuildError::from)?;
    }
    let start = from.unwrap_or(0);
    tracing::debug!(file = %hash.short(), from = start, "a build or data file is fetched");
    let body = Body::from_stream(ReaderStream::with_capacity(file, DOWNLOAD_BYTES));
    let mut response = body.into_response();
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROGRAM));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::CONTENT_LENGTH, (size - start).into());
    if from.is_some() {
        let range = format!("bytes {start}-{}/{size}", size.saturating_sub(1));
        if let Ok(range) = HeaderValue::try_from(range) {
            answer.insert(header::CONTENT_RANGE, range);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Deletes a build that no run in progress is of, with the data files that only it has. Runs keep that they were of it.
#[utoipa::path(
    delete,
    path = "/api/v1/builds/{sha256}",
    tag = "builds",
    params(("sha256" = String, Path, description = "SHA-256 of the program")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "The build was not found", body = ErrorBody),
        (status = 409, description = "A run in progress is of it", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn delete_build(
    State(state): State<WebState>,
    Path(sha256): Path<String>,
) -> Result<StatusCode, WebError> {
    state.coordinator.delete_build(&hash_of(&sha256)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn require_uploads(state: &WebState) -> Result<(), WebError> {
    match state.accept_uploads {
        true => Ok(()),
        false => Err(StartError::from(StartRefused::UploadsOff).into()),
    }
}

/// # Errors
/// What is not a hash names no build.
fn hash_of(text: &str) -> Result<FileHash, WebError> {
    let unknown = |_| BuildError::Unknown(text.chars().take(12).collect());
    Ok(text.parse().map_err(unknown)?)
}

/// The first byte of `Range: bytes=N-`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::RANGE)?.to_str().ok()?;
    range
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

/// A piece as it is in the program.
async fn unpacked(headers: &HeaderMap, body: Bytes) -> Result<Vec<u8>, WebError> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_none_or(|encoding| encoding != "gzip") {
        return Ok(body.into());
    }
    let unpack = move || {
        let mut piece = Vec::new();
        let read = GzDecoder::new(&*body)
            .take(MAX_PIECE_BYTES + 1)
            .read_to_end(&mut piece);
        read.map(|_| piece)
    };
    let unpacked = tokio::task::spawn_blocking(unpack).await;
    match unpacked {
        Ok(Ok(piece)) if piece.len() as u64 <= MAX_PIECE_BYTES => Ok(piece),
        Ok(Ok(_)) => Err(WebError::BodyTooLarge {
            maximum_bytes: usize::try_from(MAX_PIECE_BYTES).unwrap_or(usize::MAX),
        }),
        Ok(Err(_)) => Err(WebError::NotGzip),
        Err(panic) => Err(WebError::internal("unpacking a piece", &panic)),
    }
}
