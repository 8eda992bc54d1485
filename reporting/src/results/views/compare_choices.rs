//! Which runs are offered for a comparison.

use greylag_infra::{RunId, RunRecord, WallTime};

use crate::plain_text::plain_text;
use crate::results::comparison::{CompareAddress, CompareError, MAX_RUNS, find_run};
use crate::results::views::front_view::RunRow;
use crate::results::views::run_view::shown_status;
use crate::store::{ListedAnnotations, RunFilter, Store, StoreError};

/// Runs that a form offers beside those that are named.
const MAX_OFFERED: usize = 25;
/// Further runs of a test, and pinned ones, that the page of a run offers.
const MAX_OTHERS: usize = 5;
/// Runs that are looked at for them.
const MAX_LOOKED_AT: usize = 12;

/// A run that can be chosen.
#[derive(Debug)]
pub(crate) struct RunChoice {
    pub(crate) id: RunId,
    /// `checkout #3`.
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) shown_status: &'static str,
    pub(crate) started: Option<WallTime>,
    pub(crate) pinned: bool,
    pub(crate) labels: Vec<String>,
    /// Whether it is one of those that were named.
    pub(crate) is_chosen: bool,
}

impl RunChoice {
    fn new(run: &RunRecord, said: &ListedAnnotations, is_chosen: bool) -> Self {
        let status = run.phase.status().word();
        Self {
            id: run.id.clone(),
            name: format!("{} #{}", plain_text(&run.test.name), run.number),
            status,
            shown_status: shown_status(status, run.phase.word(), run.phase.wait_reason().is_some()),
            started: run.started_at,
            pinned: said.pinned,
            labels: said.labels.iter().map(|label| plain_text(label)).collect(),
            is_chosen,
        }
    }
}

/// The runs that a form offers: those that are named and exist, then others of their tests, then the newest of all.
///
/// # Errors
/// The store failed.
pub(crate) async fn choices(store: &Store, named: &[String]) -> Result<Vec<RunChoice>, StoreError> {
    let mut ids: Vec<RunId> = Vec::new();
    let mut tests: Vec<Option<String>> = Vec::new();
    for name in named.iter().take(MAX_RUNS) {
        match find_run(store, name).await {
            Ok(run) => {
                ids.push(run.id);
                let test = Some(run.test.name);
                if !tests.contains(&test) {
                    tests.push(test);
                }
            }
            Err(CompareError::Store(error)) => return Err(error),
            Err(_) => {}
        }
    }
    tests.push(None);
    let mut offered: Vec<RunChoice> = Vec::new();
    for test in tests {
        let filter = RunFilter {
            test,
            limit: Some(MAX_OFFERED),
            ..RunFilter::default()
        };
        let (runs, _) = store.listed_runs(filter).await?;
        for (run, said) in &runs {
            let is_known = offered.iter().any(|known| known.id == run.id);
            if run.started_at.is_some() && !is_known && offered.len() < MAX_OFFERED {
                offered.push(RunChoice::new(run, said, ids.contains(&run.id)));
            }
        }
    }
    // A run that is named is offered however old it is.
    for id in ids.iter().rev() {
        if offered.iter().any(|known| known.id == *id) {
            continue;
        }
        if let Some(run) = store.run(id).await? {
            offered.insert(0, RunChoice::new(&run, &ListedAnnotations::default(), true));
        }
    }
    offered.sort_by_key(|run| !run.is_chosen);
    Ok(offered)
}

/// The comparisons that the page of a run offers.
#[derive(Debug, Default)]
pub(crate) struct CompareWith {
    /// With the run before it, of the same test.
    pub(crate) previous: Option<OtherRun>,
    /// With pinned runs of the test, then with others.
    pub(crate) others: Vec<OtherRun>,
    /// Address of a form for any other.
    pub(crate) choose: String,
}

/// A run as the reference of a comparison.
#[derive(Debug)]
pub(crate) struct OtherRun {
    pub(crate) number: u64,
    pub(crate) started: Option<WallTime>,
    pub(crate) pinned: bool,
    /// The page of the comparison.
    pub(crate) url: String,
}

impl CompareWith {
    /// With what a run can be compared. Nothing, while it has not begun.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn of(
        store: &Store,
        base: &str,
        run: &RunRecord,
    ) -> Result<Option<Self>, StoreError> {
        if run.started_at.is_none() {
            return Ok(None);
        }
        let other = |other: &RunRecord, pinned| OtherRun {
            number: other.number,
            started: other.started_at,
            pinned,
            url: CompareAddress::new(base, vec![other.id.clone(), run.id.clone()]).page(),
        };
        let previous = store.run_before(run).await?;
        let mut others: Vec<OtherRun> = Vec::new();
        for search in ["is:pinned", ""] {
            let filter = RunFilter {
                test: Some(run.test.name.clone()),
                search: search.to_owned(),
                limit: Some(MAX_LOOKED_AT),
                offset: 0,
            };
            let (runs, _) = store.listed_runs(filter).await?;
            let mut added = 0;
            for (known, said) in &runs {
                let is_there = known.id == run.id
                    || previous.as_ref().is_some_and(|other| other.id == known.id)
                    || others.iter().any(|other| other.number == known.number);
                if known.started_at.is_some() && !is_there && added < MAX_OTHERS {
                    others.push(other(known, said.pinned));
                    added += 1;
                }
            }
        }
        let mut choose = CompareAddress::new(base, vec![run.id.clone()]).page();
        choose.push_str("&choose=");
        Ok(Some(Self {
            previous: previous.map(|previous| other(&previous, false)),
            others,
            choose,
        }))
    }
}

/// Comparisons of the newest of these runs of one test, newest first, that is over: with the one before it, and with the newest that is
/// pinned. What it says, and the address of the page.
pub(crate) fn of_newest(base: &str, rows: &[RunRow]) -> Vec<(String, String)> {
    let mut over = rows
        .iter()
        .filter(|row| row.status != "Running" && row.started.is_some());
    let Some(newest) = over.next() else {
        return Vec::new();
    };
    let others: Vec<&RunRow> = over.collect();
    let previous = others.first().copied();
    let pinned = others.iter().skip(1).find(|row| row.pinned).copied();
    let link = |word: &str, other: &RunRow| {
        let address = CompareAddress::new(base, vec![other.id.clone(), newest.id.clone()]);
        (
            format!("#{} with {word} #{}", newest.number, other.number),
            address.page(),
        )
    };
    let previous = previous.map(|other| link("the run before,", other));
    let pinned = pinned.map(|other| link("pinned", other));
    previous.into_iter().chain(pinned).collect()
}
