//! What happens in the runs, and which of it is in a part of a run.

use std::collections::BTreeSet;
use std::time::Duration;

use greylag_infra::protocol::Endpoint;
use greylag_infra::{CustomMetric, MetricKind, WallTime};
use greylag_reporting::{Arrivals, Interval, MetricSums, Outcome, Scope, Window};
use proptest::prelude::*;

use crate::support::{Request, START, endpoint};

/// When the runs are looked at.
pub(crate) const NOW: WallTime = WallTime::from_micros(START.as_micros() + 600_500_000);
pub(crate) const AGENTS: [&str; 3] = ["a", "b", "c"];
pub(crate) const ERRORS: [Option<&str>; 4] =
    [None, None, Some("500 Server Error"), Some("timed out")];

#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Position in [`AGENTS`].
    pub(crate) agent: usize,
    pub(crate) second: u32,
    pub(crate) endpoint: usize,
    pub(crate) response_us: u64,
    pub(crate) error: usize,
}

/// One agent's snapshots: mostly in order of time, some seconds late.
pub(crate) fn agent_events() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let event = (
        0..60_u32,
        0..3_usize,
        1..5_000_000_u64,
        0..4_usize,
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(prop::collection::vec(event, 0..12), 1..25).prop_map(|snapshots| {
        (0..)
            .zip(snapshots)
            .map(|(at, events)| {
                events
                    .into_iter()
                    .map(|(offset, endpoint, response_us, error, late)| Event {
                        agent: 0,
                        // Snapshot by snapshot 40 s on, so that up to 1,000 s get rolled up behind it.
                        second: if late {
                            at * 7 % 50 + offset
                        } else {
                            at * 40 + offset
                        },
                        endpoint,
                        response_us,
                        error,
                    })
                    .collect()
            })
            .collect()
    })
}

/// Of a request that has one, its response time from the intended start: those of one endpoint, of another
/// endpoint some.
pub(crate) fn intended_us(endpoint: &Endpoint, response_us: u64) -> Option<u64> {
    let has = endpoint.name == "/a" || (endpoint.method == "POST" && response_us % 2 == 1);
    has.then_some(response_us * 3 + 1)
}

pub(crate) fn is_first_byte_only(response_us: u64) -> bool {
    response_us.is_multiple_of(3)
}

pub(crate) fn more(interval: &mut Interval, (_, endpoint, response_us, _): &Request<'_>) {
    if let Some(us) = intended_us(endpoint, *response_us) {
        interval.record_intended(Duration::from_micros(us));
    }
    if is_first_byte_only(*response_us) {
        interval.count_first_byte_only();
    }
    if let Some(status) = counted_status(*response_us) {
        interval.count_status(status);
    }
}

/// The status of a request, of one that is counted by status.
pub(crate) fn counted_status(response_us: u64) -> Option<Option<u16>> {
    match response_us % 5 {
        0 => None,
        1 => Some(None),
        2 => Some(Some(404)),
        _ => Some(Some(200)),
    }
}

/// The tags of the task that made the request of an event.
pub(crate) fn tags_of(event: &Event) -> impl Iterator<Item = &'static str> {
    let api = (event.endpoint > 0).then_some("api");
    let slow = (event.response_us % 7 > 2).then_some("slow");
    api.into_iter().chain(slow)
}

/// What each event adds to the arrivals.
pub(crate) fn arrivals_of(event: &Event) -> Arrivals {
    Arrivals {
        started: event.response_us % 5,
        late: event.response_us % 5 / 2,
        skipped: event.endpoint as u64,
    }
}

/// The custom metrics of the runs.
pub(crate) fn metrics() -> [CustomMetric; 4] {
    [
        CustomMetric::new("sent", MetricKind::Counter, "MB"),
        CustomMetric::new("depth", MetricKind::Gauge, ""),
        CustomMetric::new("hits", MetricKind::Rate, ""),
        CustomMetric::new("tokens per second", MetricKind::Histogram, "tokens/s"),
    ]
}

/// The value of a custom metric that comes with an event: of which, when in µs, and what in millionths.
pub(crate) fn value_of(event: &Event) -> (usize, u64, i64) {
    let size = event.response_us as i64;
    let is_odd = size % 2 == 1;
    let value = match event.error {
        0 => size,
        2 => i64::from(is_odd) * 1_000_000,
        _ if is_odd => -size,
        _ => size,
    };
    let at_us = u64::from(event.second) * 1_000_000 + event.response_us % 1_000_000;
    (event.error, at_us, value)
}

/// What the values of a custom metric add up to.
pub(crate) fn sums_of<'a>(metric: usize, events: impl Iterator<Item = &'a Event>) -> MetricSums {
    let is_counted = metrics()[metric].kind == MetricKind::Histogram;
    let mut sums = MetricSums::default();
    for (of, at_us, value) in events.map(value_of) {
        if of == metric {
            sums.record(value, at_us, is_counted);
        }
    }
    sums
}

pub(crate) fn endpoints() -> [Endpoint; 3] {
    [
        endpoint("GET", "/b"),
        endpoint("POST", "/b"),
        endpoint("GET", "/a"),
    ]
}

/// A scope by positions: seconds, endpoint and agent, and the outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    pub(crate) window: Option<(u32, u32)>,
    pub(crate) endpoint: Option<usize>,
    pub(crate) agent: Option<usize>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) without_saturated: bool,
}

/// Whether the worker of an agent that reports anything of a second is saturated in it.
pub(crate) fn is_saturated(second: u32) -> bool {
    second % 7 == 3 || (100..130).contains(&second)
}

pub(crate) fn part() -> impl Strategy<Value = Part> {
    let window = (0..1_100_u32, 1..1_100_u32);
    let window = window.prop_map(|(from, length)| (from, from + length));
    (
        prop::option::of(window),
        prop::option::of(0..3_usize),
        prop::option::of(0..AGENTS.len()),
        prop::option::of(prop::sample::select(vec![Outcome::Ok, Outcome::Failed])),
        any::<bool>(),
    )
        .prop_map(
            |(window, endpoint, agent, outcome, without_saturated)| Part {
                window,
                endpoint,
                agent,
                outcome,
                without_saturated,
            },
        )
}

impl Part {
    pub(crate) fn scope(self) -> Scope {
        Scope {
            window: self.window.map(|(from, to)| Window::new(from, to).unwrap()),
            endpoint: self.endpoint.map(|at| endpoints()[at].clone()),
            agent: self.agent.map(|at| format!("name of {}", AGENTS[at])),
            outcome: self.outcome,
            without_saturated: self.without_saturated,
        }
    }

    pub(crate) fn seconds(self) -> std::ops::Range<u32> {
        self.window.map_or(0..u32::MAX, |(from, to)| from..to)
    }

    pub(crate) fn has_agent(self, event: &Event) -> bool {
        self.agent.is_none_or(|agent| agent == event.agent)
    }

    /// The seconds that are left out: those in which an agent of the part says that its worker was saturated.
    pub(crate) fn left_out(self, events: &[Event]) -> BTreeSet<u32> {
        let here = events.iter().filter(|event| self.has_user(event));
        here.filter(|event| self.is_left_out(event))
            .map(|event| event.second)
            .collect()
    }

    /// With an event its agent says how its worker fared.
    pub(crate) fn is_left_out(self, event: &Event) -> bool {
        self.without_saturated && is_saturated(event.second)
    }

    /// Users and log lines are narrowed by seconds and agent only.
    pub(crate) fn has_user(self, event: &Event) -> bool {
        self.seconds().contains(&event.second) && self.has_agent(event)
    }

    pub(crate) fn has(self, event: &Event) -> bool {
        let outcome = match ERRORS[event.error] {
            None => Outcome::Ok,
            Some(_) => Outcome::Failed,
        };
        self.has_user(event)
            && !self.is_left_out(event)
            && self.endpoint.is_none_or(|at| at == event.endpoint)
            && self.outcome.is_none_or(|only| only == outcome)
    }
}

pub(crate) fn line_of(event: &Event) -> String {
    format!("{} {} {}", event.agent, event.second, event.response_us)
}
