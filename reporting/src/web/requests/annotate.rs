//! What people say of a run, whoever sends it: whether it is pinned, its labels, its note, and notes at moments of it.

use greylag_infra::protocol::cut;
use greylag_infra::{LabelError, MAX_DURATION, RunId, check_labels};
use serde::Deserialize;
use utoipa::ToSchema;

use super::values::{DurationValue, ValueError, names};
use crate::results::markdown::MAX_NOTE_BYTES;
use crate::results::views::notes_view::NotesView;
use crate::store::AnnotationChange;
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Longest note at a moment of a run, in bytes.
const MAX_MARK_BYTES: usize = 200;

/// Body of `PATCH /api/v1/runs/{id}/notes`. What is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct NotesRequest {
    /// Whether the run is to be kept, whatever is deleted because of its age or number.
    pinned: Option<bool>,
    /// All its labels, each `key=value` or a word.
    labels: Option<Vec<String>>,
    /// Its note, in Markdown; empty for none.
    note: Option<String>,
}

/// Fields of the run page's forms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::web) struct NotesForm {
    pinned: Option<String>,
    labels: Option<String>,
    note: Option<String>,
}

/// Body of `POST /api/v1/runs/{id}/marks`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct MarkRequest {
    /// The moment of run time: seconds, or a text such as `1m30s`.
    #[schema(value_type = greylag_infra::DurationValue, required = true)]
    at: Option<DurationValue>,
    /// What was then, in one line.
    #[schema(required = true)]
    text: String,
}

/// Fields of the run page's form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::web) struct MarkForm {
    at: String,
    text: String,
}

/// Why a run cannot have such a note.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(in crate::web) enum InvalidNote {
    #[error("the note is longer than {MAX_NOTE_BYTES} bytes or has control characters")]
    Note,
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error("text must have 1 to {MAX_MARK_BYTES} bytes in one line")]
    MarkText,
    #[error("at is missing; set it to a moment of the run, such as 90 or 1m30s")]
    NoMoment,
    #[error("at must be at most 30 days")]
    TooLate,
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl From<NotesForm> for NotesRequest {
    fn from(form: NotesForm) -> Self {
        Self {
            pinned: form.pinned.map(|pinned| pinned == "true"),
            labels: form.labels.map(|labels| names(&labels)),
            // Browsers send two characters for the end of a line.
            note: form.note.map(|note| note.replace("\r\n", "\n")),
        }
    }
}

impl From<MarkForm> for MarkRequest {
    fn from(form: MarkForm) -> Self {
        Self {
            at: DurationValue::typed(&form.at),
            text: form.text,
        }
    }
}

/// Changes what is said of a run; what is said then.
///
/// # Errors
/// 404 for an unknown run, 422 for what cannot be said.
pub(in crate::web) async fn annotate(
    state: &WebState,
    id: &RunId,
    request: NotesRequest,
) -> Result<NotesView, WebError> {
    let is_bad = |note: &String| {
        let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        note.len() > MAX_NOTE_BYTES || note.chars().any(is_control)
    };
    if request.note.as_ref().is_some_and(is_bad) {
        return Err(InvalidNote::Note.into());
    }
    if let Some(labels) = &request.labels {
        check_labels(labels).map_err(InvalidNote::from)?;
    }
    let change = AnnotationChange {
        pinned: request.pinned,
        labels: request.labels,
        note: request.note,
    };
    let doing = "saving the note";
    let annotated = state.coordinator.annotate(id, change).await;
    annotated.map_err(|error| WebError::of_store(doing, error))?;
    notes_of(state, id).await
}

/// Adds a note at a moment of a run; what is said of the run then.
///
/// # Errors
/// 404 for an unknown run, 409 when there are too many, 422 for what cannot be said.
pub(in crate::web) async fn add_mark(
    state: &WebState,
    id: &RunId,
    request: &MarkRequest,
) -> Result<NotesView, WebError> {
    let text = request.text.trim();
    if text.is_empty() || text.len() > MAX_MARK_BYTES || text.chars().any(char::is_control) {
        return Err(InvalidNote::MarkText.into());
    }
    let at = request.at.as_ref().ok_or(InvalidNote::NoMoment)?;
    let at = at.duration("at").map_err(InvalidNote::from)?;
    if at > MAX_DURATION {
        return Err(InvalidNote::TooLate.into());
    }
    let second = u32::try_from(at.as_secs()).map_err(|_| InvalidNote::TooLate)?;
    let added = state
        .coordinator
        .add_run_mark(id, second, cut(text, MAX_MARK_BYTES).into_owned());
    let doing = "saving the note";
    added
        .await
        .map_err(|error| WebError::of_store(doing, error))?;
    notes_of(state, id).await
}

/// Deletes a note at a moment of a run.
///
/// # Errors
/// 404 for an unknown run or note.
pub(in crate::web) async fn delete_mark(
    state: &WebState,
    id: &RunId,
    number: u32,
) -> Result<(), WebError> {
    let deleted = state.coordinator.delete_run_mark(id, number).await;
    match deleted.map_err(|error| WebError::of_store("deleting the note", error))? {
        true => Ok(()),
        false => Err(WebError::NoSuchMark(number)),
    }
}

/// What is said of a run.
///
/// # Errors
/// 404 for an unknown run.
pub(in crate::web) async fn notes_of(state: &WebState, id: &RunId) -> Result<NotesView, WebError> {
    Ok(state.coordinator.store().annotations(id).await?.into())
}
