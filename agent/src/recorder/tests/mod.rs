//! The recorder against a naive model.

mod error_samples;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::LoadTest;
use greylag_infra::protocol::{
    ErrorSampleData, MAX_ENDPOINTS, MAX_ERROR_SAMPLES_OF_RUN, MAX_ERRORS, MAX_SAMPLE_BODY_BYTES,
    OTHER, SampleDetails, TagInterval, UserChange,
};
use greylag_reporting::{Interval, Measure, Outcomes};
use greylag_scenarios::{FailedRequest, FailedResponse};
use http::{HeaderMap, HeaderName};
use proptest::prelude::*;

use super::*;
use crate::worker_protocol::add_change;

#[derive(Debug, Clone)]
enum Step {
    Request {
        endpoint: u8,
        ended_ms: u32,
        response_ms: u32,
        error: Option<u8>,
        /// How much later than intended it began, in ms.
        delay_ms: Option<u32>,
        first_byte_only: bool,
        first_byte_ms: Option<u32>,
        status: Option<u16>,
        /// Positions of its task's tags.
        tags: Vec<usize>,
    },
    TaskError(u8),
    Arrival(u8),
    /// Takes out the seconds before this one.
    Take(u32),
    /// Takes out what was counted so far; the seconds before this one are finished.
    TakeSoFar(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (
            0u8..6, 0u32..200_000, 0u32..5_000, prop::option::of(0u8..4),
            prop::option::of(0u32..5_000), any::<bool>(),
            prop::option::of(0u32..5_000), (prop::option::of(200u16..210), prop::collection::vec(0..50_usize, 0..3)),
        ).prop_map(
            |(endpoint, ended_ms, response_ms, error, delay_ms, first_byte_only, first_byte_ms, (status, tags))| Step::Request {
                endpoint, ended_ms, response_ms, error, delay_ms, first_byte_only, first_byte_ms, status, tags,
            }
        ),
        1 => (0u8..3).prop_map(Step::TaskError),
        1 => (0u8..3).prop_map(Step::Arrival),
        1 => (0u32..200).prop_map(Step::Take),
        2 => (0u32..200).prop_map(Step::TakeSoFar),
    ]
}

/// Counts of one endpoint in one second.
#[derive(Debug, Default, Clone, PartialEq)]
struct Counts {
    requests: u64,
    sum_ms: u64,
    errors: BTreeMap<String, u64>,
    intended: u64,
    intended_sum_ms: u64,
    first_byte_only: u64,
    first_bytes: u64,
    first_byte_sum_ms: u64,
    statuses: BTreeMap<u64, u64>,
    /// Of the failed requests.
    failures: u64,
    failed_sum_ms: u64,
}
type Results = BTreeMap<(u32, String), Counts>;

/// Takes seconds out and reads what was encoded.
fn take(
    recorder: &RunRecorder,
    before: Option<u32>,
    names: &mut KnownNames,
    results: &mut Results,
    users: &mut UserChange,
) {
    let taken = recorder.take(before, names);
    for second in &taken.seconds {
        assert!(before.is_none_or(|before| second.number() < before));
    }
    read(recorder, taken, names, results, users);
}

/// Reads what was encoded of what was taken out; says how many samples there are.
fn read(
    recorder: &RunRecorder,
    mut taken: Taken,
    names: &KnownNames,
    results: &mut Results,
    users: &mut UserChange,
) -> usize {
    let mut samples = 0;
    let mut reports = Reports::default();
    for second in &mut taken.seconds {
        second.empty_into(&mut reports, names);
    }
    recorder.give_back(taken.seconds);
    for report in reports.finish() {
        for data in &report.intervals {
            let interval = Interval::from_wire(data).unwrap();
            let endpoint = &report.endpoints[data.endpoint as usize];
            let counts = results
                .entry((
                    data.second,
                    format!("{} {}", endpoint.method, endpoint.name),
                ))
                .or_default();
            counts.requests += interval.requests();
            counts.sum_ms += interval.sums().response.sum_us / 1_000;
            for (error, occurrences) in &interval.errors {
                *counts.errors.entry(error.clone()).or_default() += occurrences;
            }
            counts.intended += data.intended_count;
            counts.intended_sum_ms += data.intended_sum_us / 1_000;
            counts.first_byte_only += data.first_byte_only;
            let sums = interval.sums();
            assert_ne!(sums.outcomes(), Outcomes::Mixed);
            counts.first_bytes += sums.first_byte.count;
            counts.first_byte_sum_ms += sums.first_byte.sum_us / 1_000;
            for (status, count) in interval.distribution_of(Measure::Status) {
                *counts.statuses.entry(status).or_default() += count;
            }
            if sums.failures > 0 {
                counts.failures += sums.failures;
                counts.failed_sum_ms += sums.response.sum_us / 1_000;
            }
        }
        for TagInterval {
            tag,
            interval: data,
        } in &report.tag_intervals
        {
            let interval = Interval::from_wire(data).unwrap();
            assert!(interval.errors.is_empty());
            let counts = results.entry((data.second, format!("tag {tag}")));
            let (counts, sums) = (counts.or_default(), interval.sums());
            counts.requests += sums.requests();
            counts.sum_ms += sums.response.sum_us / 1_000;
            counts.failures += sums.failures;
            counts.intended += sums.intended.count;
            counts.first_bytes += sums.first_byte.count;
            counts.first_byte_only += sums.first_byte_only;
            for (status, count) in interval.distribution_of(Measure::Status) {
                *counts.statuses.entry(status).or_default() += count;
            }
        }
        for change in report.user_changes {
            add_change(users, change);
        }
        samples += report.samples.len();
    }
    samples
}

fn request<'a>(
    run_zero: Instant,
    name: &'a str,
    ended_ms: u32,
    response_ms: u32,
    error: Option<&'a str>,
) -> RequestSample<'a> {
    let response_time = Duration::from_millis(response_ms.into());
    let started_at = run_zero + Duration::from_millis(ended_ms.into()) - response_time;
    RequestSample {
        response_length: 10,
        error,
        user: Some(7),
        ..RequestSample::new("GET", name, started_at, response_time)
    }
}

/// Run time zero of the tests: late enough for requests that began before it.
fn run_zero() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn begun(run_zero: Instant) -> RunRecorder {
    let recorder = RunRecorder::new(None);
    recorder.begin(run_zero);
    recorder
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every request is counted once, in the second in which it ended, whenever seconds are taken out.
    #[test]
    fn counts_are_exact(steps in prop::collection::vec(step(), 0..300)) {
        let run_zero = run_zero();
        let recorder = begun(run_zero);
        let (mut results, mut model) = (Results::new(), Results::new());
        let (mut names, mut users) = (KnownNames::default(), UserChange::default());
        let mut arrived = UserChange::default();
        let mut open = std::collections::BTreeSet::new();
        for step in &steps {
            match step {
                Step::Request { endpoint, ended_ms, response_ms, error, delay_ms, first_byte_only, first_byte_ms, status, tags } => {
                    let second = ended_ms / 1_000;
                    // Beyond the cap seconds merge; that is another test.
                    if open.len() >= MAX_SECONDS && !open.contains(&second) {
                        continue;
                    }
                    open.insert(second);
                    let name = format!("/{endpoint}");
                    let error = error.map(|error| format!("error {error}"));
                    let from_intended_ms = delay_ms.map(|delay_ms| delay_ms + response_ms);
                    recorder.request(&RequestSample {
                        from_intended_start: from_intended_ms.map(|ms| Duration::from_millis(ms.into())),
                        first_byte_only: *first_byte_only,
                        time_to_first_byte: first_byte_ms.map(|ms| Duration::from_millis(ms.into())),
                        status: *status,
                        tags: tags.iter().copied().collect(),
                        ..request(run_zero, &name, *ended_ms, *response_ms, error.as_deref())
                    });
                    for tag in std::collections::BTreeSet::from_iter(tags) {
                        let counts = model.entry((second, format!("tag {tag}"))).or_default();
                        counts.requests += 1;
                        counts.sum_ms += u64::from(*response_ms);
                        counts.failures += u64::from(error.is_some());
                        counts.intended += u64::from(from_intended_ms.is_some());
                        counts.first_bytes += u64::from(first_byte_ms.is_some());
                        counts.first_byte_only += u64::from(*first_byte_only);
                        *counts.statuses.entry(u64::from(status.unwrap_or(0))).or_default() += 1;
                    }
                    let counts = model.entry((second, format!("GET {name}"))).or_default();
                    counts.requests += 1;
                    counts.sum_ms += u64::from(*response_ms);
                    if let Some(error) = error {
                        *counts.errors.entry(error).or_default() += 1;
                        counts.failures += 1;
                        counts.failed_sum_ms += u64::from(*response_ms);
                    }
                    if let Some(ms) = first_byte_ms {
                        counts.first_bytes += 1;
                        counts.first_byte_sum_ms += u64::from(*ms);
                    }
                    *counts.statuses.entry(u64::from(status.unwrap_or(0))).or_default() += 1;
                    if let Some(ms) = from_intended_ms {
                        counts.intended += 1;
                        counts.intended_sum_ms += u64::from(ms);
                    }
                    counts.first_byte_only += u64::from(*first_byte_only);
                }
                Step::TaskError(task) => {
                    if open.len() >= MAX_SECONDS && !open.contains(&0) {
                        continue;
                    }
                    open.insert(0);
                    // The tests' run time zero is in the future, so these are in second 0.
                    recorder.task_error(&format!("User.{task}"), "oh");
                    let counts = model.entry((0, format!("TASK User.{task}"))).or_default();
                    *counts.errors.entry("oh".into()).or_default() += 1;
                }
                Step::Arrival(arrival) => {
                    if open.len() >= MAX_SECONDS && !open.contains(&0) {
                        continue;
                    }
                    open.insert(0);
                    let (arrival, began, late, skipped) = [
                        (Arrival::InTime, 1, 0, 0),
                        (Arrival::Late, 1, 1, 0),
                        (Arrival::Skipped, 0, 0, 1),
                    ][usize::from(*arrival)];
                    recorder.arrival(arrival);
                    arrived.arrivals += began;
                    arrived.late_arrivals += late;
                    arrived.skipped_arrivals += skipped;
                }
                Step::Take(before) => {
                    open.retain(|second| second >= before);
                    take(&recorder, Some(*before), &mut names, &mut results, &mut users);
                }
                Step::TakeSoFar(second) => {
                    open.retain(|open| open >= second);
                    let taken = recorder.take_so_far(*second, &mut names);
                    read(&recorder, taken, &names, &mut results, &mut users);
                }
            }
        }
        take(&recorder, None, &mut names, &mut results, &mut users);
        prop_assert_eq!(results, model);
        prop_assert_eq!(users, arrived);
    }
}

#[test]
fn samples_of_a_second_stay_together_until_it_is_over() {
    let run_zero = run_zero();
    let recorder = begun(run_zero);
    let (mut results, mut names, mut users) =
        (Results::new(), KnownNames::default(), UserChange::default());
    let mut samples = Vec::new();
    for (ended_ms, second) in [(100, 0), (200, 0), (900, 1)] {
        recorder.request(&request(run_zero, "/", ended_ms, 5, None));
        let taken = recorder.take_so_far(second, &mut names);
        samples.push(read(&recorder, taken, &names, &mut results, &mut users));
    }
    assert_eq!(samples, [0, 0, 3]);
    assert_eq!(results[&(0, "GET /".to_owned())].requests, 3);
    assert!(recorder.take_so_far(2, &mut names).seconds.is_empty());
}

#[test]
fn reasons_of_a_failed_test_are_counted_and_can_be_shown() {
    let recorder = begun(run_zero());
    let mut names = KnownNames::default();
    recorder.fail_test("no\tstock\u{1b}[31m ");
    recorder.fail_test("no\tstock\u{1b}[31m ");
    recorder.fail_test(&"x".repeat(10_000));
    let notices = recorder.take_so_far(9, &mut names).notices;
    let notices: Vec<_> = notices
        .iter()
        .map(|notice| (notice.kind, notice.subject.len(), notice.count))
        .collect();
    let failed = NoticeKind::TestFailed;
    assert_eq!(notices, [(failed, 13, 2), (failed, MAX_NAME_BYTES, 1)]);
}

#[tokio::test]
async fn the_first_reason_to_stop_the_test_is_kept() {
    let recorder = begun(run_zero());
    {
        let mut asked = std::pin::pin!(recorder.stop_test_asked());
        assert!(futures_util::poll!(asked.as_mut()).is_pending());
    }
    recorder.stop_test("no token left");
    recorder.stop_test("another");
    assert_eq!(recorder.stop_test_asked().await, "no token left");
    recorder.finish_test(" all\nsold");
    recorder.finish_test("another");
    assert_eq!(recorder.finish_test_asked().await, "all sold");
}

#[test]
fn seconds_that_are_not_taken_merge_without_loss() {
    let run_zero = run_zero();
    let recorder = begun(run_zero);
    for second in 0..1_000 {
        recorder.request(&request(
            run_zero,
            "/",
            second * 1_000,
            5,
            (second % 2 == 0).then_some("no"),
        ));
    }
    let (mut results, mut names, mut users) =
        (Results::new(), KnownNames::default(), UserChange::default());
    take(&recorder, None, &mut names, &mut results, &mut users);
    assert_eq!(results.len(), MAX_SECONDS);
    assert_eq!(
        results.values().map(|counts| counts.requests).sum::<u64>(),
        1_000
    );
    assert_eq!(
        results
            .values()
            .map(|counts| counts.errors.get("no").unwrap_or(&0))
            .sum::<u64>(),
        500
    );
}

#[test]
fn users_are_counted() {
    let recorder = begun(run_zero());
    for _ in 0..3 {
        recorder.user_started();
    }
    recorder.user_stopped();
    let (mut results, mut names, mut users) =
        (Results::new(), KnownNames::default(), UserChange::default());
    take(&recorder, None, &mut names, &mut results, &mut users);
    assert_eq!((users.started, users.stopped), (3, 1));
}

#[test]
fn names_and_errors_beyond_the_caps_are_counted_together() {
    let run_zero = run_zero();
    let recorder = begun(run_zero);
    let errors = MAX_ERRORS + 50;
    for number in 0..MAX_ENDPOINTS + 50 {
        recorder.request(&request(run_zero, &format!("/{number}"), 10, 5, None));
    }
    for number in 0..errors {
        recorder.request(&request(
            run_zero,
            "/0",
            10,
            5,
            Some(&format!("error {number}")),
        ));
    }
    let (mut results, mut names, mut users) =
        (Results::new(), KnownNames::default(), UserChange::default());
    take(&recorder, None, &mut names, &mut results, &mut users);
    assert_eq!(results[&(0, format!(" {OTHER}"))].requests, 50);
    assert_eq!(results[&(0, "GET /0".to_owned())].errors[OTHER], 51);
    assert_eq!(
        results.values().map(|counts| counts.requests).sum::<u64>(),
        (MAX_ENDPOINTS + 50 + errors) as u64
    );
}

/// Several threads and a taker at once: the sum is exact.
#[test]
fn counts_from_many_threads_add_up() {
    let run_zero = run_zero();
    let recorder = Arc::new(begun(run_zero));
    let (mut results, mut names, mut users) =
        (Results::new(), KnownNames::default(), UserChange::default());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let recorder = Arc::clone(&recorder);
                scope.spawn(move || {
                    for number in 0..5_000_u32 {
                        recorder.request(&request(
                            run_zero,
                            &format!("/{thread}"),
                            number,
                            1,
                            None,
                        ));
                    }
                })
            })
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            take(&recorder, Some(3), &mut names, &mut results, &mut users);
        }
    });
    take(&recorder, None, &mut names, &mut results, &mut users);
    assert_eq!(
        results.values().map(|counts| counts.requests).sum::<u64>(),
        15_000
    );
}

#[test]
fn a_sample_has_the_details_of_its_request_and_its_error() {
    let run_zero = run_zero();
    let recorder = begun(run_zero);
    for (number, error) in [None, Some("one"), Some("two"), Some("one")]
        .into_iter()
        .enumerate()
    {
        recorder.request(&RequestSample {
            time_to_first_byte: Some(Duration::from_micros(number as u64)),
            status: error.map(|_| 503),
            user: Some(number as u64),
            ..request(run_zero, "/", 100 + number as u32, 5, error)
        });
    }
    let mut names = KnownNames::default();
    let mut taken = recorder.take(None, &mut names);
    let mut reports = Reports::default();
    for second in &mut taken.seconds {
        second.empty_into(&mut reports, &names);
    }
    let report = &reports.finish()[0];
    assert_eq!(report.sample_errors, ["one", "two"]);
    let details: Vec<_> = report.samples.iter().map(|sample| sample.details).collect();
    let expected = [(0, None), (503, Some(0)), (503, Some(1)), (503, Some(0))];
    assert_eq!(details.len(), expected.len());
    for (at, (status, error)) in expected.into_iter().enumerate() {
        let at = at as u32;
        let expected = SampleDetails {
            first_byte_us: Some(at),
            status: Some(status),
            user: Some(at),
            worker: None,
            error,
            trace_id: None,
        };
        assert_eq!(details[at as usize], expected);
    }
}
