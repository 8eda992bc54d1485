//! What the pages show, as plain data: the server renders it into HTML and sends the same as JSON, so the
//! first paint and every live update agree.
//!
//! All times are milliseconds of response time (floats with µs precision) unless the field's name says
//! otherwise; `_us` are µs since 1970 on the coordinator's clock, `_s` seconds.

use greylag_infra::{LoadProfile, RunId, WallTime};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_types::LogRow;
use crate::measure::series_point::SeriesPoint;
use crate::results::metric_text::MetricsView;
use crate::results::summary::{
    ErrorSpread, SummaryCompleteness, SummaryEndpoint, SummaryTotals, SummaryWarning,
};
use crate::results::views::generator_view::GeneratorView;
use crate::results::views::live_notices::LiveNotice;
use crate::results::views::notes_view::NotesView;
use crate::results::views::scope_view::PhaseWindow;
use crate::results::views::thresholds_view::ThresholdsView;
use crate::store::WorkerRow;

/// The run page: everything but the growing parts (series, samples, log lines), which come
/// as `delta` in the live events.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunView {
    /// The About This Test panel.
    pub about: AboutView,
    /// The four cards.
    pub cards: CardsView,
    /// Endpoint Statistics, sorted by name and method.
    pub endpoints: Vec<SummaryEndpoint>,
    /// The row that totals every endpoint.
    pub aggregated: SummaryEndpoint,
    /// Errors, most frequent first.
    pub errors: Vec<ErrorRow>,
    /// What is wrong right now: agents that are not heard, results that are not saved.
    pub notices: Vec<LiveNotice>,
    /// Whether the numbers are everything that was sent.
    pub completeness: SummaryCompleteness,
    /// What the load generator itself ran short of.
    pub warnings: Vec<SummaryWarning>,
    /// How the test's thresholds stand: of the whole run, whatever part is shown.
    pub thresholds: ThresholdsView,
    /// What the scenario counts beside its requests.
    pub custom_metrics: MetricsView,
    /// What people say of it.
    pub notes: NotesView,
    /// How the load generator fared.
    pub generator: GeneratorView,
    /// Moments that the charts over run time mark, by second.
    pub marks: Vec<ChartMark>,
    /// What has to be known about the numbers of a single agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// The phases that the run has been in so far, as windows.
    pub phases: Vec<PhaseWindow>,
    /// The three console tables as text, as they stand now; none where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_tables: Option<String>,
    /// Workers by index. The page and its live events list at most 100 of them: before others those of agents that are not
    /// heard, then those that have ended.
    pub workers: Vec<WorkerRow>,
    /// How many there are, listed or not.
    pub worker_counts: WorkerCounts,
}

/// A moment that charts over run time mark, or a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChartMark {
    /// Second of run time; of a stretch its first.
    pub second: u32,
    /// End of a stretch, exclusive; missing for a moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// What was then, in a few words.
    pub label: String,
}

/// How many workers a run has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkerCounts {
    /// That have reported.
    pub all: u64,
    /// Of these, of agents that are not heard.
    pub stale: u64,
}

/// The panel About This Test.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AboutView {
    /// Run identifier.
    #[schema(value_type = String)]
    pub id: RunId,
    /// Number of the run within its test.
    pub number: u64,
    /// Test Name.
    pub test_name: String,
    /// Load Test Infrastructure.
    pub infrastructure: String,
    /// Its connection status now: `Pending`, `Connected`, `Silent` or `Disconnected`.
    pub infrastructure_status: String,
    /// Always `Locust`.
    pub r#type: &'static str,
    /// Target, without the password it may hold.
    pub host: String,
    /// Scenario.
    pub scenario: String,
    /// Users: the most that are planned at any time.
    pub users: u64,
    /// Users that the change of the load profile that is in force now leads to.
    pub users_wanted: u64,
    /// How many users are planned when, with the changes made while the run went on.
    pub profile: LoadProfile,
    /// Duration in seconds.
    pub duration_s: u64,
    /// Ramp Up Duration in seconds: how long the load rises from the start.
    pub ramp_up_s: u64,
    /// Whether the scenario's load shape will say users, duration and ramp-up, and has not yet.
    pub awaits_shape: bool,
    /// Worker Count.
    pub worker_count: u32,
    /// Run Started, none while workers are being started.
    #[serde(rename = "run_started_us")]
    #[schema(value_type = Option<u64>)]
    pub run_started: Option<WallTime>,
    /// Time Elapsed in seconds.
    pub time_elapsed_s: f64,
    /// Status: `Running`, `Finished` or `Failed`.
    pub status: &'static str,
    /// Where it stands exactly: `Queued`, `Provisioning`, `Preparing`, `Running`, `Stopping`, `Finished` or `Failed`.
    pub phase: &'static str,
    /// Why it has not begun, while it is `Queued` or `Provisioning`.
    pub waiting: Option<String>,
    /// Why it failed (or is failing).
    pub failure_reason: Option<String>,
    /// The same as a word for programs.
    pub failure_code: Option<&'static str>,
    /// Whether the Stop button works.
    pub can_stop: bool,
    /// Whether the number of users can be changed now.
    pub can_change_users: bool,
    /// What else the run was asked to do.
    pub settings: Vec<SettingRow>,
    /// The coordinator's clock at this view.
    #[serde(rename = "now_us")]
    #[schema(value_type = u64)]
    pub now: WallTime,
}

impl AboutView {
    /// The word that the page shows: of a run that waits its phase, else its status.
    pub(crate) fn shown_status(&self) -> &'static str {
        shown_status(self.status, self.phase, self.waiting.is_some())
    }
}

/// The word that pages show for where a run stands.
pub(crate) fn shown_status(status: &'static str, phase: &'static str, waits: bool) -> &'static str {
    if waits { phase } else { status }
}

/// One setting of a run beyond those that every run has, as a text. Secrets are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SettingRow {
    /// What it is.
    pub label: String,
    /// What it was set to; several lines where it is a list.
    pub value: String,
}

/// The four cards, and what stands in smaller print on them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct CardsView {
    /// Total Requests, Request Per Second, Error Rate, Avg Response Time and the rest of the statistics.
    #[serde(flatten)]
    pub totals: SummaryTotals,
    /// Request Per Second over the last 10 full seconds.
    pub current_rps: f64,
    /// Users active now.
    pub active_users: u64,
}

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ErrorRow {
    /// Method of the endpoint, or `TASK` for an error that is not a failed request.
    pub method: String,
    /// Name of the endpoint or task.
    pub name: String,
    /// The error's text, of a task's error without its place.
    pub error: String,
    /// Where in the scenario's code a task's error comes from: `src/main.rs:42`.
    pub place: Option<String>,
    /// How often.
    pub occurrences: u64,
    /// How much of the run it is, and on which agents it occurred.
    #[serde(flatten)]
    pub spread: ErrorSpread,
    /// Second of run time in which it was seen first.
    pub first_s: u64,
    /// And last.
    pub last_s: u64,
}

/// The growing parts of the page since a cursor. The first one after a connect holds everything (thinned).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunDelta {
    /// Whether the browser must forget the points that it has (first delta, or a late second was rewritten).
    pub reset: bool,
    /// Points of the time series; a point whose second is already there replaces it.
    pub series: Vec<SeriesPoint>,
    /// Width of one point in seconds (1 unless the run is long).
    pub step_s: u32,
    /// Dots of the scatter plot that came and went.
    pub dots: DotChanges,
    /// Console log lines.
    pub log: Vec<LogRow>,
    /// Log lines that were left out (they came too fast, or a run keeps no more), over the whole run.
    pub log_lines_dropped: u64,
}

impl RunDelta {
    /// The most users at any point of the series.
    pub(crate) fn most_users(&self) -> u64 {
        let users = self.series.iter().map(|point| point.users);
        users.max().unwrap_or(0)
    }

    /// Whether a reader who has what was sent before learns nothing from it.
    pub(crate) fn is_empty(&self) -> bool {
        !self.reset && self.series.is_empty() && self.log.is_empty() && self.dots.is_empty()
    }
}

/// Dots of the scatter plot that came and went, as columns: there are thousands of them. Each has a number, under which it
/// goes again.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DotChanges {
    /// Whether these are all dots, instead of those that are new.
    pub forget: bool,
    /// Number of the first dot that will be sent after these. New dots have the numbers before it, in order, unless
    /// `numbers` says others.
    pub next: u64,
    /// Of each new dot, its number after that of the dot before it (the first: after 0). Empty where the numbers follow from
    /// `next`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<i64>,
    /// Numbers of dots that went.
    pub gone: Vec<u64>,
    /// Endpoints (method and name) that have dots now and had none before, by number from 0 since `forget`.
    pub endpoints: Vec<(String, String)>,
    /// Of each new dot, when its request ended: ms of run time since the dot before it.
    pub at_ms: Vec<i64>,
    /// Of each new dot, its response time in µs, three digits.
    pub response_us: Vec<u64>,
    /// Of each new dot, the number of its endpoint.
    pub endpoint: Vec<u32>,
    /// Of each new dot, its outcome and why it was kept.
    pub kind: Vec<DotKind>,
    /// Which share of all requests is drawn, 0–1.
    pub drawn_share: f64,
    /// Which share of the failed requests is shown, 0–1.
    pub failed_share: f64,
    /// Requests that they were drawn from, over the whole run so far.
    pub of: u64,
}

impl DotChanges {
    /// A response time in µs as a dot has it: as exact as the histograms are.
    pub(crate) fn shown_response_us(response_us: u64) -> u64 {
        let step = 10_u64.pow(response_us.checked_ilog10().unwrap_or(0).saturating_sub(2));
        (response_us.saturating_add(step / 2)) / step * step
    }

    /// Whether nothing came or went. Endpoints count: they are sent once, maybe before their first dot.
    pub(crate) fn is_empty(&self) -> bool {
        !self.forget && self.gone.is_empty() && self.endpoints.is_empty() && self.kind.is_empty()
    }
}

/// How a dot looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum DotKind {
    /// A success that was drawn.
    Success = 0,
    /// A failure that was drawn.
    Failure = 1,
    /// A failure that was kept in addition.
    ExtraFailure = 2,
    /// The slowest of its endpoint, a success.
    SlowSuccess = 3,
    /// The slowest of its endpoint, a failure.
    SlowFailure = 4,
}

impl From<DotKind> for u8 {
    fn from(kind: DotKind) -> Self {
        kind as Self
    }
}
