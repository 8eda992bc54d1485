//! Whether the load generator itself was the limit, as a summary says it.

#[cfg(feature = "coordinator")]
use greylag_infra::{GeneratorNotice, NoticeKind};
use serde::{Deserialize, Serialize};

#[cfg(feature = "coordinator")]
use crate::measure::health::HealthSums;
#[cfg(feature = "coordinator")]
use crate::plain_text::plain_text;
#[cfg(feature = "coordinator")]
use crate::store::{GeneratorHealth, ProcessSums};

/// Most stretches of saturated seconds that are listed.
#[cfg(feature = "coordinator")]
const MAX_STRETCHES: usize = 1_000;

/// How the load generator fared: whether numbers describe it rather than the target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryGenerator {
    /// Whether anything was measured. Earlier versions did not.
    pub measured: bool,
    /// Seconds in which a worker used up more than 90 % of its core, or wanted to, or in which timers were more than 50 ms late at
    /// the 99th percentile.
    pub saturated_seconds: u64,
    /// Whether all numbers are without these seconds.
    #[serde(default)]
    pub left_out: bool,
    /// Which they are, at most the first 1,000 stretches.
    pub saturated: Vec<SummaryStretch>,
    /// The worker that was saturated most, else the busiest; null where nothing was measured.
    pub worst: Option<SummaryWorst>,
}

/// Seconds of run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryStretch {
    /// First second.
    pub from: u32,
    /// End, exclusive.
    pub to: u32,
}

/// The worker that was worst off, in its worst seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryWorst {
    /// Global index.
    pub worker: u32,
    /// Its agent.
    pub agent: String,
    /// Seconds in which it was saturated.
    pub saturated_seconds: u64,
    /// How much of a second its load thread ran; null where that is not measured, as the next two.
    pub core_percent: Option<f64>,
    /// How much of a second it waited for a core that others used.
    pub wait_percent: Option<f64>,
    /// How late its timers were at the 99th percentile.
    pub late_p99_ms: Option<f64>,
}

#[cfg(feature = "coordinator")]
impl SummaryGenerator {
    pub(crate) fn of(health: &GeneratorHealth, left_out: bool) -> Self {
        let stretches = health.saturated.stretches().iter().take(MAX_STRETCHES);
        Self {
            measured: health
                .processes
                .iter()
                .any(|process| process.sums.seconds > 0),
            saturated_seconds: health.saturated.count(),
            left_out,
            saturated: stretches
                .map(|stretch| SummaryStretch {
                    from: stretch.start,
                    to: stretch.end,
                })
                .collect(),
            worst: worst(health),
        }
    }

    /// What is said instead of the warning where the seconds are left out.
    pub(crate) fn left_out_message(&self) -> String {
        let seconds = match self.saturated_seconds {
            1 => "1 second".to_owned(),
            seconds => format!("{seconds} seconds"),
        };
        format!("the load generator was saturated in {seconds}, which are left out of all numbers")
    }

    /// The one warning, if there was any saturated second.
    pub(crate) fn notice(&self) -> Option<GeneratorNotice> {
        let (first, last) = (self.saturated.first()?, self.saturated.last()?);
        let late_ms = self.worst.as_ref().and_then(|worst| worst.late_p99_ms);
        Some(GeneratorNotice {
            kind: NoticeKind::Saturated,
            worker: None,
            subject: self
                .worst
                .as_ref()
                .map(SummaryWorst::in_words)
                .unwrap_or_default(),
            first_second: first.from,
            last_second: last.to.saturating_sub(1),
            count: self.saturated_seconds,
            worst: late_ms.map_or(0, |ms| ms.round() as u64),
        })
    }
}

#[cfg(feature = "coordinator")]
impl SummaryWorst {
    /// `worker 3 on agent a: 99 % of its core, timers 300 ms late`
    fn in_words(&self) -> String {
        let Self { worker, agent, .. } = self;
        let core = self
            .core_percent
            .map(|percent| format!("up to {percent:.0} % of its core used"));
        let waits = self.wait_percent.filter(|percent| *percent >= 10.0);
        let waits =
            waits.map(|percent| format!("up to {percent:.0} % of a second spent waiting for it"));
        let late = self.late_p99_ms.filter(|ms| *ms >= 10.0);
        let late = late.map(|ms| format!("timers up to {ms:.0} ms late"));
        let what: Vec<String> = [core, waits, late].into_iter().flatten().collect();
        format!("worker {worker} on agent {agent}: {}", what.join(", "))
    }
}

#[cfg(feature = "coordinator")]
fn worst(health: &GeneratorHealth) -> Option<SummaryWorst> {
    let workers = health
        .processes
        .iter()
        .filter(|process| process.worker.is_some());
    let worst = workers.max_by_key(|process| burden(&process.sums))?;
    Some(SummaryWorst::of(worst))
}

/// What workers are ordered by, the worst last.
#[cfg(feature = "coordinator")]
pub(crate) fn burden(sums: &HealthSums) -> (u64, u64, u64) {
    let wanted = sums.core_pm.saturating_add(sums.wait_pm);
    let mean = wanted.checked_div(sums.core_seconds).unwrap_or(0);
    (sums.saturated, mean, sums.late_p99_max_us)
}

#[cfg(feature = "coordinator")]
impl SummaryWorst {
    fn of(process: &ProcessSums) -> Self {
        let sums = &process.sums;
        let percent = |pm: u64| (sums.core_seconds > 0).then_some(pm as f64 / 10.0);
        Self {
            worker: process.worker.unwrap_or(0),
            agent: plain_text(&process.agent),
            saturated_seconds: sums.saturated,
            core_percent: percent(sums.core_max_pm),
            wait_percent: percent(sums.wait_max_pm),
            late_p99_ms: (sums.late_seconds > 0).then_some(sums.late_p99_max_us as f64 / 1e3),
        }
    }
}

#[cfg(all(test, feature = "coordinator"))]
mod tests {
    use super::*;
    use crate::measure::seconds::Seconds;

    fn process(worker: Option<u32>, saturated: u64, core_pm: u64, wait_pm: u64) -> ProcessSums {
        let sums = HealthSums {
            seconds: 10,
            core_seconds: 10,
            core_pm: 10 * core_pm,
            core_max_pm: core_pm,
            wait_pm: 10 * wait_pm,
            wait_max_pm: wait_pm,
            late_seconds: 10,
            late_p99_max_us: 12_400,
            saturated,
            ..HealthSums::default()
        };
        ProcessSums {
            agent: "east".to_owned(),
            worker,
            sums,
        }
    }

    fn generator(processes: Vec<ProcessSums>, saturated: &[u32]) -> SummaryGenerator {
        let health = GeneratorHealth {
            saturated: Seconds::ascending(saturated.iter().copied()),
            processes,
        };
        SummaryGenerator::of(&health, false)
    }

    #[test]
    fn the_warning_names_the_worker_that_was_saturated_most() {
        let processes = vec![
            process(None, 9, 990, 990),
            process(Some(0), 1, 950, 0),
            process(Some(1), 3, 500, 430),
            process(Some(2), 0, 100, 0),
        ];
        let generator = generator(processes, &[3, 4, 9]);
        assert_eq!(generator.saturated_seconds, 3);
        let stretches = [(3, 5), (9, 10)].map(|(from, to)| SummaryStretch { from, to });
        assert_eq!(generator.saturated, stretches);
        let notice = generator.notice().expect("there is a warning");
        assert_eq!((notice.first_second, notice.last_second), (3, 9));
        assert_eq!((notice.count, notice.worst), (3, 12));
        assert_eq!(
            notice.subject,
            "worker 1 on agent east: up to 50 % of its core used, up to 43 % of a second spent waiting for it, timers up to 12 ms late"
        );
    }

    #[test]
    fn without_a_saturated_second_the_busiest_is_known_and_nothing_is_warned_of() {
        let processes = vec![process(Some(0), 0, 100, 0), process(Some(1), 0, 300, 20)];
        let generator = generator(processes, &[]);
        assert_eq!(generator.notice(), None);
        let worst = generator.worst.expect("it was measured");
        assert_eq!(worst.worker, 1);
        assert_eq!(
            worst.in_words(),
            "worker 1 on agent east: up to 30 % of its core used, timers up to 12 ms late",
            "short waits are not worth a word"
        );
    }
}
