//! A summary from what the store holds of a run.

use std::collections::HashMap;

use greylag_infra::{
    GeneratorNotice, LoadProfile, RunRecord, RunTime, SourceCommit, TestVerdict, ThresholdResult,
    WallTime,
};

use super::{
    ErrorSpread, Summary, SummaryBuild, SummaryCompleteness, SummaryEndpoint, SummaryEndpointName,
    SummaryError, SummaryGenerator, SummaryMetric, SummaryRun, SummaryScope, SummaryShipped,
    SummaryTotals, SummaryWarning,
};
use crate::measure::arrivals::Arrivals;
use crate::measure::stats::Stats;
use crate::plain_text::plain_text;
use crate::results::calendar::rfc3339;
use crate::store::{
    CurrentRps, CustomMetrics, ErrorHistory, GeneratorHealth, RunTotals, Scope, Series, Window,
};

impl SummaryWarning {
    /// The notices of a run, with the names of its agents.
    pub(crate) fn all(record: &RunRecord, notices: &[GeneratorNotice]) -> Vec<Self> {
        let agent_of = |worker: u32| {
            let mut agents = record.agents.iter();
            agents.find(|agent| agent.workers.contains(&worker))
        };
        notices
            .iter()
            .map(|notice| {
                let agent = notice.worker.and_then(agent_of);
                Self::of(notice, agent.map(|agent| plain_text(&agent.name)))
            })
            .collect()
    }

    fn of(notice: &GeneratorNotice, agent: Option<String>) -> Self {
        Self {
            kind: notice.kind,
            worker: notice.worker,
            subject: plain_text(&notice.subject),
            first_second: notice.first_second,
            last_second: notice.last_second,
            count: notice.count,
            worst: notice.worst,
            message: plain_text(&notice.message(agent.as_deref())),
            agent,
        }
    }
}

/// What the thresholds of a run say of it; none without any, and while it goes on.
pub(crate) fn verdict_of(record: &RunRecord, results: &[ThresholdResult]) -> Option<TestVerdict> {
    let is_over = record.phase.is_over();
    is_over.then(|| TestVerdict::of(results)).flatten()
}

impl Summary {
    /// The summary of a part of a run at `now` from its totals, its series and its notices.
    pub fn of(
        record: &RunRecord,
        scope: &Scope,
        totals: &RunTotals,
        series: &Series,
        current: &CurrentRps,
        notices: &[GeneratorNotice],
        now: WallTime,
    ) -> Self {
        let elapsed_s = record.elapsed_s(now);
        let errors = totals.errors();
        let all_errors = errors
            .iter()
            .fold(0_u64, |sum, (_, _, count)| sum.saturating_add(*count));
        let requests: HashMap<_, _> = totals
            .requested()
            .map(|(endpoint, interval)| (endpoint, interval.requests()))
            .collect();
        let requests_of = |endpoint| requests.get(endpoint).copied().unwrap_or(0);
        Self {
            run: SummaryRun {
                id: record.id.clone(),
                number: record.number,
                test: record.test.name.clone(),
                r#type: "Locust".to_owned(),
                infrastructure: record.test.infrastructure.clone(),
                status: record.phase.status().word().to_owned(),
                failure_reason: record.phase.failure_reason().map(ToString::to_string),
                failure_code: record
                    .phase
                    .failure_reason()
                    .map(|reason| reason.code().to_owned()),
                finished_early: record
                    .profile
                    .finished_early
                    .as_ref()
                    .map(|early| plain_text(&early.reason)),
                users: record.test.users,
                duration_s: record.duration_s(),
                ramp_up_s: ramp_up_s(record),
                workers: record.test.workers,
                builds: builds_of(record),
                started_at: record.started_at.map(rfc3339),
                elapsed_s,
            },
            scope: SummaryScope::of(scope),
            completeness: SummaryCompleteness::of(record),
            totals: SummaryTotals::of(record, totals, scope.elapsed_s(elapsed_s, &totals.left_out)),
            endpoints: totals
                .requested()
                .map(|(endpoint, interval)| SummaryEndpoint {
                    method: endpoint.method.clone(),
                    name: endpoint.name.clone(),
                    stats: Stats::of(interval),
                    current_rps: current.of(endpoint).requests,
                    current_failures_per_s: current.of(endpoint).failures,
                })
                .collect(),
            errors: errors
                .into_iter()
                .map(|(endpoint, error, occurrences)| SummaryError {
                    method: endpoint.method.clone(),
                    name: endpoint.name.clone(),
                    error: error.to_owned(),
                    occurrences,
                    spread: ErrorSpread::of(occurrences, requests_of(endpoint), all_errors),
                    first_second: None,
                    last_second: None,
                    first_seen: None,
                    last_seen: None,
                })
                .collect(),
            custom_metrics: Vec::new(),
            thresholds: Vec::new(),
            verdict: None,
            warnings: SummaryWarning::all(record, notices),
            generator: SummaryGenerator::default(),
            series_step_s: series.step_s.max(1),
            series: series.points.clone(),
        }
    }

    /// Says what the scenario counts beside its requests, in the seconds that the summary is about.
    pub(crate) fn add_metrics(&mut self, custom: &CustomMetrics, scope: &Scope, run_s: f64) {
        // Values are of all agents: other seconds may be left out than of the requests of one.
        let elapsed_s = scope.elapsed_s(run_s, &custom.left_out);
        let metrics = custom.metrics.iter();
        self.custom_metrics = metrics
            .map(|totals| SummaryMetric::of(totals, elapsed_s))
            .collect();
    }

    /// Says how the thresholds of the run stand.
    pub(crate) fn add_thresholds(&mut self, record: &RunRecord, results: &[ThresholdResult]) {
        self.verdict = verdict_of(record, results);
        self.thresholds = results.to_vec();
    }

    /// Says how the generator fared, with a warning if it was saturated; before all others, because it is about all numbers.
    pub(crate) fn add_generator(&mut self, health: &GeneratorHealth, scope: &Scope) {
        self.generator = SummaryGenerator::of(health, scope.without_saturated);
        if let Some(notice) = self.generator.notice() {
            let warning = SummaryWarning::of(&notice, None);
            // What it says of the worst worker changes while a run goes on; the warning stays the same one.
            let message = match scope.without_saturated {
                true => self.generator.left_out_message(),
                false => warning.message,
            };
            let warning = SummaryWarning {
                subject: String::new(),
                message,
                ..warning
            };
            self.warnings.insert(0, warning);
        }
    }

    /// Says of each error when it was seen, in a run whose time zero is `started_at`, and where.
    pub(crate) fn add_error_history(
        &mut self,
        known: &[ErrorHistory],
        started_at: Option<WallTime>,
    ) {
        let known: HashMap<_, _> = known
            .iter()
            .map(|error| {
                let endpoint = &error.endpoint;
                let key = (&*endpoint.method, &*endpoint.name, &*error.text);
                (key, error)
            })
            .collect();
        let seen = |second: u32| Some(rfc3339(started_at? + RunTime::of_second(second)));
        for error in &mut self.errors {
            let key = (&*error.method, &*error.name, &*error.error);
            if let Some(known) = known.get(&key).copied() {
                error.first_second = Some(known.first);
                error.last_second = Some(known.last);
                error.first_seen = seen(known.first);
                error.last_seen = seen(known.last);
                error.spread.add(known);
            }
        }
    }
}

impl SummaryScope {
    /// What a scope says about itself; none for the whole run.
    fn of(scope: &Scope) -> Option<Self> {
        let endpoint = scope.endpoint.as_ref().map(|endpoint| SummaryEndpointName {
            method: endpoint.method.clone(),
            name: endpoint.name.clone(),
        });
        (!scope.is_whole()).then(|| Self {
            from: scope.window.map_or(0, Window::from),
            to: scope.window.map(Window::to).filter(|to| *to < u32::MAX),
            endpoint,
            agent: scope.agent.as_deref().map(plain_text),
            outcome: scope.outcome,
            saturated: scope.without_saturated.then(|| "leave-out".to_owned()),
            remark: None,
        })
    }
}

fn builds_of(record: &RunRecord) -> Vec<SummaryBuild> {
    record
        .builds()
        .into_iter()
        .map(|(build, agents)| SummaryBuild {
            sha256: build.sha256.clone(),
            version: plain_text(&build.version),
            platform: plain_text(&build.platform),
            agents: agents.into_iter().map(plain_text).collect(),
            shipped: record.test.build.as_ref().map(|shipped| SummaryShipped {
                uploaded_by: plain_text(&shipped.uploaded_by),
                uploaded_at: shipped.uploaded_at,
                commit: shipped.commit.clone().map(|commit| SourceCommit {
                    id: plain_text(&commit.id),
                    ..commit
                }),
                data: shipped.data.clone(),
            }),
        })
        .collect()
}

impl SummaryTotals {
    /// All requests of `elapsed_s` seconds of a run.
    pub(crate) fn of(record: &RunRecord, totals: &RunTotals, elapsed_s: f64) -> Self {
        let stats = Stats::of(&totals.aggregated());
        Self {
            stats,
            rps: per_second(stats.requests, elapsed_s),
            arrivals: arrivals_of(record, totals.arrivals),
        }
    }
}

fn arrivals_of(record: &RunRecord, arrivals: Arrivals) -> Option<Arrivals> {
    let has_rate = record.test.arrival_rate.is_some() || !record.profile.rates.is_empty();
    (has_rate || !arrivals.is_empty()).then_some(arrivals)
}

/// How long the load rises from the start of a run, in whole seconds: the ramp-up or what the spawn rate makes of it, and
/// of stages and load shapes until it first stops rising.
pub(crate) fn ramp_up_s(run: &RunRecord) -> u64 {
    let planned = run.test.profile();
    if !run.test.stages.is_empty() {
        return planned_ramp_up_s(&planned);
    }
    // A load shape takes the place of what the definition says; a change of users while it runs only adds to it.
    let has_taken_shape =
        !run.profile.steps.is_empty() && run.profile.steps.first() != planned.steps.first();
    if run.test.follows_shape(has_taken_shape) {
        return planned_ramp_up_s(&run.profile.as_planned());
    }
    run.test.ramp_up().as_secs_f64().round() as u64
}

fn planned_ramp_up_s(profile: &LoadProfile) -> u64 {
    let ramp_up = profile.phases(profile.ends_at).ramp_up;
    ramp_up.map_or(0, |ramp_up| ramp_up.end.into())
}

/// A count over the elapsed seconds, 0 before any have.
pub(crate) fn per_second(count: u64, elapsed_s: f64) -> f64 {
    if elapsed_s > 0.0 {
        count as f64 / elapsed_s
    } else {
        0.0
    }
}
