//! What is said of machines in their run's log: bounded, in plain text, without secrets.

use std::mem;

use greylag_infra::RunId;
use greylag_infra::protocol::{LogLine, cut};

use crate::coordinator::Coordinator;
use crate::plain_text;
use crate::provisioning::MachineNews;
use crate::tokens::hide_tokens;

/// Most lines of a run's log that machines and commands may take until they are given back, and again from then on.
const MAX_NEWS_LINES: usize = 2_000;
/// Longest name of a machine, in bytes.
const MAX_MACHINE_BYTES: usize = 100;
/// Longest reason, in bytes.
const MAX_REASON_BYTES: usize = 1_000;

/// The news as they are shown and kept.
pub(super) fn bounded(news: MachineNews) -> MachineNews {
    MachineNews {
        machine: harmless(&news.machine, MAX_MACHINE_BYTES),
        state: news.state,
        reason: news
            .reason
            .map(|reason| harmless(&reason, MAX_REASON_BYTES))
            .filter(|reason| !reason.is_empty()),
    }
}

/// A text of an error, likewise.
pub(super) fn bounded_text(text: &str) -> String {
    harmless(text, MAX_REASON_BYTES)
}

/// Plain first: what is not seen may stand in the middle of a token.
fn harmless(text: &str, most: usize) -> String {
    cut(&hide_tokens(&plain_text(text)), most).into_owned()
}

/// Writes to the log of one run.
#[derive(Debug)]
pub(super) struct RunLog {
    coordinator: Coordinator,
    run_id: RunId,
    waiting: Vec<String>,
    news_left: usize,
}

impl RunLog {
    pub(super) fn of(coordinator: &Coordinator, run_id: &RunId) -> Self {
        Self {
            coordinator: coordinator.clone(),
            run_id: run_id.clone(),
            waiting: Vec::new(),
            news_left: MAX_NEWS_LINES,
        }
    }

    /// A line of what machines or commands say; beyond the limit it is left out.
    pub(super) fn news(&mut self, line: String) {
        match self.news_left {
            0 => return,
            1 => self
                .waiting
                .push(format!("{line} (what else machines say is not kept)")),
            _ => self.waiting.push(line),
        }
        self.news_left -= 1;
    }

    /// The machines are given back from now on, which has lines of its own.
    pub(super) fn begins_anew(&mut self) {
        self.news_left = MAX_NEWS_LINES;
    }

    /// A line of the coordinator's own.
    pub(super) fn note(&mut self, line: String) {
        self.waiting.push(line);
    }

    /// Saves what was said.
    pub(super) async fn save(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let at = self.coordinator.now();
        let lines = mem::take(&mut self.waiting).into_iter().map(|text| {
            tracing::info!(run = %self.run_id, "{text}");
            LogLine {
                at,
                source: "coordinator".to_owned(),
                text,
            }
        });
        let lines = lines.collect();
        let saved = self.coordinator.store().append_log(&self.run_id, lines);
        match saved.await {
            Ok(()) => {}
            // It was deleted while its machines were given back.
            Err(error) if error.is_unknown_run() => {}
            Err(error) => {
                tracing::error!(%error, run = %self.run_id, "cannot save log lines");
            }
        }
        self.coordinator.changed();
    }
}
