//! What the front page shows, as plain data: tests, runs and infrastructures, and what its form needs.
//!
//! Units as in [`crate::results::views::run_view`]: `_us` are µs since 1970 on the coordinator's clock, `_s` seconds, `_ms`
//! milliseconds of response time, rates are per second and error rates fractions 0–1.

use std::collections::BTreeSet;

use greylag_infra::protocol::OptionKind;
use greylag_infra::{RunId, TestVerdict, WallTime};
use serde::Serialize;
use utoipa::ToSchema;

use crate::results::summary::SummaryTotals;
use crate::results::views::live_notices::LiveNotice;
use crate::results::views::run_view::shown_status;

/// The front page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrontView {
    /// The coordinator's clock at this view.
    #[serde(rename = "now_us")]
    pub now: WallTime,
    /// What is wrong right now with the coordinator and its store.
    pub notices: Vec<LiveNotice>,
    /// Tests, the one with the newest run first.
    pub tests: Vec<TestRow>,
    /// The runs that were asked for, a page of them.
    pub runs: RunList,
    /// Infrastructures by name.
    pub infrastructures: Vec<InfrastructureRow>,
    /// Scenarios that the form offers, in the order of the agents' builds. Of one name there are several where agents
    /// disagree about what it declares.
    pub scenarios: Vec<ScenarioRow>,
}

impl FrontView {
    /// Whether no scenario brings the hosts it needs.
    pub(crate) fn always_needs_host(&self) -> bool {
        !self.scenarios.iter().any(|scenario| scenario.has_hosts)
    }

    /// Scenarios by name, each once, in the order in which they are offered.
    pub(crate) fn scenario_names(&self) -> Vec<&ScenarioRow> {
        let mut rows: Vec<&ScenarioRow> = Vec::new();
        for row in &self.scenarios {
            if !rows.iter().any(|known| known.name == row.name) {
                rows.push(row);
            }
        }
        rows
    }

    /// All tags of all scenarios, by name.
    pub(crate) fn tags(&self) -> BTreeSet<&str> {
        let tags = self.scenarios.iter().flat_map(|scenario| &scenario.tags);
        tags.map(String::as_str).collect()
    }

    /// All user types of all scenarios, by name.
    pub(crate) fn user_types(&self) -> BTreeSet<&str> {
        let rows = self.scenarios.iter();
        rows.flat_map(|scenario| &scenario.user_types)
            .map(String::as_str)
            .collect()
    }

    /// The scenarios for the page's script, which shows those of the chosen infrastructure.
    pub(crate) fn scenarios_json(&self) -> String {
        serde_json::to_string(&self.scenarios).expect("plain rows are JSON")
    }
}

/// A page of a list of runs, newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct RunList {
    /// The runs on this page.
    #[serde(rename = "runs")]
    pub rows: Vec<RunRow>,
    /// Runs on all pages.
    pub total: u64,
    /// Number of the page, from 1.
    pub page: u64,
    /// How many pages there are, at least 1.
    pub pages: u64,
    /// Runs on the pages before.
    pub offset: u64,
}

impl RunList {
    /// The pages that are linked: the first, the last and those beside the one that is shown. None stands for those
    /// between.
    pub(crate) fn linked_pages(&self) -> Vec<Option<u64>> {
        let mut linked = Vec::new();
        let mut last = 0;
        for page in 1..=self.pages {
            if page == 1 || page == self.pages || page.abs_diff(self.page) <= 1 {
                if page > last + 1 {
                    linked.push(None);
                }
                linked.push(Some(page));
                last = page;
            }
        }
        linked
    }

    /// Which of all runs are on this page, counted from 1.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.offset + 1, self.offset + self.rows.len() as u64)
    }
}

/// One test: a name that runs are numbered by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestRow {
    /// Its name.
    pub name: String,
    /// Runs it has had.
    pub runs: u64,
    /// Target of the newest run, without the password it may hold.
    pub host: String,
    /// Scenario of the newest run.
    pub scenario: String,
    /// Users of the newest run.
    pub users: u64,
    /// Duration of the newest run in seconds.
    pub duration_s: u64,
}

/// One run with its headline numbers.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunRow {
    /// Run identifier.
    #[schema(value_type = String)]
    pub id: RunId,
    /// Number of the run within its test.
    pub number: u64,
    /// Name of its test.
    pub test: String,
    /// Address of its page on this server, without scheme and host.
    pub url: String,
    /// `Running`, `Finished` or `Failed`.
    pub status: &'static str,
    /// Where it stands exactly: `Queued`, `Provisioning`, `Preparing`, `Running`, `Stopping`, `Finished` or `Failed`.
    pub phase: &'static str,
    /// Why it has not begun, while it is `Queued` or `Provisioning`.
    pub waiting: Option<String>,
    /// Why it failed (or is failing).
    pub failure_reason: Option<String>,
    /// The same as a word for programs.
    pub failure_code: Option<&'static str>,
    /// What to say beside its counts; none for a complete run.
    pub remark: Option<String>,
    /// What to say about its load; none for a run that lost nothing of it.
    pub coverage_remark: Option<String>,
    /// Whether the Stop button works.
    pub can_stop: bool,
    /// Whether it has ended and is not pinned, so that it can be deleted.
    pub can_delete: bool,
    /// Whether it is to be kept, whatever is deleted because of its age or number.
    pub pinned: bool,
    /// Its labels, each `key=value` or a word.
    pub labels: Vec<String>,
    /// Whether somebody has written a note about it.
    pub has_note: bool,
    /// What its thresholds say of it: `passed` or `failed`; null without thresholds, and until it is over.
    pub verdict: Option<TestVerdict>,
    /// Infrastructure that ran it.
    pub infrastructure: String,
    /// Target, without the password it may hold.
    pub host: String,
    /// Scenario.
    pub scenario: String,
    /// The first digits of the SHA-256 of the build that ran it; none if it is not known or there were several.
    pub build: Option<String>,
    /// Peak concurrent users.
    pub users: u64,
    /// Total duration in seconds as it was asked for.
    pub duration_s: u64,
    /// Ramp-up in seconds.
    pub ramp_up_s: u64,
    /// Worker processes.
    pub workers: u32,
    /// When the run was asked for.
    #[serde(rename = "created_us")]
    #[schema(value_type = u64)]
    pub created: WallTime,
    /// Run time zero; none while workers are being started.
    #[serde(rename = "started_us")]
    #[schema(value_type = Option<u64>)]
    pub started: Option<WallTime>,
    /// Time elapsed in seconds.
    pub elapsed_s: f64,
    /// Its requests.
    #[serde(flatten)]
    pub totals: SummaryTotals,
    /// Requests per second over the run, in at most 60 equal steps; empty before the first
    /// second.
    pub sparkline: Vec<f64>,
}

impl RunRow {
    /// The word that the list shows: of a run that waits its phase, else its status.
    pub(crate) fn shown_status(&self) -> &'static str {
        shown_status(self.status, self.phase, self.waiting.is_some())
    }
}

/// Most points of a sparkline.
pub const SPARKLINE_POINTS: usize = 60;

/// One infrastructure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InfrastructureRow {
    /// Its name.
    pub name: String,
    /// `Pending`, `Connected`, `Silent` or `Disconnected`.
    pub status: &'static str,
    /// How it gets machines, if the configuration file says it: `machines`, `command`, …
    pub configured_kind: Option<&'static str>,
    /// Whether agents are there only while a run has asked for them.
    pub makes_machines: bool,
    /// What becomes of machines that are asked for, in one line.
    pub activity: Option<String>,
    /// What failed last, until something succeeds.
    pub last_error: Option<String>,
    /// Machines that were asked for and whose agents are not there, of many the first.
    pub machines: Vec<MachineRow>,
    /// Agents that are connected now.
    pub connected: usize,
    /// Processors of the connected agents.
    pub cores: u64,
    /// How many agents it has.
    pub agent_count: usize,
    /// Its agents, by name; of many the first ones, before others those that are not connected.
    pub agents: Vec<AgentRow>,
}

/// A machine without an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineRow {
    /// Its name.
    pub name: String,
    /// `waiting`, `starting` or `failed`.
    pub state: &'static str,
    /// Why.
    pub reason: Option<String>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentRow {
    /// Its name.
    pub name: String,
    /// `Connected`, `Silent` or `Disconnected`.
    pub status: &'static str,
    /// Last heartbeat; its age is [`FrontView::now`] minus this.
    #[serde(rename = "last_heard_us")]
    pub last_heard: WallTime,
    /// Processors of its machine.
    pub cores: u32,
    /// Greylag's version there.
    pub version: String,
    /// First digits of the hash of its build; empty if it is not known.
    pub build: String,
}

/// One scenario compiled into agents' binaries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScenarioRow {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub description: String,
    /// The infrastructures that have connected agents with it, or have no agents and have had it.
    pub infrastructures: Vec<String>,
    /// Its user types.
    pub user_types: Vec<String>,
    /// The tags of its tasks.
    pub tags: Vec<String>,
    /// Whether it has a load shape of its own, which takes the place of users, ramp-up and duration.
    pub has_shape: bool,
    /// Whether each of its user types brings a host, so that the test need not name one.
    pub has_hosts: bool,
    /// The options it declares.
    pub options: Vec<OptionRow>,
}

impl ScenarioRow {
    /// Its infrastructures for the page's script.
    pub(crate) fn infrastructures_json(&self) -> String {
        serde_json::to_string(&self.infrastructures).expect("texts are JSON")
    }
}

/// One option that a scenario declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OptionRow {
    /// Its name.
    pub name: String,
    /// How the form asks for it.
    pub kind: OptionField,
    /// Its value unless another is given; empty for a secret.
    pub default: String,
    /// A message for people.
    pub help: String,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// The values there are, if only some are allowed.
    pub choices: Vec<String>,
}

/// How a form asks for an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionField {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
}

impl From<OptionKind> for OptionField {
    fn from(kind: OptionKind) -> Self {
        match kind {
            OptionKind::Text => Self::Text,
            OptionKind::Integer => Self::Integer,
            OptionKind::Number => Self::Number,
            OptionKind::Flag => Self::Flag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_far_away_are_reached_in_few_steps() {
        let linked = |page, pages| {
            let list = RunList {
                page,
                pages,
                ..RunList::default()
            };
            let texts = list.linked_pages().into_iter();
            let texts = texts.map(|page| page.map_or("…".to_owned(), |page| page.to_string()));
            texts.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(linked(1, 1), "1");
        assert_eq!(linked(2, 3), "1 2 3");
        assert_eq!(linked(1, 9), "1 2 … 9");
        assert_eq!(linked(5, 9), "1 … 4 5 6 … 9");
        assert_eq!(linked(9, 9), "1 … 8 9");
    }
}
