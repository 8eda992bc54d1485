//! The recorder against a naive model.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::protocol::{MAX_ENDPOINTS, MAX_ERRORS, OTHER};
use greylag_reporting::Interval;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Request {
        endpoint: u8,
        ended_ms: u32,
        response_ms: u32,
        error: Option<u8>,
    },
    TaskError(u8),
    /// Takes out the seconds before this one.
    Take(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..6, 0u32..200_000, 0u32..5_000, prop::option::of(0u8..4)).prop_map(
            |(endpoint, ended_ms, response_ms, error)| Step::Request { endpoint, ended_ms, response_ms, error }
        ),
        1 => (0u8..3).prop_map(Step::TaskError),
        1 => (0u32..200).prop_map(Step::Take),
    ]
}

/// Counts of one endpoint in one second: requests, sum of ms, errors.
type Counts = (u64, u64, BTreeMap<String, u64>);
type Results = BTreeMap<(u32, String), Counts>;

/// Takes seconds out and reads what was encoded.
fn take(
    recorder: &RunRecorder,
    before: Option<u32>,
    endpoints: &mut Vec<Arc<Endpoint>>,
    results: &mut Results,
    users: &mut (u64, u64),
) {
    let mut taken = recorder.take(before, endpoints);
    let mut reports = Reports::default();
    for second in &mut taken.seconds {
        if let Some(before) = before {
            assert!(second.number() < before);
        }
        second.empty_into(&mut reports, endpoints);
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
            counts.0 += interval.requests;
            counts.1 += interval.sum_us / 1_000;
            for (error, occurrences) in &interval.errors {
                *counts.2.entry(error.clone()).or_default() += occurrences;
            }
        }
        for change in report.user_changes {
            users.0 += change.started;
            users.1 += change.stopped;
        }
        let samples = report.samples.len() as u64;
        assert!(samples <= report.intervals.iter().map(|data| data.requests).sum());
    }
}

fn request<'a>(
    run_zero: Instant,
    name: &'a str,
    ended_ms: u32,
    response_ms: u32,
    error: Option<&'a str>,
) -> RequestSample<'a> {
    let response_time = Duration::from_millis(response_ms.into());
    RequestSample {
        method: "GET",
        name,
        started_at: run_zero + Duration::from_millis(ended_ms.into()) - response_time,
        response_time,
        time_to_first_byte: None,
        response_length: 10,
        error,
        from_intended_start: None,
        first_byte_only: false,
    }
}

/// Run time zero of the tests: late enough for requests that began before it.
fn run_zero() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every request is counted once, in the second in which it ended, whenever seconds are taken out.
    #[test]
    fn counts_are_exact(steps in prop::collection::vec(step(), 0..300)) {
        let run_zero = run_zero();
        let recorder = RunRecorder::new(run_zero);
        let (mut results, mut model) = (Results::new(), Results::new());
        let (mut endpoints, mut users) = (Vec::new(), (0, 0));
        let mut open = std::collections::BTreeSet::new();
        for step in &steps {
            match step {
                Step::Request { endpoint, ended_ms, response_ms, error } => {
                    let second = ended_ms / 1_000;
                    // Beyond the cap seconds merge; that is another test.
                    if open.len() >= MAX_SECONDS && !open.contains(&second) {
                        continue;
                    }
                    open.insert(second);
                    let name = format!("/{endpoint}");
                    let error = error.map(|error| format!("error {error}"));
                    recorder.request(&request(run_zero, &name, *ended_ms, *response_ms, error.as_deref()));
                    let counts = model.entry((second, format!("GET {name}"))).or_default();
                    counts.0 += 1;
                    counts.1 += u64::from(*response_ms);
                    if let Some(error) = error {
                        *counts.2.entry(error).or_default() += 1;
                    }
                }
                Step::TaskError(task) => {
                    if open.len() >= MAX_SECONDS && !open.contains(&0) {
                        continue;
                    }
                    open.insert(0);
                    // The tests' run time zero is in the future, so these are in second 0.
                    recorder.task_error(&format!("User.{task}"), "oh");
                    let counts = model.entry((0, format!("TASK User.{task}"))).or_default();
                    *counts.2.entry("oh".into()).or_default() += 1;
                }
                Step::Take(before) => {
                    open.retain(|second| second >= before);
                    take(&recorder, Some(*before), &mut endpoints, &mut results, &mut users);
                }
            }
        }
        take(&recorder, None, &mut endpoints, &mut results, &mut users);
        prop_assert_eq!(results, model);
    }
}

#[test]
fn seconds_that_nobody_takes_merge_without_loss() {
    let run_zero = run_zero();
    let recorder = RunRecorder::new(run_zero);
    for second in 0..1_000 {
        recorder.request(&request(
            run_zero,
            "/",
            second * 1_000,
            5,
            (second % 2 == 0).then_some("no"),
        ));
    }
    let (mut results, mut endpoints, mut users) = (Results::new(), Vec::new(), (0, 0));
    take(&recorder, None, &mut endpoints, &mut results, &mut users);
    assert_eq!(results.len(), MAX_SECONDS);
    assert_eq!(results.values().map(|counts| counts.0).sum::<u64>(), 1_000);
    assert_eq!(
        results
            .values()
            .map(|counts| counts.2.get("no").unwrap_or(&0))
            .sum::<u64>(),
        500
    );
}

#[test]
fn users_are_counted() {
    let recorder = RunRecorder::new(run_zero());
    for _ in 0..3 {
        recorder.user_started();
    }
    recorder.user_stopped();
    let (mut results, mut endpoints, mut users) = (Results::new(), Vec::new(), (0, 0));
    take(&recorder, None, &mut endpoints, &mut results, &mut users);
    assert_eq!(users, (3, 1));
}

#[test]
fn names_and_errors_beyond_the_caps_are_counted_together() {
    let run_zero = run_zero();
    let recorder = RunRecorder::new(run_zero);
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
    let (mut results, mut endpoints, mut users) = (Results::new(), Vec::new(), (0, 0));
    take(&recorder, None, &mut endpoints, &mut results, &mut users);
    assert_eq!(results[&(0, format!(" {OTHER}"))].0, 50);
    assert_eq!(results[&(0, "GET /0".to_owned())].2[OTHER], 51);
    assert_eq!(
        results.values().map(|counts| counts.0).sum::<u64>(),
        (MAX_ENDPOINTS + 50 + errors) as u64
    );
}

/// Several threads and a taker at once: the sum is exact.
#[test]
fn counts_from_many_threads_add_up() {
    let run_zero = run_zero();
    let recorder = Arc::new(RunRecorder::new(run_zero));
    let (mut results, mut endpoints, mut users) = (Results::new(), Vec::new(), (0, 0));
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
            take(&recorder, Some(3), &mut endpoints, &mut results, &mut users);
        }
    });
    take(&recorder, None, &mut endpoints, &mut results, &mut users);
    assert_eq!(results.values().map(|counts| counts.0).sum::<u64>(), 15_000);
}
