//! `greylag note`: what people say of a run, from scripts as well.

use std::process::ExitCode;

use clap::Args;
use greylag_infra::RunId;
use greylag_reporting::plain_text;
use serde_json::{Map, Value, json};

use crate::cli::api_client::RunNotes;
use crate::cli::failure::Failure;
use crate::cli::options::{CoordinatorAccess, run_id, seconds};
use crate::cli::print::print_line;

/// Options of `greylag note`.
#[derive(Debug, Args)]
pub(crate) struct NoteOptions {
    /// The run's id: the last part of its URL.
    #[arg(value_parser = run_id)]
    run: RunId,
    /// The note, in Markdown, in place of the one there is; "" removes it. With --at: what happened, in one line.
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Add the text at this moment of the run (time since its start, such as 90s or 1m30s); the charts mark it.
    #[arg(long, value_name = "TIME", value_parser = seconds, requires = "text")]
    at: Option<u64>,
    /// Label the run with these instead of the labels it has, such as commit=abc; repeat it, or separate labels with commas.
    #[arg(long = "label", value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<String>,
    /// Keep the run, whatever is deleted because of its age or number.
    #[arg(long, conflicts_with = "unpin")]
    pin: bool,
    /// Undo --pin.
    #[arg(long)]
    unpin: bool,
    #[command(flatten)]
    access: CoordinatorAccess,
}

impl NoteOptions {
    /// What is to be changed, but for the moment.
    fn change(&self) -> Map<String, Value> {
        let mut change = Map::new();
        if let (Some(text), None) = (&self.text, self.at) {
            change.insert("note".to_owned(), json!(text));
        }
        if !self.labels.is_empty() {
            change.insert("labels".to_owned(), json!(self.labels));
        }
        if self.pin || self.unpin {
            change.insert("pinned".to_owned(), json!(self.pin));
        }
        change
    }
}

/// Changes what is said of a run, and prints it.
pub(crate) async fn note(options: NoteOptions) -> Result<ExitCode, Failure> {
    let change = options.change();
    let (run, at, text) = (options.run, options.at, options.text);
    let api = options.access.client()?;
    let mut notes = None;
    if let (Some(at), Some(text)) = (at, &text) {
        let added = api.add_mark(&run, at, text).await;
        notes = Some(added.map_err(Failure::bad_input)?);
    }
    if !change.is_empty() {
        let changed = api.change_notes(&run, &Value::Object(change)).await;
        notes = Some(changed.map_err(Failure::bad_input)?);
    }
    let notes = match notes {
        Some(notes) => notes,
        None => api.notes(&run).await.map_err(Failure::bad_input)?,
    };
    for line in lines(&notes) {
        print_line(line);
    }
    Ok(ExitCode::SUCCESS)
}

/// What is said of a run, as lines for a terminal.
fn lines(notes: &RunNotes) -> Vec<String> {
    let mut lines = Vec::new();
    if notes.pinned {
        lines.push("Pinned".to_owned());
    }
    if !notes.labels.is_empty() {
        lines.push(format!("Labels: {}", plain_text(&notes.labels.join(", "))));
    }
    lines.extend(notes.note.lines().map(plain_text));
    for mark in &notes.marks {
        lines.push(format!("{} s: {}", mark.second, plain_text(&mark.text)));
    }
    if lines.is_empty() {
        lines.push("No notes.".to_owned());
    }
    lines
}
