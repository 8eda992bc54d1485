//! The last lines of a run's console log.

use std::collections::VecDeque;

use crate::api_types::LogRow;

/// Most log lines in one update, and in everything that a new reader is sent; of more, the last ones. Lines are numbered without gaps, so
/// that a reader sees that some are missing.
pub(super) const MAX_LOG_LINES: usize = 1_000;

/// What a new reader is sent of the log.
#[derive(Debug, Default)]
pub(super) struct LogTail {
    rows: VecDeque<LogRow>,
}

impl LogTail {
    /// Number of the last line; 0 before there is any.
    pub(super) fn last_seq(&self) -> u64 {
        self.rows.back().map_or(0, |row| row.seq)
    }

    /// Takes the lines that follow.
    pub(super) fn add(&mut self, rows: &[LogRow]) {
        self.rows.extend(rows.iter().cloned());
        let beyond = self.rows.len().saturating_sub(MAX_LOG_LINES);
        self.rows.drain(..beyond);
    }

    /// The lines, in order.
    pub(super) fn rows(&self) -> Vec<LogRow> {
        self.rows.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::WallTime;

    use super::*;

    fn lines(first: u64, count: u64) -> Vec<LogRow> {
        (first..first + count)
            .map(|seq| LogRow {
                seq,
                at: WallTime::from_micros(seq * 10),
                source: "agent".into(),
                text: "a line".into(),
                ..LogRow::default()
            })
            .collect()
    }

    #[test]
    fn no_more_lines_are_kept_than_a_new_reader_is_sent() {
        let mut tail = LogTail::default();
        assert_eq!(tail.last_seq(), 0);
        for first in (1..=10_000).step_by(700) {
            tail.add(&lines(first, 700));
        }
        assert_eq!(tail.last_seq(), 10_500);
        let rows = tail.rows();
        assert_eq!((rows.len(), rows[0].seq), (MAX_LOG_LINES, 9_501));
    }
}
