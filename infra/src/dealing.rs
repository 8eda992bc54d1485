//! Who gets what: workers over agents, users over workers, classes over users. All round-robin over the
//! whole run, so that the sum over any number of workers is what one process would do.

use std::cmp::Ordering;
use std::time::Duration;

use crate::load_profile::LinearRamp;

/// A class of users and its weight among the others.
#[derive(Debug, Clone, PartialEq)]
pub struct UserClass {
    /// Name; ties between weights are settled by it, as in Locust.
    pub name: String,
    /// Weight; classes with 0 (or less, or no number) get no users.
    pub weight: f64,
}

/// The endless sequence of classes in which users are dealt, as Locust's dispatcher deals them (its
/// "Kullback-Leibler generator", `locust/dispatch.py`): after any number of users each class has as close
/// to its share as whole users allow, and the order never depends on the number of workers.
#[derive(Debug, Clone)]
pub struct ClassSequence {
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone)]
struct Candidate {
    /// `weight * log2(x / (x + 1))`: the smallest is dealt next.
    rank: f64,
    /// Users this class would have, weight included, after being dealt once more.
    x: f64,
    weight: f64,
    name: String,
    class: usize,
}

impl ClassSequence {
    /// The sequence over these classes; its items are positions in `classes`. Empty if none has a weight.
    pub fn new(classes: &[UserClass]) -> Self {
        let candidates = classes
            .iter()
            .enumerate()
            .filter(|(_, class)| class.weight > 0.0 && class.weight.is_finite())
            .map(|(position, class)| Candidate {
                rank: rank(class.weight, class.weight),
                x: class.weight + 1.0,
                weight: class.weight,
                name: class.name.clone(),
                class: position,
            })
            .collect();
        Self { candidates }
    }
}

fn rank(weight: f64, x: f64) -> f64 {
    weight * (x / (x + 1.0)).log2()
}

impl Candidate {
    fn order(&self, other: &Self) -> Ordering {
        self.rank
            .total_cmp(&other.rank)
            .then(self.x.total_cmp(&other.x))
            .then(self.weight.total_cmp(&other.weight))
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl Iterator for ClassSequence {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = self.candidates.iter_mut().min_by(|a, b| a.order(b))?;
        let class = next.class;
        next.rank = rank(next.weight, next.x);
        next.x += 1.0;
        Some(class)
    }
}

/// Deals `workers` worker indexes over `agents` agents, one at a time in turn. An agent may get none.
pub fn deal_workers(workers: u32, agents: usize) -> Vec<Vec<u32>> {
    let mut dealt = vec![Vec::new(); agents];
    if agents > 0 {
        for worker in 0..workers {
            dealt[worker as usize % agents].push(worker);
        }
    }
    dealt
}

/// A user as dealt to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedStart {
    /// Index over the whole run, from 0.
    pub index: u64,
    /// Position of the user's class.
    pub class: usize,
    /// When it starts, counted from run time zero.
    pub starts_after: Duration,
}

/// The users of one worker: every `workers`-th user of the run, beginning with the worker's own index.
/// Empty when no class has a weight.
pub fn users_of_worker(
    classes: &[UserClass],
    ramp: &LinearRamp,
    workers: u32,
    worker: u32,
) -> Vec<PlannedStart> {
    (0..ramp.users)
        .zip(ClassSequence::new(classes))
        .filter(|(index, _)| workers > 0 && index % u64::from(workers) == u64::from(worker))
        .map(|(index, class)| PlannedStart {
            index,
            class,
            starts_after: ramp.start_of(index),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn classes(weights: &[(&str, f64)]) -> Vec<UserClass> {
        weights
            .iter()
            .map(|(name, weight)| UserClass {
                name: (*name).to_owned(),
                weight: *weight,
            })
            .collect()
    }

    fn letters(weights: &[(&str, f64)], count: usize) -> String {
        let classes = classes(weights);
        ClassSequence::new(&classes)
            .take(count)
            .map(|class| classes[class].name.clone())
            .collect()
    }

    /// The sequences measured on Locust 2.47's own dispatcher.
    #[test]
    fn deals_as_locust_does() {
        assert_eq!(letters(&[("A", 3.0), ("B", 1.0)], 8), "ABAAABAA");
        assert_eq!(letters(&[("A", 5.0), ("B", 1.0)], 12), "AABAAAAABAAA");
        assert_eq!(letters(&[("A", 1.0), ("B", 1.0), ("C", 1.0)], 6), "ABCABC");
        assert_eq!(
            letters(&[("A", 2.0), ("B", 1.0), ("C", 1.0)], 8),
            "ABCAABCA"
        );
        assert_eq!(
            letters(&[("A", 10.0), ("B", 3.0), ("C", 1.0)], 14),
            "AABAACABAAABAA"
        );
    }

    #[test]
    fn classes_without_weight_get_no_users() {
        assert_eq!(
            letters(&[("A", 0.0), ("B", 1.0), ("C", f64::NAN)], 3),
            "BBB"
        );
        assert_eq!(ClassSequence::new(&classes(&[("A", 0.0)])).next(), None);
    }

    #[test]
    fn workers_are_dealt_in_turn() {
        assert_eq!(deal_workers(5, 2), vec![vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(deal_workers(1, 2), vec![vec![0], vec![]]);
        assert!(deal_workers(3, 0).is_empty());
    }

    proptest! {
        /// Whatever the number of workers, together they hold each user exactly once, with the class and the
        /// start it would have in one process.
        #[test]
        fn the_sum_over_workers_is_the_whole_run(
            users in 1u64..300, workers in 1u32..20, ramp_s in 0u64..100,
            weights in prop::collection::vec(0.1f64..10.0, 1..5),
        ) {
            let classes: Vec<_> = weights.iter().enumerate()
                .map(|(i, weight)| UserClass { name: format!("C{i}"), weight: *weight })
                .collect();
            let ramp = LinearRamp { users, ramp_up: Duration::from_secs(ramp_s) };
            let whole = users_of_worker(&classes, &ramp, 1, 0);
            let mut parts: Vec<_> = (0..workers)
                .flat_map(|worker| users_of_worker(&classes, &ramp, workers, worker))
                .collect();
            parts.sort_by_key(|user| user.index);
            prop_assert_eq!(parts, whole);
        }

        /// In every second of a ramp the users started differ from the ideal line by at most one.
        #[test]
        fn workers_together_follow_the_line(users in 1u64..500, workers in 1u32..9, ramp_s in 1u64..60) {
            let classes = [UserClass { name: "A".into(), weight: 1.0 }];
            let ramp = LinearRamp { users, ramp_up: Duration::from_secs(ramp_s) };
            let starts: Vec<_> = (0..workers)
                .flat_map(|worker| users_of_worker(&classes, &ramp, workers, worker))
                .map(|user| user.starts_after)
                .collect();
            for second in 0..=ramp_s {
                let now = Duration::from_secs(second);
                let active = starts.iter().filter(|start| **start < now).count() as f64;
                prop_assert!((active - ramp.ideal_at(now)).abs() <= 1.0 + 1e-6);
            }
        }
    }
}
