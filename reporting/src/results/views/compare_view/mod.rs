//! The page that compares runs, as plain data.

mod bar;
mod custom_metrics;
mod endpoints;
mod findings;

use greylag_infra::{RunId, RunRecord, TestVerdict, WallTime};
use serde_json::json;

pub(crate) use self::bar::{Bar, Scale};
pub(crate) use self::custom_metrics::MetricRows;
pub(crate) use self::endpoints::EndpointRow;
pub(crate) use self::findings::RunResult;
use crate::compare::{Difference, Statistic, Verdict, change_text, is_worse};
use crate::plain_text::plain_text;
use crate::results::comparison::{
    Asked, CompareAddress, CompareError, ComparedRun, Comparison, RunComparison, Stretch, find_run,
    finding, statistic_name, value_text,
};
use crate::results::page_text::capitalised;
use crate::results::urls::run_url;
use crate::results::views::about_view::peak_users;
use crate::results::views::run_view::shown_status;
use crate::results::views::scope_view::{end_of, endpoint_text, phase_windows};
use crate::store::{ListedAnnotations, Store, StoreError};

/// The charts over time and the distribution: each with its title, and whether it takes the whole width.
pub(crate) const CHARTS: [(&str, &str, bool); 5] = [
    ("requests", "Requests per Second", false),
    ("percentiles", "Response Time", false),
    ("errors", "Errors per Second", false),
    ("users", "Active Users", false),
    ("distribution", "Percentile Curve", true),
];
/// The percentiles that the chart can show, as the API names its lines.
pub(crate) const PERCENTILES: [(&str, &str); 6] = [
    ("50%", "p50"),
    ("90%", "p90"),
    ("95%", "p95"),
    ("99%", "p99"),
    ("99.9%", "p99.9"),
    ("100%", "max"),
];

/// What the page shows.
#[derive(Debug)]
pub(crate) struct CompareView {
    /// All runs in the order in which they were asked for, then further runs of the reference.
    pub(crate) runs: Vec<ShownRun>,
    /// Where the page is, and where those are that differ in one thing.
    pub(crate) address: CompareAddress,
    /// The endpoints of the reference, as addresses name them.
    pub(crate) endpoints: Vec<String>,
    /// What is to be said of each run beside the reference.
    pub(crate) results: Vec<RunResult>,
    /// Each statistic of all endpoints together.
    pub(crate) cards: Vec<Card>,
    /// Each endpoint of each run.
    pub(crate) rows: Vec<EndpointRow>,
    /// How many there are, shown or not.
    pub(crate) row_count: usize,
    /// What its bars are drawn on.
    pub(crate) row_scale: Scale,
    /// Custom metrics of any of the runs.
    pub(crate) metrics: Vec<MetricRows>,
    /// What the page's script has to know, as JSON.
    pub(crate) script: String,
}

/// What a run is in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Reference,
    Further,
    Compared,
}

/// A run that takes part.
#[derive(Debug)]
pub(crate) struct ShownRun {
    /// From 1: which of the colours it has.
    pub(crate) place: usize,
    /// `checkout #3`.
    pub(crate) name: String,
    /// The same where all runs are of one test: `#3`.
    pub(crate) short: String,
    pub(crate) url: String,
    pub(crate) part: Part,
    pub(crate) status: &'static str,
    pub(crate) shown_status: &'static str,
    /// What its thresholds say of it, once it is over.
    pub(crate) verdict: Option<TestVerdict>,
    pub(crate) started: Option<WallTime>,
    pub(crate) labels: Vec<String>,
    pub(crate) users: u64,
    /// Which seconds are compared, and how many requests are in them.
    pub(crate) run: ComparedRun,
    /// The page with this run as the reference.
    pub(crate) as_reference: Option<String>,
    /// The page without this run.
    pub(crate) without: Option<String>,
    /// Second at which its load becomes steady.
    steady_from: Option<u32>,
    is_running: bool,
}

impl ShownRun {
    pub(crate) fn is_reference(&self) -> bool {
        self.part == Part::Reference
    }
}

/// A statistic of all endpoints together.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) title: String,
    /// Its name in the API.
    pub(crate) key: String,
    /// The reference's value; of several runs of it what they have in common.
    pub(crate) reference: String,
    /// What stands at the ends of its bars.
    pub(crate) ends: [String; 2],
    pub(crate) lines: Vec<ShownDifference>,
}

/// A difference as the page shows it.
#[derive(Debug)]
pub(crate) struct ShownDifference {
    /// Which run is compared with the reference.
    pub(crate) place: usize,
    pub(crate) short: String,
    pub(crate) id: RunId,
    pub(crate) difference: Difference,
    pub(crate) reference: String,
    pub(crate) value: String,
    /// `+20.4%`.
    pub(crate) change: String,
    /// `+18.2% to +22.9%`.
    pub(crate) interval: String,
    /// `Slower`, or why nothing is said.
    pub(crate) finding: String,
    /// `+3.1%`: what would have been found.
    pub(crate) detectable: String,
    pub(crate) bar: Option<Bar>,
}

impl ShownDifference {
    fn new(difference: Difference, scale: Scale, place: usize, short: &str, id: &RunId) -> Self {
        let statistic = difference.statistic;
        let change = |change: Option<f64>| {
            change.map_or_else(String::new, |change| shown_change(statistic, change))
        };
        let interval = difference.low.zip(difference.high);
        Self {
            place,
            short: short.to_owned(),
            id: id.clone(),
            reference: value_text(statistic, difference.reference),
            value: value_text(statistic, difference.value),
            change: change(difference.change),
            interval: interval.map_or_else(String::new, |(low, high)| {
                format!("{} to {}", change(Some(low)), change(Some(high)))
            }),
            finding: capitalised(finding(&difference)),
            detectable: change(difference.detectable),
            bar: scale.bar(&difference),
            difference,
        }
    }

    /// The name of its statistic in the API.
    pub(crate) fn key(&self) -> String {
        key_of(self.difference.statistic)
    }

    /// What its statistic is called.
    pub(crate) fn statistic(&self) -> String {
        capitalised(statistic_name(self.difference.statistic))
    }

    /// `worse`, `better`, `other` or `none`: how it is coloured, beside its words.
    pub(crate) fn tone(&self) -> &'static str {
        tone(self.difference.verdict)
    }

    /// Which way it goes, where something was found.
    pub(crate) fn arrow(&self) -> &'static str {
        match self.difference.verdict {
            None | Some(Verdict::NoEvidence) => "",
            Some(Verdict::Slower | Verdict::MoreFailures | Verdict::MoreRequests) => "▲",
            Some(Verdict::Faster | Verdict::FewerFailures | Verdict::FewerRequests) => "▼",
        }
    }

    /// Everything about it in one message.
    pub(crate) fn title(&self) -> String {
        let mut text = format!("{}: {} → {}", self.statistic(), self.reference, self.value);
        if !self.interval.is_empty() {
            text.push_str(&format!("; {}, interval {}", self.change, self.interval));
        }
        if !self.finding.is_empty() {
            text.push_str(&format!(". {}", self.finding));
        }
        if !self.detectable.is_empty() {
            text.push_str(&format!(
                ". Smallest increase that would have been found: {}",
                self.detectable
            ));
        }
        text
    }

    /// A number for programs; empty if it is not known.
    pub(crate) fn number(number: &Option<f64>) -> String {
        number.map_or_else(String::new, |number| number.to_string())
    }
}

/// How a verdict is coloured, beside its words.
fn tone(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(verdict) if is_worse(verdict) => "worse",
        Some(Verdict::NoEvidence) | None => "none",
        Some(_) => "better",
    }
}

/// The name of a statistic in the API.
fn key_of(statistic: Statistic) -> String {
    match serde_json::to_value(statistic) {
        Ok(serde_json::Value::String(key)) => key,
        // Unit variants are texts.
        _ => String::new(),
    }
}

/// A change as pages write it: with a minus sign.
fn shown_change(statistic: Statistic, change: f64) -> String {
    change_text(statistic, change).replace('-', "−")
}

impl CompareView {
    /// What the page shows of a comparison of what was asked for, below this base path.
    ///
    /// # Errors
    /// One of the runs was deleted meanwhile, or the store failed.
    pub(crate) async fn read(
        store: &Store,
        base: &str,
        asked: &Asked,
        comparison: &Comparison,
        now: WallTime,
    ) -> Result<Self, CompareError> {
        let order = order(store, asked, comparison).await?;
        let endpoint = asked.endpoint.clone();
        let address = CompareAddress::of(base, order.clone(), comparison, asked.stretch, endpoint);
        let further = comparison.baseline.iter().map(|run| run.id.clone());
        let mut runs = Vec::new();
        for (id, place) in order.iter().cloned().chain(further).zip(1..) {
            let record = store.run(&id).await?;
            let record = record.ok_or_else(|| StoreError::UnknownRun(id.shortened()))?;
            let said = store.listed_annotations(&id).await?;
            runs.push(ShownRun::new(base, &record, &said, place, comparison, now));
        }
        name_shortly(&mut runs);
        let can_leave = order.len() > 2;
        for run in &mut runs {
            if run.part != Part::Compared {
                continue;
            }
            let id = &run.run.id;
            run.as_reference = Some(address.with_reference(id).page());
            run.without = can_leave.then(|| address.without(id).page());
        }
        let endpoints = store.endpoints(&comparison.reference.id).await?;
        let mut endpoints: Vec<String> = endpoints
            .iter()
            .map(|endpoint| {
                endpoint_text(&plain_text(&endpoint.method), &plain_text(&endpoint.name))
            })
            .collect();
        endpoints.sort_unstable();
        let aggregated = comparison.runs.iter();
        let scale = Scale::of(aggregated.flat_map(|run| &run.differences.aggregated));
        let (rows, row_scale) = endpoints::rows(comparison, &runs, &address);
        let row_count = comparison
            .runs
            .iter()
            .map(|run| run.differences.endpoints.len())
            .sum();
        Ok(Self {
            results: comparison
                .runs
                .iter()
                .map(|run| RunResult::of(run, &runs))
                .collect(),
            cards: cards(comparison, &runs, scale),
            metrics: custom_metrics::rows(comparison),
            script: script(&runs, &address),
            runs,
            address,
            endpoints,
            rows,
            row_count,
            row_scale,
        })
    }

    /// The reference.
    pub(crate) fn reference(&self) -> Option<&ShownRun> {
        self.runs.iter().find(|run| run.is_reference())
    }

    /// The page with the two runs the other way round.
    pub(crate) fn swapped(&self) -> Option<String> {
        let [_, _] = self.runs.as_slice() else {
            return None;
        };
        self.runs.iter().find_map(|run| run.as_reference.clone())
    }

    /// What stands at the ends of the table's bars: of times and rates, then of error rates.
    pub(crate) fn row_ends(&self) -> [String; 4] {
        let [low, high] = self.row_scale.labels(Statistic::P95);
        let [less, more] = self.row_scale.labels(Statistic::ErrorRate);
        [low, high, less, more]
    }

    /// The arguments of the same comparison on the command line.
    pub(crate) fn command(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        let of_part = |part| self.runs.iter().filter(move |run| run.part == part);
        let runs = of_part(Part::Reference).chain(of_part(Part::Compared));
        words.extend(runs.map(|run| run.run.id.to_string()));
        let further: Vec<&str> = of_part(Part::Further)
            .map(|run| run.run.id.as_str())
            .collect();
        if !further.is_empty() {
            words.push(format!("--baseline {}", further.join(",")));
        }
        match self.address.stretch() {
            Stretch::Steady => {}
            Stretch::Whole => words.push("--whole".to_owned()),
            Stretch::Window(window) => {
                let end = self.runs.iter().map(|run| run.run.to).max();
                let to = end_of(window).or(end).unwrap_or_default();
                words.push(format!("--window {}..{to}", window.from()));
            }
        }
        if let Some(endpoint) = self.address.endpoint() {
            words.push(format!("--endpoint '{}'", endpoint.replace('\'', "'\\''")));
        }
        words.join(" ")
    }

    /// Whether more than one run stands beside the reference.
    pub(crate) fn has_several(&self) -> bool {
        self.results.len() > 1
    }

    /// The runs that are not over, by name: the comparison is of what there is so far.
    pub(crate) fn running(&self) -> Vec<&str> {
        let running = self.runs.iter().filter(|run| run.is_running);
        running.map(|run| run.name.as_str()).collect()
    }

    /// The parts that are one click away: what it says, its address, and whether it is the one that is shown.
    pub(crate) fn stretches(&self) -> [(&'static str, String, bool); 2] {
        let shown = self.address.stretch();
        [
            (
                "Steady state",
                self.address.with_stretch(Stretch::Steady).page(),
                matches!(shown, Stretch::Steady),
            ),
            (
                "Whole runs",
                self.address.with_stretch(Stretch::Whole).page(),
                matches!(shown, Stretch::Whole),
            ),
        ]
    }

    /// The seconds as a form has them: first and end, both empty for the steady state.
    pub(crate) fn window(&self) -> [String; 2] {
        let window = match self.address.stretch() {
            Stretch::Steady => return Default::default(),
            Stretch::Whole => return ["0".to_owned(), String::new()],
            Stretch::Window(window) => window,
        };
        let to = end_of(window);
        [
            window.from().to_string(),
            to.map_or_else(String::new, |to| to.to_string()),
        ]
    }
}

/// The runs in the order in which they were asked for. A reference that is not among them comes first.
async fn order(
    store: &Store,
    asked: &Asked,
    comparison: &Comparison,
) -> Result<Vec<RunId>, CompareError> {
    let mut known: Vec<RunId> = comparison
        .runs
        .iter()
        .map(|run| run.run.id.clone())
        .collect();
    known.push(comparison.reference.id.clone());
    let mut order = Vec::new();
    for name in &asked.runs {
        let id = find_run(store, name).await?.id;
        if known.contains(&id) && !order.contains(&id) {
            order.push(id);
        }
    }
    // Whatever was found otherwise a moment ago.
    for id in known.into_iter().rev() {
        if !order.contains(&id) {
            order.insert(0, id);
        }
    }
    Ok(order)
}

impl ShownRun {
    fn new(
        base: &str,
        record: &RunRecord,
        said: &ListedAnnotations,
        place: usize,
        comparison: &Comparison,
        now: WallTime,
    ) -> Self {
        let is_this = |run: &&ComparedRun| run.id == record.id;
        let baseline = comparison.baseline.iter().find(is_this);
        let (part, run) = match baseline {
            Some(run) => (Part::Further, run),
            None if comparison.reference.id == record.id => {
                (Part::Reference, &comparison.reference)
            }
            None => {
                let compared = comparison.runs.iter().map(|run| &run.run).find(is_this);
                (Part::Compared, compared.unwrap_or(&comparison.reference))
            }
        };
        let status = record.phase.status().word();
        let waits = record.phase.wait_reason().is_some();
        let steady = phase_windows(record, now);
        let steady = steady.iter().find(|phase| phase.name == "steady");
        Self {
            place,
            name: format!("{} #{}", run.test, run.number),
            short: String::new(),
            url: format!("{base}{}", run_url(&record.id)),
            part,
            status,
            shown_status: shown_status(status, record.phase.word(), waits),
            started: record.started_at,
            verdict: said.verdict.filter(|_| record.phase.is_over()),
            labels: said.labels.iter().map(|label| plain_text(label)).collect(),
            users: peak_users(record),
            as_reference: None,
            without: None,
            steady_from: steady.map(|phase| phase.from),
            is_running: !record.phase.is_over(),
            run: run.clone(),
        }
    }
}

/// Names runs of one test by their numbers alone.
fn name_shortly(runs: &mut [ShownRun]) {
    let is_one_test = runs
        .windows(2)
        .all(|pair| pair[0].run.test == pair[1].run.test);
    for run in runs {
        run.short = if is_one_test {
            format!("#{}", run.run.number)
        } else {
            run.name.clone()
        };
    }
}

fn cards(comparison: &Comparison, runs: &[ShownRun], scale: Scale) -> Vec<Card> {
    let Some(first) = comparison.runs.first() else {
        return Vec::new();
    };
    let of_each = first.differences.aggregated.iter().enumerate();
    of_each
        .map(|(at, difference)| Card {
            title: capitalised(statistic_name(difference.statistic)),
            key: key_of(difference.statistic),
            reference: value_text(difference.statistic, difference.reference),
            ends: scale.labels(difference.statistic),
            lines: comparison
                .runs
                .iter()
                .filter_map(|run| {
                    let difference = *run.differences.aggregated.get(at)?;
                    let (place, short) = place_of(run, runs);
                    Some(ShownDifference::new(
                        difference,
                        scale,
                        place,
                        short,
                        &run.run.id,
                    ))
                })
                .collect(),
        })
        .collect()
}

/// The place and the short name of a run.
fn place_of<'a>(run: &RunComparison, runs: &'a [ShownRun]) -> (usize, &'a str) {
    let shown = runs.iter().find(|shown| shown.run.id == run.run.id);
    shown.map_or((1, ""), |shown| (shown.place, &shown.short))
}

/// What the page's script has to know: the runs for the charts, and which endpoint.
fn script(runs: &[ShownRun], address: &CompareAddress) -> String {
    let runs: Vec<_> = runs
        .iter()
        .map(|run| {
            json!({
                "id": run.run.id,
                "name": run.short,
                "place": run.place,
                "from": run.run.from,
                "to": run.run.to,
                "steady_from": run.steady_from,
                "is_reference": run.is_reference(),
            })
        })
        .collect();
    json!({
        "runs": runs,
        "endpoint": address.endpoint().unwrap_or(""),
        "window": address.with_stretch(Stretch::Steady).page(),
    })
    .to_string()
}
