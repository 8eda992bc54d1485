//! How the load generator fared, as pages show it and the API answers it: each worker, each agent, and all of them over time.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::measure::health::HealthSums;
use crate::plain_text::plain_text;
use crate::results::summary::{SummaryGenerator, burden};
use crate::store::{GeneratorHealth, HealthPoint, WorkerRow};

/// Workers that a run page lists, the worst first, until all are asked for.
pub(crate) const WORKERS_ON_PAGE: usize = 20;
/// Agents likewise.
const AGENTS_ON_PAGE: usize = 20;
/// Most points of the chart.
pub(crate) const MAX_HEALTH_POINTS: usize = 600;

/// How the load generator fared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct GeneratorView {
    /// In few words.
    #[serde(flatten)]
    pub summary: SummaryGenerator,
    /// Workers, the worst first. A page lists at most 20 of them.
    pub workers: Vec<WorkerHealth>,
    /// How many workers there are, listed or not.
    pub worker_count: u64,
    /// Agents and their machines, the busiest first. A page lists at most 20 of them.
    pub agents: Vec<AgentHealth>,
    /// How many agents there are, listed or not.
    pub agent_count: u64,
    /// All workers over time.
    pub chart: HealthChart,
}

/// How one worker fared. What was not measured is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct WorkerHealth {
    /// Name of its agent.
    pub agent: String,
    /// Global index.
    pub index: u32,
    /// Process id; null until it has reported.
    pub pid: Option<u32>,
    /// Users active at its last report.
    pub users: u64,
    /// `running`, `ended`, or `not responding` where its agent is not heard.
    pub state: &'static str,
    /// Requests in each second in which it was measured.
    pub requests_per_s: Option<f64>,
    /// How much of a core its load thread used: mean, and the most in a second.
    pub core_percent: Option<f64>,
    #[allow(missing_docs, reason = "see the one before")]
    pub core_max_percent: Option<f64>,
    /// How much of the time that thread waited for a core that others used, in the mean.
    pub wait_percent: Option<f64>,
    /// How much of a core all of its threads used together, in the mean.
    pub process_percent: Option<f64>,
    /// Most resident memory at the end of a second.
    pub memory_bytes: Option<u64>,
    /// Most open files at the end of a second.
    pub open_files: Option<u64>,
    /// How late timers were at the 99th percentile of the worst second.
    pub late_p99_ms: Option<f64>,
    /// The latest timer.
    pub late_max_ms: Option<f64>,
    /// Seconds in which it was saturated.
    pub saturated_seconds: u64,
}

/// How an agent and its machine fared. What was not measured is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct AgentHealth {
    /// Its name.
    pub agent: String,
    /// How much of a core the agent's own process used, in the mean.
    pub process_percent: Option<f64>,
    /// Most resident memory of that process.
    pub memory_bytes: Option<u64>,
    /// Most open files of that process.
    pub open_files: Option<u64>,
    /// How many files each of its processes may have open.
    pub file_limit: Option<u64>,
    /// How much of all cores of the machine was used, whoever used it: mean, and the most in a second.
    pub machine_percent: Option<f64>,
    #[allow(missing_docs, reason = "see the one before")]
    pub machine_max_percent: Option<f64>,
    /// Most memory of the machine in use.
    pub machine_used_bytes: Option<u64>,
    /// All of its memory.
    pub machine_memory_bytes: Option<u64>,
}

/// All workers over time, as columns: one entry for each step in which any was measured. What was not measured is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct HealthChart {
    /// Seconds in a step.
    pub step_s: u32,
    /// First second of run time.
    pub second: Vec<u32>,
    /// How much of a core the load thread of the worst worker used in its worst second.
    pub core_worst_percent: Vec<Option<f64>>,
    /// The same with the time in which that thread waited for a core that others used.
    pub wanted_worst_percent: Vec<Option<f64>>,
    /// How much those of half of the workers used at most.
    pub core_median_percent: Vec<Option<f64>>,
    /// How late timers of the worst worker were, at the 99th percentile of its worst second.
    pub late_worst_ms: Vec<Option<f64>>,
    /// How late those of half of the workers were at most.
    pub late_median_ms: Vec<Option<f64>>,
}

impl HealthChart {
    pub(crate) fn of(points: &[HealthPoint], step_s: u32) -> Self {
        let percent = |of: fn(&HealthPoint) -> Option<u64>| {
            let points = points.iter();
            points
                .map(|point| of(point).map(|pm| pm as f64 / 10.0))
                .collect()
        };
        let ms = |of: fn(&HealthPoint) -> Option<u64>| {
            let points = points.iter();
            // A tenth of a millisecond is finer than timers are.
            points
                .map(|point| of(point).map(|us| (us as f64 / 100.0).round() / 10.0))
                .collect()
        };
        Self {
            step_s,
            second: points.iter().map(|point| point.second).collect(),
            core_worst_percent: percent(|point| point.core_worst_pm),
            wanted_worst_percent: percent(|point| point.wanted_worst_pm),
            core_median_percent: percent(|point| point.core_median_pm),
            late_worst_ms: ms(|point| point.late_worst_us),
            late_median_ms: ms(|point| point.late_median_us),
        }
    }
}

impl GeneratorView {
    /// How a generator with these workers fared. Of a page it has the worst.
    pub(crate) fn of(
        summary: SummaryGenerator,
        health: &GeneratorHealth,
        known: &[WorkerRow],
        chart: HealthChart,
        is_page: bool,
    ) -> Self {
        let mut known: HashMap<u32, &WorkerRow> =
            known.iter().map(|row| (row.index, row)).collect();
        let mut workers = Vec::new();
        let mut agents = Vec::new();
        for process in &health.processes {
            let agent = plain_text(&process.agent);
            match process.worker {
                Some(index) => {
                    let row = known.remove(&index);
                    workers.push((
                        burden(&process.sums),
                        WorkerHealth::of(agent, index, &process.sums, row),
                    ));
                }
                None => agents.push((
                    process.sums.machine_pm,
                    AgentHealth::of(agent, &process.sums),
                )),
            }
        }
        // Of old agents, and before the first second is over.
        for (index, row) in known {
            let agent = plain_text(&row.agent);
            let nothing = HealthSums::default();
            workers.push((
                burden(&nothing),
                WorkerHealth::of(agent, index, &nothing, Some(row)),
            ));
        }
        workers.sort_by_key(|(burden, worker)| (std::cmp::Reverse(*burden), worker.index));
        agents.sort_by_key(|(busy, _)| std::cmp::Reverse(*busy));
        let (worker_count, agent_count) = (workers.len() as u64, agents.len() as u64);
        if is_page {
            workers.truncate(WORKERS_ON_PAGE);
            agents.truncate(AGENTS_ON_PAGE);
        }
        Self {
            summary,
            workers: workers.into_iter().map(|(_, worker)| worker).collect(),
            worker_count,
            agents: agents.into_iter().map(|(_, agent)| agent).collect(),
            agent_count,
            chart,
        }
    }
}

impl WorkerHealth {
    fn of(agent: String, index: u32, sums: &HealthSums, row: Option<&WorkerRow>) -> Self {
        let mean_pm =
            |sum: u64, seconds: u64| HealthSums::mean(sum, seconds).map(|pm| tenths(pm / 10.0));
        let known = |number: u64, seconds: u64| (seconds > 0).then_some(number as f64);
        Self {
            agent,
            index,
            pid: row.map(|row| row.pid),
            users: row.map_or(sums.users, |row| row.users),
            state: match row {
                Some(row) if row.stale => "not responding",
                Some(row) if row.running => "running",
                _ => "ended",
            },
            requests_per_s: HealthSums::mean(sums.requests, sums.seconds).map(tenths),
            core_percent: mean_pm(sums.core_pm, sums.core_seconds),
            core_max_percent: known(sums.core_max_pm, sums.core_seconds).map(|pm| pm / 10.0),
            wait_percent: mean_pm(sums.wait_pm, sums.core_seconds),
            process_percent: mean_pm(sums.process_pm, sums.process_seconds),
            memory_bytes: HealthSums::bytes(sums.memory_kib),
            open_files: (sums.open_files > 0).then_some(sums.open_files),
            late_p99_ms: known(sums.late_p99_max_us, sums.late_seconds).map(|us| tenths(us / 1e3)),
            late_max_ms: known(sums.late_max_us, sums.late_seconds).map(|us| tenths(us / 1e3)),
            saturated_seconds: sums.saturated,
        }
    }
}

impl AgentHealth {
    fn of(agent: String, sums: &HealthSums) -> Self {
        let mean_pm =
            |sum: u64, seconds: u64| HealthSums::mean(sum, seconds).map(|pm| tenths(pm / 10.0));
        let known = |number: u64| (number > 0).then_some(number);
        Self {
            agent,
            process_percent: mean_pm(sums.process_pm, sums.process_seconds),
            memory_bytes: HealthSums::bytes(sums.memory_kib),
            open_files: known(sums.open_files),
            file_limit: known(sums.file_limit),
            machine_percent: mean_pm(sums.machine_pm, sums.machine_seconds),
            machine_max_percent: (sums.machine_seconds > 0)
                .then_some(sums.machine_max_pm as f64 / 10.0),
            machine_used_bytes: HealthSums::bytes(sums.machine_used_kib),
            machine_memory_bytes: HealthSums::bytes(sums.machine_kib),
        }
    }
}

/// Rounded to a tenth.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ProcessSums;

    fn process(agent: &str, worker: Option<u32>, sums: HealthSums) -> ProcessSums {
        ProcessSums {
            agent: agent.to_owned(),
            worker,
            sums,
        }
    }

    fn view(processes: Vec<ProcessSums>, known: &[WorkerRow], is_page: bool) -> GeneratorView {
        let health = GeneratorHealth {
            processes,
            ..GeneratorHealth::default()
        };
        let summary = SummaryGenerator::of(&health, false);
        GeneratorView::of(summary, &health, known, HealthChart::default(), is_page)
    }

    fn row(index: u32) -> WorkerRow {
        WorkerRow {
            agent: "east".to_owned(),
            index,
            pid: 4_000 + index,
            users: 9,
            running: true,
            stale: false,
        }
    }

    #[test]
    fn the_worst_are_listed_first_and_a_page_lists_few() {
        let core = |core_pm| HealthSums {
            seconds: 1,
            core_seconds: 1,
            core_pm,
            ..HealthSums::default()
        };
        let of_machine = |machine_pm| HealthSums {
            machine_seconds: 1,
            machine_pm,
            ..HealthSums::default()
        };
        let mut processes: Vec<ProcessSums> = (0..30)
            .map(|index| process("east", Some(index), core(100)))
            .collect();
        processes[7].sums.saturated = 2;
        processes[4].sums.core_pm = 800;
        let agents = (0..25_u64).map(|at| process(&format!("agent-{at}"), None, of_machine(at)));
        processes.extend(agents);

        let page = view(processes.clone(), &[], true);
        let indexes: Vec<u32> = page.workers.iter().map(|worker| worker.index).collect();
        assert_eq!(indexes[..4], [7, 4, 0, 1]);
        assert_eq!((indexes.len(), page.worker_count), (WORKERS_ON_PAGE, 30));
        assert_eq!((page.agents.len(), page.agent_count), (AGENTS_ON_PAGE, 25));
        assert_eq!(page.agents[0].agent, "agent-24");
        let all = view(processes, &[], false);
        assert_eq!((all.workers.len(), all.agents.len()), (30, 25));
    }

    #[test]
    fn a_worker_has_its_means_and_what_was_not_measured_is_null() {
        let sums = HealthSums {
            seconds: 3,
            requests: 30,
            users: 30,
            core_seconds: 2,
            core_pm: 900,
            core_max_pm: 600,
            ..HealthSums::default()
        };
        let processes = vec![
            process("east", Some(0), sums),
            process("east", Some(1), HealthSums::default()),
        ];
        let stale = WorkerRow {
            stale: true,
            ..row(1)
        };
        let view = view(processes, &[row(0), stale, row(2)], true);
        let [measured, silent, new] = view.workers.as_slice() else {
            panic!("the one that has not been measured yet is listed, too: {view:?}");
        };
        assert_eq!(
            *measured,
            WorkerHealth {
                agent: "east".to_owned(),
                index: 0,
                pid: Some(4_000),
                users: 9,
                state: "running",
                requests_per_s: Some(10.0),
                core_percent: Some(45.0),
                core_max_percent: Some(60.0),
                wait_percent: Some(0.0),
                ..WorkerHealth::default()
            }
        );
        assert_eq!((silent.index, silent.state), (1, "not responding"));
        assert_eq!(silent.core_percent, None);
        assert_eq!((new.index, new.pid), (2, Some(4_002)));
        let ended = self::view(vec![process("east", Some(0), sums)], &[], true);
        let of_sums = &ended.workers[0];
        assert_eq!(
            (of_sums.state, of_sums.users, of_sums.pid),
            ("ended", 30, None)
        );
    }
}
