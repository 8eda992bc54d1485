//! Runs as a coordinator lists them.

use std::collections::HashSet;
use std::time::Duration;

use greylag_infra::{RunId, WallTime, format_duration};
use greylag_reporting::{plain_text, rfc3339};
use serde::Deserialize;

use super::api_client::{ApiClient, RunsAsked};
use super::failure::Failure;

/// Runs asked for at a time: few enough that a coordinator has added up long ones before the client's time limit.
const RUNS_AT_A_TIME: usize = 50;

/// A part of the list, newest first.
#[derive(Debug, Deserialize)]
pub(crate) struct RunListPart {
    pub(super) runs: Vec<ListedRun>,
    /// Runs of the whole list.
    pub(super) total: u64,
}

/// One run, as far as it is shown or chosen by.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedRun {
    pub(super) id: RunId,
    number: u64,
    test: String,
    status: String,
    /// Of a coordinator that says it.
    #[serde(default)]
    phase: String,
    /// Why it has not begun, if so.
    #[serde(default)]
    waiting: Option<String>,
    /// What to say about its load, if some of it was lost.
    #[serde(default)]
    coverage_remark: Option<String>,
    pub(super) can_delete: bool,
    #[serde(rename = "created_us")]
    created: WallTime,
    #[serde(rename = "started_us")]
    started: Option<WallTime>,
    elapsed_s: f64,
    requests: u64,
    failures: u64,
    /// None of a coordinator that does not say it, and of several builds.
    #[serde(default)]
    build: Option<String>,
    /// None of a coordinator that does not say them.
    #[serde(default)]
    labels: Vec<String>,
}

impl ListedRun {
    /// What its cells are, by column.
    pub(super) const COLUMNS: [&str; 9] = [
        "RUN", "TEST", "STATUS", "STARTED", "DURATION", "REQUESTS", "FAILS", "BUILD", "LABELS",
    ];

    /// Its line of a table.
    pub(super) fn cells(&self) -> [String; Self::COLUMNS.len()] {
        [
            self.id.to_string(),
            format!("{} #{}", plain_text(&self.test), self.number),
            self.shown_status(),
            rfc3339(self.started.unwrap_or(self.created)),
            format_duration(self.elapsed()),
            self.requests.to_string(),
            self.failures.to_string(),
            self.build.as_deref().map(plain_text).unwrap_or_default(),
            plain_text(&self.labels.join(",")),
        ]
    }

    /// Of a run that waits its phase, and why; of others whether some of the load was lost.
    fn shown_status(&self) -> String {
        match &self.waiting {
            Some(reason) => format!("{}: {}", plain_text(&self.phase), plain_text(reason)),
            None if self.coverage_remark.is_some() => format!("{}, partial load", self.status),
            None => self.status.clone(),
        }
    }

    /// When it ended; of one that has not, now.
    pub(super) fn ended_at(&self) -> WallTime {
        self.started.unwrap_or(self.created) + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        Duration::try_from_secs_f64(self.elapsed_s).unwrap_or_default()
    }
}

/// The newest runs, at most so many, and how many there are in all.
///
/// # Errors
/// The coordinator cannot be asked.
pub(super) async fn read(
    api: &ApiClient,
    asked: &RunsAsked,
    most: usize,
) -> Result<(Vec<ListedRun>, u64), Failure> {
    let mut runs: Vec<ListedRun> = Vec::new();
    let mut known = HashSet::new();
    let mut offset = 0;
    loop {
        let limit = RUNS_AT_A_TIME.min(most - runs.len());
        let part = api.runs(asked, offset, limit).await;
        let mut part = part.map_err(Failure::bad_input)?;
        offset += part.runs.len();
        let is_last = part.runs.is_empty() || offset as u64 >= part.total;
        // A run that started meanwhile has moved the others on.
        part.runs.retain(|run| known.insert(run.id.clone()));
        runs.append(&mut part.runs);
        if is_last || runs.len() >= most {
            return Ok((runs, part.total));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_that_waits_says_what_for_and_one_that_lost_some_of_its_load_that_it_did() {
        let mut listed = json!({
            "id": "r", "number": 2, "test": "shop", "status": "Running", "phase": "Running", "can_delete": false,
            "created_us": 1, "started_us": 1, "elapsed_s": 0.0, "requests": 0, "failures": 0,
        });
        let status = |listed: &serde_json::Value| {
            let run: ListedRun = serde_json::from_value(listed.clone()).unwrap();
            run.cells()[2].clone()
        };
        assert_eq!(status(&listed), "Running");
        listed["coverage_remark"] = json!("Partial load: 4 of 12 users missing");
        assert_eq!(status(&listed), "Running, partial load");
        listed["phase"] = json!("Queued");
        listed["waiting"] = json!("#1 of shop\u{1b}[31m has these agents");
        assert_eq!(status(&listed), "Queued: #1 of shop has these agents");
    }
}
