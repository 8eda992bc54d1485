//! A worker's output as console log lines: cut, made valid UTF-8, and bounded in number.

use greylag_infra::protocol::{MAX_LOG_LINE_BYTES, cut};

/// At most this many lines of a worker are kept per second; further ones are counted as dropped.
pub(crate) const MAX_LINES_PER_SECOND: u32 = 100;

/// Splits a stream of bytes into lines.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    /// The line so far, at most one byte longer than a line may be, so that its cut is seen.
    line: Vec<u8>,
}

impl LineSplitter {
    /// Takes in bytes and hands each line that is complete to `take`, without its end.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(String)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, complete) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            let room = (MAX_LOG_LINE_BYTES + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if complete {
                take(self.finish_line());
            }
        }
    }

    /// The last line, if the stream ended within one.
    pub(crate) fn end(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.finish_line())
    }

    fn finish_line(&mut self) -> String {
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let text = String::from_utf8_lossy(&self.line);
        let line = cut(&text, MAX_LOG_LINE_BYTES).into_owned();
        self.line.clear();
        line
    }
}

/// Lets through at most [`MAX_LINES_PER_SECOND`] lines a second and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct LineLimit {
    second: u64,
    lines: u32,
    dropped: u64,
}

impl LineLimit {
    /// Whether a line that came in this second (of any monotonic clock) may pass.
    pub(crate) fn admit(&mut self, second: u64) -> bool {
        if second != self.second {
            self.second = second;
            self.lines = 0;
        }
        self.lines = self.lines.saturating_add(1);
        let admitted = self.lines <= MAX_LINES_PER_SECOND;
        self.dropped += u64::from(!admitted);
        admitted
    }

    /// Lines dropped since this was last asked.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.feed(piece, |line| lines.push(line));
        }
        lines.extend(splitter.end());
        lines
    }

    #[test]
    fn lines_are_cut_and_made_valid() {
        assert_eq!(split(&[b"a\r\nb\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(split(&[b"\xff\xfe\n"]), ["\u{fffd}\u{fffd}"]);
        let long = split(&[&[b'x'; 100_000], b"\nnext\n"]);
        assert_eq!(long.len(), 2);
        assert!(long[0].len() <= MAX_LOG_LINE_BYTES && long[0].ends_with('…'));
        assert_eq!(long[1], "next");
    }

    #[test]
    fn lines_beyond_the_limit_are_counted() {
        let mut limit = LineLimit::default();
        let passed = (0..MAX_LINES_PER_SECOND + 5)
            .filter(|_| limit.admit(1))
            .count();
        assert_eq!(passed as u32, MAX_LINES_PER_SECOND);
        assert!(limit.admit(2));
        assert_eq!((limit.take_dropped(), limit.take_dropped()), (5, 0));
    }

    proptest! {
        /// How the bytes are cut makes no difference, and short valid lines come through unchanged.
        #[test]
        fn pieces_make_no_difference(lines in prop::collection::vec("[a-zü ]{0,30}", 0..10), size in 1usize..20) {
            let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(split(&pieces), lines);
        }

        #[test]
        fn any_bytes_are_lines(bytes in prop::collection::vec(any::<u8>(), 0..9_000)) {
            for line in split(&[&bytes]) {
                prop_assert!(line.len() <= MAX_LOG_LINE_BYTES && !line.contains('\n'));
            }
        }
    }
}
