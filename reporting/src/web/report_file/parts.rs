//! A run's results in parts, for a file that adds up any stretch of them: as fine as there is room for.
//!
//! Numbers are LEB128. In order, with the names and edges that `Described` has, where all endpoints are as one if they are `together`:
//!
//! - of each endpoint and part a byte that says for which outcomes there is an interval (1 ok, 2 failed, 4 mixed), and of each of these
//!   the numbers of [`Sums`](crate::measure::interval::Sums) in the order of their names, and of each measure the length of
//!   its counts and these as they are stored;
//! - of each endpoint and outcome how many seconds have requests, and of each the seconds since the one before, requests and failures;
//! - how many seconds have users that came or went or iterations, and of each the seconds since the one before, the change of users (ZigZag), and iterations that
//!   were started, late, skipped;
//! - of each error in how many parts it occurred, and of each the parts since the one before, how often, the second of the part in which it occurred first, how much
//!   later it occurred last, and its agents: how many, and of each the number after that of the one before;
//! - of each custom metric in how many parts it has values, and of each the parts since the one before, and the length of
//!   a stored row of what the values of that part add up to, and that row.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use greylag_infra::RunRecord;
use greylag_infra::protocol::MetricKind;
use serde::Serialize;

use super::contents::ErrorKey;
use super::packed;
use crate::coordinator::Coordinator;
use crate::measure::interval::{MEASURE_NAMES, NUMBER_NAMES, Outcome, Outcomes, PackedInterval};
use crate::measure::stats::{PercentileKey, percentile_keys};
use crate::measure::windows::{LEVELS, width};
use crate::plain_text::plain_text;
use crate::results::error_place::split_place;
use crate::results::metric_text::{MetricStatistic, in_tables};
use crate::results::views::scope_view::phase_windows;
use crate::store::{
    Chart, ChartLine, ChartSteps, ErrorParts, MAX_CHART_LINES, MetricParts, PartsAsked, RunParts,
    Scope, Store, TooMuch, Window,
};
use crate::web::api::CHARTS;
use crate::web::error::WebError;

/// Widths of a part in seconds, from the finest: those that stored rows make up.
const STEPS_S: [u32; 16] = [
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768,
];
/// Most seconds times endpoints of which requests are counted by themselves: more than an hour of 50 endpoints has.
const MAX_COUNTS: u64 = 400_000;
/// Most stored rows of single seconds that are read to count these.
const MAX_SECOND_ROWS: u64 = 1_500_000;
/// Least bytes of an interval, so that what cannot fit is not read.
const LEAST_INTERVAL_BYTES: u64 = 12;
/// Histograms are at least about so many times as large as their base64 is when they are compressed, so that parts of which some are larger are
/// not read.
const MOST_COMPRESSED: usize = 2;
/// How many times as many bytes are read of histograms that may be compressed well.
const READ: usize = 4;
/// Parts by endpoint are of little use if the run has fewer; those of all endpoints together are finer then.
const FEW_PARTS: u32 = 8;
/// Most stored rows that are read for parts: some seconds' work.
const MAX_ROWS: u64 = 500_000;
/// Most errors of parts and agents of these, which have some bytes each.
const MAX_ERRORS: usize = 400_000;

/// Most parts that are asked for as the steps of one chart; a chart has at most 1,200.
const MOST_STEPS: usize = 1_000;

const OUTCOMES: [Outcomes; 3] = [
    Outcomes::All(Outcome::Ok),
    Outcomes::All(Outcome::Failed),
    Outcomes::Mixed,
];

/// What the scripts have to know to read the parts.
#[derive(Debug, Serialize)]
pub(super) struct Described {
    /// Seconds in a part.
    pub(super) step_s: u32,
    /// Whether requests are counted by second, or only by part.
    pub(super) counts_seconds: bool,
    /// Whether the requests to all endpoints are added up, because by endpoint they would take too much room.
    together: bool,
    /// Whether there was no room for some errors.
    errors_left_out: bool,
    /// First second of each part in order, and the end of the last one.
    edges: Vec<u32>,
    /// Methods and names.
    endpoints: Vec<(String, String)>,
    errors: Vec<DescribedError>,
    agents: Vec<String>,
    /// Names of the numbers of an interval.
    numbers: [&'static str; NUMBER_NAMES.len()],
    /// Names of its histograms.
    measures: [&'static str; MEASURE_NAMES.len()],
    percentiles: Vec<PercentileKey>,
    /// Custom metrics in their order.
    metrics: Vec<DescribedMetric>,
    /// What their table has beside the number of values.
    metric_statistics: Vec<&'static MetricStatistic>,
    /// Whether it is known of all requests how they ended.
    has_outcomes: bool,
    /// Charts of which parts do not have everything, by part: their lines by the chart's name.
    by_part: BTreeMap<&'static str, Vec<ChartLine>>,
}

impl Described {
    /// What a reader of the file has to know.
    pub(super) fn note(&self) -> String {
        let steps = match self.step_s {
            1 => "of whole seconds".to_owned(),
            seconds => format!("that begin and end at multiples of {seconds} s, or with a phase"),
        };
        let rates = if self.counts_seconds {
            ""
        } else {
            " Requests are counted by these steps, so that parts of the run have no current rates."
        };
        let agents = if self.agents.len() > MAX_CHART_LINES {
            " Charts of single agents can be shown for the whole run only."
        } else {
            ""
        };
        let (endpoints, no_endpoints) = if self.together {
            (
                "",
                " Single endpoints can be shown for the whole run only: parts are of all of them together.",
            )
        } else {
            (", endpoints", "")
        };
        format!(
            "Parts of the run are computed in the browser, with the same numbers as the coordinator's: windows {steps}{endpoints}, outcomes. \
             Single agents, and numbers without saturated seconds, are not in this file.{no_endpoints}{rates}{agents}"
        )
    }
}

#[derive(Debug, Serialize)]
struct DescribedMetric {
    name: String,
    kind: MetricKind,
    unit: String,
}

#[derive(Debug, Serialize)]
struct DescribedError {
    /// Place of its endpoint.
    endpoint: usize,
    error: String,
    place: Option<String>,
    samples: u64,
}

/// Why a file has no parts of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoParts {
    /// There is nothing yet.
    NoResults,
    /// It does not have all endpoints.
    TooManyEndpoints,
    /// What is to be known of parts takes more room than there is, whatever the parts.
    TooManyNames,
    /// Its errors are too many or on too many agents.
    TooManyErrors,
    /// Even the coarsest parts take more room than there is.
    TooLarge,
}

impl NoParts {
    /// As it is said in the file.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::NoResults => "the run has no results yet.",
            Self::TooManyEndpoints => "the run has too many endpoints for a file.",
            Self::TooManyNames => {
                "names of endpoints, errors, agents and metrics take too much room in a file."
            }
            Self::TooManyErrors => "the run has too many errors on too many agents for a file.",
            Self::TooLarge => "results by endpoint, error and metric take too much room in a file.",
        }
    }
}

/// The parts of a run and what has to be known of them.
#[derive(Debug)]
pub(super) struct PackedParts {
    /// Seconds in a part.
    step_s: u32,
    /// What a reader of the file has to know.
    pub(super) note: String,
    /// Whether parts may be about an endpoint.
    pub(super) by_endpoint: bool,
    /// [`Described`] as base64.
    pub(super) described: String,
    /// The parts as base64.
    pub(super) parts: String,
}

/// The finest parts of a run up to its `last` second that take at most so many bytes as base64: by endpoint, or where these would be only a few, of
/// all endpoints together. `errors`: those that the file has, if these are not all.
///
/// # Errors
/// The store failed.
pub(super) async fn packed_parts(
    coordinator: &Coordinator,
    run: &RunRecord,
    last: u32,
    errors: Option<HashSet<ErrorKey>>,
    most_bytes: usize,
) -> Result<Result<PackedParts, NoParts>, WebError> {
    let phases = phase_windows(run, coordinator.now());
    let cuts = phases.iter().flat_map(|phase| [Some(phase.from), phase.to]);
    let search = Search {
        store: coordinator.store(),
        run,
        end: last.saturating_add(1),
        endpoints: coordinator.store().endpoints(&run.id).await?.len() as u64,
        cuts: cuts.flatten().collect(),
        errors,
        most_bytes,
    };
    let by_endpoint = search.finest(false).await?;
    let is_fine = by_endpoint
        .as_ref()
        .is_ok_and(|parts| search.end / parts.step_s >= FEW_PARTS);
    if search.endpoints == 1 || is_fine {
        return Ok(by_endpoint);
    }
    let together = search.finest(true).await?;
    let is_finer = match (&by_endpoint, &together) {
        (Ok(few), Ok(more)) => more.step_s < few.step_s,
        (by_endpoint, _) => by_endpoint.is_err(),
    };
    Ok(if is_finer { together } else { by_endpoint })
}

/// What parts are looked for.
struct Search<'a> {
    store: &'a Store,
    run: &'a RunRecord,
    /// Where the run's results end.
    end: u32,
    /// How many there are.
    endpoints: u64,
    cuts: Vec<u32>,
    errors: Option<HashSet<ErrorKey>>,
    most_bytes: usize,
}

impl Search<'_> {
    /// The finest parts that fit, by endpoint or of all endpoints together.
    async fn finest(&self, together: bool) -> Result<Result<PackedParts, NoParts>, WebError> {
        let seconds = u64::from(self.end);
        let groups = if together { 1 } else { self.endpoints };
        let counts_seconds = seconds.saturating_mul(groups) <= MAX_COUNTS
            && seconds
                .saturating_mul(self.endpoints)
                .saturating_mul(self.run.agents.len() as u64)
                <= MAX_SECOND_ROWS;
        let mut none = NoParts::TooLarge;
        for step_s in STEPS_S {
            let is_last = u64::from(step_s) >= seconds;
            if !is_last && !self.may_fit(step_s, groups).await? {
                continue;
            }
            let asked = PartsAsked {
                step_s,
                counts_seconds,
                together,
                cuts: self.cuts.clone(),
                end: self.end,
                most_bytes: self.most_bytes.saturating_mul(READ),
                most_errors: MAX_ERRORS,
            };
            none = match self.pack(asked).await? {
                Ok(parts) if parts.described.len() + parts.parts.len() <= self.most_bytes => {
                    return Ok(Ok(parts));
                }
                Ok(_) => NoParts::TooLarge,
                Err(none) => none,
            };
            if is_last || none == NoParts::TooManyNames {
                break;
            }
        }
        Ok(Err(none))
    }

    /// Whether parts of so many seconds are worth reading.
    async fn may_fit(&self, step_s: u32, groups: u64) -> Result<bool, WebError> {
        let parts = u64::from(self.end).div_ceil(step_s.into());
        let rows = u64::from(self.end) / u64::from(rows_width(step_s)) * self.endpoints;
        let least = parts
            .saturating_mul(groups)
            .saturating_mul(LEAST_INTERVAL_BYTES);
        if least > self.most_bytes as u64 || rows > MAX_ROWS {
            return Ok(false);
        }
        let together = groups < self.endpoints;
        let estimated = self
            .store
            .estimated_part_bytes(&self.run.id, step_s, together)
            .await?;
        Ok(estimated / MOST_COMPRESSED <= self.most_bytes)
    }

    async fn pack(&self, asked: PartsAsked) -> Result<Result<PackedParts, NoParts>, WebError> {
        let (store, run) = (self.store, self.run);
        let (step_s, counts_seconds, together) =
            (asked.step_s, asked.counts_seconds, asked.together);
        let mut parts = match store.run_parts(&run.id, asked).await? {
            Ok(parts) => parts,
            Err(TooMuch::Bytes) => return Ok(Err(NoParts::TooLarge)),
            Err(TooMuch::Errors) => return Ok(Err(NoParts::TooManyErrors)),
        };
        let has_outcomes = parts.requests.iter().all(|requests| {
            let mut places = requests.intervals.keys();
            places.all(|(_, outcomes)| *outcomes != Outcomes::Mixed)
        });
        let endpoints: Vec<(String, String)> = parts
            .endpoints
            .iter()
            .map(|one| (plain_text(&one.method), plain_text(&one.name)))
            .collect();
        let describe = |error: &ErrorParts| {
            let shown = plain_text(&error.text);
            let (text, place) = split_place(&shown);
            DescribedError {
                endpoint: error.endpoint,
                error: text.to_owned(),
                place: place.map(str::to_owned),
                samples: error.samples,
            }
        };
        if let Some(kept) = &self.errors {
            parts.errors.retain(|error| {
                let shown = describe(error);
                let (method, name) = endpoints[error.endpoint].clone();
                kept.contains(&(method, name, shown.error, shown.place))
            });
        }
        let mut described = Described {
            step_s,
            counts_seconds,
            together,
            errors_left_out: self.errors.is_some(),
            errors: parts.errors.iter().map(describe).collect(),
            endpoints,
            agents: parts.agents.iter().map(|name| plain_text(name)).collect(),
            edges: parts.edges.clone(),
            numbers: NUMBER_NAMES,
            measures: MEASURE_NAMES,
            percentiles: percentile_keys(),
            metrics: parts
                .metrics
                .iter()
                .map(|MetricParts { metric, .. }| DescribedMetric {
                    name: plain_text(&metric.name),
                    kind: metric.kind,
                    unit: plain_text(&metric.unit),
                })
                .collect(),
            metric_statistics: in_tables().collect(),
            has_outcomes,
            by_part: BTreeMap::new(),
        };
        // Of these there is as much with coarser parts.
        let names = packed::off_async(move || Ok((packed::document(&described)?.len(), described)));
        let (bytes, names) = names.await?;
        if bytes > self.most_bytes {
            return Ok(Err(NoParts::TooManyNames));
        }
        described = names;
        described.by_part = charts_by_part(store, run, &parts, step_s).await?;
        let pack = move || {
            Ok(Ok(PackedParts {
                step_s,
                note: described.note(),
                by_endpoint: !together,
                described: packed::document(&described)?,
                parts: packed::in_page(&encoded(&parts))?,
            }))
        };
        packed::off_async(pack).await
    }
}

/// Seconds in the widest stored rows of which parts of so many seconds are made.
fn rows_width(step_s: u32) -> u32 {
    let widths = (0..LEVELS).map(width);
    widths
        .take_while(|width| *width <= step_s)
        .last()
        .unwrap_or(1)
}

/// Charts that are not made of the requests of endpoints, with a value for each part.
async fn charts_by_part(
    store: &Store,
    run: &RunRecord,
    parts: &RunParts,
    step_s: u32,
) -> Result<BTreeMap<&'static str, Vec<ChartLine>>, WebError> {
    let edges = &parts.edges;
    let mut charts = BTreeMap::new();
    for (name, chart) in CHARTS {
        if !matches!(
            chart,
            Chart::AgentUsers | Chart::AgentRequests | Chart::Arrivals
        ) {
            continue;
        }
        // Which agents have a line of their own would differ from stretch to stretch.
        if !matches!(chart, Chart::Arrivals) && parts.agents.len() > MAX_CHART_LINES {
            continue;
        }
        let mut lines: Vec<ChartLine> = Vec::new();
        for stretch in stretches(edges, step_s) {
            let scope = Scope {
                window: Window::new(edges[stretch.start], edges[stretch.end]).ok(),
                ..Scope::default()
            };
            let steps = ChartSteps {
                step_s: Some(step_s),
                since: 0,
            };
            let made = store.chart(run, &scope, chart.clone(), steps).await?;
            for line in made.lines {
                let known = lines.iter().position(|known| known.name == line.name);
                let at = known.unwrap_or_else(|| {
                    lines.push(ChartLine {
                        name: line.name,
                        values: Vec::new(),
                    });
                    lines.len() - 1
                });
                let values = &mut lines[at].values;
                values.resize(stretch.start, Some(0.0));
                values.extend(line.values);
            }
        }
        for line in &mut lines {
            line.values.resize(edges.len() - 1, Some(0.0));
        }
        charts.insert(name, lines);
    }
    Ok(charts)
}

/// Stretches of parts that are steps of one chart: of few enough, and as wide as a step but for the last one.
fn stretches(edges: &[u32], step_s: u32) -> Vec<Range<usize>> {
    let last = edges.len() - 1;
    let is_step = |at: usize| edges[at].is_multiple_of(step_s) && at < last;
    let mut stretches = Vec::new();
    let mut start = 0;
    while start < last {
        let mut end = start + 1;
        while is_step(end) && end - start < MOST_STEPS {
            end += 1;
        }
        stretches.push(start..end);
        start = end;
    }
    stretches
}

fn encoded(parts: &RunParts) -> Vec<u8> {
    let mut bytes = Vec::new();
    let out = &mut bytes;
    let part_count = parts.edges.len() - 1;
    for requests in &parts.requests {
        for part in 0..part_count {
            let of_part = OUTCOMES.map(|outcomes| requests.intervals.get(&(part, outcomes)));
            let bit = |(at, interval): (usize, &Option<_>)| u64::from(interval.is_some()) << at;
            put(out, of_part.iter().enumerate().map(bit).sum());
            for interval in of_part.into_iter().flatten() {
                put_interval(out, interval);
            }
        }
    }
    for requests in &parts.requests {
        for outcomes in OUTCOMES {
            let of_outcome = (outcomes, 0)..=(outcomes, u32::MAX);
            put(
                out,
                requests.counts.range(of_outcome.clone()).count() as u64,
            );
            let mut before = 0;
            for ((_, second), (of_second, failures)) in requests.counts.range(of_outcome) {
                put(out, (second - before).into());
                before = *second;
                put(out, *of_second);
                put(out, *failures);
            }
        }
    }
    put(out, parts.users.len() as u64);
    let mut before = 0;
    for (second, change, arrivals) in &parts.users {
        put(out, (second - before).into());
        before = *second;
        put(out, ((change << 1) ^ (change >> 63)).cast_unsigned());
        for number in [arrivals.started, arrivals.late, arrivals.skipped] {
            put(out, number);
        }
    }
    for error in &parts.errors {
        put(out, error.parts.len() as u64);
        let mut before = 0;
        for (part, known) in &error.parts {
            put(out, (part - before) as u64);
            before = *part;
            put(out, known.occurrences);
            put(out, (known.first - parts.edges[*part]).into());
            put(out, (known.last - known.first).into());
            put(out, known.agents.len() as u64);
            let mut number = 0;
            for agent in &known.agents {
                put(out, (agent - number) as u64);
                number = *agent;
            }
        }
    }
    for metric in &parts.metrics {
        put(out, metric.parts.len() as u64);
        let mut before = 0;
        for (part, row) in &metric.parts {
            put(out, (part - before) as u64);
            before = *part;
            put(out, row.len() as u64);
            out.extend_from_slice(row);
        }
    }
    bytes
}

fn put_interval(bytes: &mut Vec<u8>, interval: &PackedInterval) {
    for number in interval.sums.numbers() {
        put(bytes, number);
    }
    for (_, counts) in interval.counts.iter() {
        put(bytes, counts.as_bytes().len() as u64);
        bytes.extend_from_slice(counts.as_bytes());
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
