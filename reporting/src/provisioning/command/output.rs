//! What the commands of a run print, until somebody takes it.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::Notify;

use super::said;
use crate::provisioning::{MachineNews, MachineState};

/// Most lines that wait; older ones make room, so that a command never waits for who reads its output.
const MAX_WAITING: usize = 1_000;
/// Longest line that is kept, in bytes; the rest of a longer one is left out.
const MAX_LINE_BYTES: usize = 2_000;

/// Lines that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Output {
    waiting: Mutex<VecDeque<MachineNews>>,
    more: Notify,
}

impl Output {
    pub(super) fn push(&self, news: MachineNews) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back(news);
        self.more.notify_one();
    }

    /// Waits for lines, and takes all that are there.
    pub(super) async fn take(&self) -> VecDeque<MachineNews> {
        loop {
            let taken = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                mem::take(&mut *waiting)
            };
            if !taken.is_empty() {
                return taken;
            }
            self.more.notified().await;
        }
    }
}

/// Which of its streams a command writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Errors,
}

/// One command that speaks, and what it has started.
#[derive(Debug)]
pub(super) struct Voice {
    name: &'static str,
    output: Arc<Output>,
    heard: Mutex<Heard>,
}

#[derive(Debug)]
struct Heard {
    /// How the command is, whoever speaks.
    state: MachineState,
    last_output: Option<String>,
    last_error: Option<String>,
}

impl Voice {
    /// That of a command which is about to start.
    pub(super) fn of(name: &'static str, output: &Arc<Output>) -> Self {
        let state = MachineState::Starting;
        output.push(MachineNews {
            machine: name.to_owned(),
            state,
            reason: None,
        });
        Self {
            name,
            output: Arc::clone(output),
            heard: Mutex::new(Heard {
                state,
                last_output: None,
                last_error: None,
            }),
        }
    }

    /// Takes up every line of a stream until its end.
    pub(super) async fn read(&self, bytes: impl AsyncRead + Unpin, stream: Stream) {
        let mut bytes = BufReader::new(bytes);
        while let Some(line) = next_line(&mut bytes).await {
            let mut heard = self.heard();
            self.output
                .push(said(self.name, heard.state, line.as_str()));
            if line.trim().is_empty() {
                continue;
            }
            match stream {
                Stream::Output => heard.last_output = Some(line),
                Stream::Errors => heard.last_error = Some(line),
            }
        }
    }

    /// The last line that is not empty, of its errors if there is one.
    pub(super) fn last_line(&self) -> Option<String> {
        let heard = self.heard();
        heard.last_error.clone().or(heard.last_output.clone())
    }

    /// What is to be said of it by who runs it.
    pub(super) fn says(&self, text: impl Into<String>) {
        let state = self.heard().state;
        self.output.push(said(self.name, state, text));
    }

    /// It has ended like this, and is so from now on, whatever is still said by what it left running.
    pub(super) fn concludes(&self, state: MachineState, text: impl Into<String>) {
        let mut heard = self.heard();
        heard.state = state;
        self.output.push(said(self.name, state, text));
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next line without its end, cut; none at the end or when nothing can be read any more.
async fn next_line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    let mut is_line = false;
    loop {
        let bytes = stream.fill_buf().await.ok()?;
        if bytes.is_empty() {
            return is_line.then(|| String::from_utf8_lossy(&line).into_owned());
        }
        is_line = true;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let room = MAX_LINE_BYTES - line.len();
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(bytes.len(), |end| end + 1);
        stream.consume(used);
        if end.is_some() {
            return Some(String::from_utf8_lossy(&line).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_and_need_no_end() {
        let long = "x".repeat(3 * MAX_LINE_BYTES);
        let text = format!("one\n\n{long}\n\u{e4}\nlast");
        let mut bytes = text.into_bytes();
        bytes.extend([0xff, b'!']);
        let mut stream = BufReader::with_capacity(7, bytes.as_slice());
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut stream).await {
            lines.push(line);
        }
        let cut = "x".repeat(MAX_LINE_BYTES);
        assert_eq!(lines, ["one", "", &cut, "\u{e4}", "last\u{fffd}!"]);
    }

    #[tokio::test]
    async fn the_newest_lines_wait() {
        let output = Output::default();
        for number in 0..MAX_WAITING + 2 {
            output.push(said("up", MachineState::Starting, number.to_string()));
        }
        let taken = output.take().await;
        assert_eq!(taken.len(), MAX_WAITING);
        assert_eq!(taken[0].reason.as_deref(), Some("2"));
    }
}
