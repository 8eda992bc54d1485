//! Finds the runs that are asked for, reads what is to be compared of each, and compares.

use greylag_infra::protocol::Endpoint;
use greylag_infra::{RunId, RunRecord, WallTime};

use super::remarks::remarks;
use super::{ComparedRun, Comparison, RunComparison, custom_metrics};
use crate::compare::{MIN_BLOCKS, MeasuredRun, compare};
use crate::plain_text::plain_text;
use crate::results::summary::SummaryMetric;
use crate::store::{Scope, Store, StoreError, Window};

/// Most runs of a comparison, the reference and further runs of it included.
pub(crate) const MAX_RUNS: usize = 5;
/// Longest part of a name that an error repeats, in characters.
const MAX_SHOWN: usize = 100;

/// What is to be compared. A run is named by its id, by test and number (`checkout#12`), or by its test, which is the newest one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The runs, with the reference among them or not.
    pub(crate) runs: Vec<String>,
    /// The reference, the first one if none is given.
    pub(crate) reference: Option<String>,
    /// Further runs of the reference.
    pub(crate) baseline: Vec<String>,
    /// Which part of each run.
    pub(crate) stretch: Stretch,
    /// Only this endpoint, as method and name.
    pub(crate) endpoint: Option<String>,
}

/// Which part of each run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Stretch {
    /// From the end of the ramp-up to the beginning of the ramp-down.
    #[default]
    Steady,
    /// All of it.
    Whole,
    /// These seconds.
    Window(Window),
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(crate) enum CompareError {
    #[error(
        "run `{0}` was not found; name runs by id, by test and number such as `checkout#12`, as `checkout#pinned` for the newest pinned run of a test, or by test for its newest run"
    )]
    NoSuchRun(String),
    #[error(
        "a comparison needs 2 to {MAX_RUNS} runs, further runs of the reference included; got {0}"
    )]
    Count(usize),
    #[error("{0} is named twice; name each run once")]
    Twice(String),
    #[error(
        "one further run of the reference says nothing of the noise between runs; name at least two, or none"
    )]
    OneFurtherRun,
    #[error("{0} has not begun")]
    NotBegun(String),
    #[error(
        "the load of {0} is never steady; say which part to compare: a window, or the whole run"
    )]
    NeverSteady(String),
    #[error(
        "{run} has {seconds} s of results in the part that is compared; at least {} are needed",
        MIN_BLOCKS
    )]
    TooShort { run: String, seconds: u32 },
    #[error("{0} has no requests in the part that is compared")]
    NoRequests(String),
    #[error("{run} has no endpoint `{endpoint}`; use method and name, such as `GET /path`")]
    NoSuchEndpoint { run: String, endpoint: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run with what is compared of it.
struct Read {
    record: RunRecord,
    shown: ComparedRun,
    measured: MeasuredRun,
    /// Of all endpoints.
    metrics: Vec<SummaryMetric>,
}

impl Comparison {
    /// Compares runs of a store, as of now.
    ///
    /// # Errors
    /// See [`CompareError`].
    pub(crate) async fn read(
        store: &Store,
        asked: &Asked,
        now: WallTime,
    ) -> Result<Self, CompareError> {
        let named = asked.runs.len() + asked.baseline.len();
        if named > MAX_RUNS {
            return Err(CompareError::Count(named));
        }
        if asked.baseline.len() == 1 {
            return Err(CompareError::OneFurtherRun);
        }
        let (reference, names) = match (&asked.reference, asked.runs.split_first()) {
            (Some(reference), _) => (reference, &asked.runs[..]),
            (None, Some((first, others))) => (first, others),
            (None, None) => return Err(CompareError::Count(named)),
        };
        let reference = find_run(store, reference).await?;
        let mut ids = vec![reference.id.clone()];
        let mut others = Vec::new();
        for name in names {
            let run = find_run(store, name).await?;
            if asked.reference.is_some() && run.id == reference.id {
                continue;
            }
            once(&mut ids, &run)?;
            others.push(run);
        }
        let mut baseline = Vec::new();
        for name in &asked.baseline {
            let run = find_run(store, name).await?;
            once(&mut ids, &run)?;
            baseline.push(run);
        }
        if others.is_empty() || ids.len() > MAX_RUNS {
            return Err(CompareError::Count(ids.len()));
        }
        let reference = Read::of(store, reference, asked, now).await?;
        let baseline = read_all(store, baseline, asked, now).await?;
        let others = read_all(store, others, asked, now).await?;
        // A few milliseconds of arithmetic for each endpoint.
        let compared = tokio::task::spawn_blocking(move || together(reference, baseline, others));
        compared.await.map_err(|_| StoreError::Closed.into())
    }
}

fn together(reference: Read, baseline: Vec<Read>, others: Vec<Read>) -> Comparison {
    let references: Vec<&MeasuredRun> = std::iter::once(&reference)
        .chain(&baseline)
        .map(|run| &run.measured)
        .collect();
    let runs = others
        .iter()
        .map(|run| RunComparison {
            run: run.shown.clone(),
            differences: compare(&references, &run.measured, others.len()),
            remarks: remarks(
                &reference.record,
                &run.record,
                [reference.measured.seconds(), run.measured.seconds()],
            ),
            custom_metrics: custom_metrics::compared(&reference.metrics, &run.metrics),
        })
        .collect();
    Comparison {
        runs,
        reference: reference.shown,
        baseline: baseline.into_iter().map(|run| run.shown).collect(),
    }
}

fn once(ids: &mut Vec<RunId>, run: &RunRecord) -> Result<(), CompareError> {
    if ids.contains(&run.id) {
        return Err(CompareError::Twice(name_of(run)));
    }
    ids.push(run.id.clone());
    Ok(())
}

async fn read_all(
    store: &Store,
    records: Vec<RunRecord>,
    asked: &Asked,
    now: WallTime,
) -> Result<Vec<Read>, CompareError> {
    let mut runs = Vec::with_capacity(records.len());
    for record in records {
        runs.push(Read::of(store, record, asked, now).await?);
    }
    Ok(runs)
}

/// The run of a name: its id, `test#number`, `test#pinned`, or the newest of a test.
///
/// # Errors
/// No run has the name, or the store failed.
pub(crate) async fn find_run(store: &Store, name: &str) -> Result<RunRecord, CompareError> {
    let found = store.run_named(name).await?;
    found.ok_or_else(|| {
        let name = plain_text(name.trim()).chars().take(MAX_SHOWN).collect();
        CompareError::NoSuchRun(name)
    })
}

/// A run as people name it.
pub(super) fn name_of(run: &RunRecord) -> String {
    format!("{} #{}", plain_text(&run.test.name), run.number)
}

impl Read {
    async fn of(
        store: &Store,
        record: RunRecord,
        asked: &Asked,
        now: WallTime,
    ) -> Result<Self, CompareError> {
        if record.started_at.is_none() {
            return Err(CompareError::NotBegun(name_of(&record)));
        }
        let window = match asked.stretch {
            Stretch::Whole => None,
            Stretch::Window(window) => Some(window),
            Stretch::Steady => {
                let steady = record.profile.phases(record.run_time(now)).steady;
                let window =
                    steady.and_then(|seconds| Window::new(seconds.start, seconds.end).ok());
                let window = window.ok_or_else(|| CompareError::NeverSteady(name_of(&record)))?;
                Some(window)
            }
        };
        let endpoint = endpoint(store, &record, asked).await?;
        let scope = Scope {
            window,
            endpoint,
            ..Scope::default()
        };
        let (from, measured) = store.blocks(&record.id, &scope, None).await?;
        let seconds = measured.seconds();
        if measured.blocks() < MIN_BLOCKS {
            return Err(CompareError::TooShort {
                run: name_of(&record),
                seconds,
            });
        }
        if measured.requests() == 0 {
            return Err(CompareError::NoRequests(name_of(&record)));
        }
        let shown = ComparedRun {
            id: record.id.clone(),
            test: plain_text(&record.test.name),
            number: record.number,
            from,
            to: from.saturating_add(seconds),
            requests: measured.requests(),
        };
        let metrics = store.custom_metrics(&record.id, &scope).await?;
        let elapsed_s = scope.elapsed_s(record.elapsed_s(now), &metrics.left_out);
        let metrics = metrics.metrics.iter();
        Ok(Self {
            metrics: metrics
                .map(|totals| SummaryMetric::of(totals, elapsed_s))
                .collect(),
            record,
            shown,
            measured,
        })
    }
}

/// The endpoint that is asked for, which every run must have.
async fn endpoint(
    store: &Store,
    run: &RunRecord,
    asked: &Asked,
) -> Result<Option<Endpoint>, CompareError> {
    let Some(wanted) = asked
        .endpoint
        .as_deref()
        .filter(|wanted| !wanted.is_empty())
    else {
        return Ok(None);
    };
    let known = store.endpoints(&run.id).await?;
    let text = |endpoint: &Endpoint| {
        format!("{} {}", endpoint.method, endpoint.name)
            .trim_start()
            .to_owned()
    };
    let found = known
        .iter()
        .find(|endpoint| text(endpoint) == wanted)
        .or_else(|| {
            known
                .iter()
                .find(|endpoint| plain_text(&text(endpoint)) == wanted)
        });
    found
        .cloned()
        .map(Some)
        .ok_or_else(|| CompareError::NoSuchEndpoint {
            run: name_of(run),
            endpoint: plain_text(wanted).chars().take(MAX_SHOWN).collect(),
        })
}
