//! The run page and its buttons.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use axum::{Extension, Form};
use greylag_infra::{RunId, RunRecord, StartTerms};

use super::render::{html, rendered};
use crate::results::page_text::{ENDPOINT_ROWS, PLAIN_ROWS};
use crate::results::urls::run_url;
use crate::results::views::compare_choices::CompareWith;
use crate::results::views::run_view::{RunDelta, RunView};
use crate::results::views::scope_view::ScopeView;
use crate::store::Scope;
use crate::web::access::identity::{Identity, Visitor};
use crate::web::error::WebError;
use crate::web::live::run_feed::RunPart;
use crate::web::report_file::FileParts;
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::change_users::{ChangeForm, change_users};
use crate::web::requests::start::start_again;
use crate::web::requests::start_error::StartError;
use crate::web::state::{WebState, find_run};

/// Fills `templates/run.html`.
#[derive(Template)]
#[template(path = "run.html")]
pub(in crate::web) struct RunPage {
    /// The text of `<title>`.
    page_title: String,
    /// Which part of the run it shows.
    scope: ScopeView,
    /// Everything but the growing parts.
    view: RunView,
    /// The growing parts, thinned as in the first event.
    first: RunDelta,
    /// Of a run that is over, `{"view": …, "delta": …, "over": …}` as JSON for the page's script; to be escaped for its
    /// place. The page of an active run is sent it as its first event, so it is not in the page, too.
    initial_json: Option<String>,
    /// With which runs it can be compared; none while it has not begun.
    compare_with: Option<CompareWith>,
    /// The path below which the coordinator is; empty for the root.
    base: String,
    /// Who looks at it.
    visitor: Visitor,
    /// Where traces are shown, with a placeholder for the trace id; empty where that is not known.
    trace_url: String,
    /// What takes the place of assets and of the server, where the page is to be a file.
    file: Option<FileParts>,
}

impl RunPage {
    /// The page of this part of a run.
    fn new(part: RunPart, scope: ScopeView) -> Self {
        let about = &part.view.about;
        Self {
            page_title: format!(
                "{} #{} – {} – Greylag",
                about.test_name,
                about.number,
                about.shown_status()
            ),
            scope,
            view: part.view,
            first: part.delta,
            initial_json: None,
            compare_with: None,
            base: String::new(),
            visitor: Visitor::default(),
            trace_url: String::new(),
            file: None,
        }
    }

    /// Whether the page can show a part of the run.
    fn can_narrow(&self) -> bool {
        self.file.as_ref().is_none_or(|file| file.can_narrow)
    }

    /// Most rows of the table of errors.
    fn error_rows(&self) -> usize {
        self.plain_rows(usize::MAX)
    }

    /// Most rows of the table of endpoints for readers without scripts.
    fn endpoint_rows(&self) -> usize {
        self.plain_rows(ENDPOINT_ROWS)
    }

    /// Most lines of the log for readers without scripts.
    fn log_rows(&self) -> usize {
        self.plain_rows(PLAIN_ROWS)
    }

    /// How many rows a table has without scripts: so many, and as many as there is room for in a file.
    fn plain_rows(&self, most: usize) -> usize {
        self.file.as_ref().map_or(most, |file| file.plain_rows)
    }

    /// Address of what is shown of one endpoint; empty where that cannot be shown.
    fn of_endpoint(&self, method: &str, name: &str) -> String {
        let narrows = self.file.as_ref().is_none_or(|file| file.narrows_endpoints);
        let address = narrows.then(|| self.scope.of_endpoint(method, name));
        address.unwrap_or_default()
    }

    /// The page of a whole run as a file.
    pub(in crate::web) fn as_file(part: RunPart, file: FileParts, trace_url: String) -> Self {
        // A part is named by what comes after the address of the file.
        let elapsed_s = part.view.about.time_elapsed_s;
        let scope = ScopeView::new("#".to_owned(), Scope::default(), elapsed_s);
        Self {
            file: Some(file),
            trace_url,
            ..Self::new(part, scope)
        }
    }

    /// What the page has as a file.
    pub(in crate::web) fn file_mut(&mut self) -> Option<&mut FileParts> {
        self.file.as_mut()
    }

    /// The text of the page.
    ///
    /// # Errors
    /// The template cannot be filled.
    pub(in crate::web) fn text(&self) -> Result<String, WebError> {
        rendered(self)
    }
}

/// `GET /runs/{id}`
pub(in crate::web) async fn run_page(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Response, WebError> {
    let part = RunPart::read(&state.coordinator, &run.id, &scope).await?;
    let initial_json = part.is_last.then(|| part.to_json()).transpose()?;
    let scope = ScopeView::new(
        format!("{}{}", state.base(), run_url(&run.id)),
        scope,
        part.view.about.time_elapsed_s,
    );
    let page = RunPage {
        initial_json,
        compare_with: CompareWith::of(state.coordinator.store(), &state.base(), &run).await?,
        base: state.base(),
        visitor: identity.visitor(),
        trace_url: state.trace_url(),
        ..RunPage::new(part, scope)
    };
    Ok(html(StatusCode::OK, &page))
}

/// `POST /runs/{id}/stop`: back to the run's page, where it is being stopped.
pub(in crate::web) async fn stop_run_from_page(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Redirect, WebError> {
    state.coordinator.stop_run(&id).await?;
    Ok(Redirect::to(&run_url(&id)))
}

/// `POST /runs/{id}/users`: back to the run's page, where users come and go.
pub(in crate::web) async fn change_users_from_page(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    form: Result<Form<ChangeForm>, FormRejection>,
) -> Result<Redirect, WebError> {
    let Form(form) = form?;
    change_users(&state, &id, &form.to_request()?).await?;
    Ok(Redirect::to(&run_url(&id)))
}

/// `POST /runs/{id}/again`: a new run of the same definition, as it is.
pub(in crate::web) async fn run_again(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Redirect, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    // What was allowed for this run is for the next.
    let terms = StartTerms {
        allow_mixed_builds: was_mixed(&run),
        client_build: None,
    };
    let again = start_again(&state, run.test, terms)
        .await
        .map_err(StartError::from)?;
    Ok(Redirect::to(&run_url(&again.run.id)))
}

/// Whether a run's agents were of builds that run it together only when that is allowed.
pub(super) fn was_mixed(run: &RunRecord) -> bool {
    let builds = run.builds();
    let is_declared = run.test.declared.is_some();
    let [(first, _), others @ ..] = builds.as_slice() else {
        return false;
    };
    // Declared requests need no more than one version.
    others
        .iter()
        .any(|(build, _)| !is_declared || build.version != first.version)
}
