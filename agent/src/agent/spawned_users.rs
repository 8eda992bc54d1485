//! How many users of each class an agent has by its part of the load profile, and the lines that say where
//! the ramps stand, in Locust's words.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::{LoadProfile, UserClass, format_duration, own_users};

use super::wall_clock::micros;
use crate::worker::slot_classes::SlotClasses;

/// The users planned for one agent's part of a run.
#[derive(Debug)]
pub(crate) struct SpawnedUsers {
    workers: u32,
    ours: Vec<u32>,
    classes: Vec<UserClass>,
    slots: SlotClasses,
    ramps: Vec<Ramp>,
    /// The beginning of the last ramp that was announced.
    announced_us: Option<u64>,
    /// The beginning of the last ramp whose end was told.
    told_us: Option<u64>,
}

/// A step of the profile, as far as it concerns our workers.
#[derive(Debug, Clone, Copy)]
struct Ramp {
    at_us: u64,
    over_us: u64,
    /// Our users just before.
    before: u64,
    /// Our users in the end.
    after: u64,
    /// Users we have started by its end, since run time zero; those that were stopped meanwhile count.
    started: u64,
    /// Whether it comes to its end before the next one takes over.
    is_reached: bool,
}

impl SpawnedUsers {
    /// The plan of nobody.
    pub(crate) fn none() -> Self {
        Self::new(0, &[], Vec::new())
    }

    /// The part of these workers, before there is a profile.
    pub(crate) fn new(workers: u32, ours: &[u32], classes: Vec<UserClass>) -> Self {
        Self {
            workers,
            ours: ours.to_vec(),
            slots: SlotClasses::new(&classes, workers, ours),
            classes,
            ramps: Vec::new(),
            announced_us: None,
            told_us: None,
        }
    }

    /// The profile is this from now on.
    pub(crate) fn follow(&mut self, profile: &LoadProfile) {
        let plan = profile.user_plan();
        let (mut started, mut before) = (0, 0);
        self.ramps = Vec::with_capacity(profile.steps.len());
        for (number, step) in profile.steps.iter().enumerate() {
            let next = profile.steps.get(number + 1).map(|next| next.at_us);
            let until_us = next.unwrap_or(u64::MAX).min(profile.ends_at_us);
            if until_us <= step.at_us {
                continue;
            }
            let after = self.own(plan.users_at(until_us - 1));
            let target = self.own(step.users);
            started += after.saturating_sub(before);
            self.ramps.push(Ramp {
                at_us: step.at_us,
                over_us: step.over_us,
                before,
                after: target,
                started,
                is_reached: step.at_us.saturating_add(step.over_us) <= until_us,
            });
            before = after;
        }
    }

    /// How many of the first `users` slots are ours and have a class.
    fn own(&mut self, users: u64) -> u64 {
        let own = self
            .ours
            .iter()
            .map(|worker| own_users(users, *worker, self.workers))
            .sum::<u64>();
        let own = usize::try_from(own).unwrap_or(usize::MAX);
        self.slots.first(own).len() as u64
    }

    /// What begins at this run time, if it has not been said.
    pub(crate) fn begun(&mut self, run_time: Duration) -> Vec<String> {
        let now_us = micros(run_time);
        let mut news = Vec::new();
        for ramp in &self.ramps {
            if ramp.at_us > now_us || self.announced_us >= Some(ramp.at_us) {
                continue;
            }
            self.announced_us = Some(ramp.at_us);
            let workers = self.ours.len();
            let plural = if workers == 1 { "" } else { "es" };
            let over = Duration::from_micros(ramp.over_us);
            let over = if over < Duration::from_secs(1) {
                String::new()
            } else {
                format!(" over {}", format_duration(over))
            };
            if ramp.after > ramp.before {
                news.push(format!(
                    "Ramping up to {} users in {workers} worker process{plural}{over}",
                    ramp.after
                ));
            } else if ramp.after < ramp.before {
                news.push(format!(
                    "Ramping down to {} users in {workers} worker process{plural}{over}",
                    ramp.after
                ));
            }
        }
        news
    }

    /// Locust's sentence at the end of a ramp, once, when `started` users have been started so far.
    pub(crate) fn spawned(&mut self, started: u64, run_time: Duration) -> Option<String> {
        let now_us = micros(run_time);
        let ended = self.ramps.iter().rev().find(|ramp| {
            ramp.is_reached
                && ramp.at_us.saturating_add(ramp.over_us) <= now_us
                && started >= ramp.started
        })?;
        if self.told_us >= Some(ended.at_us) {
            return None;
        }
        self.told_us = Some(ended.at_us);
        let (users, changes) = (ended.after, ended.after != ended.before);
        (users > 0 && changes).then(|| self.sentence(users))
    }

    fn sentence(&mut self, users: u64) -> String {
        let mut of_class = BTreeMap::<&str, u64>::new();
        // As many as there are: the number came out of this list.
        let slots = self
            .slots
            .first(usize::try_from(users).unwrap_or(usize::MAX));
        for class in slots {
            *of_class
                .entry(&self.classes[*class as usize].name)
                .or_default() += 1;
        }
        let by_class: Vec<String> = of_class
            .iter()
            .map(|(class, users)| format!("{class:?}: {users}"))
            .collect();
        format!(
            "All users spawned: {{{}}} ({users} total users)",
            by_class.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::ProfileStep;

    use super::*;

    fn profile(steps: &[(u64, u64, u64)], ends_s: u64) -> LoadProfile {
        LoadProfile {
            steps: steps
                .iter()
                .map(|(at_s, users, over_s)| ProfileStep {
                    at_us: at_s * 1_000_000,
                    users: *users,
                    over_us: over_s * 1_000_000,
                })
                .collect(),
            ends_at_us: ends_s * 1_000_000,
            ..LoadProfile::default()
        }
    }

    fn part(ours: &[u32]) -> SpawnedUsers {
        let classes = [("B", 1.0), ("A", 3.0)];
        let classes = classes.map(|(name, weight)| UserClass::weighted(name, weight));
        SpawnedUsers::new(2, ours, classes.to_vec())
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn says_it_once_as_locust_does() {
        let mut all = part(&[0, 1]);
        all.follow(&profile(&[(0, 8, 0)], 10));
        assert_eq!(
            all.begun(at(0.0)),
            ["Ramping up to 8 users in 2 worker processes"]
        );
        assert!(all.begun(at(0.1)).is_empty());
        assert_eq!(all.spawned(7, at(0.2)), None);
        assert_eq!(
            all.spawned(8, at(1.0)).unwrap(),
            "All users spawned: {\"A\": 6, \"B\": 2} (8 total users)"
        );
        assert_eq!(all.spawned(8, at(1.1)), None);
        // ABAAABAA dealt in turn over two workers: AAAA... and BABA....
        let mut second = part(&[1]);
        second.follow(&profile(&[(0, 8, 0)], 10));
        assert_eq!(
            second.spawned(4, at(1.0)).unwrap(),
            "All users spawned: {\"A\": 2, \"B\": 2} (4 total users)"
        );
    }

    #[test]
    fn every_ramp_is_announced_and_told() {
        let mut all = part(&[0, 1]);
        all.follow(&profile(&[(0, 4, 2), (10, 2, 0), (20, 6, 0)], 30));
        assert_eq!(
            all.begun(at(0.0)),
            ["Ramping up to 4 users in 2 worker processes over 2s"]
        );
        assert_eq!(all.spawned(4, at(1.9)), None, "the ramp is not over");
        assert!(all.spawned(4, at(2.0)).unwrap().contains("(4 total users)"));
        assert_eq!(
            all.begun(at(10.0)),
            ["Ramping down to 2 users in 2 worker processes"]
        );
        assert!(
            all.spawned(4, at(10.1))
                .unwrap()
                .contains("(2 total users)")
        );
        assert_eq!(all.begun(at(20.0)).len(), 1);
        // Two of four are still there: four more make eight that have been started.
        assert_eq!(all.spawned(7, at(21.0)), None);
        assert!(
            all.spawned(8, at(21.0))
                .unwrap()
                .contains("(6 total users)")
        );
    }

    #[test]
    fn a_change_while_running_is_a_ramp_too() {
        let mut all = part(&[0, 1]);
        let planned = profile(&[(0, 4, 10)], 30);
        all.follow(&planned);
        all.begun(at(0.0));
        // Taken over at half: the first ramp never ends, and two users have been started by then.
        all.follow(&planned.with_change(5_000_000, 10, 0).unwrap());
        assert_eq!(
            all.begun(at(5.0)),
            ["Ramping up to 10 users in 2 worker processes"]
        );
        assert_eq!(all.spawned(9, at(6.0)), None);
        assert!(
            all.spawned(10, at(6.0))
                .unwrap()
                .contains("(10 total users)")
        );
        assert_eq!(all.spawned(10, at(20.0)), None);
    }

    #[test]
    fn nobody_is_no_news() {
        let mut nobody = SpawnedUsers::none();
        nobody.follow(&profile(&[(0, 4, 0)], 30));
        assert!(nobody.begun(at(1.0)).is_empty());
        assert_eq!(nobody.spawned(9, at(1.0)), None);
    }
}
