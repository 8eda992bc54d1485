//! What a file has of single things: requests behind dots, failed requests with what came back, and lines of the log. Each has a room of
//! its own.

use std::collections::{HashMap, HashSet};

use greylag_infra::protocol::SampleKind;
use greylag_infra::{RunId, RunRecord};

use super::DataBlock;
use super::fitted::{Fitted, Room, ends_first, evenly, fitted};
use crate::api_types::LogRow;
use crate::results::page_text::count;
use crate::store::{LogFilter, LogOrder, LogRange, Scope, Store};
use crate::web::api::{ErrorSampleAnswer, SampleAnswer};
use crate::web::error::WebError;
use crate::web::live::run_feed::MAX_DOTS;

/// Most lines at the end of the log that a file has.
const LAST_LOG_LINES: usize = 9_000;
/// Most lines at the beginning of the log, if those at its end are not all.
const FIRST_LOG_LINES: usize = 1_000;
/// Samples of errors that a run has at most.
const MAX_ERROR_SAMPLES: usize = 1_000;

/// Lines mostly take a tenth of it when they are compressed.
const LOG_ROOM: Room = Room {
    json: 2_000_000,
    in_page: 400_000,
};
const ERROR_SAMPLE_ROOM: Room = Room {
    json: 600_000,
    in_page: 300_000,
};
const SAMPLE_ROOM: Room = Room {
    json: 2_500_000,
    in_page: 350_000,
};

/// The blocks of a file for them, and what is said of what there was no room for.
#[derive(Debug, Default)]
pub(super) struct Singles {
    pub(super) blocks: Vec<DataBlock>,
    pub(super) notes: Vec<String>,
}

impl Singles {
    /// Reads them. Without the requests behind dots, where the file has no dots.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn read(
        store: &Store,
        run: &RunRecord,
        has_dots: bool,
    ) -> Result<Self, WebError> {
        let mut singles = Self::default();
        singles.add_log(store, &run.id).await?;
        singles.add_error_samples(store, run).await?;
        let most = if has_dots { MAX_DOTS } else { 0 };
        singles.add_samples(store, run, most).await?;
        Ok(singles)
    }

    fn add(&mut self, id: &'static str, fitted: Fitted) {
        self.blocks.push(DataBlock {
            id,
            base64: fitted.base64,
        });
    }

    async fn add_log(&mut self, store: &Store, id: &RunId) -> Result<(), WebError> {
        let lines = ends_of_log(store, id).await?;
        // Positions have no gaps.
        let all = lines.last().map_or(0, |line| line.seq);
        let important = ends_first(lines.len());
        let fitted = fitted(lines, important, LOG_ROOM).await?;
        let left_out = all - fitted.kept.len() as u64;
        if left_out > 0 {
            self.notes.push(format!(
                "{} lines in the middle of the log are not in this file.",
                count(left_out)
            ));
        }
        self.add("file-log", fitted);
        Ok(())
    }

    async fn add_error_samples(&mut self, store: &Store, run: &RunRecord) -> Result<(), WebError> {
        let whole = Scope::default();
        let (rows, _) = store
            .error_samples(&run.id, &whole, None, MAX_ERROR_SAMPLES)
            .await?;
        let samples: Vec<ErrorSampleAnswer> = rows
            .into_iter()
            .map(|row| ErrorSampleAnswer::of(row, run.started_at))
            .collect();
        let keys: Vec<String> = samples.iter().map(ErrorSampleAnswer::error_key).collect();
        let all = samples.len();
        let fitted = fitted(samples, first_of_each(&keys), ERROR_SAMPLE_ROOM).await?;
        let left_out = all - fitted.kept.len();
        if left_out > 0 {
            let with_samples: HashSet<&String> = fitted.kept.iter().map(|at| &keys[*at]).collect();
            let errors: HashSet<&String> = keys.iter().collect();
            let of_errors = match errors.len() - with_samples.len() {
                0 => "each error has its first ones".to_owned(),
                1 => "1 error has none here".to_owned(),
                errors => format!("{} errors have none here", count(errors as u64)),
            };
            self.notes.push(format!(
                "{} samples of errors are not in this file; {of_errors}.",
                count(left_out as u64)
            ));
        }
        self.add("file-error-samples", fitted);
        Ok(())
    }

    async fn add_samples(
        &mut self,
        store: &Store,
        run: &RunRecord,
        most: usize,
    ) -> Result<(), WebError> {
        let (rows, _) = store
            .sample_details(&run.id, &Scope::default(), most)
            .await?;
        let ranks: Vec<u8> = rows
            .iter()
            .map(|row| u8::from(row.kind == SampleKind::Drawn && !row.failed))
            .collect();
        let samples: Vec<SampleAnswer> = rows
            .into_iter()
            .map(|row| SampleAnswer::of(row, run.started_at))
            .collect();
        let all = samples.len();
        let fitted = fitted(samples, evenly(&ranks), SAMPLE_ROOM).await?;
        if fitted.kept.len() < all {
            self.notes.push(format!(
                "Details of single requests are in this file for {} of the {} in the chart of response times.",
                count(fitted.kept.len() as u64),
                count(all as u64)
            ));
        }
        self.add("file-samples", fitted);
        Ok(())
    }
}

/// The first and the last lines of a run's log, in order.
async fn ends_of_log(store: &Store, id: &RunId) -> Result<Vec<LogRow>, WebError> {
    let all = LogFilter::default();
    let last = LogRange {
        after: 0,
        before: None,
        order: LogOrder::Last,
        limit: LAST_LOG_LINES,
    };
    let mut last = store.log_page(id, &all, last).await?.rows;
    let Some(next) = last.first().map(|row| row.seq).filter(|seq| *seq > 1) else {
        return Ok(last);
    };
    let first = LogRange {
        after: 0,
        before: Some(next),
        order: LogOrder::First,
        limit: FIRST_LOG_LINES,
    };
    let mut log = store.log_page(id, &all, first).await?.rows;
    log.append(&mut last);
    Ok(log)
}

/// Samples by importance: the first of each error before any second one. `errors`: of each sample its error.
fn first_of_each(errors: &[String]) -> Vec<usize> {
    let mut of_error: HashMap<&str, u32> = HashMap::new();
    let ranks: Vec<u32> = errors
        .iter()
        .map(|error| {
            let rank = of_error.entry(error).or_default();
            *rank += 1;
            *rank
        })
        .collect();
    let mut important: Vec<usize> = (0..errors.len()).collect();
    important.sort_by_key(|at| ranks[*at]);
    important
}
