//! Builds what the pages show from the store and the coordinator.
//!
//! Every number of a run is taken from one [`Summary`], which is also what programs are given, so page,
//! progress, console tables and summary cannot disagree.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use greylag_infra::{
    AgentView, ConnectionStatus, FailureReason, InfrastructureView, RunId, RunRecord,
};

use crate::coordinator::{Coordinator, InfrastructureMachines};
use crate::plain_text::plain_text;
use crate::results::console_tables::console_tables;
use crate::results::error_place::split_place;
use crate::results::metric_text::MetricsView;
use crate::results::summary::{
    AGGREGATED, Summary, SummaryEndpoint, SummaryError, SummaryGenerator, SummaryTotals, ramp_up_s,
    remark,
};
use crate::results::urls::run_url;
use crate::results::views::about_view::{about_view, can_stop, peak_users};
use crate::results::views::chart_marks::chart_marks;
use crate::results::views::front_view::{
    AgentRow, FrontView, InfrastructureRow, MachineRow, RunList, RunRow, SPARKLINE_POINTS, TestRow,
};
use crate::results::views::generator_view::{GeneratorView, HealthChart, MAX_HEALTH_POINTS};
use crate::results::views::known_scenarios;
use crate::results::views::live_notices::{notices_of_coordinator, notices_of_run, unheard_agents};
use crate::results::views::run_view::{CardsView, ErrorRow, RunView, WorkerCounts};
use crate::results::views::scope_view::phase_windows;
use crate::results::views::thresholds_view::ThresholdsView;
use crate::store::{ErrorHistory, RunFilter, Scope, Series, StoreError, WorkerRow};

/// Agents of an infrastructure that the front page lists.
const MAX_AGENTS_SHOWN: usize = 50;
/// Runs on a page of the list, unless a program asks for another number.
pub(crate) const RUNS_ON_A_PAGE: usize = 50;
/// Tests on the front page.
const TESTS_ON_FRONT_PAGE: usize = 100;
/// Rows of runs that are over, kept so that the front page need not sum them up again.
const MAX_ROWS_KEPT: usize = 1_000;
/// Gaps, and losses of the load, that a run page lists; how many more there are is in the remark.
const MAX_GAPS_SHOWN: usize = 50;
/// Workers that a run page lists.
const MAX_WORKERS_SHOWN: usize = 100;
/// A run's row is kept when it has been over for so long that nothing comes late any more.
const KEPT_AFTER: Duration = Duration::from_secs(60);

/// What the run page shows of this part of a run now, but for the growing parts and the console tables.
///
/// # Errors
/// The store failed.
pub(crate) async fn run_view(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
) -> Result<RunView, StoreError> {
    build_run_view(coordinator, run, scope, Extent::Page).await
}

/// The same with the console tables and all workers.
///
/// # Errors
/// The store failed.
pub(crate) async fn whole_run_view(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
) -> Result<RunView, StoreError> {
    build_run_view(coordinator, run, scope, Extent::Whole).await
}

/// The same without what is shown over time.
///
/// # Errors
/// The store failed.
pub(crate) async fn run_numbers(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
) -> Result<RunView, StoreError> {
    build_run_view(coordinator, run, scope, Extent::Numbers).await
}

/// How much of a run a view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What a progress bar needs.
    Numbers,
    /// What fits a page that is always new.
    Page,
    /// Everything.
    Whole,
}

async fn build_run_view(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
    extent: Extent,
) -> Result<RunView, StoreError> {
    let store = coordinator.store();
    let now = coordinator.now();
    let infrastructures = coordinator.infrastructures();
    let unheard = unheard_agents(coordinator, run, &infrastructures, now);
    let totals = async {
        let totals = store.table_totals(&run.id, scope).await?;
        let seen = if totals.has_errors() {
            store.errors(&run.id, scope).await?
        } else {
            Vec::new()
        };
        Ok((totals, seen))
    };
    let chart = async {
        match extent {
            Extent::Numbers => Ok(HealthChart::default()),
            Extent::Page | Extent::Whole => health_chart(coordinator, run, scope).await,
        }
    };
    // Each reads for itself, as many at the same time as there are readers.
    let ((totals, seen), current, notices, said, health, mut workers, chart, judged, metrics) = tokio::try_join!(
        totals,
        store.current_rps(run, scope, now),
        store.notices(&run.id, scope),
        store.annotations(&run.id),
        store.generator_health(&run.id, scope),
        worker_rows(coordinator, run, scope, |agent| unheard.contains_key(agent)),
        chart,
        store.threshold_results(run),
        store.custom_metrics(&run.id, scope),
    )?;
    let mut summary = Summary::of(
        run,
        scope,
        &totals,
        &Series::default(),
        &current,
        &notices,
        now,
    );
    summary.add_generator(&health, scope);
    let elapsed_s = scope.elapsed_s(run.elapsed_s(now), &totals.left_out);
    summary.add_metrics(&metrics, scope, run.elapsed_s(now));
    let is_page = extent != Extent::Whole;
    let marks = chart_marks(run, &said.marks, &judged, scope, &summary.generator);
    let generator = GeneratorView::of(summary.generator, &health, &workers, chart, is_page);
    let worker_counts = WorkerCounts {
        all: workers.len() as u64,
        stale: workers.iter().filter(|worker| worker.stale).count() as u64,
    };
    let mut completeness = summary.completeness;
    completeness.gaps.truncate(MAX_GAPS_SHOWN);
    completeness.coverage.losses.truncate(MAX_GAPS_SHOWN);
    let active_users = workers
        .iter()
        .filter(|worker| !worker.stale)
        .fold(0_u64, |sum, worker| sum.saturating_add(worker.users));
    if is_page {
        leave_shown(&mut workers);
    }
    Ok(RunView {
        about: about_view(run, &infrastructures, now),
        cards: CardsView {
            totals: summary.totals,
            current_rps: current.total().requests,
            active_users,
        },
        aggregated: SummaryEndpoint {
            name: AGGREGATED.to_owned(),
            stats: summary.totals.stats,
            current_rps: current.total().requests,
            current_failures_per_s: current.total().failures,
            ..SummaryEndpoint::default()
        },
        console_tables: (extent == Extent::Whole).then(|| {
            console_tables(
                &totals,
                &completeness,
                &summary.warnings,
                &summary.custom_metrics,
                elapsed_s,
            )
        }),
        endpoints: summary.endpoints,
        errors: error_rows(summary.errors, &seen),
        notices: notices_of_run(coordinator, run, &unheard, &infrastructures, now),
        completeness,
        warnings: summary.warnings,
        generator,
        marks,
        thresholds: ThresholdsView::of(run, scope, &judged, &metrics),
        custom_metrics: MetricsView::of(&summary.custom_metrics, scope),
        notes: said.into(),
        remark: remark(store, &run.id, scope).await?,
        phases: phase_windows(run, now),
        workers,
        worker_counts,
    })
}

/// The workers of a scope as they are now, by index. What agents were last heard to say is not what is, where they are not heard.
async fn worker_rows(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
    is_unheard: impl Fn(&str) -> bool,
) -> Result<Vec<WorkerRow>, StoreError> {
    let mut workers = coordinator.store().worker_rows(&run.id, scope).await?;
    for worker in &mut workers {
        // An agent that was lost never reported that its workers ended.
        let is_lost = run.coverage().has_lost_agent(&worker.agent);
        worker.stale = is_unheard(&worker.agent) && !is_lost;
        worker.running &= !run.phase.is_over() && !is_lost;
        if !worker.running {
            worker.users = 0;
        }
    }
    Ok(workers)
}

/// How all workers of a scope fared over time.
async fn health_chart(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
) -> Result<HealthChart, StoreError> {
    let store = coordinator.store();
    let step_s = store.series_step(&run.id, scope, MAX_HEALTH_POINTS).await?;
    let points = store.health_series(&run.id, scope, step_s).await?;
    Ok(HealthChart::of(&points, step_s))
}

/// How the load generator fared in this part of a run, with all workers and agents.
///
/// # Errors
/// The store failed.
pub(crate) async fn whole_generator_view(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
) -> Result<GeneratorView, StoreError> {
    let infrastructures = coordinator.infrastructures();
    let unheard = unheard_agents(coordinator, run, &infrastructures, coordinator.now());
    let workers = worker_rows(coordinator, run, scope, |agent| unheard.contains_key(agent)).await?;
    let health = coordinator.store().generator_health(&run.id, scope).await?;
    let summary = SummaryGenerator::of(&health, scope.without_saturated);
    let chart = health_chart(coordinator, run, scope).await?;
    Ok(GeneratorView::of(summary, &health, &workers, chart, false))
}

/// Leaves the workers that a page lists, by index.
fn leave_shown(workers: &mut Vec<WorkerRow>) {
    if workers.len() <= MAX_WORKERS_SHOWN {
        return;
    }
    workers.sort_by_key(|worker| (!worker.stale, worker.running));
    workers.truncate(MAX_WORKERS_SHOWN);
    workers.sort_by_key(|worker| worker.index);
}

/// The errors of a run, with when and where each was seen.
fn error_rows(errors: Vec<SummaryError>, seen: &[ErrorHistory]) -> Vec<ErrorRow> {
    let seen: HashMap<_, _> = seen
        .iter()
        .map(|error| {
            let of = |text: &str| plain_text(text);
            let endpoint = &error.endpoint;
            let key = (of(&endpoint.method), of(&endpoint.name), of(&error.text));
            (key, error)
        })
        .collect();
    let rows = errors.into_iter().map(|error| {
        let key = (error.method, error.name, error.error);
        let seen = seen.get(&key).copied();
        let mut spread = error.spread;
        if let Some(seen) = seen {
            spread.add(seen);
        }
        let (method, name, text) = key;
        let (text, place) = split_place(&text);
        ErrorRow {
            method,
            name,
            error: text.to_owned(),
            place: place.map(str::to_owned),
            occurrences: error.occurrences,
            spread,
            first_s: seen.map_or(0, |seen| u64::from(seen.first)),
            last_s: seen.map_or(0, |seen| u64::from(seen.last)),
        }
    });
    rows.collect()
}

/// Which runs a list shows: of those that a test and words name, one page.
#[derive(Debug, Clone)]
pub(crate) struct RunsAsked {
    /// Only runs of this test.
    pub(crate) test: Option<String>,
    /// Words that describe the runs, as in [`RunFilter::search`].
    pub(crate) search: String,
    /// From 1; one beyond the last is the last.
    pub(crate) page: u64,
    /// Runs on a page, at least 1.
    pub(crate) per_page: usize,
}

/// What the front page shows now.
///
/// # Errors
/// The store failed.
pub(crate) async fn front_view(
    coordinator: &Coordinator,
    rows: &RunRows,
    asked: &RunsAsked,
) -> Result<FrontView, StoreError> {
    let mut tests = coordinator.store().tests().await?;
    tests.truncate(TESTS_ON_FRONT_PAGE);
    let infrastructures = coordinator.infrastructures();
    let latest = tests.iter().map(|test| &test.latest);
    let scenarios = known_scenarios::offered(&infrastructures, latest);
    let now = coordinator.now();
    Ok(FrontView {
        now,
        notices: notices_of_coordinator(coordinator, &infrastructures, now),
        tests: tests
            .into_iter()
            .map(|test| TestRow {
                name: test.name,
                runs: test.runs,
                host: test.latest.shown_host(),
                scenario: test.latest.scenario,
                users: test.latest.users,
                duration_s: test.latest.duration_s,
            })
            .collect(),
        runs: rows.page(coordinator, asked).await?,
        scenarios,
        infrastructures: infrastructure_rows(&infrastructures, coordinator.machines()),
    })
}

fn infrastructure_rows(
    infrastructures: &[InfrastructureView],
    mut made: BTreeMap<String, InfrastructureMachines>,
) -> Vec<InfrastructureRow> {
    let rows = infrastructures.iter();
    rows.map(|known| infrastructure_row(known, made.remove(&known.name)))
        .collect()
}

fn infrastructure_row(
    infrastructure: &InfrastructureView,
    made: Option<InfrastructureMachines>,
) -> InfrastructureRow {
    let configured_kind = made.as_ref().map(|made| made.kind.word());
    let made = made.unwrap_or_default();
    let is_connected = |agent: &&AgentView| agent.status == ConnectionStatus::Connected;
    let connected = || infrastructure.agents.iter().filter(is_connected);
    let mut shown: Vec<&AgentView> = infrastructure.agents.iter().collect();
    if shown.len() > MAX_AGENTS_SHOWN {
        shown.sort_by_key(is_connected);
        shown.truncate(MAX_AGENTS_SHOWN);
    }
    InfrastructureRow {
        name: infrastructure.name.clone(),
        status: infrastructure.status.word(),
        configured_kind,
        makes_machines: made.kind.makes_machines(),
        activity: made.activity,
        last_error: made.last_error,
        machines: made
            .machines
            .into_iter()
            .map(|machine| MachineRow {
                name: machine.name,
                state: machine.state.word(),
                reason: machine.reason,
            })
            .collect(),
        connected: connected().count(),
        cores: connected().map(|agent| u64::from(agent.cores)).sum(),
        agent_count: infrastructure.agents.len(),
        agents: shown
            .into_iter()
            .map(|agent| AgentRow {
                name: agent.name.clone(),
                status: agent.status.word(),
                last_heard: agent.last_heard,
                cores: agent.cores,
                version: agent.version.clone(),
                build: if agent.build.is_unknown() {
                    String::new()
                } else {
                    agent.build.short().to_owned()
                },
            })
            .collect(),
    }
}

/// Rows of runs for lists. Those of runs long over are kept, because they do not change any more.
#[derive(Debug, Default)]
pub(crate) struct RunRows {
    kept: Mutex<HashMap<RunId, RunRow>>,
}

impl RunRows {
    /// A page of a list of runs.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn page(
        &self,
        coordinator: &Coordinator,
        asked: &RunsAsked,
    ) -> Result<RunList, StoreError> {
        let per_page = asked.per_page.max(1);
        let offset = usize::try_from(asked.page.max(1) - 1)
            .unwrap_or(usize::MAX)
            .saturating_mul(per_page);
        let mut list = self.part(coordinator, asked, offset).await?;
        if list.rows.is_empty() && list.total > 0 {
            let last = (list.pages - 1) as usize * per_page;
            list = self.part(coordinator, asked, last).await?;
        }
        Ok(list)
    }

    /// The same, beginning at any run instead of a page's first.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn part(
        &self,
        coordinator: &Coordinator,
        asked: &RunsAsked,
        offset: usize,
    ) -> Result<RunList, StoreError> {
        let per_page = asked.per_page.max(1);
        let filter = RunFilter {
            test: asked.test.clone(),
            search: asked.search.clone(),
            limit: Some(per_page),
            offset,
        };
        let (runs, total) = coordinator.store().listed_runs(filter).await?;
        let mut rows = Vec::with_capacity(runs.len());
        for (run, said) in runs {
            let kept = self.kept().get(&run.id).cloned();
            let row = match kept {
                Some(row) => row,
                None => match self.new_row(coordinator, &run).await {
                    Ok(row) => row,
                    // Deleted since the list was read.
                    Err(error) if error.is_unknown_run() => continue,
                    Err(error) => return Err(error),
                },
            };
            rows.push(RunRow {
                can_delete: run.phase.is_over() && !said.pinned,
                pinned: said.pinned,
                labels: said.labels,
                has_note: said.has_note,
                verdict: said.verdict,
                ..row
            });
        }
        Ok(RunList {
            rows,
            total,
            page: (offset / per_page) as u64 + 1,
            pages: total.div_ceil(per_page as u64).max(1),
            offset: offset as u64,
        })
    }

    /// Forgets a run that was deleted.
    pub(crate) fn forget(&self, id: &RunId) {
        self.kept().remove(id);
    }

    async fn new_row(
        &self,
        coordinator: &Coordinator,
        run: &RunRecord,
    ) -> Result<RunRow, StoreError> {
        let row = run_row(coordinator, run).await?;
        let settled = run.phase.is_over()
            && !run.completeness.takes_late_results(coordinator.now())
            && run
                .ended_at
                .is_none_or(|ended| coordinator.now() - ended > KEPT_AFTER);
        if settled {
            let mut kept = self.kept();
            // Rather summed up again than chosen with care: this many runs are on no page at once.
            if kept.len() >= MAX_ROWS_KEPT {
                kept.clear();
            }
            kept.insert(run.id.clone(), row.clone());
        }
        Ok(row)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<RunId, RunRow>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run_row(coordinator: &Coordinator, run: &RunRecord) -> Result<RunRow, StoreError> {
    let store = coordinator.store();
    let now = coordinator.now();
    let whole = Scope::default();
    let totals = store.table_totals(&run.id, &whole).await?;
    let series = store.series(&run.id, &whole, SPARKLINE_POINTS).await?;
    Ok(RunRow {
        id: run.id.clone(),
        number: run.number,
        test: run.test.name.clone(),
        url: run_url(&run.id),
        status: run.phase.status().word(),
        phase: run.phase.word(),
        waiting: run.phase.wait_reason(),
        failure_reason: run.phase.failure_reason().map(ToString::to_string),
        failure_code: run.phase.failure_reason().map(FailureReason::code),
        remark: run.remark(),
        coverage_remark: run.coverage_remark(),
        can_stop: can_stop(run),
        // What people say of it changes when it is over, too: it is added when the row is listed.
        can_delete: run.phase.is_over(),
        pinned: false,
        labels: Vec::new(),
        has_note: false,
        verdict: None,
        infrastructure: run.test.infrastructure.clone(),
        host: run.test.shown_host(),
        scenario: run.test.scenario.clone(),
        build: match &run.builds()[..] {
            [(build, _)] => Some(build.short().to_owned()),
            _ => None,
        },
        users: peak_users(run),
        duration_s: run.duration_s(),
        ramp_up_s: ramp_up_s(run),
        workers: run.test.workers,
        created: run.created_at,
        started: run.started_at,
        elapsed_s: run.elapsed_s(now),
        totals: SummaryTotals::of(run, &totals, run.elapsed_s(now)),
        sparkline: series
            .points
            .iter()
            .map(|point| point.requests as f64 / f64::from(series.step_s.max(1)))
            .collect(),
    })
}
