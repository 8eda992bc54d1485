//! Who has sent wrong tokens lately, and what the log says of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Wrong tokens of one sender within [`MEMORY`] before it counts as one who guesses.
const MAX_MISTYPED: u32 = 20;
/// How long wrong tokens are remembered, and how long a sender of the right one is trusted.
const MEMORY: Duration = Duration::from_secs(600);
/// Most senders remembered; the longest silent are forgotten first.
const MAX_SENDERS: usize = 10_000;
/// How often wrong tokens are logged at most.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// Wrong and right tokens by sender.
#[derive(Debug, Default)]
pub(in crate::web) struct WrongTokenCounts {
    total: u64,
    logged: u64,
    logged_at: Option<Instant>,
    senders: HashMap<IpAddr, Sender>,
}

#[derive(Debug)]
struct Sender {
    wrong: u32,
    since: Instant,
    right_at: Option<Instant>,
}

impl WrongTokenCounts {
    /// Whether the sender is guessing: many wrong tokens, and none that was right lately. Whoever shares an address
    /// with people who have the token is slowed by the line alone, so that those are not shut out.
    pub(in crate::web) fn is_guessing(&self, sender: IpAddr) -> bool {
        self.senders.get(&sender).is_some_and(|known| {
            known.wrong >= MAX_MISTYPED
                && known.since.elapsed() < MEMORY
                && known.right_at.is_none_or(|at| at.elapsed() >= MEMORY)
        })
    }

    /// Counts a wrong token and returns what is to be logged, if it is time for that.
    pub(in crate::web) fn wrong(&mut self, sender: IpAddr) -> Option<String> {
        let now = Instant::now();
        let known = self.sender(sender, now);
        if now - known.since >= MEMORY {
            (known.wrong, known.since) = (0, now);
        }
        known.wrong = known.wrong.saturating_add(1);
        let of_sender = known.wrong;
        self.total += 1;
        if self.logged_at.is_some_and(|at| now - at < LOG_PAUSE) {
            return None;
        }
        let new = self.total - self.logged;
        (self.logged, self.logged_at) = (self.total, Some(now));
        Some(format!(
            "{new} wrong tokens since the last message ({} in total), most recently from {sender} ({of_sender} so far)",
            self.total
        ))
    }

    /// The sender has the token.
    pub(in crate::web) fn right(&mut self, sender: IpAddr) {
        let now = Instant::now();
        self.sender(sender, now).right_at = Some(now);
    }

    /// How many wrong tokens there were.
    pub(in crate::web) fn total(&self) -> u64 {
        self.total
    }

    fn sender(&mut self, sender: IpAddr, now: Instant) -> &mut Sender {
        if self.senders.len() >= MAX_SENDERS && !self.senders.contains_key(&sender) {
            let last_seen = |known: &Sender| known.right_at.unwrap_or(known.since).max(known.since);
            let oldest = self
                .senders
                .iter()
                .min_by_key(|(_, known)| last_seen(known));
            if let Some(oldest) = oldest.map(|(sender, _)| *sender) {
                self.senders.remove(&oldest);
            }
        }
        self.senders.entry(sender).or_insert(Sender {
            wrong: 0,
            since: now,
            right_at: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_many_wrong_ones_and_no_right_one_is_guessing() {
        let mut counts = WrongTokenCounts::default();
        counts.right(address(2));
        for _ in 0..MAX_MISTYPED {
            assert!(!counts.is_guessing(address(1)));
            counts.wrong(address(1));
            counts.wrong(address(2));
        }
        assert!(counts.is_guessing(address(1)) && !counts.is_guessing(address(2)));
        assert_eq!(counts.total(), u64::from(2 * MAX_MISTYPED));
        tokio::time::advance(MEMORY).await;
        assert!(!counts.is_guessing(address(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_has_a_line_now_and_then_and_memory_is_bounded() {
        let mut counts = WrongTokenCounts::default();
        let lines = (0..20_000)
            .filter_map(|number| counts.wrong(address(number)))
            .count();
        assert_eq!((lines, counts.senders.len()), (1, MAX_SENDERS));
        tokio::time::advance(LOG_PAUSE).await;
        let line = counts.wrong(address(7)).unwrap();
        assert!(
            line.starts_with("20000 wrong tokens") && line.contains("0.0.0.7"),
            "{line}"
        );
    }
}
