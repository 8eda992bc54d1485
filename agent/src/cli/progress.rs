//! How a run stands, on standard error: a bar on a terminal, else a line now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::api_client::Progress;

/// Pause between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress.
pub(super) enum ProgressDisplay {
    Bar(ProgressBar),
    Lines {
        last: Option<Instant>,
    },
    /// Nothing but what must be said.
    Silent,
}

impl ProgressDisplay {
    pub(super) fn new(silent: bool) -> Self {
        if silent {
            return Self::Silent;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: None };
        }
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        Self::Bar(ProgressBar::new(1).with_style(style))
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        let (elapsed, rest) = (elapsed_of(progress), numbers_of(progress));
        match self {
            Self::Bar(bar) => {
                bar.set_length(progress.duration_s * 1_000);
                bar.set_position((progress.elapsed_s * 1_000.0) as u64);
                bar.set_prefix(elapsed);
                bar.set_message(rest);
            }
            Self::Lines { last } => {
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    eprintln!("{elapsed}  {rest}");
                }
            }
            Self::Silent => {}
        }
    }

    /// Says something beside the progress.
    pub(super) fn note(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Self::Lines { .. } | Self::Silent => eprintln!("{text}"),
        }
    }

    /// Leaves the last state standing.
    pub(super) fn end(self, last: Option<&Progress>) {
        match self {
            Self::Bar(bar) => bar.abandon(),
            Self::Silent => {}
            Self::Lines { .. } => {
                if let Some(progress) = last {
                    eprintln!("{}  {}", elapsed_of(progress), numbers_of(progress));
                }
            }
        }
    }
}

fn elapsed_of(progress: &Progress) -> String {
    let clock = |seconds: u64| match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes:02}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    };
    format!(
        "{} of {}",
        clock(progress.elapsed_s as u64),
        clock(progress.duration_s)
    )
}

fn numbers_of(progress: &Progress) -> String {
    let rate = match progress.status.as_str() {
        "Running" => progress.current_rps,
        _ => progress.rps,
    };
    let error_percent = if progress.requests == 0 {
        0.0
    } else {
        progress.failures as f64 * 100.0 / progress.requests as f64
    };
    format!(
        "users {}  rps {rate:.1}  errors {} ({error_percent:.2}%)  p95 {:.0} ms",
        progress.users, progress.failures, progress.p95_ms
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_all_five_numbers() {
        let progress = Progress {
            status: "Running".into(),
            failure_reason: None,
            elapsed_s: 75.4,
            duration_s: 3_700,
            users: 12,
            requests: 200,
            failures: 3,
            rps: 2.0,
            current_rps: 4.25,
            p95_ms: 131.4,
            warnings: Vec::new(),
        };
        assert_eq!(elapsed_of(&progress), "01:15 of 1:01:40");
        assert_eq!(
            numbers_of(&progress),
            "users 12  rps 4.2  errors 3 (1.50%)  p95 131 ms"
        );
    }
}
