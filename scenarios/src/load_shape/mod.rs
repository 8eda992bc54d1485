//! Load shapes in code: how many users there are when, said by a function of the run time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::options::Options;
use crate::place::{keep_places_of_panics, panic_message};
use crate::task::TaskError;

/// Most changes of the number of users that a shape may ask for in one run.
pub const MAX_SHAPE_CHANGES: usize = 10_000;
/// Most users that a shape may ask for.
pub const MAX_SHAPE_USERS: u64 = 1_000_000;
/// How often a shape is asked, in run time (as Locust asks).
pub const SHAPE_TICK: Duration = Duration::from_secs(1);

/// Says how many users there are when. Locust's `LoadTestShape`.
///
/// A shape is asked once for each whole second of run time, beginning with 0, *before* the run: what it
/// answers must follow from the run time, the planned users and the scenario's options alone. That makes it
/// exact over any number of workers, and shows it on the page before load starts.
pub trait LoadShape: Send {
    /// What is to be from now on; `None` ends the test. Only an answer that differs from the one before
    /// changes anything.
    fn tick(&mut self, now: &ShapeTime) -> Option<ShapeTick>;
}

/// What a shape knows when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShapeTime {
    /// Run time, in whole seconds. Locust's `get_run_time()`.
    pub run_time: Duration,
    /// Users planned at this moment. Locust's `get_current_user_count()`.
    pub users: u64,
}

/// What a shape answers: `ShapeTick::users(100).spawn_rate(10.0)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShapeTick {
    users: u64,
    pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    AtOnce,
    PerSecond(f64),
    Within(Duration),
}

impl ShapeTick {
    /// So many users from now on, immediately. 0 to [`MAX_SHAPE_USERS`].
    pub fn users(users: u64) -> Self {
        Self {
            users,
            pace: Pace::AtOnce,
        }
    }

    /// So many users more, or fewer, each second until the number is reached; above 0.
    pub fn spawn_rate(mut self, users_per_second: f64) -> Self {
        self.pace = Pace::PerSecond(users_per_second);
        self
    }

    /// The number is reached linearly within this time.
    pub fn within(mut self, time: Duration) -> Self {
        self.pace = Pace::Within(time);
        self
    }
}

/// A shape's answers for one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShapePlan {
    /// Changes of the number of users, ascending by `at`. A later one takes over from an earlier one whose
    /// ramp is not over, from where it is.
    pub changes: Vec<ShapeChange>,
    /// When the shape ended the run; `None` when it had not ended at the ceiling.
    pub ended_at: Option<Duration>,
}

/// From `at` on the number of users goes linearly to `users`, within `over`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShapeChange {
    /// Run time at which it begins.
    pub at: Duration,
    /// Users in the end.
    pub users: u64,
    /// How long it takes.
    pub over: Duration,
}

/// Why a shape cannot be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// The scenario has none.
    #[error("scenario `{scenario}` has no load shape: add one with .shape(…)")]
    None {
        /// The scenario's name.
        scenario: String,
    },
    /// The factory failed.
    #[error("the load shape cannot be made: {reason}")]
    Make {
        /// The factory's error.
        reason: String,
    },
    /// `tick` panicked.
    #[error("the load shape panicked at {} s of run time: {message}", at.as_secs())]
    Panicked {
        /// Run time of the tick.
        at: Duration,
        /// The panic's message.
        message: String,
    },
    /// The spawn rate is not a valid rate.
    #[error("the load shape asked for a spawn rate of {rate} users per second at {} s of run time: it must be above 0 and finite", at.as_secs())]
    SpawnRate {
        /// Run time of the tick.
        at: Duration,
        /// What it asked for.
        rate: f64,
    },
    /// More users than there can be.
    #[error("the load shape asked for {users} users at {} s of run time: the maximum is {MAX_SHAPE_USERS}", at.as_secs())]
    TooManyUsers {
        /// Run time of the tick.
        at: Duration,
        /// What it asked for.
        users: u64,
    },
    /// It changes its mind too often.
    #[error("the load shape asked for more than {MAX_SHAPE_CHANGES} changes, the last at {} s of run time: let tick return the same answer while nothing changes", at.as_secs())]
    TooManyChanges {
        /// Run time of the tick.
        at: Duration,
    },
    /// The first answer was the end.
    #[error(
        "the load shape ended the test at 0 s of run time: tick must return users before it returns None"
    )]
    Empty,
}

/// Makes a shape for one run.
pub(crate) type ShapeFactory =
    Arc<dyn Fn(&Options) -> Result<Box<dyn LoadShape>, TaskError> + Send + Sync>;

/// Asks a new shape for each whole second before `ceiling`.
pub(crate) fn evaluate(
    make: &ShapeFactory,
    options: &Options,
    ceiling: Duration,
) -> Result<ShapePlan, ShapeError> {
    keep_places_of_panics();
    let mut shape = match catch_unwind(AssertUnwindSafe(|| make(options))) {
        Ok(Ok(shape)) => shape,
        Ok(Err(error)) => {
            return Err(ShapeError::Make {
                reason: error.with_place(),
            });
        }
        Err(panic) => {
            return Err(ShapeError::Make {
                reason: format!("panicked: {}", panic_message(&*panic)),
            });
        }
    };
    let mut plan = ShapePlan::default();
    let mut ramp = Ramp::default();
    let mut last = None;
    let mut at = Duration::ZERO;
    while at < ceiling {
        let now = ShapeTime {
            run_time: at,
            users: ramp.users_at(at),
        };
        let tick = catch_unwind(AssertUnwindSafe(|| shape.tick(&now))).map_err(|panic| {
            ShapeError::Panicked {
                at,
                message: panic_message(&*panic),
            }
        })?;
        let Some(tick) = tick else {
            if plan.changes.is_empty() {
                return Err(ShapeError::Empty);
            }
            plan.ended_at = Some(at);
            return Ok(plan);
        };
        if last != Some(tick) {
            let change = change(at, now.users, &tick)?;
            if plan.changes.len() == MAX_SHAPE_CHANGES {
                return Err(ShapeError::TooManyChanges { at });
            }
            ramp = Ramp {
                from: now.users,
                change,
            };
            plan.changes.push(change);
            last = Some(tick);
        }
        at += SHAPE_TICK;
    }
    Ok(plan)
}

/// What a tick means when so many users are planned.
fn change(at: Duration, from: u64, tick: &ShapeTick) -> Result<ShapeChange, ShapeError> {
    let users = tick.users;
    if users > MAX_SHAPE_USERS {
        return Err(ShapeError::TooManyUsers { at, users });
    }
    let over = match tick.pace {
        Pace::AtOnce => Duration::ZERO,
        Pace::Within(time) => time.min(LONGEST_RAMP),
        Pace::PerSecond(rate) if rate.is_finite() && rate > 0.0 => {
            let seconds = users.abs_diff(from) as f64 / rate;
            Duration::try_from_secs_f64(seconds).map_or(LONGEST_RAMP, |over| over.min(LONGEST_RAMP))
        }
        Pace::PerSecond(rate) => return Err(ShapeError::SpawnRate { at, rate }),
    };
    Ok(ShapeChange { at, users, over })
}

/// Longest ramp of one change; what would take longer is taken for this long.
const LONGEST_RAMP: Duration = Duration::from_secs(30 * 24 * 3600);

/// The change under way and where it began.
#[derive(Default)]
struct Ramp {
    from: u64,
    change: ShapeChange,
}

impl Ramp {
    /// Planned users at a run time not before the change: the first joins or leaves immediately, the others at
    /// equal distances.
    fn users_at(&self, at: Duration) -> u64 {
        let ShapeChange {
            at: begin,
            users,
            over,
        } = self.change;
        let since = at.saturating_sub(begin);
        if since >= over {
            return users;
        }
        let whole = u128::from(users.abs_diff(self.from));
        if whole == 0 {
            return users;
        }
        // The k-th of them (from 0) is due at k / whole of the ramp.
        let done = since.as_nanos() * whole / over.as_nanos() + 1;
        let done = u64::try_from(done.min(whole)).unwrap_or(u64::MAX);
        if users > self.from {
            self.from + done
        } else {
            self.from - done
        }
    }
}

#[cfg(test)]
mod tests;
