//! Makes guessing slow: wrong tokens are answered one after the other, over however many connections they
//! come.
//!
//! A right token is let in immediately, whoever keeps wrong ones waiting, so that agents and people are not shut out.
//! Otherwise whoever gives up on an answer that does not come immediately could keep guessing, so a sender of many wrong
//! ones and no right one waits in line before its token is looked at. Places in line are given per address, so that
//! one sender does not take those of others who mistyped. A token without a place waits as long as the last in line and
//! is looked at all the same, because it may be the right one of a person who shares the guesser's address (behind a
//! proxy all senders do). So many at once are too few to guess a token by; a waiting one takes no memory beside its
//! connection's, and connections are bounded.
//!
//! All this is for the owner's token, which a person may have chosen. Those with a role are 256 random bits and are let in before; they do
//! not count as right ones here, because their holders may be guessing the owner's.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::wrong_token_counts::WrongTokenCounts;

/// Time from one answer to a wrong token to the next: at most five a second.
const PAUSE: Duration = Duration::from_millis(200);
/// Most wrong tokens in line.
const MAX_WAITING: usize = 25;
/// Most wrong tokens in line from one address.
const MAX_WAITING_PER_ADDRESS: usize = 5;
/// When a token that has no place in line is looked at or answered: as late as if it were the last, and well before an
/// agent or a browser that has the right one gives up.
const LONGEST_WAIT: Duration = PAUSE.saturating_mul(MAX_WAITING as u32);

/// The line of wrong tokens.
#[derive(Debug, Default)]
pub(in crate::web) struct WrongTokens {
    /// When each is answered, in order, and where it came from. Times rather than waiting tasks, so that who
    /// hangs up gives back nothing.
    line: Mutex<VecDeque<(Instant, IpAddr)>>,
    counts: Mutex<WrongTokenCounts>,
}

/// [`MAX_WAITING_PER_ADDRESS`] or [`MAX_WAITING`] was reached.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct TooManyWaiting;

impl WrongTokens {
    /// Lets a sender that is guessing wait before its token is looked at; what came of the wait, if there was one.
    pub(in crate::web) async fn wait_before(
        &self,
        address: IpAddr,
    ) -> Option<Result<(), TooManyWaiting>> {
        let is_guessing = self.counts().is_guessing(network_of(address));
        if is_guessing {
            Some(self.wait(address).await)
        } else {
            None
        }
    }

    /// Counts and logs a wrong token.
    pub(in crate::web) fn count(&self, address: IpAddr) {
        if let Some(line) = self.counts().wrong(network_of(address)) {
            tracing::warn!("{line}");
        }
    }

    /// Remembers that the sender has the owner's token.
    pub(in crate::web) fn was_right(&self, address: IpAddr) {
        self.counts().right(network_of(address));
    }

    /// How many wrong tokens there were.
    pub(in crate::web) fn total(&self) -> u64 {
        self.counts().total()
    }

    fn counts(&self) -> MutexGuard<'_, WrongTokenCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the answer to a wrong token from this address may be given.
    ///
    /// # Errors
    /// Too many wrong ones were in line, which is said no sooner.
    pub(in crate::web) async fn wait(&self, address: IpAddr) -> Result<(), TooManyWaiting> {
        match self.take_place(network_of(address)) {
            Some(at) => {
                tokio::time::sleep_until(at).await;
                Ok(())
            }
            None => {
                tokio::time::sleep(LONGEST_WAIT).await;
                Err(TooManyWaiting)
            }
        }
    }

    fn take_place(&self, address: IpAddr) -> Option<Instant> {
        let now = Instant::now();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        while line.front().is_some_and(|(at, _)| *at <= now) {
            line.pop_front();
        }
        let of_this = line.iter().filter(|(_, from)| *from == address).count();
        if line.len() >= MAX_WAITING || of_this >= MAX_WAITING_PER_ADDRESS {
            return None;
        }
        let at = line.back().map_or(now, |(last, _)| *last) + PAUSE;
        line.push_back((at, address));
        Some(at)
    }
}

/// What counts as one sender: an IPv4 address, or the /64 that one IPv6 host commonly has to itself.
pub(in crate::web) fn network_of(address: IpAddr) -> IpAddr {
    const HOST_PART: u128 = (1 << 64) - 1;
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !HOST_PART).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_answered_one_after_the_other_whoever_sends_them() {
        let wrong = WrongTokens::default();
        let begun = Instant::now();
        join_all((0..10).map(|sender| wrong.wait(address(sender)))).await;
        assert_eq!(begun.elapsed(), PAUSE * 10);
    }

    #[tokio::test(start_paused = true)]
    async fn one_sender_takes_few_places_and_learns_of_it_late() {
        let wrong = WrongTokens::default();
        let begun = Instant::now();
        let greedy = async {
            let answers = join_all((0..1_000).map(|_| wrong.wait(address(1)))).await;
            assert!(answers[..MAX_WAITING_PER_ADDRESS].iter().all(Result::is_ok));
            assert!(
                answers[MAX_WAITING_PER_ADDRESS..]
                    .iter()
                    .all(Result::is_err)
            );
            assert_eq!(begun.elapsed(), LONGEST_WAIT);
        };
        let mistyped = async {
            assert_eq!(wrong.wait(address(2)).await, Ok(()));
            assert_eq!(begun.elapsed(), PAUSE * 6);
        };
        tokio::join!(greedy, mistyped);
        assert_eq!(
            wrong.wait(address(1)).await,
            Ok(()),
            "the line is empty again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_line_is_bounded_and_hanging_up_gives_back_nothing() {
        let wrong = WrongTokens::default();
        let places = || {
            (0..=u8::MAX)
                .filter(|sender| wrong.take_place(address(*sender)).is_some())
                .count()
        };
        assert_eq!(places(), MAX_WAITING);
        assert_eq!(places(), 0, "no request waits, but the places are taken");
        tokio::time::advance(PAUSE).await;
        assert_eq!(places(), 1);
    }

    #[test]
    fn a_host_does_not_multiply_by_its_ipv6_addresses() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), address(1));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
