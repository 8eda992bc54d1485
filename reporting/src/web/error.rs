//! Every answer that is an error: what happened, and in one table its status.
//!
//! Handlers return a [`WebError`] and know nothing of its form; `render_errors.rs` gives it one. Details of
//! our own failures go to the log; the reader gets the next step.

use std::error::Error;
use std::time::Duration;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use greylag_infra::{ChangeRefused, InfrastructureError, RunId, StopRefused};

use super::access::auth::AccessDenied;
use super::access::same_origin::SameOriginError;
use super::api::ChartError;
use super::requests::annotate::InvalidNote;
use super::requests::invalid_change::InvalidChange;
use super::requests::log_filter::LogFilterError;
use super::requests::scope_error::{KnownAgents, ScopeError};
use super::requests::start_error::StartError;
use crate::builds::BuildError;
use crate::coordinator::{
    AnnounceError, ChangeUsersError, CreateInfrastructureError, StartRefused, StopRunError,
};
use crate::results::comparison::CompareError;
use crate::store::{BundleError, RunIsPinned, RunNotOver, StoreError, TooManyMarks};
use crate::tokens::{CreateTokenError, RevokeTokenError};

/// Seconds a client is asked to wait when too many wrong tokens are being tried.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// By RFC 6750: the token is right, but not for this.
const INSUFFICIENT_SCOPE: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"greylag\", error=\"insufficient_scope\"");

/// Why a request is not answered as it asks. The message has a line for each thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error("there is no page at this address; the front page is at {base}/")]
    NoSuchPage { base: String },
    #[error("this file is not one of the page's assets")]
    NoSuchAsset,
    #[error(
        "the file was not found; available: stats, failures, exceptions, stats_history, series and samples"
    )]
    NoSuchCsvFile,
    #[error(transparent)]
    Chart(#[from] ChartError),
    #[error("run `{0}` was not found; the front page lists all runs")]
    NoSuchRun(RunId),
    #[error("the run has no note at a moment with the number {0}")]
    NoSuchMark(u32),
    #[error("this method is not allowed here; the Allow header lists those that are")]
    MethodNotAllowed,
    #[error("the request's body is too large; the maximum is {} KiB", maximum_bytes / 1024)]
    BodyTooLarge { maximum_bytes: usize },
    #[error(
        "the request did not arrive or could not be answered within {} s; try again",
        limit.as_secs()
    )]
    Timeout { limit: Duration },
    #[error(transparent)]
    Access(#[from] AccessDenied),
    #[error(transparent)]
    SameOrigin(#[from] SameOriginError),
    /// `what` names what the JSON is for, with an example.
    #[error("the body is not valid JSON for {what}: {reason}")]
    Body {
        what: &'static str,
        reason: JsonError,
    },
    #[error("{}", reason_of(.0))]
    Query(#[from] QueryRejection),
    #[error("the form could not be read ({}); send it from the page", .0.body_text())]
    Form(#[from] FormRejection),
    #[error("step must be a whole number of seconds from 1 to {maximum_s}")]
    Step { maximum_s: u32 },
    #[error("page must be an http or https address of at most {maximum_bytes} bytes")]
    PageAddress { maximum_bytes: usize },
    #[error("at_ms and response_us are given together: a dot has both")]
    HalfADot,
    #[error(transparent)]
    Scope(#[from] ScopeError),
    #[error(transparent)]
    LogFilter(#[from] LogFilterError),
    #[error(transparent)]
    Compare(CompareError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    StopRun(#[from] StopRunError),
    #[error(transparent)]
    ChangeUsers(#[from] ChangeUsersError),
    #[error(transparent)]
    InvalidChange(#[from] InvalidChange),
    #[error(transparent)]
    InvalidNote(#[from] InvalidNote),
    #[error(transparent)]
    CreateInfrastructure(#[from] CreateInfrastructureError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(
        "the piece cannot be unpacked; send it as it is, or packed by gzip with Content-Encoding: gzip"
    )]
    NotGzip,
    #[error(transparent)]
    Bundle(BundleError),
    #[error("the connection broke before all of the body had come; send it again")]
    BodyCutOff,
    #[error(transparent)]
    CreateToken(#[from] CreateTokenError),
    #[error(transparent)]
    RevokeToken(#[from] RevokeTokenError),
    #[error(transparent)]
    RunNotOver(#[from] RunNotOver),
    #[error(transparent)]
    RunIsPinned(#[from] RunIsPinned),
    #[error(transparent)]
    TooManyMarks(#[from] TooManyMarks),
    #[error("{runs} runs are open; the maximum for one browser is {maximum}. Close some.")]
    TooManyRunsFollowed { runs: usize, maximum: usize },
    #[error(
        "{maximum} browsers have live pages open, the maximum. This page will connect when one closes."
    )]
    TooManyFollowers { maximum: usize },
    #[error("{maximum} pages are being saved as files, the maximum; try again in a minute")]
    TooManyFiles { maximum: usize },
    #[error(
        "the run's page takes {bytes} bytes as a file, more than {maximum}; export the run in another format, such as bundle"
    )]
    FileTooLarge { bytes: usize, maximum: usize },
    #[error("the coordinator is shutting down")]
    ShuttingDown,
    #[error("{doing} failed: the results disk is full; free some space")]
    DiskFull { doing: &'static str },
    #[error("{doing} failed; the coordinator's log says why")]
    Internal { doing: &'static str },
}

/// Why a body is not the JSON that is asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum JsonError {
    #[error("it must be a JSON object")]
    NotAnObject,
    #[error(transparent)]
    Invalid(#[from] serde_json::Error),
}

impl WebError {
    /// The status of each error: 4xx what the client can change, 409 and 503 what it must wait for, other 5xx our own
    /// failures.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Start(StartError::Invalid(errors)) if errors.are_of_syntax() => {
                StatusCode::BAD_REQUEST
            }

            Self::SameOrigin(
                SameOriginError::HostCount
                | SameOriginError::HostForm
                | SameOriginError::TwoHosts
                | SameOriginError::OriginCount,
            )
            | Self::NotGzip
            | Self::BodyCutOff
            | Self::Body { .. }
            | Self::Query(_) => StatusCode::BAD_REQUEST,

            Self::Access(AccessDenied::Missing | AccessDenied::Wrong) => StatusCode::UNAUTHORIZED,

            Self::Access(
                AccessDenied::NotForViewers
                | AccessDenied::NotForAgents
                | AccessDenied::OtherRuns
                | AccessDenied::OnlyForAgents,
            )
            | Self::SameOrigin(
                SameOriginError::ForeignHost { .. }
                | SameOriginError::ForeignOrigin { .. }
                | SameOriginError::NotThePublicOrigin { .. }
                | SameOriginError::CookieWithoutOrigin
                | SameOriginError::OtherSite,
            ) => StatusCode::FORBIDDEN,

            Self::NoSuchPage { .. }
            | Self::NoSuchAsset
            | Self::NoSuchRun(_)
            | Self::NoSuchMark(_)
            | Self::NoSuchCsvFile
            | Self::Chart(ChartError::NoSuchChart | ChartError::NoSuchMetric(_))
            | Self::Build(BuildError::Unknown(_) | BuildError::UnknownData(_))
            | Self::RevokeToken(RevokeTokenError::Unknown(_))
            | Self::Scope(ScopeError::NoSuchEndpoint(_) | ScopeError::NoSuchAgent(..))
            | Self::Compare(CompareError::NoSuchRun(_) | CompareError::NoSuchEndpoint { .. })
            | Self::StopRun(StopRunError::Refused(StopRefused::Unknown(_)))
            | Self::ChangeUsers(ChangeUsersError::Refused(ChangeRefused::Unknown(_))) => {
                StatusCode::NOT_FOUND
            }

            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,

            Self::Timeout { .. } => StatusCode::REQUEST_TIMEOUT,

            Self::RunNotOver(_)
            | Self::RunIsPinned(_)
            | Self::TooManyMarks(_)
            | Self::Bundle(
                BundleError::Exists(_)
                | BundleError::Busy
                | BundleError::InProgress(_)
                | BundleError::TakesLateResults(_)
                | BundleError::Deleted(_),
            )
            | Self::CreateToken(CreateTokenError::TooMany)
            | Self::Build(
                BuildError::Busy
                | BuildError::NoRoom
                | BuildError::OtherOffset { .. }
                | BuildError::InUse(_),
            )
            | Self::Start(StartError::Refused(
                StartRefused::NoAgentConnected(_)
                | StartRefused::TooManyRuns
                | StartRefused::MixedBuilds(_)
                | StartRefused::MixedVersions(_)
                | StartRefused::OtherBuild { .. }
                | StartRefused::UploadsOff
                | StartRefused::UploadsRefused { .. }
                | StartRefused::DataRefused { .. }
                | StartRefused::OtherPlatform { .. }
                | StartRefused::OtherWorkerProtocol { .. }
                | StartRefused::Build(_),
            ))
            | Self::StopRun(StopRunError::Refused(StopRefused::Over(_)))
            | Self::ChangeUsers(ChangeUsersError::Refused(
                ChangeRefused::NotYet
                | ChangeRefused::RunTimeUnknown
                | ChangeRefused::Stopping
                | ChangeRefused::Over(_)
                | ChangeRefused::Ending,
            ))
            | Self::CreateInfrastructure(CreateInfrastructureError::Refused(
                InfrastructureError::Exists(_)
                | InfrastructureError::TooMany
                | InfrastructureError::TooManyAgents
                | InfrastructureError::TokenShare(_)
                | InfrastructureError::TooManyScenarios,
            )) => StatusCode::CONFLICT,

            Self::BodyTooLarge { .. }
            | Self::Build(BuildError::TooLarge { .. })
            | Self::Bundle(BundleError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,

            Self::Start(
                StartError::Invalid(_)
                | StartError::Refused(
                    StartRefused::Invalid(_)
                    | StartRefused::Misfit(_)
                    | StartRefused::UnknownBaseline(_)
                    | StartRefused::UnknownInfrastructure { .. }
                    | StartRefused::Infrastructure(_)
                    | StartRefused::UnknownScenario { .. }
                    | StartRefused::NotInBuild { .. },
                ),
            )
            | Self::InvalidChange(_)
            | Self::Bundle(_)
            | Self::InvalidNote(_)
            | Self::CreateToken(CreateTokenError::Grant(_))
            | Self::Build(
                BuildError::OtherSize { .. } | BuildError::OtherHash { .. } | BuildError::Data(_),
            )
            | Self::Step { .. }
            | Self::PageAddress { .. }
            | Self::HalfADot
            | Self::Chart(ChartError::NotTimes(_) | ChartError::MetricMissing)
            | Self::LogFilter(_)
            | Self::Compare(_)
            | Self::Scope(
                ScopeError::NotASecond { .. }
                | ScopeError::Window(_)
                | ScopeError::Saturated(_)
                | ScopeError::NoResults
                | ScopeError::BeyondTheEnd { .. }
                | ScopeError::NotAnOutcome(_),
            )
            | Self::ChangeUsers(ChangeUsersError::Refused(_))
            | Self::CreateInfrastructure(CreateInfrastructureError::Refused(
                InfrastructureError::Name(_),
            ))
            | Self::TooManyRunsFollowed { .. } => StatusCode::UNPROCESSABLE_ENTITY,

            Self::Access(AccessDenied::TooMany) => StatusCode::TOO_MANY_REQUESTS,

            Self::Internal { .. }
            | Self::FileTooLarge { .. }
            | Self::Build(BuildError::Io(_))
            | Self::CreateToken(CreateTokenError::Store(_))
            | Self::RevokeToken(RevokeTokenError::Store(_))
            | Self::Start(StartError::Refused(StartRefused::Store(_)))
            | Self::CreateInfrastructure(CreateInfrastructureError::Store(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }

            Self::TooManyFollowers { .. }
            | Self::TooManyFiles { .. }
            | Self::ShuttingDown
            | Self::Start(StartError::Refused(StartRefused::ShuttingDown))
            | Self::StopRun(StopRunError::ShuttingDown)
            | Self::ChangeUsers(ChangeUsersError::ShuttingDown)
            | Self::CreateInfrastructure(CreateInfrastructureError::ShuttingDown) => {
                StatusCode::SERVICE_UNAVAILABLE
            }

            Self::DiskFull { .. } | Self::Build(BuildError::DiskFull) => {
                StatusCode::INSUFFICIENT_STORAGE
            }

            // Which of 400, 413 and 415 it is, axum knows.
            Self::Form(rejection) => rejection.status(),
        }
    }

    /// There is no run with this id.
    pub(super) fn no_such_run(id: &RunId) -> Self {
        Self::NoSuchRun(id.shortened())
    }

    /// Our own failure: the cause goes to the log.
    pub(super) fn internal(doing: &'static str, cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, "{doing} failed");
        Self::Internal { doing }
    }

    /// What the store did not do, and why if that can be mended from outside.
    pub(super) fn of_store(doing: &'static str, error: StoreError) -> Self {
        match error {
            StoreError::UnknownRun(id) => Self::no_such_run(&id),
            StoreError::NotOver(error) => error.into(),
            StoreError::Pinned(error) => error.into(),
            StoreError::TooManyMarks(error) => error.into(),
            StoreError::UnknownEndpoint(error) => ScopeError::NoSuchEndpoint(error).into(),
            StoreError::UnknownAgentName(error) => {
                ScopeError::NoSuchAgent(error, KnownAgents::default()).into()
            }
            StoreError::UnknownMetric(error) => ChartError::NoSuchMetric(error).into(),
            StoreError::Closed => Self::ShuttingDown,
            full if full.is_full_disk() => Self::DiskFull { doing },
            other => Self::internal(doing, &other),
        }
    }
}

impl From<AnnounceError> for WebError {
    fn from(error: AnnounceError) -> Self {
        match error {
            AnnounceError::Refused(refused) => StartError::from(refused).into(),
            AnnounceError::Build(error) => error.into(),
            AnnounceError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        Self::of_store("reading the store", error)
    }
}

impl From<BundleError> for WebError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Store(error) => error.into(),
            BundleError::Io(error) => Self::internal("reading or storing a bundle", &error),
            error => Self::Bundle(error),
        }
    }
}

impl From<CompareError> for WebError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Store(error) => error.into(),
            error => Self::Compare(error),
        }
    }
}

/// Which value of a query is wrong and why.
fn reason_of(rejection: &QueryRejection) -> String {
    rejection
        .source()
        .map_or_else(|| rejection.body_text(), ToString::to_string)
}

/// What the form of an error is made of.
#[derive(Debug, Clone)]
pub(super) struct ErrorMessage(pub(super) String);

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        match &self {
            Self::Start(StartError::Refused(StartRefused::Store(cause))) => {
                tracing::error!(%cause, "a run could not be saved");
            }
            Self::CreateInfrastructure(CreateInfrastructureError::Store(cause)) => {
                tracing::error!(%cause, "an infrastructure could not be saved");
            }
            Self::Build(BuildError::Io(cause)) => {
                tracing::error!(%cause, "a build could not be stored or read");
            }
            _ => {}
        }
        let mut response = self.status().into_response();
        if matches!(self, Self::Access(AccessDenied::TooMany)) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER_S);
        }
        if matches!(self, Self::Access(_)) && self.status() == StatusCode::FORBIDDEN {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, INSUFFICIENT_SCOPE);
        }
        response
            .extensions_mut()
            .insert(ErrorMessage(self.to_string()));
        response
    }
}
