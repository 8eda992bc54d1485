//! How what was measured of the load generator reads; `assets/js/generator_text.js` says the same in the browser.

use crate::results::page_text::{count, ms, rate};
use crate::results::summary::SummaryGenerator;
use crate::results::views::generator_view::{AgentHealth, GeneratorView, WorkerHealth};

/// What was not measured.
const UNKNOWN: &str = "–";

impl GeneratorView {
    /// What stands beside the title.
    pub(crate) fn note(&self) -> String {
        let SummaryGenerator {
            measured,
            saturated_seconds,
            left_out,
            ..
        } = self.summary;
        match (measured, saturated_seconds) {
            (false, _) => "not measured".to_owned(),
            (true, 0) => "not saturated in any second".to_owned(),
            (true, seconds) => {
                let left_out = if left_out { ", which are left out" } else { "" };
                format!("saturated in {} s{left_out}", count(seconds))
            }
        }
    }

    /// Whether there are saturated seconds that could be left out.
    pub(crate) fn can_leave_out(&self) -> bool {
        self.summary.saturated_seconds > 0 && !self.summary.left_out
    }

    /// What the button says that leaves them out.
    pub(crate) fn leave_out_label(&self) -> String {
        format!("Leave out {} s", count(self.summary.saturated_seconds))
    }

    /// Whether every worker and every agent is listed.
    pub(crate) fn has_all_workers(&self) -> bool {
        let listed = (self.workers.len() as u64, self.agents.len() as u64);
        listed == (self.worker_count, self.agent_count)
    }
}

impl WorkerHealth {
    /// The cells of its row behind the agent's name.
    pub(crate) fn cells(&self) -> [String; 11] {
        [
            self.index.to_string(),
            known(self.pid, |pid| pid.to_string()),
            count(self.users),
            known(self.requests_per_s, rate),
            shares(self.core_percent, self.core_max_percent),
            share(self.wait_percent),
            bytes(self.memory_bytes),
            known(self.open_files, count),
            known(self.late_p99_ms, |late| format!("{} ms", ms(late))),
            known(self.core_percent.or(self.late_p99_ms), |_| {
                format!("{} s", count(self.saturated_seconds))
            }),
            self.state.to_owned(),
        ]
    }
}

impl AgentHealth {
    /// The cells of its row behind its name.
    pub(crate) fn cells(&self) -> [String; 5] {
        [
            shares(self.machine_percent, self.machine_max_percent),
            known(self.machine_used_bytes, |used| {
                format!(
                    "{} of {}",
                    bytes(Some(used)),
                    bytes(self.machine_memory_bytes)
                )
            }),
            share(self.process_percent),
            bytes(self.memory_bytes),
            known(self.open_files, |files| {
                format!("{} of {}", count(files), known(self.file_limit, count))
            }),
        ]
    }
}

fn known<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), text)
}

fn share(percent: Option<f64>) -> String {
    known(percent, |percent| {
        if percent < 10.0 {
            format!("{percent:.1}%")
        } else {
            format!("{}%", count(percent.round() as u64))
        }
    })
}

fn shares(mean: Option<f64>, most: Option<f64>) -> String {
    known(mean, |_| format!("{} (max {})", share(mean), share(most)))
}

fn bytes(number: Option<u64>) -> String {
    known(number, |bytes| {
        let gib = bytes as f64 / f64::from(1 << 30);
        if gib >= 1.0 {
            format!("{gib:.1} GiB")
        } else {
            format!(
                "{} MiB",
                count((bytes as f64 / f64::from(1 << 20)).round() as u64)
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_reads_as_in_the_browser() {
        let worker = WorkerHealth {
            index: 3,
            pid: Some(42),
            users: 1_200,
            state: "running",
            requests_per_s: Some(4_321.0),
            core_percent: Some(43.2),
            core_max_percent: Some(97.04),
            wait_percent: Some(0.4),
            memory_bytes: Some(1536 << 20),
            late_p99_ms: Some(2.3),
            saturated_seconds: 2,
            ..WorkerHealth::default()
        };
        assert_eq!(
            worker.cells(),
            [
                "3",
                "42",
                "1,200",
                "4,321",
                "43% (max 97%)",
                "0.4%",
                "1.5 GiB",
                "–",
                "2.30 ms",
                "2 s",
                "running"
            ]
        );
        // Of an old agent, or on a system that does not tell: nothing reads as 0.
        let unknown = WorkerHealth {
            state: "ended",
            ..WorkerHealth::default()
        };
        assert_eq!(
            unknown.cells(),
            ["0", "–", "0", "–", "–", "–", "–", "–", "–", "–", "ended"]
        );
        assert!(
            AgentHealth::default()
                .cells()
                .iter()
                .all(|text| text == "–")
        );
        assert_eq!(GeneratorView::default().note(), "not measured");
    }
}
