//! When iterations of an arrival rate are due.

use super::LoadProfile;
use crate::base::RunTime;

/// An iteration that an arrival rate asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its index over the whole run, from 0.
    pub index: u64,
    /// When it is due.
    pub at: RunTime,
}

/// A time in which the rate is linear. Times in seconds, so that the rate's integral counts iterations.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    from_s: f64,
    until_s: f64,
    /// Rate at `from_s`.
    rate: f64,
    /// Change of the rate per second.
    slope: f64,
    /// Iterations due before `from_s`, with their fraction.
    before: f64,
}

impl Piece {
    fn rate_at(&self, at_s: f64) -> f64 {
        (self.rate + self.slope * (at_s - self.from_s)).max(0.0)
    }

    /// The integral of the rate from the run's start to a time in this piece.
    fn integral_at(&self, at_s: f64) -> f64 {
        let x = at_s - self.from_s;
        self.before + x * (self.rate + self.slope * x / 2.0)
    }

    /// When the integral is `count`, which it is within this piece.
    fn time_of(&self, count: f64) -> f64 {
        let more = count - self.before;
        if more <= 0.0 {
            return self.from_s;
        }
        // The root of slope/2 x² + rate x = more, in the form that loses no digits and needs no division by the slope.
        let root = (self.rate * self.rate + 2.0 * self.slope * more)
            .max(0.0)
            .sqrt();
        (self.from_s + 2.0 * more / (self.rate + root)).min(self.until_s)
    }
}

/// The profile's rates as linear pieces, ascending, without gaps until the end.
fn pieces(profile: &LoadProfile) -> Vec<Piece> {
    let seconds = |us: u64| us as f64 / 1e6;
    let mut pieces: Vec<Piece> = Vec::with_capacity(2 * profile.rates.len());
    let mut rate = 0.0;
    let mut before = 0.0;
    let mut from_us = 0;
    for (number, step) in profile.rates.iter().enumerate() {
        from_us = step.at.as_micros().max(from_us);
        let next = profile.rates.get(number + 1).map(|next| next.at);
        let until = next.unwrap_or(RunTime::MAX).min(profile.ends_at);
        let until_us = until.as_micros();
        let target = step.per_second;
        if until_us <= from_us || !target.is_finite() {
            continue;
        }
        let ramp_end_us = from_us.saturating_add(step.over_us);
        let slope = if step.over_us == 0 {
            0.0
        } else {
            (target - rate) / seconds(step.over_us)
        };
        let mut add = |from: u64, until: u64, rate: f64, slope: f64| {
            if until <= from {
                return;
            }
            let piece = Piece {
                from_s: seconds(from),
                until_s: seconds(until),
                rate,
                slope,
                before,
            };
            before = piece.integral_at(piece.until_s).max(before);
            pieces.push(piece);
        };
        add(from_us, ramp_end_us.min(until_us), rate, slope);
        add(ramp_end_us, until_us, target, 0.0);
        rate = if ramp_end_us <= until_us {
            target
        } else {
            rate + slope * seconds(until_us - from_us)
        };
        from_us = until_us;
    }
    pieces
}

pub(super) fn rate_at(profile: &LoadProfile, at: RunTime) -> f64 {
    if at >= profile.ends_at {
        return 0.0;
    }
    let at_s = at.as_micros() as f64 / 1e6;
    let pieces = pieces(profile);
    let ruling = pieces.partition_point(|piece| piece.from_s <= at_s);
    ruling
        .checked_sub(1)
        .map_or(0.0, |ruling| pieces[ruling].rate_at(at_s))
}

/// How many iterations are due before a time.
pub(super) fn arrivals_before(profile: &LoadProfile, at: RunTime) -> u64 {
    /// What sums of fractions may be off by.
    const ROUNDING: f64 = 1e-6;
    let at_s = at.as_micros() as f64 / 1e6;
    let pieces = pieces(profile);
    let ruling = pieces.partition_point(|piece| piece.from_s < at_s);
    let due = ruling.checked_sub(1).map_or(0.0, |ruling| {
        let piece = &pieces[ruling];
        piece.integral_at(at_s.min(piece.until_s))
    });
    // The first one is due when the integral is 0.
    (due - ROUNDING).ceil().max(0.0) as u64
}

/// The intended starts of one worker's iterations: see [`LoadProfile::arrival_times`].
#[derive(Debug, Clone)]
pub struct ArrivalTimes {
    pieces: Vec<Piece>,
    /// The piece in which the last answer was.
    current: usize,
    next: u64,
    workers: u64,
}

impl ArrivalTimes {
    pub(super) fn new(profile: &LoadProfile, worker: u32, workers: u32, from: RunTime) -> Self {
        let pieces = pieces(profile);
        if workers == 0 || worker >= workers {
            return Self {
                pieces: Vec::new(),
                current: 0,
                next: 0,
                workers: 1,
            };
        }
        let from_s = from.as_micros() as f64 / 1e6;
        let (worker, workers) = (u64::from(worker), u64::from(workers));
        let current = pieces
            .partition_point(|piece| piece.from_s <= from_s)
            .saturating_sub(1);
        // One turn too early rather than too late: what is before `from` is left out below.
        let due = pieces.get(current).map_or(0.0, |piece| {
            piece.integral_at(from_s.clamp(piece.from_s, piece.until_s))
        });
        let turns = (due as u64).saturating_sub(worker) / workers;
        let mut times = Self {
            pieces,
            current: current.saturating_sub(1),
            next: turns.saturating_sub(1) * workers + worker,
            workers,
        };
        while times.peek().is_some_and(|at| at < from) {
            times.next += workers;
        }
        times
    }

    /// When the next one is due.
    fn peek(&mut self) -> Option<RunTime> {
        let count = self.next as f64;
        while let Some(piece) = self.pieces.get(self.current) {
            if piece.integral_at(piece.until_s) > count {
                let at_us = (piece.time_of(count) * 1e6) as u64;
                return Some(RunTime::from_micros(at_us));
            }
            self.current += 1;
        }
        None
    }
}

impl Iterator for ArrivalTimes {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let at = self.peek()?;
        let index = self.next;
        self.next += self.workers;
        Some(Arrival { index, at })
    }
}
