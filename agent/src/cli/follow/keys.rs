//! Keys pressed while a run is followed on a terminal, as Locust's: w and W for 1 and 10 users more, s and S
//! for 1 and 10 fewer.

use std::io::{IsTerminal, Read};
use std::os::fd::AsFd;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::mpsc;

/// Keys waiting to be handled; more than that are dropped.
const KEYS: usize = 16;

/// The keyboard, read key by key until this is dropped.
pub(crate) struct Keys {
    pressed: mpsc::Receiver<u8>,
    before: Termios,
}

impl Keys {
    /// The keyboard, if there is one and the terminal is in the foreground.
    pub(crate) fn take() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        // In the background (`greylag run … &`) the system stops whoever touches the terminal.
        if tcgetpgrp(stdin.as_fd()).ok()? != getpgrp() {
            return None;
        }
        let before = tcgetattr(stdin.as_fd()).ok()?;
        let mut raw = before.clone();
        // Ctrl-C stays a signal.
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(stdin.as_fd(), OptionalActions::Now, &raw).ok()?;
        let (sender, pressed) = mpsc::channel(KEYS);
        // Nothing can wake a thread that reads a terminal; it ends with the process.
        std::thread::spawn(move || {
            for key in std::io::stdin().lock().bytes().map_while(Result::ok) {
                if matches!(
                    sender.try_send(key),
                    Err(mpsc::error::TrySendError::Closed(_))
                ) {
                    break;
                }
            }
        });
        Some(Self { pressed, before })
    }

    /// By how many users the next key changes the number of users. Pending for ever without a keyboard.
    pub(crate) async fn next(keys: &mut Option<Self>) -> i64 {
        loop {
            let Some(open) = keys else {
                return std::future::pending().await;
            };
            match open.pressed.recv().await {
                Some(key) => {
                    if let Some(change) = change_of(key) {
                        return change;
                    }
                }
                None => *keys = None,
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(std::io::stdin().as_fd(), OptionalActions::Now, &self.before);
    }
}

fn change_of(key: u8) -> Option<i64> {
    match key {
        b'w' => Some(1),
        b'W' => Some(10),
        b's' => Some(-1),
        b'S' => Some(-10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_locusts() {
        let changes: Vec<_> = b"wWsSx\n"
            .iter()
            .filter_map(|key| change_of(*key))
            .collect();
        assert_eq!(changes, [1, 10, -1, -10]);
    }
}
