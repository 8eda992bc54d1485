//! How a run stands, on standard error: a bar on a terminal, else a line now and then.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use greylag_reporting::{Progress, plain_text};
use indicatif::{ProgressBar, ProgressStyle};

/// Pause between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// The same while the run waits and what it waits for stays the same.
const WAITING_LINE_EVERY: Duration = Duration::from_secs(60);

/// Shows progress, which never goes back: a run that has ended took until its last user ended, and until that is
/// known the clock keeps running.
pub(crate) struct ProgressDisplay {
    shape: Shape,
    /// The greatest run time shown, in seconds.
    elapsed_s: f64,
}

enum Shape {
    Bar(ProgressBar),
    Lines {
        last: Option<Instant>,
        /// What the run waited for when it was shown last.
        waited_for: Option<String>,
    },
    /// Nothing but what must be said.
    Silent,
}

impl ProgressDisplay {
    pub(crate) fn new(silent: bool) -> Self {
        Self {
            shape: Shape::new(silent),
            elapsed_s: 0.0,
        }
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        let (elapsed, rest) = (self.elapsed_of(progress), numbers_of(progress));
        match &mut self.shape {
            Shape::Bar(bar) => {
                let ms = |seconds: f64| (seconds * 1_000.0) as u64;
                let length = progress.duration_s.map_or(0.0, |seconds| seconds as f64);
                // Where the length is not known yet, the bar stays empty.
                bar.set_length(ms(length.max(self.elapsed_s)).max(1));
                bar.set_position(progress.duration_s.map_or(0, |_| ms(self.elapsed_s)));
                bar.set_prefix(elapsed);
                bar.set_message(rest);
            }
            Shape::Lines { last, waited_for } => {
                let is_news = progress.waiting != *waited_for;
                let pause = match progress.waiting {
                    Some(_) => WAITING_LINE_EVERY,
                    None => LINE_EVERY,
                };
                if is_news || last.is_none_or(|last| last.elapsed() >= pause) {
                    *last = Some(Instant::now());
                    waited_for.clone_from(&progress.waiting);
                    eprintln!("{elapsed}  {rest}");
                }
            }
            Shape::Silent => {}
        }
    }

    /// Says something beside the progress.
    pub(crate) fn note(&self, text: &str) {
        self.lines(std::slice::from_ref(&text));
    }

    /// Says some lines beside the progress.
    pub(crate) fn lines(&self, lines: &[impl AsRef<str>]) {
        if lines.is_empty() {
            return;
        }
        let write = || {
            let mut out = std::io::stderr().lock();
            for line in lines {
                // Whoever closed standard error does not want to know.
                let _ = writeln!(out, "{}", line.as_ref());
            }
        };
        match &self.shape {
            Shape::Bar(bar) => bar.suspend(write),
            Shape::Lines { .. } | Shape::Silent => write(),
        }
    }

    /// Leaves the last state standing.
    pub(crate) fn end(mut self, last: Option<&Progress>) {
        let last = last.map(|progress| (self.elapsed_of(progress), numbers_of(progress)));
        match self.shape {
            Shape::Bar(bar) => bar.abandon(),
            Shape::Silent => {}
            Shape::Lines { .. } => {
                if let Some((elapsed, rest)) = last {
                    eprintln!("{elapsed}  {rest}");
                }
            }
        }
    }

    fn elapsed_of(&mut self, progress: &Progress) -> String {
        self.elapsed_s = self.elapsed_s.max(progress.elapsed_s);
        elapsed_of(self.elapsed_s, progress.duration_s)
    }
}

impl Shape {
    fn new(silent: bool) -> Self {
        if silent {
            return Self::Silent;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines {
                last: None,
                waited_for: None,
            };
        }
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        Self::Bar(ProgressBar::new(1).with_style(style))
    }
}

fn elapsed_of(elapsed_s: f64, duration_s: Option<u64>) -> String {
    let clock = |seconds: u64| match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes:02}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    };
    let elapsed = clock(elapsed_s as u64);
    match duration_s {
        Some(duration_s) => format!("{elapsed} of {}", clock(duration_s)),
        None => elapsed,
    }
}

fn numbers_of(progress: &Progress) -> String {
    if let Some(waiting) = &progress.waiting {
        return format!("{}: {}", progress.phase, plain_text(waiting));
    }
    let rate = match progress.status.as_str() {
        "Running" => progress.current_rps,
        _ => progress.totals.rps,
    };
    let stats = &progress.totals.stats;
    format!(
        "users {}  rps {rate:.1}  errors {} ({:.2}%)  p95 {:.0} ms",
        progress.users,
        stats.failures,
        stats.error_rate * 100.0,
        stats.response.p95_ms
    )
}

#[cfg(test)]
mod tests {
    use greylag_reporting::{Stats, SummaryCompleteness, SummaryTotals, TimeStats};

    use super::*;

    fn progress(elapsed_s: f64, duration_s: Option<u64>) -> Progress {
        Progress {
            status: "Running".into(),
            phase: "Running".into(),
            waiting: None,
            failure_reason: None,
            failure_code: None,
            elapsed_s,
            duration_s,
            users: 12,
            totals: SummaryTotals {
                stats: Stats {
                    requests: 200,
                    failures: 3,
                    error_rate: 0.015,
                    response: TimeStats {
                        p95_ms: 131.4,
                        ..TimeStats::default()
                    },
                    ..Stats::default()
                },
                rps: 2.0,
                arrivals: None,
            },
            thresholds: Vec::new(),
            verdict: None,
            current_rps: 4.25,
            completeness: SummaryCompleteness::default(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_line_has_all_five_numbers() {
        let mut display = ProgressDisplay::new(true);
        let now = progress(75.4, Some(3_700));
        assert_eq!(display.elapsed_of(&now), "01:15 of 1:01:40");
        assert_eq!(
            numbers_of(&now),
            "users 12  rps 4.2  errors 3 (1.50%)  p95 131 ms"
        );
    }

    #[test]
    fn a_run_that_waits_says_what_for() {
        let waits = Progress {
            phase: "Queued".into(),
            waiting: Some("#14 of checkout has these agents".into()),
            ..progress(0.0, None)
        };
        let words = "Queued: #14 of checkout has these agents";
        assert_eq!(numbers_of(&waits), words);
    }

    #[test]
    fn run_time_never_goes_back_and_has_no_length_before_it_is_known() {
        let mut display = ProgressDisplay::new(true);
        assert_eq!(display.elapsed_of(&progress(0.0, None)), "00:00");
        assert_eq!(
            display.elapsed_of(&progress(12.9, Some(10))),
            "00:12 of 00:10"
        );
        assert_eq!(
            display.elapsed_of(&progress(10.2, Some(10))),
            "00:12 of 00:10"
        );
    }
}
