//! What every handler needs.

use std::sync::Arc;

use axum::body::Bytes;
use greylag_infra::{RunId, RunRecord, TestDraft};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::access::auth::Access;
use super::access::identity::Visitor;
use super::access::public_address::PublicAddress;
use super::access::same_origin::SameOrigin;
use super::error::WebError;
use super::live::{FollowedRuns, FrontChanges};
use super::pages::FrontQuery;
use super::recent_answers::RecentAnswers;
use super::report_file::FilePlaces;
use super::shared_answers::SharedAnswers;
use crate::coordinator::Coordinator;
use crate::results::views::view_builder::RunRows;
use crate::store::Scope;
use crate::trace_url::TraceUrl;

/// Most streams of live events at once over all browsers.
pub(super) const MAX_EVENT_STREAMS: usize = 200;

/// Shared by all requests.
#[derive(Debug, Clone)]
pub(super) struct WebState {
    pub(super) coordinator: Coordinator,
    pub(super) access: Arc<Access>,
    pub(super) same_origin: Arc<SameOrigin>,
    /// One permit for each browser that is sent live events.
    pub(super) event_streams: Arc<Semaphore>,
    pub(super) followed_runs: FollowedRuns,
    pub(super) front_changes: Arc<FrontChanges>,
    pub(super) run_rows: Arc<RunRows>,
    /// The front page, by who looks at it and which runs it lists.
    pub(super) front_pages: Arc<RecentAnswers<(Visitor, FrontQuery), Bytes>>,
    /// Console tables of whole runs.
    pub(super) tables: Arc<RecentAnswers<RunId, Bytes>>,
    /// What pages show of parts of runs.
    pub(super) views: Arc<RecentAnswers<(RunId, Scope), Bytes>>,
    /// Charts, which all who look at a run ask for every other second.
    pub(super) charts: Arc<SharedAnswers>,
    /// Pages of runs that are being made as files.
    pub(super) file_places: FilePlaces,
    /// Where browsers find this server.
    pub(super) public: Arc<PublicAddress>,
    /// Whether programs may be uploaded, and run by agents.
    pub(super) accept_uploads: bool,
    /// What the start form is filled in from before anything is entered.
    pub(super) start_form: Arc<TestDraft>,
    /// Where traces are shown, for links.
    pub(super) trace_url: Option<Arc<TraceUrl>>,
    /// Cancelled when the server ends.
    pub(super) shutdown: CancellationToken,
}

impl WebState {
    pub(super) fn new(
        coordinator: Coordinator,
        access: Access,
        same_origin: SameOrigin,
        start_form: TestDraft,
        public: PublicAddress,
        accept_uploads: bool,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            followed_runs: FollowedRuns::new(coordinator.clone()),
            front_changes: Arc::default(),
            coordinator,
            access: Arc::new(access),
            same_origin: Arc::new(same_origin),
            event_streams: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
            run_rows: Arc::default(),
            front_pages: Arc::default(),
            tables: Arc::default(),
            views: Arc::default(),
            charts: Arc::default(),
            file_places: FilePlaces::default(),
            public: Arc::new(public),
            accept_uploads,
            start_form: Arc::new(start_form),
            trace_url: None,
            shutdown,
        }
    }
}

impl WebState {
    /// Where traces are shown, as pages have it; empty where that is not known.
    pub(super) fn trace_url(&self) -> String {
        let url = self.trace_url.as_ref();
        url.map(ToString::to_string).unwrap_or_default()
    }

    /// The path below which the coordinator is, for links; empty for the root.
    pub(super) fn base(&self) -> String {
        self.public.base_path().as_str().to_owned()
    }
}

/// The run with this id.
///
/// # Errors
/// 404 when there is none.
pub(super) async fn find_run(coordinator: &Coordinator, id: &RunId) -> Result<RunRecord, WebError> {
    coordinator
        .store()
        .run(id)
        .await?
        .ok_or_else(|| WebError::no_such_run(id))
}
