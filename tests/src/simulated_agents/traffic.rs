//! What simulated agents report: a pool of seconds as users of a healthy target would measure them, encoded once.

use std::time::Duration;

use greylag_infra::protocol::{Endpoint, IntervalData, SampleData, SampleKind, Snapshot};
use greylag_reporting::Interval;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Different seconds of each endpoint. More make no difference to who adds them up.
const VARIANTS: usize = 16;
/// Median and spread (of the logarithm) of the response times.
const MEDIAN_US: f64 = 20_000.0;
const SPREAD: f64 = 0.5;
/// Share of the requests that fail.
const FAILING: f64 = 0.002;
const ERRORS: [&str; 3] = [
    "503 Server Error: Service Unavailable for url: /api/v1/orders",
    "500 Server Error: Internal Server Error for url: /api/v1/orders",
    "ConnectionResetError(104, 'Connection reset by peer')",
];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
/// Bytes of an answer.
const ANSWER_BYTES: u64 = 1_800;

/// When snapshots are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Each agent at its own time, spread evenly over the period.
    Spread,
    /// All of a run together, soon after the second of run time has ended.
    Together,
}

/// What each agent reports of a run.
#[derive(Debug)]
pub struct Traffic {
    /// How often a snapshot is made.
    pub(super) period: Duration,
    pub(super) sending: Sending,
    endpoints: Vec<Endpoint>,
    /// By endpoint; each with an interval of those that did not fail, and one of those that did.
    seconds: Vec<Vec<Vec<IntervalData>>>,
    samples: usize,
}

impl Traffic {
    /// A snapshot of each agent every `period`, with `requests` per second and endpoint and `samples` per second.
    pub fn new(
        period: Duration,
        sending: Sending,
        endpoints: usize,
        requests: u32,
        samples: usize,
    ) -> Self {
        let mut random = SmallRng::seed_from_u64(10);
        let mut variants = |endpoint| {
            let variant = |_| second(&mut random, endpoint, requests);
            (0..VARIANTS).map(variant).collect()
        };
        Self {
            period,
            sending,
            seconds: (0..endpoints).map(&mut variants).collect(),
            endpoints: (0..endpoints)
                .map(|number| Endpoint {
                    method: METHODS[number % METHODS.len()].to_owned(),
                    name: format!("/api/v1/shop/items/[id]/part-{number}"),
                })
                .collect(),
            samples,
        }
    }

    /// The endpoints, in the order of [`Tally::by_endpoint`](super::Tally::by_endpoint).
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Adds what an agent measured in a second of run time, and counts it.
    pub(super) fn add_second(
        &self,
        agent: usize,
        second: u32,
        snapshot: &mut Snapshot,
        counts: &mut Vec<(u64, u64)>,
    ) {
        snapshot.endpoints.clone_from(&self.endpoints);
        counts.resize(self.endpoints.len(), (0, 0));
        let nth = agent.wrapping_mul(7).wrapping_add(second as usize);
        for ((endpoint, variants), count) in self.seconds.iter().enumerate().zip(counts) {
            for interval in &variants[(nth + endpoint) % VARIANTS] {
                count.0 += interval.requests;
                count.1 += interval.failures;
                snapshot.intervals.push(IntervalData {
                    second,
                    ..interval.clone()
                });
            }
        }
        for sample in 0..self.samples {
            let endpoint = (sample + nth) % self.endpoints.len();
            let within = (sample as u64 * 1_000_000 + nth as u64 % 1_000) / self.samples as u64;
            snapshot.samples.push(SampleData {
                endpoint: u32::try_from(endpoint).expect("there are few endpoints"),
                at_us: u64::from(second) * 1_000_000 + within,
                response_us: 5_000 + (sample * 997 + nth * 31) as u64 % 60_000,
                failed: false,
                kind: SampleKind::Drawn,
                ..SampleData::default()
            });
        }
    }
}

/// One second of one endpoint.
fn second(random: &mut SmallRng, endpoint: usize, requests: u32) -> Vec<IntervalData> {
    let (mut ok, mut failed) = (Interval::default(), Interval::default());
    // Endpoints are not equally fast.
    let median = MEDIAN_US * (0.5 + endpoint as f64 / 20.0);
    for _ in 0..requests {
        let response = Duration::from_secs_f64(log_normal(random, median) / 1e6);
        let error = random
            .random_bool(FAILING)
            .then(|| ERRORS[random.random_range(0..ERRORS.len())]);
        let (interval, status) = match error {
            None => (&mut ok, 200),
            Some(_) => (&mut failed, 500),
        };
        interval.record(response, Some(response.mul_f64(0.9)), ANSWER_BYTES, error);
        interval.count_status(Some(status));
    }
    let position = u32::try_from(endpoint).expect("there are few endpoints");
    let intervals = [ok, failed]
        .into_iter()
        .filter(|interval| !interval.is_empty());
    intervals
        .map(|interval| interval.to_wire(0, position))
        .collect()
}

/// By the method of Box and Muller.
fn log_normal(random: &mut SmallRng, median: f64) -> f64 {
    let (a, b): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    median * (SPREAD * normal).exp()
}
