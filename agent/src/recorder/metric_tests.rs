//! Values of custom metrics that are left out.

use greylag_scenarios::MetricKind as Declared;

use super::*;

#[test]
fn what_does_not_add_up_is_left_out_and_said_so() {
    let recorder = RunRecorder::new(None);
    let add = |name: &str, kind, unit, millionths| {
        recorder.metric(&MetricValue {
            name,
            kind,
            unit,
            millionths,
        });
    };
    add("sent", Declared::Counter, "bytes", Some(1));
    add("sent", Declared::Counter, "bytes", Some(-1));
    add("sent", Declared::Gauge, "bytes", Some(1));
    add("sent", Declared::Counter, "messages", Some(1));
    add("speed", Declared::Histogram, "", None);
    add("speed", Declared::Histogram, "", None);
    add("speed", Declared::Histogram, "", Some(i64::MAX));
    let mut names = KnownNames::default();
    let taken = recorder.take(None, &mut names);
    let mut said: Vec<_> = taken
        .notices
        .iter()
        .map(|notice| (notice.kind, notice.subject.as_str(), notice.count))
        .collect();
    said.sort_unstable();
    let kind = NoticeKind::CustomMetric;
    assert_eq!(
        said,
        [
            (kind, "sent: a counter was given a negative value", 1),
            (kind, "sent: the run has a counter of this name in bytes", 2),
            (kind, "speed: a value was beyond 10^12", 1),
            (kind, "speed: a value was not a number, or far too large", 2),
        ]
    );
}
