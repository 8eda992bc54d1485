//! The run page and its buttons.

use askama::Template;

use crate::view::{RunDelta, RunView};

/// Fills `templates/run.html`.
#[derive(Template)]
#[template(path = "run.html")]
pub(crate) struct RunPage {
    /// The text of `<title>`.
    pub(crate) page_title: String,
    /// Everything but the growing parts.
    pub(crate) view: RunView,
    /// The growing parts, thinned as in the first event.
    pub(crate) first: RunDelta,
    /// `{"view": …, "delta": …}` as JSON for the page's script, escaped for a script element.
    pub(crate) initial_json: String,
}
