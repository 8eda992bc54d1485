//! The last lines of a run's console log.

use std::collections::VecDeque;

use crate::api_types::LogRow;
use crate::results::page_text::count;

/// Most log lines in one update, and in everything that a new reader is sent; of more, the last ones after a line that says
/// so.
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

/// The lines after those that the reader has, with one in place of those between, if there are any: a run's lines are
/// numbered without gaps. It takes the number of the last one that it stands for.
pub(super) fn with_notice(last_sent: u64, mut rows: Vec<LogRow>) -> Vec<LogRow> {
    if let Some(notice) = notice_of_skipped(last_sent, &rows) {
        rows.insert(0, notice);
    }
    rows
}

fn notice_of_skipped(last_sent: u64, rows: &[LogRow]) -> Option<LogRow> {
    let first = rows.first()?;
    let skipped = first
        .seq
        .checked_sub(last_sent + 1)
        .filter(|skipped| *skipped > 0)?;
    Some(LogRow {
        seq: first.seq - 1,
        at: first.at,
        source: "coordinator".to_owned(),
        text: match skipped {
            1 => "… 1 earlier line: see the download".to_owned(),
            _ => format!("… {} earlier lines: see the download", count(skipped)),
        },
    })
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
            })
            .collect()
    }

    #[test]
    fn lines_left_out_are_reported_in_their_place() {
        assert_eq!(notice_of_skipped(0, &lines(1, 3)), None);
        assert_eq!(notice_of_skipped(41, &lines(42, 3)), None);
        assert_eq!(notice_of_skipped(41, &[]), None);
        let notice = notice_of_skipped(0, &lines(12_346, 3)).expect("12,345 are left out");
        assert_eq!(
            (notice.seq, notice.at),
            (12_345, WallTime::from_micros(123_460))
        );
        assert_eq!(notice.text, "… 12,345 earlier lines: see the download");
        let notice = notice_of_skipped(40, &lines(42, 3)).expect("one is left out");
        assert_eq!(notice.text, "… 1 earlier line: see the download");
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
