//! The outbox against a naive model: a coordinator that loses connections and acknowledges late.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::protocol::{
    Endpoint, ErrorCount, MAX_ERRORS, MAX_UNACKNOWLEDGED, SampleKind, decode,
};
use greylag_infra::{RunTime, WallTime};
use greylag_reporting::Interval;
use proptest::prelude::*;

use super::*;

/// What may happen to an outbox.
#[derive(Debug, Clone)]
enum Step {
    /// A worker's report with requests (second, endpoint, response time in ms, failed).
    Report(Vec<(u32, u8, u16, bool)>),
    /// Second and counts of users and arrivals.
    Users(u32, Users),
    Failing,
    Log,
    /// Of the seconds before this one, or of all.
    Cut(Option<u32>),
    /// Sends what is due; the coordinator saves this many of the frames that arrive.
    Deliver(usize),
    /// The acknowledgement of what was saved arrives.
    Acknowledge,
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    let request = (0u32..20, 0u8..5, 1u16..2_000, any::<bool>());
    prop_oneof![
        4 => prop::collection::vec(request, 0..8).prop_map(Step::Report),
        1 => (0u32..20, prop::array::uniform5(0u64..5))
            .prop_map(|(second, users)| Step::Users(second, users)),
        1 => Just(Step::Failing),
        1 => Just(Step::Log),
        4 => prop::option::of(0u32..20).prop_map(Step::Cut),
        3 => (0usize..4).prop_map(Step::Deliver),
        2 => Just(Step::Acknowledge),
        2 => Just(Step::Reconnect),
    ]
}

/// Counts of one second: started, stopped, arrivals, late and skipped ones.
type Users = [u64; 5];

fn change(second: u32, [started, stopped, arrivals, late, skipped]: Users) -> UserChange {
    UserChange {
        second,
        started,
        stopped,
        arrivals,
        late_arrivals: late,
        skipped_arrivals: skipped,
    }
}

fn add_users(users: &mut BTreeMap<u32, Users>, change: UserChange) {
    let counts = users.entry(change.second).or_default();
    let added = [
        change.started,
        change.stopped,
        change.arrivals,
        change.late_arrivals,
        change.skipped_arrivals,
    ];
    for (count, added) in counts.iter_mut().zip(added) {
        *count += added;
    }
}

/// What is counted of one second and endpoint.
#[derive(Debug, Default, Clone, PartialEq)]
struct Counts {
    requests: u64,
    failures: u64,
    sum_us: u64,
    errors: BTreeMap<String, u64>,
}

type Results = BTreeMap<(u32, String), Counts>;

/// Requests and the sum of their times in µs, by second and tag.
type Tagged = BTreeMap<(u32, u32), (u64, u64)>;

/// The tag that requests to this endpoint have: 0 and 2 have the first, 1 and 3 the second, 4 has none.
fn tag_of(endpoint: u8) -> Option<u32> {
    (endpoint < 4).then_some(u32::from(endpoint) % 2)
}

/// What is to be counted of tags for these results.
fn tagged(results: &Results) -> Tagged {
    let mut tagged = Tagged::new();
    for ((second, name), counts) in results {
        if let Some(tag) = tag_of(name[1..].parse().unwrap()) {
            let sum = tagged.entry((*second, tag)).or_default();
            sum.0 += counts.requests;
            sum.1 += counts.sum_us;
        }
    }
    tagged
}

#[derive(Default)]
struct Coordinator {
    saved_seq: u64,
    results: Results,
    tagged: Tagged,
    users: BTreeMap<u32, Users>,
    failing: u32,
    log: Vec<String>,
    frames: BTreeMap<u64, Bytes>,
    end: Option<AgentEnd>,
}

impl Coordinator {
    fn receive(&mut self, frame: &Bytes) {
        let ToCoordinator::Snapshot(snapshot) = decode(frame).unwrap() else {
            panic!("the outbox sends snapshots only");
        };
        let before = self.frames.insert(snapshot.seq, frame.clone());
        assert!(
            before.is_none_or(|before| before == *frame),
            "resent frames are unchanged"
        );
        if snapshot.seq <= self.saved_seq {
            return;
        }
        assert_eq!(snapshot.seq, self.saved_seq + 1, "no gaps");
        self.saved_seq = snapshot.seq;
        assert!(self.end.is_none(), "nothing comes after the end");
        for data in &snapshot.intervals {
            let name = snapshot.endpoints[data.endpoint as usize].name.clone();
            let interval = Interval::from_wire(data).unwrap();
            let counts = self.results.entry((data.second, name)).or_default();
            counts.requests += interval.requests();
            counts.failures += interval.sums().failures;
            counts.sum_us += interval.sums().response.sum_us;
            for ErrorCount { error, occurrences } in &data.errors {
                *counts.errors.entry(error.clone()).or_default() += occurrences;
            }
        }
        for TagInterval { tag, interval } in &snapshot.tag_intervals {
            let requests = Interval::from_wire(interval).unwrap();
            let sum = self.tagged.entry((interval.second, *tag)).or_default();
            sum.0 += requests.requests();
            sum.1 += requests.sums().response.sum_us;
        }
        for change in &snapshot.user_changes {
            add_users(&mut self.users, *change);
        }
        self.failing += u32::from(snapshot.failing.is_some());
        self.log
            .extend(snapshot.log.iter().map(|line| line.text.clone()));
        self.end = snapshot.end;
    }
}

fn report(requests: &[(u32, u8, u16, bool)], model: &mut Results) -> Report {
    let mut intervals: BTreeMap<(u32, u8), Interval> = BTreeMap::new();
    let mut tags: BTreeMap<(u32, u32), Interval> = BTreeMap::new();
    for (second, endpoint, millis, failed) in requests {
        let error = failed.then(|| format!("error {millis}"));
        let response = Duration::from_millis(u64::from(*millis));
        intervals.entry((*second, *endpoint)).or_default().record(
            response,
            None,
            1,
            error.as_deref(),
        );
        if let Some(tag) = tag_of(*endpoint) {
            let requests = tags.entry((*second, tag)).or_default();
            requests.record(response, None, 1, None);
        }
        let counts = model.entry((*second, format!("/{endpoint}"))).or_default();
        counts.requests += 1;
        counts.failures += u64::from(*failed);
        counts.sum_us += u64::from(*millis) * 1_000;
        if let Some(error) = error {
            *counts.errors.entry(error).or_default() += 1;
        }
    }
    Report {
        endpoints: (0..5)
            .map(|number| Endpoint {
                method: "GET".into(),
                name: format!("/{number}"),
            })
            .collect(),
        intervals: intervals
            .iter()
            .map(|((second, endpoint), interval)| interval.to_wire(*second, u32::from(*endpoint)))
            .collect(),
        tag_intervals: tags
            .iter()
            .map(|((second, tag), requests)| TagInterval {
                tag: *tag,
                interval: requests.to_wire(*second, 0),
            })
            .collect(),
        ..Report::default()
    }
}

fn line(text: String) -> LogLine {
    LogLine {
        at: WallTime::default(),
        source: "agent".into(),
        text,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is lost, late or repeated on the way: in the end the coordinator has each count once.
    #[test]
    fn every_count_arrives_exactly_once(
        steps in prop::collection::vec(step(), 0..60),
        budget in prop_oneof![Just(1usize), Just(2_000), Just(SNAPSHOT_BYTES)],
    ) {
        let mut outbox = Outbox { budget: SendBudget::new(budget), ..Outbox::new("run".into()) };
        let mut coordinator = Coordinator::default();
        let (mut results, mut users) = (Results::new(), BTreeMap::<u32, Users>::new());
        let mut is_failing = false;
        let mut lines = 0;
        for step in steps {
            match step {
                Step::Report(requests) => {
                    outbox.add_report(0, &report(&requests, &mut results)).unwrap();
                }
                Step::Users(second, counts) => {
                    outbox.add_user_change(change(second, counts));
                    add_users(&mut users, change(second, counts));
                }
                Step::Failing => {
                    if !is_failing {
                        outbox.set_failing(FailureReason::StoppedByUser);
                    }
                    is_failing = true;
                }
                Step::Log => {
                    outbox.add_log(line(lines.to_string()));
                    lines += 1;
                }
                Step::Cut(before) => {
                    let later = |outbox: &Outbox| {
                        let first = before.unwrap_or(u32::MAX);
                        let seconds = outbox.pending.intervals.range(first..);
                        seconds.map(|(_, second)| second.len()).sum::<usize>()
                    };
                    let kept = later(&outbox);
                    outbox.cut(before, 0);
                    prop_assert_eq!(later(&outbox), kept, "a second that has not ended is kept");
                }
                Step::Deliver(count) => {
                    for _ in 0..count {
                        if let Some(frame) = outbox.next_to_send() {
                            coordinator.receive(&frame);
                        }
                    }
                }
                Step::Acknowledge => outbox.acknowledged(coordinator.saved_seq, Duration::ZERO),
                Step::Reconnect => outbox.reconnected(),
            }
            prop_assert!(outbox.unacknowledged.len() <= MAX_UNACKNOWLEDGED);
            prop_assert!(!outbox.is_done());
        }
        let reason = FailureReason::StoppedByScenario { text: "because".into() };
        outbox.end(Some(reason.clone()), RunTime::from_micros(7), vec![]);
        outbox.reconnected();
        for round in 0.. {
            assert!(round < 10_000, "the outbox never gets done");
            if outbox.is_done() {
                break;
            }
            outbox.cut(None, 0);
            while let Some(frame) = outbox.next_to_send() {
                coordinator.receive(&frame);
            }
            outbox.acknowledged(coordinator.saved_seq, Duration::ZERO);
        }
        let requests = results.values().map(|counts| counts.requests).sum::<u64>();
        let failures = results.values().map(|counts| counts.failures).sum::<u64>();
        prop_assert_eq!(&coordinator.results, &results);
        prop_assert_eq!(coordinator.tagged, tagged(&results));
        prop_assert_eq!(&coordinator.users, &users);
        prop_assert_eq!(coordinator.failing, u32::from(is_failing));
        prop_assert_eq!(coordinator.log, (0..lines).map(|n| n.to_string()).collect::<Vec<_>>());
        prop_assert_eq!(coordinator.end, Some(AgentEnd { failure: Some(reason.to_string()), reason: Some(reason), requests, failures, ended_at: RunTime::from_micros(7), lost_workers: vec![] }));
    }
}

/// Everything of an outbox, as a coordinator that is always there gets it.
fn drain(outbox: &mut Outbox) -> Coordinator {
    let mut coordinator = Coordinator::default();
    outbox.end(None, RunTime::ZERO, vec![]);
    for round in 0.. {
        assert!(round < 10_000, "the outbox never gets done");
        if outbox.is_done() {
            break;
        }
        outbox.cut(None, 0);
        while let Some(frame) = outbox.next_to_send() {
            coordinator.receive(&frame);
        }
        outbox.acknowledged(coordinator.saved_seq, Duration::ZERO);
    }
    coordinator
}

#[test]
fn a_long_absence_merges_seconds_and_loses_nothing() {
    let mut outbox = Outbox::new("run".into());
    let mut model = Results::new();
    for second in 0..5_000 {
        outbox
            .add_report(0, &report(&[(second, 1, 10, second % 3 == 0)], &mut model))
            .unwrap();
        assert!(outbox.pending.intervals.len() <= MAX_PENDING_SECONDS);
    }
    for second in 0..3 * MAX_PENDING_USER_CHANGES as u32 {
        outbox.add_user_change(UserChange {
            second,
            started: 2,
            stopped: 1,
            ..UserChange::default()
        });
        assert!(outbox.pending.user_changes.len() <= MAX_PENDING_USER_CHANGES);
    }
    let coordinator = drain(&mut outbox);
    let requests: u64 = coordinator
        .results
        .values()
        .map(|counts| counts.requests)
        .sum();
    let errors: u64 = coordinator
        .results
        .values()
        .flat_map(|counts| counts.errors.values())
        .sum();
    assert_eq!((requests, errors), (5_000, 5_000_u64.div_ceil(3)));
    let tagged = coordinator.tagged.values().map(|(requests, _)| requests);
    assert_eq!(tagged.sum::<u64>(), 5_000);
    let started: u64 = coordinator.users.values().map(|users| users[0]).sum();
    assert_eq!(started, 6 * MAX_PENDING_USER_CHANGES as u64);
}

#[test]
fn errors_of_many_workers_obey_the_cap_of_the_run() {
    let mut outbox = Outbox::new("run".into());
    for worker in 0..3 {
        let mut interval = Interval::default();
        for number in 0..MAX_ERRORS {
            let error = format!("worker {worker} error {number}");
            interval.record(Duration::from_millis(1), None, 0, Some(&error));
        }
        let report = Report {
            endpoints: vec![Endpoint {
                method: "GET".into(),
                name: "/".into(),
            }],
            intervals: vec![interval.to_wire(0, 0)],
            ..Report::default()
        };
        outbox.add_report(0, &report).unwrap();
    }
    assert_eq!(outbox.take_overflow_news().len(), 1);
    assert_eq!(outbox.take_overflow_news().len(), 0);
    let coordinator = drain(&mut outbox);
    let counts = &coordinator.results[&(0, "/".to_owned())];
    assert_eq!(counts.errors.len(), MAX_ERRORS);
    assert_eq!(counts.errors.values().sum::<u64>(), 3 * MAX_ERRORS as u64);
    assert_eq!(
        counts.errors[greylag_infra::protocol::OTHER],
        2 * MAX_ERRORS as u64 + 1
    );
}

#[test]
fn a_tag_beyond_what_thresholds_may_be_about_is_refused() {
    let mut outbox = Outbox::new("run".into());
    let mut report = Report {
        tag_intervals: vec![TagInterval::default()],
        ..Report::default()
    };
    outbox.add_report(0, &report).unwrap();
    report.tag_intervals[0].tag = MAX_THRESHOLDS as u32;
    let refused = outbox.add_report(0, &report).unwrap_err();
    assert!(
        refused.to_string().contains("refers to tag 50"),
        "{refused}"
    );
}

#[test]
fn log_lines_and_samples_are_bounded_and_drops_counted() {
    let mut outbox = Outbox::new("run".into());
    for number in 0..MAX_PENDING_LOG_LINES + 3 {
        outbox.add_log(line(number.to_string()));
    }
    outbox.add_dropped_log_lines(2);
    assert_eq!(outbox.pending.log_lines_dropped, 5);
    let sample = SampleData {
        endpoint: 0,
        at_us: 1,
        response_us: 1,
        failed: false,
        kind: SampleKind::Drawn,
        ..SampleData::default()
    };
    let report = Report {
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        samples: vec![sample; 1_000],
        ..Report::default()
    };
    for _ in 0..20 {
        outbox.add_report(0, &report).unwrap();
    }
    let pending: usize = outbox.pending.samples.values().map(Vec::len).sum();
    assert!(pending <= 4 * MAX_SAMPLES_PER_SECOND);
    for second in 0..3_000 {
        outbox.add_sample(SampleData {
            at_us: second * 1_000_000,
            ..sample
        });
        assert!(outbox.pending.samples.len() <= MAX_PENDING_SECONDS);
    }
}

#[test]
fn a_malformed_report_adds_nothing() {
    let mut outbox = Outbox::new("run".into());
    let mut bad = report(&[(0, 1, 5, false), (1, 2, 5, true)], &mut Results::new());
    bad.intervals[1].requests += 1;
    assert!(outbox.add_report(0, &bad).is_err());
    assert!(outbox.pending.is_empty(None));
}

#[test]
fn a_report_that_does_not_name_its_endpoint_is_refused_whole() {
    let mut wrong = report(
        &[(0, 1, 5, false), (1, 1, 5, true)],
        &mut Results::default(),
    );
    wrong.intervals[1].endpoint = 9;
    let mut outbox = Outbox::new("run".into());
    assert!(matches!(
        outbox.add_report(0, &wrong),
        Err(ReportError::Endpoint)
    ));
    outbox.cut(None, 0);
    assert!(outbox.next_to_send().is_none());
}

#[test]
fn notices_are_merged_until_they_are_sent_and_news_once() {
    let mut outbox = Outbox::new("run".into());
    let notice = |second: u32| GeneratorNotice {
        worker: Some(1),
        first_second: second,
        last_second: second,
        count: 1,
        ..GeneratorNotice::default()
    };
    assert!(outbox.add_notice(notice(3)).is_some());
    assert!(outbox.add_notice(notice(4)).is_none());
    let sent = |outbox: &mut Outbox| {
        outbox.cut(None, 0);
        let frame = outbox.next_to_send().expect("a snapshot");
        match decode(&frame).unwrap() {
            ToCoordinator::Snapshot(snapshot) => snapshot.notices,
            other => panic!("{other:?} is not a snapshot"),
        }
    };
    let merged = GeneratorNotice {
        first_second: 3,
        count: 2,
        ..notice(4)
    };
    assert_eq!(sent(&mut outbox), [merged]);
    assert!(outbox.add_notice(notice(5)).is_none(), "it is known");
    assert_eq!(sent(&mut outbox), [notice(5)]);
}

#[test]
fn a_snapshot_says_up_to_where_everything_is_there() {
    let budget = SendBudget::new(1);
    let mut outbox = Outbox {
        budget,
        ..Outbox::new("run".into())
    };
    let mut results = Results::new();
    for second in [3, 4, 6] {
        let requests = [(second, 0, 100, false)];
        outbox
            .add_report(0, &report(&requests, &mut results))
            .unwrap();
    }
    let mut until = Vec::new();
    while !outbox.pending.is_empty(Some(6)) {
        outbox.cut(Some(6), 5);
        let frame = outbox.next_to_send().unwrap();
        let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
            panic!("outboxes send snapshots");
        };
        outbox.acknowledged(snapshot.seq, Duration::ZERO);
        until.push(snapshot.complete_until);
    }
    assert_eq!(
        until,
        [3, 4, 4, 5],
        "what is pending, tags included, or what is not reported"
    );
}
