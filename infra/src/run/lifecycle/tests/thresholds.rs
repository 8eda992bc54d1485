//! Thresholds that stop the run when they have been breached for some time.

use super::*;

pub(super) fn breached() -> RunEvent {
    RunEvent::ThresholdBreached {
        threshold: "p95 < 1s abort after 15s".into(),
        since_s: 41,
    }
}

#[test]
fn a_breached_threshold_stops_the_load_while_it_is_on() {
    let mut run = running();
    let effects = run.handle(breached(), at(5));
    assert!(effects.contains(&RunEffect::Save), "{effects:?}");
    assert_eq!(sent(&effects), [("a".into(), "stop"), ("b".into(), "stop")]);
    assert_eq!(run.handle(breached(), at(5)), [], "it is stopped once");
    let _ = run.handle(ended("a", None), at(6));
    let _ = run.handle(ended("b", None), at(7));
    let reason = FailureReason::ThresholdBreached {
        threshold: "p95 < 1s abort after 15s".into(),
        since_s: 41,
    };
    assert_eq!(run.record().phase, RunPhase::Failed(reason));

    let (mut preparing, _) = RunLifecycle::begin(record(&["a"]), LEASE, at(0));
    assert_eq!(preparing.handle(breached(), at(1)), []);
    assert_eq!(preparing.record().phase, RunPhase::Preparing);
}
