//! Which dots of the scatter plot a browser has, and how they change.
//!
//! The more requests there are, the smaller the share of them that is shown. Dots of requests that are
//! beyond the share go, so that the plot is as dense at its end as everywhere else, and what a browser has
//! collected is what it would get if it asked anew.

#[cfg(test)]
pub(super) mod tests;

use std::collections::HashMap;

use greylag_infra::protocol::{SampleData, SampleKind};

use crate::measure::samples::{Complete, Sample, choose_shown};
use crate::results::views::run_view::{DotChanges, DotKind};
use crate::store::{SamplePoint, Samples};

/// Most dots that are drawn from all requests.
pub(in crate::web) const MAX_DOTS: usize = 4_000;
/// Seconds of run time for which late samples are looked for.
const LATE_SAMPLES_S: u32 = 15;

/// The dots that a browser has.
#[derive(Debug)]
pub(super) struct Dots {
    shown: Vec<Dot>,
    complete: Complete,
    /// Requests that they were drawn from.
    of: u64,
    /// Number of the next dot.
    next: u64,
    endpoints: HashMap<(String, String), u32>,
    last_second: u32,
    /// Requests of the last seconds that were looked at, by how many are alike; older ones are forgotten.
    seen: HashMap<Request, u32>,
    /// Whether nothing was sent yet.
    is_new: bool,
}

/// One request: when it ended and how long it took in µs, endpoint, outcome.
type Request = (u64, u64, u32, bool);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Dot {
    /// The browser's number for it; none while it does not have it.
    number: Option<u64>,
    /// What it was sent as.
    sent_as: SampleKind,
    /// Its endpoint is the browser's number of it.
    sample: SampleData,
}

impl Sample for Dot {
    fn data(&self) -> SampleData {
        self.sample
    }
    fn set_kind(&mut self, kind: SampleKind) {
        self.sample.kind = kind;
    }
}

impl Default for Dots {
    /// Those of a browser that has none.
    fn default() -> Self {
        Self {
            shown: Vec::new(),
            complete: Complete::ALL,
            of: 0,
            next: 0,
            endpoints: HashMap::new(),
            last_second: 0,
            seen: HashMap::new(),
            is_new: true,
        }
    }
}

impl Dots {
    /// The first second of which samples may be new.
    pub(super) fn first_wanted(&self) -> u32 {
        self.last_second.saturating_sub(LATE_SAMPLES_S)
    }

    /// Takes the samples at and after [`Self::first_wanted`] and notes that the browser is sent what this
    /// gives.
    pub(super) fn update(&mut self, samples: Samples) -> DotChanges {
        let mut changes = DotChanges {
            forget: std::mem::take(&mut self.is_new),
            of: samples.of,
            ..DotChanges::default()
        };
        self.complete = self.complete.and(samples.complete);
        let mut dots = std::mem::take(&mut self.shown);
        let mut before: Vec<u64> = dots.iter().filter_map(|dot| dot.number).collect();
        dots.extend(self.unseen(samples.points, &mut changes.endpoints));
        choose_shown(&mut dots, &mut self.complete, MAX_DOTS);
        let first_new = self.next;
        for dot in &mut dots {
            if dot.number.is_some() && dot.sample.kind == dot.sent_as {
                continue;
            }
            dot.number = Some(self.next);
            dot.sent_as = dot.sample.kind;
            self.next += 1;
        }
        let new = dots.iter().filter(|dot| dot.number >= Some(first_new));
        add_columns(&mut changes, new);
        changes.next = self.next;
        let still: std::collections::HashSet<u64> =
            dots.iter().filter_map(|dot| dot.number).collect();
        before.retain(|number| !still.contains(number));
        changes.gone = before;
        changes.drawn_share = self.complete.drawn_share();
        changes.failed_share = self.complete.failed_share();
        self.shown = dots;
        self.of = changes.of;
        changes
    }

    /// All dots that the browser has, for one that has none.
    pub(super) fn all(&self) -> DotChanges {
        let mut endpoints: Vec<_> = self.endpoints.iter().collect();
        endpoints.sort_by_key(|(_, number)| **number);
        let mut all = DotChanges {
            forget: true,
            endpoints: endpoints
                .into_iter()
                .map(|(endpoint, _)| endpoint.clone())
                .collect(),
            next: self.next,
            drawn_share: self.complete.drawn_share(),
            failed_share: self.complete.failed_share(),
            of: self.of,
            ..DotChanges::default()
        };
        add_columns(&mut all, self.shown.iter());
        let mut before = 0;
        for dot in &self.shown {
            let number = dot.number.unwrap_or_default().cast_signed();
            all.numbers.push(number - before);
            before = number;
        }
        all
    }

    /// Those that were not looked at before, late ones and twins too.
    fn unseen(
        &mut self,
        points: Vec<SamplePoint>,
        new_endpoints: &mut Vec<(String, String)>,
    ) -> Vec<Dot> {
        let mut known = self.seen.clone();
        let mut unseen = Vec::new();
        for point in points {
            let dot = self.dot(point, new_endpoints);
            let SampleData {
                at_us,
                response_us,
                endpoint,
                failed,
                ..
            } = dot.sample;
            let request = (at_us, response_us, endpoint, failed);
            match known.get_mut(&request) {
                Some(copies) if *copies > 0 => *copies -= 1,
                _ => {
                    *self.seen.entry(request).or_default() += 1;
                    let second = u32::try_from(at_us / 1_000_000).unwrap_or(u32::MAX);
                    self.last_second = self.last_second.max(second);
                    unseen.push(dot);
                }
            }
        }
        let first_wanted = u64::from(self.first_wanted()) * 1_000_000;
        self.seen.retain(|(at_us, ..), _| *at_us >= first_wanted);
        unseen
    }

    fn dot(&mut self, point: SamplePoint, new_endpoints: &mut Vec<(String, String)>) -> Dot {
        let endpoint = (point.method, point.name);
        // A run has far fewer endpoints: see `MAX_ENDPOINTS`.
        let number = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX);
        let number = *self
            .endpoints
            .entry(endpoint)
            .or_insert_with_key(|endpoint| {
                new_endpoints.push(endpoint.clone());
                number
            });
        Dot {
            number: None,
            sent_as: point.kind,
            sample: SampleData {
                endpoint: number,
                at_us: (point.at_s * 1e6).round() as u64,
                response_us: (point.response_ms * 1e3).round() as u64,
                failed: point.failed,
                kind: point.kind,
                ..SampleData::default()
            },
        }
    }
}

/// Adds dots to the columns.
fn add_columns<'a>(changes: &mut DotChanges, dots: impl Iterator<Item = &'a Dot>) {
    let mut at_ms = 0;
    for dot in dots {
        let ended = i64::try_from(dot.sample.at_us / 1_000).unwrap_or(i64::MAX);
        changes.at_ms.push(ended - at_ms);
        at_ms = ended;
        changes
            .response_us
            .push(DotChanges::shown_response_us(dot.sample.response_us));
        changes.endpoint.push(dot.sample.endpoint);
        changes.kind.push(look(dot));
    }
}

fn look(dot: &Dot) -> DotKind {
    match (dot.sample.kind, dot.sample.failed) {
        (SampleKind::Drawn, false) | (SampleKind::Failed, false) => DotKind::Success,
        (SampleKind::Drawn, true) => DotKind::Failure,
        (SampleKind::Failed, true) => DotKind::ExtraFailure,
        (SampleKind::Slow, false) => DotKind::SlowSuccess,
        (SampleKind::Slow, true) => DotKind::SlowFailure,
    }
}
