//! Which dots of the scatter plot a browser has, and how they change.
//!
//! The more requests there are, the smaller the share of them that is shown. Dots of requests that are
//! beyond the share go, so that the plot is as dense at its end as everywhere else, and what a browser has
//! collected is what it would get if it asked anew.

use std::collections::HashMap;

use greylag_infra::protocol::SampleKind;

use crate::measure::samples::{Complete, Sample, choose_shown};
use crate::results::views::run_view::{DotChanges, DotKind};
use crate::store::{SamplePoint, Samples};

/// Most dots that are drawn from all requests.
pub(super) const MAX_DOTS: usize = 4_000;
/// Seconds of run time for which late samples are looked for.
const LATE_SAMPLES_S: u32 = 15;

/// The dots that a browser has.
#[derive(Debug)]
pub(super) struct Dots {
    shown: Vec<Dot>,
    complete: Complete,
    /// Number of the next dot.
    next: u64,
    endpoints: HashMap<(String, String), usize>,
    last_second: u32,
    /// Requests of the last seconds that were looked at, by how many are alike; older ones are forgotten.
    seen: HashMap<Request, u32>,
    /// Whether nothing was sent yet.
    is_new: bool,
}

/// One request: when it ended and how long it took in µs, endpoint, outcome.
type Request = (u64, u64, usize, bool);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Dot {
    /// The browser's number for it; none while it does not have it.
    number: Option<u64>,
    /// What it was sent as.
    sent_as: SampleKind,
    at_us: u64,
    response_us: u64,
    endpoint: usize,
    failed: bool,
    kind: SampleKind,
}

impl Sample for Dot {
    fn endpoint(&self) -> u32 {
        u32::try_from(self.endpoint).unwrap_or(u32::MAX)
    }
    fn at_us(&self) -> u64 {
        self.at_us
    }
    fn response_us(&self) -> u64 {
        self.response_us
    }
    fn failed(&self) -> bool {
        self.failed
    }
    fn kind(&self) -> SampleKind {
        self.kind
    }
    fn set_kind(&mut self, kind: SampleKind) {
        self.kind = kind;
    }
}

impl Dots {
    /// A browser that has none.
    pub(super) fn new() -> Self {
        Self {
            shown: Vec::new(),
            complete: Complete::ALL,
            next: 0,
            endpoints: HashMap::new(),
            last_second: 0,
            seen: HashMap::new(),
            is_new: true,
        }
    }

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
        let mut at_ms = 0;
        for dot in &mut dots {
            if dot.number.is_some() && dot.kind == dot.sent_as {
                continue;
            }
            dot.number = Some(self.next);
            dot.sent_as = dot.kind;
            self.next += 1;
            let ended = i64::try_from(dot.at_us / 1_000).unwrap_or(i64::MAX);
            changes.at_ms.push(ended - at_ms);
            at_ms = ended;
            changes.response_us.push(three_digits(dot.response_us));
            changes.endpoint.push(dot.endpoint);
            changes.kind.push(look(dot));
        }
        let still: std::collections::HashSet<u64> =
            dots.iter().filter_map(|dot| dot.number).collect();
        before.retain(|number| !still.contains(number));
        changes.gone = before;
        changes.drawn_share = self.complete.drawn_share();
        changes.failed_share = self.complete.failed_share();
        self.shown = dots;
        changes
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
            let request = (dot.at_us, dot.response_us, dot.endpoint, dot.failed);
            match known.get_mut(&request) {
                Some(copies) if *copies > 0 => *copies -= 1,
                _ => {
                    *self.seen.entry(request).or_default() += 1;
                    let second = u32::try_from(dot.at_us / 1_000_000).unwrap_or(u32::MAX);
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
        let number = self.endpoints.len();
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
            at_us: (point.at_s * 1e6).round() as u64,
            response_us: (point.response_ms * 1e3).round() as u64,
            endpoint: number,
            failed: point.failed,
            kind: point.kind,
        }
    }
}

fn look(dot: &Dot) -> DotKind {
    match (dot.kind, dot.failed) {
        (SampleKind::Drawn, false) | (SampleKind::Failed, false) => DotKind::Success,
        (SampleKind::Drawn, true) => DotKind::Failure,
        (SampleKind::Failed, true) => DotKind::ExtraFailure,
        (SampleKind::Slow, false) => DotKind::SlowSuccess,
        (SampleKind::Slow, true) => DotKind::SlowFailure,
    }
}

/// As exact as the histograms are.
fn three_digits(value: u64) -> u64 {
    let step = 10_u64.pow(value.checked_ilog10().unwrap_or(0).saturating_sub(2));
    (value + step / 2) / step * step
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn point(at_ms: u64, response_us: u64, failed: bool) -> SamplePoint {
        SamplePoint {
            at_s: at_ms as f64 / 1e3,
            response_ms: response_us as f64 / 1e3,
            method: "GET".into(),
            name: if failed { "/b" } else { "/a" }.into(),
            failed,
            kind: SampleKind::Drawn,
        }
    }

    fn samples(points: Vec<SamplePoint>) -> Samples {
        Samples {
            of: points.len() as u64,
            complete: Complete::ALL,
            points,
        }
    }

    /// What a browser does with the changes: its dots by number, as (time in ms, response time in µs).
    #[derive(Default)]
    struct Browser {
        dots: BTreeMap<u64, (i64, u64)>,
        next: u64,
        endpoints: usize,
    }

    impl Browser {
        fn apply(&mut self, changes: &DotChanges) {
            if changes.is_empty() {
                return;
            }
            if changes.forget {
                *self = Self::default();
            }
            self.endpoints += changes.endpoints.len();
            assert!(
                changes
                    .endpoint
                    .iter()
                    .all(|number| *number < self.endpoints)
            );
            for number in &changes.gone {
                assert!(self.dots.remove(number).is_some(), "{number} was there");
            }
            let mut at_ms = 0;
            for (after, response_us) in changes.at_ms.iter().zip(&changes.response_us) {
                at_ms += after;
                self.dots.insert(self.next, (at_ms, *response_us));
                self.next += 1;
            }
        }

        fn sorted(&self) -> Vec<(i64, u64)> {
            let mut dots: Vec<_> = self.dots.values().copied().collect();
            dots.sort();
            dots
        }
    }

    #[test]
    fn a_browser_that_followed_has_what_it_would_be_sent_anew() {
        let mut dots = Dots::new();
        let mut browser = Browser::default();
        let mut all: Vec<SamplePoint> = Vec::new();
        for second in 0..60_u64 {
            for at in 0..200 {
                let failed = (second + at).is_multiple_of(16);
                all.push(point(
                    second * 1_000 + at * 5,
                    1_000 + (at * 37 + second * 11) % 8_000,
                    failed,
                ));
            }
            let first = f64::from(dots.first_wanted());
            let wanted = all
                .iter()
                .filter(|point| point.at_s >= first)
                .cloned()
                .collect();
            let changes = dots.update(samples(wanted));
            assert_eq!(changes.forget, second == 0);
            assert!(changes.kind.len() <= 400, "only what is new is sent");
            browser.apply(&changes);
            assert!(browser.dots.len() <= MAX_DOTS + 100);
        }
        let mut anew = Browser::default();
        anew.apply(&Dots::new().update(samples(all)));
        assert_eq!(browser.sorted(), anew.sorted());
        assert!(dots.seen.len() <= (LATE_SAMPLES_S as usize + 1) * 200);
    }

    #[test]
    fn each_dot_is_sent_once_late_ones_and_twins_too() {
        let mut dots = Dots::new();
        let first = vec![
            point(20_000, 5, false),
            point(20_000, 5, false),
            point(20_500, 5, true),
        ];
        assert_eq!(dots.update(samples(first.clone())).kind.len(), 3);
        let mut again = first;
        again.push(point(19_000, 7, false));
        again.push(point(20_000, 5, false));
        let new = dots.update(samples(again.clone()));
        assert_eq!(
            (new.at_ms, new.response_us),
            (vec![19_000, 1_000], vec![7, 5])
        );
        assert!(dots.update(samples(again)).kind.is_empty());
    }

    #[test]
    fn response_times_have_three_digits() {
        let shown: Vec<u64> = [0, 7, 999, 1_234, 1_235, 99_951, 123_456]
            .map(three_digits)
            .into();
        assert_eq!(shown, [0, 7, 999, 1_230, 1_240, 100_000, 123_000]);
    }

    #[test]
    fn an_endpoint_is_sent_even_if_its_first_requests_have_no_dots() {
        let mut dots = Dots::new();
        let mut browser = Browser::default();
        let busy = (0..20_000)
            .map(|at| point(at, 1_000 + at * 7 % 5_000, false))
            .collect();
        browser.apply(&dots.update(samples(busy)));
        for number in 0..200 {
            let mut rare = point(20_000 + number, 1_000 + number, false);
            rare.name = format!("/rare/{}", number % 40);
            browser.apply(&dots.update(samples(vec![rare])));
        }
        assert_eq!(browser.endpoints, 41);
    }
}
