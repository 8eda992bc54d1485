//! What users print, on the terminal of whoever follows a run, while it is running.
//!
//! The run's log is at the coordinator, wherever the workers are. What stands in it of a worker is what its users
//! print, panics, and what Greylag warns of there; those lines are repeated. What agents and coordinator report of
//! the run's course is not: the progress shows it.

use greylag_infra::RunId;
use greylag_reporting::{LogLines, LogRow};

use crate::cli::api_client::{ApiClient, ApiError};

/// Most lines that are repeated at each look at the run; of more the last ones are.
pub(crate) const LINES_AT_A_TIME: usize = 400;

/// How far a run's log has been read.
#[derive(Debug)]
pub(crate) struct RunLog {
    /// The run is local, so that workers need not be named by their agent.
    local: bool,
    /// Position of the last line that was read.
    read: u64,
    /// Lines of the run that never got into its log, as far as that was said.
    dropped: u64,
}

impl RunLog {
    /// The log of a run that begins.
    pub(crate) fn new(local: bool) -> Self {
        Self {
            local,
            read: 0,
            dropped: 0,
        }
    }

    /// Reads on, and gives what is to be shown.
    pub(crate) async fn read_on(
        &mut self,
        api: &ApiClient,
        run_id: &RunId,
    ) -> Result<Vec<String>, ApiError> {
        let news = api.log_lines(run_id, self.read, LINES_AT_A_TIME).await?;
        Ok(self.shown(&news))
    }

    fn shown(&mut self, news: &LogLines) -> Vec<String> {
        let mut shown = Vec::new();
        if let Some(first) = news.lines.first() {
            let skipped = first.seq.saturating_sub(self.read + 1);
            if skipped > 0 {
                shown.push(format!(
                    "{skipped} lines are not shown here because they arrived too fast; see the run's log."
                ));
            }
        }
        shown.extend(news.lines.iter().filter_map(|line| self.line(line)));
        if let Some(last) = news.lines.last() {
            self.read = last.seq;
        }
        let dropped = news.dropped.saturating_sub(self.dropped);
        if dropped > 0 {
            self.dropped = news.dropped;
            shown.push(format!(
                "{dropped} lines printed by workers were dropped: they arrived too fast or exceeded the run's log limit."
            ));
        }
        shown
    }

    fn line(&self, line: &LogRow) -> Option<String> {
        let worker = line.source.rsplit('/').next().unwrap_or_default();
        let is_worker = worker.len() < line.source.len() && worker.starts_with("worker-");
        if !is_worker {
            return None;
        }
        let source = if self.local { worker } else { &line.source };
        Some(format!("{source}: {}", line.text))
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::WallTime;

    use super::*;

    fn lines(from: u64, lines: &[(&str, &str)], dropped: u64) -> LogLines {
        let line = |(seq, (source, text)): (u64, &(&str, &str))| LogRow {
            seq,
            at: WallTime::default(),
            source: (*source).to_owned(),
            text: (*text).to_owned(),
            ..LogRow::default()
        };
        LogLines {
            lines: (from..).zip(lines).map(line).collect(),
            dropped,
            remark: None,
            total: 0,
            after: None,
            more: None,
        }
    }

    #[test]
    fn what_workers_print_is_repeated_once() {
        let mut log = RunLog::new(false);
        let first = [
            ("east", "Starting 2 worker processes"),
            ("east/worker-0", "hello"),
            ("east/worker-1", ""),
            ("coordinator", "Agent `east` is back"),
            ("worker-0", "an agent of this name says something"),
        ];
        assert_eq!(
            log.shown(&lines(1, &first, 0)),
            ["east/worker-0: hello", "east/worker-1: "]
        );
        assert_eq!(log.read, 5);
        assert_eq!(log.shown(&lines(6, &[], 0)), [""; 0]);
        assert_eq!(log.read, 5);
        let mut local = RunLog::new(true);
        assert_eq!(local.shown(&lines(1, &first, 0))[0], "worker-0: hello");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let mut log = RunLog::new(true);
        let shown = log.shown(&lines(11, &[("a/worker-0", "last")], 3));
        assert_eq!(shown.len(), 3);
        assert!(
            shown[0].starts_with("10 lines are not shown here"),
            "{shown:?}"
        );
        assert_eq!(shown[1], "worker-0: last");
        assert!(shown[2].starts_with("3 lines printed by workers were dropped"));
        assert_eq!(log.shown(&lines(12, &[], 3)), [""; 0]);
        let more = log.shown(&lines(12, &[], 7));
        assert!(more[0].starts_with("4 lines"), "{more:?}");
    }
}
