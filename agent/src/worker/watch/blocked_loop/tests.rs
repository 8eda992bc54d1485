//! What is taken for blocking code and what is not, on a clock of the test's.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use greylag_scenarios::LoopWatch;

use super::*;

/// Two polls of the same code as the watch saw them.
fn two_polls(code: &str) -> [ObservedPoll; 2] {
    let watch = LoopWatch::default();
    let mut polled = pin!(watch.polled(code, async {
        let first = watch.look();
        tokio::task::yield_now().await;
        [first, watch.look()].map(|observed| observed.expect("it is under way"))
    }));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(sights) = polled.as_mut().poll(&mut context) {
            return sights;
        }
    }
}

/// A watchdog whose clock and whose thread's times are set by hand.
struct Hand {
    detector: Detector,
    now: Instant,
    times: Cell<ThreadTimes>,
}

impl Hand {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            detector: Detector::new(now),
            now,
            times: Cell::default(),
        }
    }

    /// Detector once after this many milliseconds.
    fn look(&mut self, after_ms: u64, observed: Option<ObservedPoll>) -> Option<BlockedCode> {
        self.now += Duration::from_millis(after_ms);
        let times = &self.times;
        self.detector.look(self.now, observed, || times.get())
    }

    /// Detector every 10 ms for a while.
    fn looks(&mut self, ms: u64, observed: ObservedPoll) -> Vec<BlockedCode> {
        (0..ms / 10)
            .filter_map(|_| self.look(10, Some(observed)))
            .collect()
    }

    fn waits(&self, ms: u64) {
        let times = self.times.get();
        let waited = times.waited + Duration::from_millis(ms);
        self.times.set(ThreadTimes { waited, ..times });
    }
}

fn blocked(ms: u64) -> Option<BlockedCode> {
    Some(BlockedCode {
        code: "Shopper::buy".to_owned(),
        time: Duration::from_millis(ms),
        is_over: true,
        again: false,
    })
}

#[test]
fn a_long_poll_is_reported_when_it_is_over() {
    let [first, second] = two_polls("Shopper::buy");
    let mut hand = Hand::new();
    assert_eq!(hand.looks(100, first), []);
    assert_eq!(hand.look(10, None), blocked(100));
    assert_eq!(hand.look(10, None), None);
    // Also when the next look finds another poll.
    assert_eq!(hand.looks(200, second), []);
    assert_eq!(hand.look(10, Some(first)), blocked(200));
}

#[test]
fn short_polls_are_nothing_however_many() {
    let polls = two_polls("Shopper::buy");
    let mut hand = Hand::new();
    for number in 0..100 {
        assert_eq!(hand.looks(40, polls[number % 2]), []);
    }
    assert_eq!(hand.look(10, None), None);
}

#[test]
fn a_thread_without_a_processor_is_not_blocked() {
    let [first, second] = two_polls("Shopper::buy");
    // It waited, as the system says afterwards.
    let mut hand = Hand::new();
    hand.looks(300, first);
    hand.waits(280);
    assert_eq!(hand.look(10, None), None);
    // We waited ourselves.
    let mut hand = Hand::new();
    for _ in 0..5 {
        assert_eq!(hand.look(200, Some(first)), None);
    }
    assert_eq!(hand.look(10, None), None);
    // It is ready to run for seconds, and the system does not say yet that it waits.
    let mut hand = Hand::new();
    hand.times.set(ThreadTimes {
        could_run: true,
        ..ThreadTimes::default()
    });
    assert_eq!(hand.looks(5_000, second), []);
    // Of both together what is left counts.
    let mut hand = Hand::new();
    hand.looks(300, first);
    hand.waits(200);
    assert_eq!(hand.look(10, None), blocked(100));
}

#[test]
fn a_poll_that_never_returns_is_reported_while_it_goes_on() {
    let [first, _] = two_polls("Shopper::buy");
    let mut hand = Hand::new();
    let found = hand.looks(9_000, first);
    let reported: Vec<(u64, bool)> = found
        .iter()
        .map(|found| {
            assert!(!found.is_over && found.code == "Shopper::buy", "{found:?}");
            (found.time.as_secs(), found.again)
        })
        .collect();
    assert_eq!(reported, [(1, false), (2, true), (4, true), (8, true)]);
    // It is one and the same in the end, too.
    let over = blocked(9_000).map(|found| BlockedCode {
        again: true,
        ..found
    });
    assert_eq!(hand.look(10, None), over);
}

/// Code that is polled once.
fn poll_once(watch: &LoopWatch, code: &str, work: impl FnOnce()) {
    let mut polled = pin!(watch.polled(code, async { work() }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(polled.as_mut().poll(&mut context).is_ready());
}

#[test]
fn looks_are_rare_while_nothing_runs_and_as_ever_from_the_next_poll_on() {
    let watch = LoopWatch::default();
    let mut pause = Pause::of_this_thread();
    poll_once(&watch, "begin", || ());
    for _ in 0..IDLE_AFTER + 1 {
        assert_eq!(pause.until_next_look(&watch), LOOK_EVERY);
    }
    // The poll may have begun as the flag was set: one more look.
    assert!(watch.wakes_at_next_poll());
    assert_eq!(pause.until_next_look(&watch), LONGEST_SLEEP);
    poll_once(&watch, "work", || {
        assert!(!watch.wakes_at_next_poll());
        for _ in 0..2 * IDLE_AFTER {
            assert_eq!(pause.until_next_look(&watch), LOOK_EVERY);
        }
    });
    assert_eq!(pause.until_next_look(&watch), LOOK_EVERY);
}

/// Keeps what was reported.
#[derive(Debug, Default)]
struct Reported(std::sync::Mutex<Vec<String>>);

impl Recorder for Reported {
    fn request(&self, _: &greylag_scenarios::RequestSample<'_>) {}

    fn user_started(&self) {}

    fn user_stopped(&self) {}

    fn task_error(&self, _: &str, _: &str) {}

    fn generator_limit(&self, limit: GeneratorLimit<'_>) {
        if let GeneratorLimit::BlockedLoop { task, .. } = limit {
            self.0.lock().unwrap().push(task.to_owned());
        }
    }
}

#[test]
fn code_that_blocks_after_a_long_sleep_is_noticed() {
    let watch = Arc::new(LoopWatch::default());
    let reported = Arc::new(Reported::default());
    let recorder: Arc<dyn Recorder> = Arc::clone(&reported) as _;
    let _watchdog = Watchdog::beside_this_thread(&watch, &recorder);
    let pause = Duration::from_millis(1);
    while !watch.wakes_at_next_poll() {
        thread::sleep(pause);
    }
    poll_once(&watch, "sleepy", || {
        // Until it has been seen, however late the watchdog comes.
        while reported.0.lock().unwrap().is_empty() {
            thread::sleep(pause);
        }
    });
    assert_eq!(reported.0.lock().unwrap()[0], "sleepy");
}
