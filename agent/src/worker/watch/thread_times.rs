//! What the system says of the time of one thread of this process. Linux says it; elsewhere nothing is known, and
//! all times are zero.

use std::time::Duration;

/// Times of a thread since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ThreadTimes {
    /// On a processor.
    pub(super) ran: Duration,
    /// Ready to run, but without a processor; a wait counts when it is over.
    pub(super) waited: Duration,
    /// Whether it runs or could run now; a thread that sleeps could not.
    pub(super) could_run: bool,
}

/// Where a thread's times stand.
#[derive(Debug)]
pub(super) struct TimesOfThread {
    #[cfg(target_os = "linux")]
    directory: String,
}

impl TimesOfThread {
    /// Those of the thread that calls this.
    pub(super) fn this() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            directory: format!(
                "/proc/self/task/{}",
                rustix::thread::gettid().as_raw_nonzero()
            ),
        }
    }

    /// The times now.
    #[cfg(target_os = "linux")]
    pub(super) fn read(&self) -> ThreadTimes {
        let file = |name: &str| {
            std::fs::read_to_string(format!("{}/{name}", self.directory)).unwrap_or_default()
        };
        let schedstat = file("schedstat");
        let mut numbers = schedstat
            .split_ascii_whitespace()
            .map(|number| number.parse().map_or(Duration::ZERO, Duration::from_nanos));
        let (ran, waited) = (numbers.next(), numbers.next());
        // The name before the state is in parentheses and may hold anything.
        let stat = file("stat");
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
        ThreadTimes {
            ran: ran.unwrap_or_default(),
            waited: waited.unwrap_or_default(),
            could_run: state.is_some_and(|state| state.starts_with('R')),
        }
    }

    /// The times now.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn read(&self) -> ThreadTimes {
        ThreadTimes::default()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_thread_that_computes_runs_and_one_that_sleeps_does_not() {
        let times = TimesOfThread::this();
        let before = times.read();
        assert!(before.could_run, "it is being asked on itself");
        let begun = Instant::now();
        while times.read().ran - before.ran < Duration::from_millis(20) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not run");
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            sender.send(TimesOfThread::this()).unwrap();
            let _ = ended.recv();
        });
        let times = receiver.recv().unwrap();
        while times.read().could_run {
            std::thread::yield_now();
        }
        drop(end);
        sleeper.join().unwrap();
    }
}
