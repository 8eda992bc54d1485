//! The counts of runs that are active, in a bounded number of series.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use greylag_infra::protocol::{Endpoint, OTHER};
use greylag_infra::{RunId, RunRecord, WallTime};

use crate::coordinator::Coordinator;
use crate::measure::interval::{Interval, Measure, Measures};
use crate::plain_text::plain_text;
use crate::results::summary::SummaryMetric;
use crate::store::{RunTotals, Scope, StoreError};

/// Runs in progress whose counts are shown, at most, and as many that ended: places of their own, so that the last counts of a run are
/// shown however many others go on.
pub(super) const MAX_RUNS: usize = 10;
/// Endpoints of a run that have series of their own, at most: those that were requested first, so that later ones change nothing.
pub(super) const MAX_ENDPOINTS_OF_RUN: usize = 200;
/// Bytes of their methods and names, at most. Each stands in some twenty lines.
pub(super) const MAX_NAME_BYTES_OF_RUN: usize = 16 * 1024;
/// How long a run is still shown after its end, so that its last counts are scraped.
pub(super) const SHOWN_AFTER_END: Duration = Duration::from_secs(5 * 60);

/// Upper limits of the buckets of response times, in µs; one without limit comes last.
pub(super) const BUCKETS_US: [u64; 16] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000,
];

/// A run and what it has counted so far.
#[derive(Debug)]
pub(super) struct ActiveRun {
    pub(super) id: String,
    pub(super) test: String,
    pub(super) number: u64,
    pub(super) elapsed_s: f64,
    pub(super) users: u64,
    pub(super) endpoints: EndpointsCounts,
    /// What the scenario counts beside its requests, by name.
    pub(super) custom: BTreeMap<String, SummaryMetric>,
}

/// What was counted of each endpoint, by method and name.
pub(super) type EndpointsCounts = BTreeMap<(String, String), EndpointCounts>;

/// What was counted of an endpoint, or of several.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct EndpointCounts {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) response_s: f64,
    /// Requests by bucket, each without those of the buckets before.
    pub(super) buckets: [u64; BUCKETS_US.len() + 1],
}

impl EndpointCounts {
    fn add(&mut self, interval: &Interval) {
        let sums = interval.sums();
        self.requests = self.requests.saturating_add(sums.requests());
        self.failures = self.failures.saturating_add(sums.failures);
        self.response_s += sums.response.sum_us as f64 / 1e6;
        for (value_us, count) in interval.distribution() {
            let bucket = BUCKETS_US.partition_point(|limit| *limit < value_us);
            self.buckets[bucket] = self.buckets[bucket].saturating_add(count);
        }
    }
}

/// The unfinished runs that have begun, and those that ended lately, each as far as there is room.
pub(super) async fn active(
    coordinator: &Coordinator,
    unfinished: Vec<RunRecord>,
) -> Result<Vec<RunRecord>, StoreError> {
    let (store, now) = (coordinator.store(), coordinator.now());
    let since = WallTime::from_micros(
        now.as_micros()
            .saturating_sub(SHOWN_AFTER_END.as_micros() as u64),
    );
    // Some may be among the unfinished ones, which were read before.
    let ended = store.runs_ended_since(since, 2 * MAX_RUNS).await?;
    Ok(shown(unfinished, ended))
}

/// Which of the unfinished runs, and of those that ended lately, the last first, are shown.
fn shown(unfinished: Vec<RunRecord>, ended: Vec<RunRecord>) -> Vec<RunRecord> {
    let begun = unfinished
        .into_iter()
        .filter(|run| run.started_at.is_some());
    let mut shown: Vec<RunRecord> = begun.take(MAX_RUNS).collect();
    // They are read one after the other, and a run that ends in between is in both.
    let in_progress: BTreeSet<RunId> = shown.iter().map(|run| run.id.clone()).collect();
    let ended = ended
        .into_iter()
        .filter(|run| run.started_at.is_some() && !in_progress.contains(&run.id));
    shown.extend(ended.take(MAX_RUNS));
    shown
}

/// What was read of a run; `None` for one that has been deleted since the runs were listed, which must not cost the others their counts.
///
/// # Errors
/// The database failed.
pub(super) fn unless_deleted<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::UnknownRun(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same with what they have counted.
pub(super) async fn read(
    coordinator: &Coordinator,
    unfinished: Vec<RunRecord>,
) -> Result<Vec<ActiveRun>, StoreError> {
    let mut read = Vec::new();
    for run in active(coordinator, unfinished).await? {
        read.extend(unless_deleted(read_one(coordinator, &run).await)?);
    }
    Ok(read)
}

async fn read_one(coordinator: &Coordinator, run: &RunRecord) -> Result<ActiveRun, StoreError> {
    Ok(ActiveRun {
        id: run.id.to_string(),
        test: plain_text(&run.test.name),
        number: run.number,
        elapsed_s: run.elapsed_s(coordinator.now()),
        users: users_of(coordinator, run, &Scope::default()).await?,
        endpoints: counts_of(coordinator, run, &Scope::default()).await?,
        custom: custom_of(coordinator, run).await?,
    })
}

/// The active users of a run, or of an agent of it.
pub(super) async fn users_of(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
) -> Result<u64, StoreError> {
    match run.phase.is_over() {
        true => Ok(0),
        false => coordinator.store().users_active(&run.id, scope).await,
    }
}

/// What a run has counted of its requests in a scope.
pub(super) async fn counts_of(
    coordinator: &Coordinator,
    run: &RunRecord,
    scope: &Scope,
) -> Result<EndpointsCounts, StoreError> {
    let store = coordinator.store();
    // Reading the others would take three times as long.
    let measures = Measures::only(Measure::Response);
    let totals = store.totals_with(&run.id, scope, measures).await?;
    Ok(counts(&totals, &store.endpoints(&run.id).await?))
}

/// The custom metrics of a run by name. Of two that read alike the first is shown.
pub(super) async fn custom_of(
    coordinator: &Coordinator,
    run: &RunRecord,
) -> Result<BTreeMap<String, SummaryMetric>, StoreError> {
    let whole = Scope::default();
    let custom = coordinator.store().custom_metrics(&run.id, &whole).await?;
    let elapsed_s = run.elapsed_s(coordinator.now());
    let mut shown = BTreeMap::new();
    for totals in &custom.metrics {
        let metric = SummaryMetric::of(totals, elapsed_s);
        shown.entry(plain_text(&metric.name)).or_insert(metric);
    }
    Ok(shown)
}

/// The counts of the first endpoints, and those of all others together. `first` are the endpoints in the order in which they came.
fn counts(totals: &RunTotals, first: &[Endpoint]) -> EndpointsCounts {
    let mut bytes = 0;
    let named: Vec<&Endpoint> = first
        .iter()
        .take(MAX_ENDPOINTS_OF_RUN)
        .take_while(|endpoint| {
            bytes += endpoint.method.len() + endpoint.name.len();
            bytes <= MAX_NAME_BYTES_OF_RUN
        })
        .collect();
    let mut counts = EndpointsCounts::new();
    for (endpoint, interval) in totals.requested() {
        let key = match named.contains(&endpoint) {
            // Two that read alike are one here.
            true => (plain_text(&endpoint.method), plain_text(&endpoint.name)),
            false => (String::new(), OTHER.to_owned()),
        };
        counts.entry(key).or_default().add(interval);
    }
    counts
}

#[cfg(test)]
mod tests {
    use greylag_infra::{Completeness, LoadProfile, LoadTest, RunPhase};

    use super::*;

    /// A run that began at 1 s, and ended at `ended_s` if that is given.
    fn run(id: &str, ended_s: Option<u64>) -> RunRecord {
        let at = |second: u64| WallTime::from_micros(second * 1_000_000);
        RunRecord {
            id: id.into(),
            number: 1,
            test: LoadTest::default(),
            phase: match ended_s {
                None => RunPhase::Running,
                Some(_) => RunPhase::Finished,
            },
            created_at: at(0),
            started_at: Some(at(1)),
            ended_at: ended_s.map(at),
            agents: Vec::new(),
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        }
    }

    fn ids(unfinished: Vec<RunRecord>, ended: Vec<RunRecord>) -> Vec<String> {
        let shown = shown(unfinished, ended);
        shown.iter().map(|run| run.id.to_string()).collect()
    }

    #[test]
    fn a_run_that_ends_while_runs_are_read_is_shown_once() {
        let ended = vec![run("a", Some(999)), run("c", Some(998))];
        assert_eq!(
            ids(vec![run("a", None), run("b", None)], ended),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn runs_that_ended_have_places_however_many_go_on() {
        let unfinished: Vec<RunRecord> = (0..30).map(|n| run(&format!("u{n}"), None)).collect();
        let ended = (0..30).rev().map(|n| run(&format!("e{n}"), Some(900 + n)));
        let shown = ids(unfinished, ended.collect());
        let expected = (0..10).map(|n| format!("u{n}"));
        let expected = expected.chain((20..30).rev().map(|n| format!("e{n}")));
        assert_eq!(shown, expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_deleted_run_is_left_out() {
        assert_eq!(unless_deleted(Ok(1)).unwrap(), Some(1));
        let deleted: Result<u64, _> = Err(StoreError::UnknownRun("a".into()));
        assert_eq!(unless_deleted(deleted).unwrap(), None);
        unless_deleted::<u64>(Err(StoreError::Closed)).unwrap_err();
    }

    fn endpoint(name: &str) -> Endpoint {
        Endpoint {
            method: "GET".to_owned(),
            name: name.to_owned(),
        }
    }

    fn totals(endpoints: &[Endpoint]) -> RunTotals {
        let mut interval = Interval::default();
        interval.record(Duration::from_micros(900), None, 10, None);
        interval.record(Duration::from_micros(2_500), None, 10, Some("boom"));
        interval.record(Duration::from_secs(3_000), None, 10, None);
        let endpoints = endpoints.iter().cloned();
        RunTotals {
            endpoints: endpoints
                .map(|endpoint| (endpoint, interval.clone()))
                .collect(),
            ..RunTotals::default()
        }
    }

    #[test]
    fn requests_are_in_the_bucket_of_their_response_time() {
        let first = [endpoint("/a")];
        let counts = counts(&totals(&first), &first);
        let of_a = &counts[&("GET".to_owned(), "/a".to_owned())];
        assert_eq!((of_a.requests, of_a.failures), (3, 1));
        assert!((of_a.response_s - 3_000.003_4).abs() < 1e-9);
        let mut buckets = [0; BUCKETS_US.len() + 1];
        (buckets[0], buckets[1], buckets[16]) = (1, 1, 1);
        assert_eq!(of_a.buckets, buckets);
    }

    #[test]
    fn the_first_endpoints_have_series_and_the_others_share_one() {
        let mut first: Vec<Endpoint> = (0..500)
            .map(|number| endpoint(&format!("/{number}")))
            .collect();
        let all = counts(&totals(&first), &first);
        assert_eq!(all.len(), MAX_ENDPOINTS_OF_RUN + 1);
        assert_eq!(all[&("GET".to_owned(), "/199".to_owned())].requests, 3);
        assert_eq!(all[&(String::new(), OTHER.to_owned())].requests, 900);
        let sum: u64 = all.values().map(|counts| counts.requests).sum();
        assert_eq!(sum, 1_500);

        first[0].name = "x".repeat(MAX_NAME_BYTES_OF_RUN);
        let all = counts(&totals(&first), &first);
        assert_eq!(all.len(), 1, "names beyond the limit in bytes");
    }
}
