//! What a file has of its run: what the API answers about the whole run, as far as there is room.

use std::collections::{BTreeMap, HashMap, HashSet};

use greylag_infra::protocol::Endpoint;
use greylag_infra::{RunId, RunRecord, ThresholdResult, ThresholdSubject};
use serde::Serialize;
use serde_json::Value;

use crate::api_types::LogRow;
use crate::coordinator::Coordinator;
use crate::measure::distribution::Distribution;
use crate::measure::interval::{Measure, Measures};
use crate::plain_text::plain_text;
use crate::results::views::chart_marks::moments;
use crate::results::views::run_view::ChartMark;
use crate::results::views::scope_view::PhaseWindow;
use crate::results::views::thresholds_view::{ChartLimit, ThresholdsView};
use crate::results::views::view_builder::whole_run_view;
use crate::store::{
    Chart, ChartSteps, CustomMetrics, LogFilter, LogOrder, LogRange, Scope, Store, Window,
};
use crate::web::api::{CHARTS, ErrorSampleAnswer, SampleAnswer, TIMES};
use crate::web::error::WebError;
use crate::web::live::run_feed::{MAX_DOTS, RunPart};

/// Most lines at the end of the log that a file has.
const LAST_LOG_LINES: usize = 9_000;
/// Most lines at the beginning of the log, if those at its end are not all.
const FIRST_LOG_LINES: usize = 1_000;
/// Most bytes of lines; compressed they take about a tenth.
const MAX_LOG_BYTES: usize = 1_500_000;
/// Samples of errors that a run has at most.
const MAX_ERROR_SAMPLES: usize = 1_000;
/// Most bytes of them as JSON; compressed they take about a quarter.
const MAX_ERROR_SAMPLE_BYTES: usize = 600_000;

/// Most moments that charts may mark, the first ones: of a window they mark fewer.
const MAX_MOMENTS: usize = 1_000;

/// A document for `assets/js/file_source.js`.
#[derive(Debug, Serialize)]
pub(super) struct Contents<'a> {
    /// The whole run, as the page of the server has it.
    initial: &'a RunPart,
    tables: Tables,
    /// What the API answers about the whole run, by the end of its address.
    answers: BTreeMap<String, Value>,
    /// What is known of the requests that have dots.
    samples: Vec<SampleAnswer>,
    /// Failed requests with what came back.
    error_samples: Vec<ErrorSampleAnswer>,
    /// Lines of the log, in order.
    log: Vec<LogRow>,
    /// Moments that charts may mark, in order.
    moments: Vec<ChartMark>,
    /// Limits as lines across the charts of an endpoint, by its name in addresses.
    limits: BTreeMap<String, Vec<ChartLimit>>,
    left_out: LeftOut,
}

/// The console tables, which are made here: of the whole run and of its phases.
#[derive(Debug, Serialize)]
struct Tables {
    whole: String,
    phases: Vec<PhaseTables>,
}

#[derive(Debug, Serialize)]
struct PhaseTables {
    from: u32,
    to: Option<u32>,
    text: String,
}

/// What there was no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct LeftOut {
    /// Lines of the log that are kept with the run.
    pub(super) log_lines: u64,
    /// Samples of errors.
    pub(super) error_samples: u64,
    /// Errors that have none in the file.
    pub(super) errors_without_samples: u64,
}

impl<'a> Contents<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn read(
        coordinator: &Coordinator,
        run: &RunRecord,
        part: &'a RunPart,
    ) -> Result<Self, WebError> {
        let store = coordinator.store();
        let whole = Scope::default();
        let (samples, _) = store.sample_details(&run.id, &whole, MAX_DOTS).await?;
        let (rows, _) = store
            .error_samples(&run.id, &whole, None, MAX_ERROR_SAMPLES)
            .await?;
        let error_samples = rows
            .into_iter()
            .map(|row| ErrorSampleAnswer::of(row, run.started_at))
            .collect();
        let (error_samples, samples_left_out) = first_of_each(error_samples)?;
        let (log, log_lines) = log(store, &run.id).await?;
        let judged = store.threshold_results(run).await?;
        let metrics = store.custom_metrics(&run.id, &whole).await?;
        let said = store.annotations(&run.id).await?.marks;
        Ok(Self {
            initial: part,
            tables: Tables::read(coordinator, run, &part.view.phases).await?,
            answers: answers(store, run).await?,
            samples: samples
                .into_iter()
                .map(|row| SampleAnswer::of(row, run.started_at))
                .collect(),
            error_samples,
            log,
            moments: moments(run, &said, &judged, &whole, MAX_MOMENTS),
            limits: limits(run, &judged, &metrics),
            left_out: LeftOut {
                log_lines,
                ..samples_left_out
            },
        })
    }

    /// The console tables of the whole run.
    pub(super) fn tables(&self) -> &str {
        &self.tables.whole
    }

    /// What there was no room for.
    pub(super) fn left_out(&self) -> LeftOut {
        self.left_out
    }
}

impl Tables {
    async fn read(
        coordinator: &Coordinator,
        run: &RunRecord,
        phases: &[PhaseWindow],
    ) -> Result<Self, WebError> {
        let text = async |scope: &Scope| {
            let view = whole_run_view(coordinator, run, scope).await?;
            Ok::<_, WebError>(view.console_tables.unwrap_or_default())
        };
        let mut tables = Self {
            whole: text(&Scope::default()).await?,
            phases: Vec::new(),
        };
        for PhaseWindow { from, to, .. } in phases {
            // A phase that has just begun has no seconds yet.
            let Ok(window) = Window::new(*from, to.unwrap_or(u32::MAX)) else {
                continue;
            };
            tables.phases.push(PhaseTables {
                from: *from,
                to: *to,
                text: text(&Scope::of_window(window)).await?,
            });
        }
        Ok(tables)
    }
}

/// The limits that charts show of one endpoint, where thresholds are about it.
fn limits(
    run: &RunRecord,
    judged: &[ThresholdResult],
    metrics: &CustomMetrics,
) -> BTreeMap<String, Vec<ChartLimit>> {
    let mut limits = BTreeMap::new();
    for threshold in &run.test.thresholds {
        let ThresholdSubject::Endpoint { method, name } = &threshold.of else {
            continue;
        };
        let scope = Scope {
            endpoint: Some(Endpoint {
                method: method.clone(),
                name: name.clone(),
            }),
            ..Scope::default()
        };
        let shown = plain_text(&format!("{method} {name}"));
        let lines = ThresholdsView::of(run, &scope, judged, metrics).lines;
        limits.insert(shown.trim_start().to_owned(), lines);
    }
    limits
}

/// The charts of the whole run.
async fn answers(store: &Store, run: &RunRecord) -> Result<BTreeMap<String, Value>, WebError> {
    let whole = Scope::default();
    let value = |data: serde_json::Result<Value>| {
        data.map_err(|error| WebError::internal("writing a chart", &error))
    };
    let mut answers = BTreeMap::new();
    for (name, chart) in CHARTS {
        if matches!(chart, Chart::Percentiles(_)) {
            continue;
        }
        let data = store.chart(run, &whole, chart, ChartSteps::default());
        answers.insert(
            format!("/charts/{name}"),
            value(serde_json::to_value(data.await?))?,
        );
    }
    for (name, measure) in TIMES {
        let chart = Chart::Percentiles(measure);
        let data = store.chart(run, &whole, chart, ChartSteps::default());
        answers.insert(
            format!("/charts/percentiles?of={name}"),
            value(serde_json::to_value(data.await?))?,
        );
        let data = distribution(store, &run.id, measure).await?;
        answers.insert(
            format!("/distribution?of={name}"),
            value(serde_json::to_value(data))?,
        );
    }
    Ok(answers)
}

async fn distribution(
    store: &Store,
    id: &RunId,
    measure: Measure,
) -> Result<Distribution, WebError> {
    let totals = store
        .totals_with(id, &Scope::default(), Measures::only(measure))
        .await?;
    Ok(Distribution::of(&totals.aggregated(), measure))
}

/// The first and the last lines of a run's log, and how many are between them.
async fn log(store: &Store, id: &RunId) -> Result<(Vec<LogRow>, u64), WebError> {
    let all = LogFilter::default();
    let last = LogRange {
        after: 0,
        before: None,
        order: LogOrder::Last,
        limit: LAST_LOG_LINES,
    };
    let mut last = store.log_page(id, &all, last).await?.rows;
    let fit = that_fit(last.iter().rev());
    last.drain(..last.len() - fit);
    let Some(next) = last.first().map(|row| row.seq).filter(|seq| *seq > 1) else {
        return Ok((last, 0));
    };
    let first = LogRange {
        after: 0,
        before: Some(next),
        order: LogOrder::First,
        limit: FIRST_LOG_LINES,
    };
    let mut log = store.log_page(id, &all, first).await?.rows;
    log.truncate(that_fit(log.iter()));
    // Positions have no gaps.
    let left_out = next - 1 - log.len() as u64;
    log.append(&mut last);
    Ok((log, left_out))
}

/// How many of the lines fit into what there is room for.
fn that_fit<'a>(lines: impl Iterator<Item = &'a LogRow>) -> usize {
    let mut bytes = 0;
    let fit = lines.take_while(|row| {
        bytes += row.text.len() + row.source.len();
        bytes <= MAX_LOG_BYTES
    });
    fit.count()
}

/// As many samples as fit, the first of each error before any second one, and how many do not fit.
fn first_of_each(
    samples: Vec<ErrorSampleAnswer>,
) -> Result<(Vec<ErrorSampleAnswer>, LeftOut), WebError> {
    let mut of_error: HashMap<String, u32> = HashMap::new();
    let mut ranked = Vec::with_capacity(samples.len());
    for (at, sample) in samples.iter().enumerate() {
        let rank = of_error.entry(sample.error_key()).or_default();
        *rank += 1;
        let json = serde_json::to_vec(sample)
            .map_err(|error| WebError::internal("writing a sample", &error))?;
        ranked.push((*rank, at, json.len()));
    }
    ranked.sort_unstable();
    let mut bytes = 0;
    let fit = ranked.iter().take_while(|(_, _, more)| {
        bytes += more;
        bytes <= MAX_ERROR_SAMPLE_BYTES
    });
    let mut kept: Vec<usize> = fit.map(|(_, at, _)| *at).collect();
    kept.sort_unstable();
    let with_samples: HashSet<String> = kept.iter().map(|at| samples[*at].error_key()).collect();
    let left_out = LeftOut {
        error_samples: (samples.len() - kept.len()) as u64,
        errors_without_samples: (of_error.len() - with_samples.len()) as u64,
        ..LeftOut::default()
    };
    let mut kept = kept.into_iter().peekable();
    let samples = samples.into_iter().enumerate();
    let samples = samples.filter(|(at, _)| kept.next_if_eq(at).is_some());
    Ok((samples.map(|(_, sample)| sample).collect(), left_out))
}
