//! What people say of a run, as its page shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::results::markdown;
use crate::results::page_text;
use crate::store::Annotations;

/// What people say of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotesView {
    /// Whether it is to be kept, whatever is deleted because of its age or number.
    pub pinned: bool,
    /// Its labels, each `key=value` or a word.
    pub labels: Vec<String>,
    /// Its note, in Markdown.
    pub note: String,
    /// Notes at moments of it, by second.
    pub marks: Vec<MarkView>,
}

/// A note at a moment of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MarkView {
    /// Its number within the run, by which it is deleted.
    pub number: u32,
    /// Second of run time.
    pub second: u32,
    /// What was then, in one line.
    pub text: String,
}

impl MarkView {
    /// The moment as people read it.
    pub(crate) fn at(&self) -> String {
        page_text::duration(u64::from(self.second))
    }
}

impl NotesView {
    /// The note as HTML that can do no harm.
    pub(crate) fn note_html(&self) -> String {
        markdown::to_html(&self.note)
    }

    /// The labels as the form has them.
    pub(crate) fn labels_text(&self) -> String {
        self.labels.join(", ")
    }

    /// Whether there is anything to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.note.trim().is_empty() && self.marks.is_empty()
    }
}

impl From<Annotations> for NotesView {
    fn from(annotations: Annotations) -> Self {
        let marks = annotations.marks.into_iter().map(|mark| MarkView {
            number: mark.number,
            second: mark.second,
            text: mark.text,
        });
        Self {
            pinned: annotations.pinned,
            labels: annotations.labels,
            note: annotations.note,
            marks: marks.collect(),
        }
    }
}
