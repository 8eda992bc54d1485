//! What is shown against a model: all requests with their ranks.

use proptest::prelude::*;

use super::shown::choose_shown;
use super::*;
use crate::measure::windows::bucket_of;

const SECOND_US: u64 = 1_000_000;

fn sample(endpoint: u32, at_us: u64, response_us: u64, failed: bool) -> SampleData {
    SampleData {
        endpoint,
        at_us,
        response_us,
        failed,
        kind: SampleKind::Drawn,
        ..SampleData::default()
    }
}

/// So many requests in each second, spread over it; one in `failed_one_in` fails.
fn requests(per_second: &[u64], failed_one_in: u64) -> Vec<SampleData> {
    let mut number = 0;
    let mut all = Vec::new();
    for (second, count) in (0..).zip(per_second) {
        for at in 0..*count {
            number += 1;
            let at_us = second * SECOND_US + at * SECOND_US / count;
            let response_us = 1_000 + number * 7_919 % 50_021;
            let mut one = sample(
                (number % 5) as u32,
                at_us,
                response_us,
                number % failed_one_in == 0,
            );
            one.details.user = Some(number as u32);
            all.push(one);
        }
    }
    all
}

/// What comes of requests on their way: workers record them, agents send them in parts, the store
/// keeps a row for each bucket of a level, and the page shows at most `limit`.
fn shown(
    all: &[SampleData],
    workers: usize,
    level: usize,
    limit: usize,
) -> (Vec<SampleData>, Complete) {
    let mut rows: std::collections::BTreeMap<u32, Vec<SampleData>> = Default::default();
    let mut by_worker: HashMap<(u64, usize), SampleReservoir> = HashMap::new();
    for (number, request) in all.iter().enumerate() {
        let key = (request.at_us / SECOND_US, number % workers);
        by_worker.entry(key).or_default().record(*request);
    }
    for ((second, _), mut reservoir) in by_worker {
        let mut part = reservoir.drain();
        assert!(reservoir.is_empty() && part.len() <= MAX_SAMPLES_PER_SECOND);
        thin_samples(&mut part);
        let row = rows.entry(bucket_of(second as u32, level)).or_default();
        row.extend(part);
        thin_samples(row);
        assert!(row.len() <= MAX_SAMPLES_PER_SECOND);
    }
    let mut complete = Complete::ALL;
    let mut samples = Vec::new();
    for row in rows.into_values() {
        complete = complete.and_of(&row);
        samples.extend(row);
    }
    choose_shown(&mut samples, &mut complete, limit);
    (samples, complete)
}

/// What is known of each but why it was kept.
fn ids<'a>(samples: impl IntoIterator<Item = &'a SampleData>) -> Vec<(u64, u64, Option<u32>)> {
    let mut ids: Vec<_> = samples
        .into_iter()
        .map(|s| (s.at_us, s.response_us, s.details.user))
        .collect();
    ids.sort();
    ids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The model: of all requests exactly those up to one rank are drawn, of the failed ones exactly those
    /// up to another, whatever the way.
    #[test]
    fn every_request_up_to_one_rank_is_drawn_and_no_other(
        per_second in prop::collection::vec(prop_oneof![0_u64..20, 50_u64..400], 1..20),
        failed_one_in in 1_u64..200,
        workers in 1_usize..4,
        level in 0_usize..2,
        limit in 20_usize..400,
    ) {
        let all = requests(&per_second, failed_one_in);
        let (kept, complete) = shown(&all, workers, level, limit);
        let drawn = kept.iter().filter(|s| s.kind.is_drawn());
        let expected = all.iter().filter(|s| rank(*s) <= complete.drawn);
        prop_assert_eq!(ids(drawn.clone()), ids(expected));
        prop_assert!(drawn.count() <= limit);
        let failed = kept.iter().filter(|s| s.failed && s.kind != SampleKind::Slow);
        let expected = all.iter().filter(|s| s.failed && rank(*s) <= complete.failed);
        prop_assert_eq!(ids(failed), ids(expected));
        for endpoint in 0..5 {
            let slowest = |of: &[SampleData]| {
                of.iter().filter(|s| s.endpoint == endpoint).map(|s| s.response_us).max()
            };
            prop_assert_eq!(slowest(&kept), slowest(&all));
        }
        prop_assert!(kept.is_sorted_by_key(|s| s.at_us));
    }
}

#[test]
fn the_slowest_is_kept_where_more_requests_failed_than_are_known() {
    for count in [69, 70, 71, 89, 90, 91, 92, 111, 400] {
        let all = requests(&[count], 1);
        let (kept, _) = shown(&all, 1, 0, 20);
        for endpoint in 0..5 {
            let slowest = |of: &[SampleData]| {
                let of = of.iter().filter(|s| s.endpoint == endpoint);
                of.map(|s| s.response_us).max()
            };
            assert_eq!(
                slowest(&kept),
                slowest(&all),
                "endpoint {endpoint} of {count}"
            );
        }
    }
}

#[test]
fn dots_are_in_proportion_and_as_dense_at_the_end_as_before() {
    // A ramp, a plateau with a quiet minute in it; 1 request in 15 fails.
    let per_second: Vec<u64> = (0..300)
        .map(|second| match second {
            0..60 => 5 * (second + 1),
            120..180 => 30,
            _ => 300,
        })
        .collect();
    let all = requests(&per_second, 15);
    let (kept, complete) = shown(&all, 2, 1, 4_000);
    let share = complete.drawn_share();
    assert!(
        kept.len() > 1_000 && share < 0.2,
        "{} of {}",
        kept.len(),
        all.len()
    );
    type Part<'a> = dyn Fn(&SampleData) -> bool + 'a;
    let density = |wanted: &Part| {
        let count = |of: &[SampleData]| of.iter().filter(|s| wanted(s)).count() as f64;
        count(&kept) / count(&all)
    };
    let second = |s: &SampleData| s.at_us / SECOND_US;
    let parts: [(&str, &Part); 6] = [
        ("ramp", &|s| second(s) < 60),
        ("plateau", &|s| (60..120).contains(&second(s))),
        ("quiet minute", &|s| (120..180).contains(&second(s))),
        ("last half minute", &|s| second(s) >= 270),
        ("successes", &|s| !s.failed),
        ("failures", &|s| s.failed),
    ];
    for (what, wanted) in parts {
        let drawn = density(wanted);
        // Four deviations of the smallest part, the quiet minute's 1,800 requests.
        assert!(
            (drawn / share - 1.0).abs() < 0.35,
            "{what}: {drawn} where {share} is fair"
        );
    }
}

#[test]
fn rare_failures_and_the_slowest_are_kept_and_marked() {
    let mut all = requests(&[500; 60], u64::MAX);
    for second in 0..4 {
        let at = second * 7_000 + 77;
        all[at].failed = true;
        all[at].response_us = 3 + at as u64;
    }
    all[12_345].response_us = 9_000_000;
    let (kept, complete) = shown(&all, 1, 1, 500);
    assert!(complete.drawn_share() < 0.05);
    assert_eq!(complete.failed_share(), 1.0);
    assert_eq!(kept.iter().filter(|s| s.failed).count(), 4);
    let extra = kept.iter().filter(|s| !s.kind.is_drawn()).count();
    assert!(extra <= 5 + 4, "{extra} kept in addition");
    let slowest = kept.iter().find(|s| s.response_us == 9_000_000);
    assert_eq!(slowest.map(|s| s.kind), Some(SampleKind::Slow));
}

#[test]
fn everything_of_a_quiet_run_is_shown() {
    let all = requests(&[3, 0, 60], 2);
    let (kept, complete) = shown(&all, 2, 0, 1_000);
    assert_eq!((kept.len(), complete), (63, Complete::ALL));
}
