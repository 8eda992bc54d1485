//! Which slots are active when, and when a worker's own next slot starts or stops.

use super::LoadProfile;
use crate::base::RunTime;

/// How many of the first `users` slots belong to worker `worker` of `workers`.
pub fn own_users(users: u64, worker: u32, workers: u32) -> u64 {
    if workers == 0 {
        return 0;
    }
    users
        .saturating_sub(u64::from(worker))
        .div_ceil(u64::from(workers))
}

/// A load profile's users, prepared for being asked often: each question takes time logarithmic in the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPlan {
    /// Without gaps, ascending, none empty.
    segments: Vec<Segment>,
    ends_at: RunTime,
}

/// The time in which one step of the profile rules, in µs of run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    from_us: u64,
    /// Not included.
    until_us: u64,
    /// Users just before.
    before: u64,
    target: u64,
    over_us: u64,
}

/// A slot of a worker starts or stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserTurn {
    /// When.
    pub at: RunTime,
    /// The slot: the user's index over the whole run, from 0.
    pub index: u64,
    /// Whether it starts; else it stops.
    pub starts: bool,
}

impl Segment {
    /// When the nth (from 0) of the users that come or go in this segment does so.
    fn turn(&self, nth: u64) -> u64 {
        let count = self.before.abs_diff(self.target);
        let later = u128::from(nth) * u128::from(self.over_us) / u128::from(count.max(1));
        self.from_us
            .saturating_add(u64::try_from(later).unwrap_or(u64::MAX))
    }

    /// Users at a time in this segment.
    fn users_at(&self, at_us: u64) -> u64 {
        let count = self.before.abs_diff(self.target);
        // The nth turn is at floor(nth * over / count), which is not after t exactly if nth < (t + 1) * count / over.
        let passed_us = u128::from(at_us - self.from_us) + 1;
        let turned = if self.over_us == 0 {
            count
        } else {
            let turned = (passed_us * u128::from(count)).div_ceil(u128::from(self.over_us));
            u64::try_from(turned).map_or(count, |turned| turned.min(count))
        };
        if self.target >= self.before {
            self.before + turned
        } else {
            self.before - turned
        }
    }
}

impl UserPlan {
    pub(super) fn new(profile: &LoadProfile) -> Self {
        let mut segments: Vec<Segment> = Vec::with_capacity(profile.steps.len());
        let mut before = 0;
        for (number, step) in profile.steps.iter().enumerate() {
            // Steps that are out of order, which no checked profile has, do not rule.
            let next = profile.steps.get(number + 1).map(|next| next.at);
            let until = next.unwrap_or(RunTime::MAX).min(profile.ends_at);
            let (at_us, until_us) = (step.at.as_micros(), until.as_micros());
            let from_us = segments
                .last()
                .map_or(at_us, |last| last.until_us.max(at_us));
            if until_us <= from_us {
                continue;
            }
            let segment = Segment {
                from_us,
                until_us,
                before,
                target: step.users,
                over_us: step.over_us,
            };
            before = segment.users_at(until_us - 1);
            segments.push(segment);
        }
        Self {
            segments,
            ends_at: profile.ends_at,
        }
    }

    /// Users that should be active at a time, over the whole run. None from the end on.
    pub fn users_at(&self, at: RunTime) -> u64 {
        let at_us = at.as_micros();
        let ruling = self
            .segments
            .partition_point(|segment| segment.from_us <= at_us);
        match ruling.checked_sub(1) {
            Some(ruling) if at_us < self.segments[ruling].until_us => {
                self.segments[ruling].users_at(at_us)
            }
            _ => 0,
        }
    }

    /// The most users there are at any time.
    pub fn most_users(&self) -> u64 {
        let counts = self.segments.iter().flat_map(|segment| {
            [
                segment.users_at(segment.from_us),
                segment.users_at(segment.until_us - 1),
            ]
        });
        counts.max().unwrap_or(0)
    }

    /// When the run ends.
    pub fn ends_at(&self) -> RunTime {
        self.ends_at
    }

    /// The next turn of a worker that has `active` users of its own: at `after` if the profile asks for
    /// more or fewer then, else at the first time at which it does. A worker that follows the plan and asks
    /// again follows the profile exactly, also when it is late or the profile has changed meanwhile. None
    /// when nothing changes any more before the run ends; its end stops all users and does not count as a turn.
    pub fn next_change_of(
        &self,
        worker: u32,
        workers: u32,
        active: u64,
        after: RunTime,
    ) -> Option<UserTurn> {
        if workers == 0 || worker >= workers {
            return None;
        }
        let after_us = after.as_micros();
        let slot = |own: u64| {
            own.saturating_mul(u64::from(workers))
                .saturating_add(u64::from(worker))
        };
        let start = |at_us| UserTurn {
            at: RunTime::from_micros(at_us),
            index: slot(active),
            starts: true,
        };
        let stop = |at_us| UserTurn {
            at: RunTime::from_micros(at_us),
            index: slot(active - 1),
            starts: false,
        };
        let first = self
            .segments
            .partition_point(|segment| segment.until_us <= after_us);
        if self
            .segments
            .get(first)
            .is_none_or(|s| after_us < s.from_us)
            && active > 0
            && after < self.ends_at
        {
            // Before the first step there are no users.
            return Some(stop(after_us));
        }
        for segment in &self.segments[first..] {
            let from_us = segment.from_us.max(after_us);
            let wanted = own_users(segment.users_at(from_us), worker, workers);
            if wanted > active {
                return Some(start(from_us));
            }
            if wanted < active {
                return Some(stop(from_us));
            }
            let turn = if segment.target > segment.before {
                let index = slot(active);
                (index < segment.target).then(|| start(segment.turn(index - segment.before)))
            } else {
                let last = active.checked_sub(1).map(slot);
                last.filter(|last| *last >= segment.target)
                    .map(|last| stop(segment.turn(segment.before - 1 - last)))
            };
            if let Some(turn) = turn.filter(|turn| turn.at.as_micros() < segment.until_us) {
                return Some(turn);
            }
        }
        None
    }

    /// All turns of a worker's own users at `from` or later, in order.
    pub fn changes_of(&self, worker: u32, workers: u32, from: RunTime) -> UserChanges<'_> {
        let before = match from {
            RunTime::ZERO => 0,
            from => self.users_at(from.just_before()),
        };
        UserChanges {
            plan: self,
            worker,
            workers,
            active: own_users(before, worker, workers),
            after: from,
        }
    }
}

/// The turns of one worker's users: see [`UserPlan::changes_of`].
#[derive(Debug, Clone)]
pub struct UserChanges<'a> {
    plan: &'a UserPlan,
    worker: u32,
    workers: u32,
    active: u64,
    after: RunTime,
}

impl Iterator for UserChanges<'_> {
    type Item = UserTurn;

    fn next(&mut self) -> Option<UserTurn> {
        let turn = self
            .plan
            .next_change_of(self.worker, self.workers, self.active, self.after)?;
        self.active = if turn.starts {
            self.active + 1
        } else {
            self.active - 1
        };
        self.after = turn.at;
        Some(turn)
    }
}
