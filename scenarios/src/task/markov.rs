//! The transitions of a Markov task set, checked as Locust checks them.

use rand::Rng;

use crate::task::TaskEntry;

/// Transitions as they were written: from a task, to a task, with a weight.
pub(crate) type Transitions = Vec<(String, Vec<(String, u32)>)>;

/// Why a Markov task set cannot be used. The first four have Locust's reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MarkovError {
    /// Locust's `NoMarkovTasksError`.
    #[error(
        "no Markov tasks defined in task set `{set}`: give at least one of its tasks transitions"
    )]
    NoTasks { set: String },
    /// Locust's `InvalidTransitionError`.
    #[error(
        "transition to {to} from {from} is invalid since no such task exists in task set `{set}`"
    )]
    UnknownTarget {
        set: String,
        from: String,
        to: String,
    },
    /// Locust's `NonMarkovTaskTransitionError`.
    #[error(
        "{to} of task set `{set}` cannot be used as a target for a transition since it does not \
         define any transitions of its own. Used as a transition from {from}"
    )]
    DeadEnd {
        set: String,
        from: String,
        to: String,
    },
    /// Locust's `MarkovTaskTagError`.
    #[error(
        "tags are unsupported in Markov task sets since they can make the Markov chain invalid. \
         Tags detected on {task} of task set `{set}`: {tags}"
    )]
    Tags {
        set: String,
        task: String,
        tags: String,
    },
    #[error("task set `{set}` gives transitions from {from}, and has no such task")]
    UnknownSource { set: String, from: String },
    #[error("all transitions from {from} of task set `{set}` have weight 0: nothing can follow it")]
    NoWeight { set: String, from: String },
    #[error("task set `{set}` has two tasks named {name}: transitions could mean either")]
    SameName { set: String, name: String },
    #[error(
        "task set `{set}` has transitions and is not a Markov task set: make it one, or leave them out"
    )]
    NotMarkov { set: String },
    #[error("task {task} of Markov task set `{set}` is a task set without tasks")]
    NothingToDo { set: String, task: String },
}

/// A checked chain of tasks.
pub(crate) struct Chain {
    first: usize,
    /// For each task the tasks that can come next, each with the sum of the weights up to it.
    next: Vec<Vec<(usize, u64)>>,
}

impl Chain {
    /// Checks transitions between the tasks of a set.
    ///
    /// As in Locust a task without transitions does not belong to the chain, so nothing may lead to it,
    /// and of the tasks with transitions the first begins.
    pub(crate) fn new(
        set: &str,
        tasks: &[TaskEntry],
        transitions: &Transitions,
    ) -> Result<Self, MarkovError> {
        let set = || set.to_owned();
        let find = |name: &str| tasks.iter().position(|task| task.name() == name);
        for (index, task) in tasks.iter().enumerate() {
            let name = task.name().to_owned();
            if find(&name) != Some(index) {
                return Err(MarkovError::SameName { set: set(), name });
            }
        }
        let mut next: Vec<Option<Vec<(usize, u32)>>> = vec![None; tasks.len()];
        for (from, targets) in transitions {
            let source = find(from).ok_or_else(|| MarkovError::UnknownSource {
                set: set(),
                from: from.clone(),
            })?;
            let known = next[source].get_or_insert_default();
            for (to, weight) in targets {
                let target = find(to).ok_or_else(|| MarkovError::UnknownTarget {
                    set: set(),
                    from: from.clone(),
                    to: to.clone(),
                })?;
                // Said again, the later weight holds, as in Locust.
                match known.iter_mut().find(|(known, _)| *known == target) {
                    Some((_, known)) => *known = *weight,
                    None => known.push((target, *weight)),
                }
            }
        }
        // Locust knows a task by its transitions, so no targets at all are none.
        let first = next
            .iter()
            .position(|targets| targets.as_ref().is_some_and(|targets| !targets.is_empty()))
            .ok_or_else(|| MarkovError::NoTasks { set: set() })?;
        let mut chain = Self {
            first,
            next: vec![Vec::new(); tasks.len()],
        };
        for (source, targets) in next.iter().enumerate() {
            let Some(targets) = targets else { continue };
            let from = || tasks[source].name().to_owned();
            let mut total = 0;
            for (target, weight) in targets {
                let to = tasks[*target].name().to_owned();
                if next[*target].as_ref().is_none_or(Vec::is_empty) {
                    let (set, from) = (set(), from());
                    return Err(MarkovError::DeadEnd { set, from, to });
                }
                total += u64::from(*weight);
                chain.next[source].push((*target, total));
            }
            if total == 0 && !targets.is_empty() {
                let (set, from) = (set(), from());
                return Err(MarkovError::NoWeight { set, from });
            }
        }
        for (index, task) in tasks.iter().enumerate() {
            let tags: Vec<&str> = task.tags().collect();
            let (set, task_name) = (set(), task.name().to_owned());
            if !tags.is_empty() {
                return Err(MarkovError::Tags {
                    set,
                    task: task_name,
                    tags: tags.join(", "),
                });
            }
            if !chain.next[index].is_empty() && task.set().is_some_and(|set| !set.has_work()) {
                let task = task_name;
                return Err(MarkovError::NothingToDo { set, task });
            }
        }
        Ok(chain)
    }

    /// The task that begins.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// Draws the task after this one by the weights of its transitions.
    pub(crate) fn after(&self, task: usize, random: &mut impl Rng) -> usize {
        let targets = &self.next[task];
        let total = targets.last().map_or(0, |(_, sum)| *sum);
        let point = random.random_range(0..total);
        targets[targets.partition_point(|(_, sum)| *sum <= point)].0
    }

    /// The tasks that no way leads to from the first.
    pub(crate) fn unreachable(&self) -> impl Iterator<Item = usize> {
        let mut reached = vec![false; self.next.len()];
        let mut open = vec![self.first];
        while let Some(task) = open.pop() {
            if std::mem::replace(&mut reached[task], true) {
                continue;
            }
            let mut before = 0;
            for (target, sum) in &self.next[task] {
                if *sum > before {
                    open.push(*target);
                }
                before = *sum;
            }
        }
        (0..reached.len()).filter(move |task| !reached[*task])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::*;
    use crate::task::TaskOptions;

    fn tasks(names: &[&str]) -> Vec<TaskEntry> {
        names
            .iter()
            .map(|name| TaskEntry::new(&TaskOptions::new(*name), None))
            .collect()
    }

    fn transitions(all: &[(&str, &[(&str, u32)])]) -> Transitions {
        let owned = |(to, weight): &(&str, u32)| ((*to).to_owned(), *weight);
        all.iter()
            .map(|(from, to)| ((*from).to_owned(), to.iter().map(owned).collect()))
            .collect()
    }

    fn refused(names: &[&str], all: &[(&str, &[(&str, u32)])]) -> String {
        match Chain::new("Shop", &tasks(names), &transitions(all)) {
            Ok(_) => "(accepted)".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_locust_refuses_is_refused_for_its_reason() {
        assert!(refused(&["a"], &[]).starts_with("no Markov tasks defined in task set `Shop`"));
        assert!(refused(&["a"], &[("a", &[])]).starts_with("no Markov tasks defined"));
        assert_eq!(
            refused(&["a"], &[("a", &[("gone", 1)])]),
            "transition to gone from a is invalid since no such task exists in task set `Shop`"
        );
        assert_eq!(
            refused(&["a", "b"], &[("a", &[("b", 1)])]),
            "b of task set `Shop` cannot be used as a target for a transition since it does not \
             define any transitions of its own. Used as a transition from a"
        );
        let tagged = [TaskEntry::new(
            &TaskOptions::new("a").tags(["x", "y"]),
            None,
        )];
        let error = Chain::new("Shop", &tagged, &transitions(&[("a", &[("a", 1)])]));
        assert!(
            error
                .err()
                .unwrap()
                .to_string()
                .ends_with("Tags detected on a of task set `Shop`: x, y")
        );
    }

    #[test]
    fn what_would_fail_while_running_is_refused_too() {
        assert!(refused(&["a"], &[("b", &[("a", 1)])]).contains("no such task"));
        assert!(refused(&["a"], &[("a", &[("a", 0)])]).contains("weight 0"));
        assert!(refused(&["a", "a"], &[("a", &[("a", 1)])]).contains("two tasks named a"));
    }

    #[test]
    fn tasks_that_cannot_be_reached_are_found() {
        let chain = |all| Chain::new("Shop", &tasks(&["a", "b", "c"]), &transitions(all)).unwrap();
        let all: &[(&str, &[(&str, u32)])] = &[
            ("a", &[("a", 1), ("b", 0)]),
            ("b", &[("c", 1)]),
            ("c", &[("a", 1)]),
        ];
        assert_eq!(chain(all).unreachable().collect::<Vec<_>>(), [1, 2]);
        let all: &[(&str, &[(&str, u32)])] = &[("b", &[("c", 1)]), ("c", &[("b", 1)])];
        let chain = chain(all);
        assert_eq!(chain.first(), 1, "the first task with transitions begins");
        assert_eq!(chain.unreachable().collect::<Vec<_>>(), [0]);
    }

    proptest! {
        /// Locust's own way: a list with each target as often as its weight.
        #[test]
        fn what_comes_next_is_as_likely_as_in_locusts_list(
            weights in prop::collection::vec(prop::collection::vec(0..4u32, 3), 3), seed: u64
        ) {
            prop_assume!(weights.iter().all(|row| row.iter().any(|weight| *weight > 0)));
            let names = ["a", "b", "c"];
            let written: Transitions = names.iter().zip(&weights)
                .map(|(from, row)| (
                    (*from).to_owned(),
                    names.iter().map(|to| (*to).to_owned()).zip(row.iter().copied()).collect(),
                ))
                .collect();
            let chain = Chain::new("Shop", &tasks(&names), &written).unwrap();
            let mut random = SmallRng::seed_from_u64(seed);
            for (from, row) in weights.iter().enumerate() {
                let total: u32 = row.iter().sum();
                let mut hits = [0_u32; 3];
                for _ in 0..400 {
                    hits[chain.after(from, &mut random)] += 1;
                }
                for (hit, weight) in hits.iter().zip(row) {
                    let p = f64::from(*weight) / f64::from(total);
                    // Seven standard deviations, for thousands of comparisons.
                    let bound = 7.0 * (400.0 * p * (1.0 - p)).sqrt();
                    prop_assert!((f64::from(*hit) - 400.0 * p).abs() <= bound);
                }
            }
        }
    }
}
