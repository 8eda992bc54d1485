//! What a file has of the whole run: what the API answers about it, as far as there is room.

use std::collections::{BTreeMap, HashSet};

use greylag_infra::protocol::Endpoint;
use greylag_infra::{RunId, RunRecord, ThresholdResult, ThresholdSubject};
use serde::Serialize;
use serde_json::Value;

use super::packed;
use crate::coordinator::Coordinator;
use crate::measure::distribution::Distribution;
use crate::measure::interval::{Measure, Measures};
use crate::plain_text::plain_text;
use crate::results::page_text::count;
use crate::results::views::chart_marks::moments;
use crate::results::views::run_view::{ChartMark, DotChanges, ErrorRow, SettingRow};
use crate::results::views::scope_view::PhaseWindow;
use crate::results::views::thresholds_view::{ChartLimit, ThresholdsView};
use crate::results::views::view_builder::whole_run_view;
use crate::store::{Chart, ChartSteps, CustomMetrics, Scope, Store, Window};
use crate::web::api::{CHARTS, TIMES};
use crate::web::error::WebError;
use crate::web::live::run_feed::RunPart;

/// Most bytes of what a file has of the whole run beside its log and single requests.
const MAX_BYTES: usize = 1_000_000;
/// Where that is too much: most errors, the most frequent ones, and most endpoints, those with the most requests.
const MAX_ERRORS: usize = 100;
const MAX_ENDPOINTS: usize = 100;
/// Most bytes of all settings of the test.
const MAX_SETTINGS_BYTES: usize = 100_000;
/// Most characters of a value among them: the first of these limits with which all fit. A file has the beginning of a longer value.
const SETTING_CHARS: [usize; 4] = [4_000, 1_000, 200, 40];

/// Most moments that charts may mark, the first ones: of a window they mark fewer.
const MAX_MOMENTS: usize = 1_000;

/// A document for `assets/js/file_source.js`.
#[derive(Debug, Serialize)]
pub(super) struct Contents {
    /// The whole run, as the page of the server has it but for the log.
    initial: RunPart,
    tables: Tables,
    /// What the API answers about the whole run, by the end of its address.
    answers: BTreeMap<String, Value>,
    /// Moments that charts may mark, in order.
    moments: Vec<ChartMark>,
    /// Limits as lines across the charts of an endpoint, by its name in addresses.
    limits: BTreeMap<String, Vec<ChartLimit>>,
    /// What is left out already, as it is said.
    #[serde(skip)]
    notes: Vec<String>,
}

/// The console tables, which are made here: of the whole run and of its phases.
#[derive(Debug, Default, Serialize)]
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

/// What is left out of the whole run, in this order, until the rest fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    TablesOfPhases,
    Tables,
    RareErrors,
    /// Rows of endpoints with few requests, and dots, each of which has the name of its endpoint.
    EndpointsAndDots,
    Charts,
    /// Marks and limits in charts of parts of the run.
    Marks,
}

const IN_ORDER: [LeftOut; 6] = [
    LeftOut::TablesOfPhases,
    LeftOut::Tables,
    LeftOut::RareErrors,
    LeftOut::EndpointsAndDots,
    LeftOut::Charts,
    LeftOut::Marks,
];

/// The whole run as it stands in the page.
#[derive(Debug)]
pub(super) struct PackedContents {
    /// The whole run.
    pub(super) part: RunPart,
    /// The console tables; empty if there was no room for them.
    pub(super) tables: String,
    /// [`Contents`] as base64.
    pub(super) base64: String,
    /// What was left out of them, as it is said.
    pub(super) notes: Vec<String>,
    /// The errors that the file has, if these are not all.
    pub(super) errors: Option<HashSet<ErrorKey>>,
    /// Whether it has a row of each endpoint.
    pub(super) has_endpoints: bool,
}

/// Method, name, text and place of an error.
pub(super) type ErrorKey = (String, String, String, Option<String>);

impl Contents {
    /// Reads them.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn read(
        coordinator: &Coordinator,
        run: &RunRecord,
        mut part: RunPart,
    ) -> Result<Self, WebError> {
        let store = coordinator.store();
        let whole = Scope::default();
        let judged = store.threshold_results(run).await?;
        let metrics = store.custom_metrics(&run.id, &whole).await?;
        let said = store.annotations(&run.id).await?.marks;
        let mut notes = Vec::new();
        if shorten(&mut part.view.about.settings) {
            notes.push("Of long settings of the test this file has the beginning.".to_owned());
        }
        let mut marked = moments(run, &said, &judged, &whole, MAX_MOMENTS + 1);
        if marked.len() > MAX_MOMENTS {
            marked.truncate(MAX_MOMENTS);
            notes.push(format!(
                "Charts of windows mark the first {} moments of the run.",
                count(MAX_MOMENTS as u64)
            ));
        }
        Ok(Self {
            tables: Tables::read(coordinator, run, &part.view.phases).await?,
            initial: part,
            answers: answers(store, run).await?,
            moments: marked,
            limits: limits(run, &judged, &metrics),
            notes,
        })
    }

    /// As they stand in the page, in at most [`MAX_BYTES`] where what may be left out makes them so small: the rest is bounded one by one, and leaves
    /// less for parts.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) async fn packed(mut self) -> Result<PackedContents, WebError> {
        packed::off_async(move || {
            let mut made = (packed::document(&self)?, std::mem::take(&mut self.notes));
            let (mut errors, mut has_endpoints) = (None, true);
            for left_out in IN_ORDER {
                if made.0.len() <= MAX_BYTES {
                    break;
                }
                let Some(note) = self.leave_out(left_out) else {
                    continue;
                };
                match left_out {
                    LeftOut::RareErrors => {
                        errors = Some(self.initial.view.errors.iter().map(error_key).collect());
                    }
                    LeftOut::EndpointsAndDots => has_endpoints = false,
                    LeftOut::TablesOfPhases
                    | LeftOut::Tables
                    | LeftOut::Charts
                    | LeftOut::Marks => {}
                }
                made.1.push(note);
                made.0 = packed::document(&self)?;
            }
            Ok(PackedContents {
                part: self.initial,
                tables: self.tables.whole,
                base64: made.0,
                notes: made.1,
                errors,
                has_endpoints,
            })
        })
        .await
    }

    /// Leaves something out, and says so; none where the run does not have it.
    fn leave_out(&mut self, what: LeftOut) -> Option<String> {
        let RunPart { view, delta, .. } = &mut self.initial;
        match what {
            LeftOut::TablesOfPhases => {
                let phases = std::mem::take(&mut self.tables.phases);
                (!phases.is_empty())
                    .then(|| "The console's tables of phases are not in this file.".to_owned())
            }
            LeftOut::Tables => {
                let tables = std::mem::take(&mut self.tables.whole);
                (!tables.is_empty())
                    .then(|| "The console's tables are not in this file.".to_owned())
            }
            LeftOut::RareErrors => {
                let all = view.errors.len();
                keep_most(&mut view.errors, MAX_ERRORS, |error| error.occurrences).then(|| {
                    format!(
                        "Of {} errors the {MAX_ERRORS} most frequent ones are in this file.",
                        count(all as u64)
                    )
                })
            }
            LeftOut::EndpointsAndDots => {
                let all = view.endpoints.len();
                let is_less =
                    keep_most(&mut view.endpoints, MAX_ENDPOINTS, |row| row.stats.requests);
                is_less.then(|| {
                    delta.dots = DotChanges {
                        forget: true,
                        next: 1,
                        of: delta.dots.of,
                        ..DotChanges::default()
                    };
                    format!(
                        "Of {} endpoints the {MAX_ENDPOINTS} with the most requests are in this file, and no single requests in the charts. Totals are of all.",
                        count(all as u64)
                    )
                })
            }
            LeftOut::Charts => {
                self.answers.clear();
                Some("Charts beyond the first ones are not in this file.".to_owned())
            }
            LeftOut::Marks => {
                let has_some = !self.moments.is_empty() || !self.limits.is_empty();
                self.moments.clear();
                self.limits.clear();
                has_some.then(|| {
                    "Charts of windows and endpoints mark no moments and no limits in this file."
                        .to_owned()
                })
            }
        }
    }
}

/// Keeps as many of the rows, those of which there is the most, in their order. Gives whether there are more.
fn keep_most<T>(rows: &mut Vec<T>, most: usize, amount: impl Fn(&T) -> u64) -> bool {
    if rows.len() <= most {
        return false;
    }
    let mut important: Vec<usize> = (0..rows.len()).collect();
    important.sort_by_key(|at| std::cmp::Reverse(amount(&rows[*at])));
    let kept: HashSet<usize> = important.into_iter().take(most).collect();
    let mut at = 0;
    rows.retain(|_| {
        at += 1;
        kept.contains(&(at - 1))
    });
    true
}

fn error_key(row: &ErrorRow) -> ErrorKey {
    (
        row.method.clone(),
        row.name.clone(),
        row.error.clone(),
        row.place.clone(),
    )
}

/// Cuts values so that all settings together are not too long. Gives whether any was cut.
fn shorten(settings: &mut [SettingRow]) -> bool {
    let mut is_cut = false;
    for chars in SETTING_CHARS {
        for SettingRow { value, .. } in settings.iter_mut() {
            if let Some((end, _)) = value.char_indices().nth(chars) {
                value.truncate(end);
                value.push('…');
                is_cut = true;
            }
        }
        let lengths = settings.iter().map(|row| row.label.len() + row.value.len());
        if lengths.sum::<usize>() <= MAX_SETTINGS_BYTES {
            break;
        }
    }
    is_cut
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(count: usize, value: &str) -> Vec<SettingRow> {
        let row = |number| SettingRow {
            label: format!("Option {number}"),
            value: value.to_owned(),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn settings_are_bounded_one_by_one_and_together() {
        let long = "ж".repeat(60_000);
        let mut few = settings(3, &long);
        few.push(SettingRow {
            label: "Users".to_owned(),
            value: "30".to_owned(),
        });
        assert!(shorten(&mut few));
        assert_eq!(few[0].value.chars().count(), SETTING_CHARS[0] + 1);
        assert!(few[0].value.ends_with('…') && few[3].value == "30");

        let mut many = settings(500, &long);
        assert!(shorten(&mut many));
        let lengths = many.iter().map(|row| row.label.len() + row.value.len());
        assert!(lengths.sum::<usize>() <= MAX_SETTINGS_BYTES);
        assert!(many.iter().all(|row| row.value.starts_with("жж")));

        assert!(!shorten(&mut settings(100, "short")));
    }
}
