//! The tasks of a user type or of a task set as the engine sees them: without their functions, and in
//! what order they come.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::Rng;

use crate::engine::NameId;
use crate::task::{Chain, MarkovError, TagSet, TaskOptions, WaitTime, WaitTimeError};

/// In which order a task set's tasks come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskOrder {
    /// Each time one is drawn by weight, whatever came before. Locust's `TaskSet`.
    Random,
    /// As they were added, over and over; one of weight n runs n times in a row. Locust's
    /// `SequentialTaskSet`.
    Sequential,
    /// From the first one added on by the weights of its transitions. Locust's `MarkovTaskSet`.
    Markov,
}

/// The order with what it needs.
#[derive(Clone)]
pub(crate) enum Order {
    Random,
    Sequential,
    Markov(Arc<Chain>),
}

/// Whose wait time is used after a task.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    /// A task set's without its own: the user's.
    OfTheUser,
    Time(WaitTime),
    /// A function of the user type's or task set's own.
    Function,
}

/// A task of a user type or a task set: `user_type.tasks()`.
#[derive(Clone)]
pub struct TaskEntry {
    name: String,
    id: NameId,
    weight: u32,
    tags: BTreeSet<String>,
    counted: TagSet,
    set: Option<Arc<TaskTable>>,
}

impl TaskEntry {
    pub(crate) fn new(options: &TaskOptions, set: Option<Arc<TaskTable>>) -> Self {
        Self {
            id: NameId::of(&options.name),
            name: options.name.clone(),
            weight: options.weight,
            tags: options.tags.clone(),
            counted: TagSet::NONE,
            set,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name as a number.
    pub(crate) fn id(&self) -> NameId {
        self.id
    }

    /// How often it is picked in proportion to the others beside it; 0 when it is left out.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// The tags it has itself, sorted; those of task sets around it hold for it, too.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(String::as_str)
    }

    /// The tasks of a task set; none for a plain task.
    pub fn tasks(&self) -> &[TaskEntry] {
        self.set.as_ref().map_or(&[], |set| set.entries())
    }

    /// The same task with another weight, and another table of the same task set.
    pub(crate) fn with(&self, weight: u32, set: Option<Arc<TaskTable>>) -> Self {
        Self {
            weight,
            set,
            ..self.clone()
        }
    }

    /// The same task for a run that counts these of its tags, and another table of the same task set.
    pub(crate) fn counting(&self, counted: TagSet, set: Option<Arc<TaskTable>>) -> Self {
        Self {
            counted,
            ..self.with(self.weight, set)
        }
    }

    /// Which of the tags that the run counts it has, with those of the task sets around it.
    pub(crate) fn counted(&self) -> TagSet {
        self.counted
    }

    /// The task set this is.
    pub(crate) fn set(&self) -> Option<&TaskTable> {
        self.set.as_deref()
    }
}

impl std::fmt::Debug for TaskEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskEntry")
            .field("name", &self.name)
            .field("weight", &self.weight)
            .field("tags", &self.tags)
            .field("tasks", &self.tasks())
            .finish()
    }
}

/// The tasks of one user type or task set. The index of an entry is that of its function.
#[derive(Clone)]
pub(crate) struct TaskTable {
    name: String,
    entries: Vec<TaskEntry>,
    /// `cumulative[i]` is the sum of the weights of the entries up to and with entry i.
    cumulative: Vec<u64>,
    order: Order,
    wait: Wait,
    /// Why a run cannot begin with it.
    problem: Option<MarkovError>,
}

/// Why no run can begin with the tasks of a user type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TaskTableError {
    #[error(transparent)]
    Markov(#[from] MarkovError),
    #[error(transparent)]
    WaitTime(#[from] WaitTimeError),
}

impl TaskTable {
    pub(crate) fn new(
        name: String,
        entries: Vec<TaskEntry>,
        order: Order,
        wait: Wait,
        problem: Option<MarkovError>,
    ) -> Self {
        let mut table = Self {
            name,
            entries,
            cumulative: Vec::new(),
            order,
            wait,
            problem,
        };
        table.add_up();
        table
    }

    /// A task set in which there is nothing to do would never end: it is left out, as in Locust.
    fn add_up(&mut self) {
        let mut total = 0_u64;
        self.cumulative.clear();
        for entry in &mut self.entries {
            if entry.set().is_some_and(|set| !set.has_work()) {
                entry.weight = 0;
            }
            total += u64::from(entry.weight);
            self.cumulative.push(total);
        }
    }

    /// What it was named.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn entries(&self) -> &[TaskEntry] {
        &self.entries
    }

    pub(crate) fn entry(&self, index: usize) -> &TaskEntry {
        &self.entries[index]
    }

    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    pub(crate) fn wait(&self) -> &Wait {
        &self.wait
    }

    /// Sum of all weights; 0 when there is nothing to do.
    pub(crate) fn total_weight(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// Whether there is a task to pick.
    pub(crate) fn has_work(&self) -> bool {
        match &self.order {
            Order::Random | Order::Sequential => self.total_weight() > 0,
            Order::Markov(_) => true,
        }
    }

    /// The same tasks with others' weights and sets; entries keep their places.
    pub(crate) fn with_entries(&self, entries: Vec<TaskEntry>) -> Self {
        let mut table = Self {
            entries,
            ..self.clone()
        };
        table.add_up();
        table
    }

    /// The first problem in it or in the task sets in it.
    pub(crate) fn first_problem(&self) -> Option<TaskTableError> {
        let bad_wait = || match &self.wait {
            Wait::Time(wait_time) => wait_time.problem().map(TaskTableError::from),
            Wait::OfTheUser | Wait::Function => None,
        };
        let inside = || {
            self.entries.iter().find_map(|entry| {
                let set = entry.set()?;
                let tags = self.useless_tags(entry, set).map(TaskTableError::from);
                tags.or_else(|| set.first_problem())
            })
        };
        let own = self.problem.clone().map(TaskTableError::from);
        own.or_else(bad_wait).or_else(inside)
    }

    /// Tags of a Markov task set would select nothing: it is kept whole whatever is selected.
    fn useless_tags(&self, entry: &TaskEntry, set: &Self) -> Option<MarkovError> {
        let tags: Vec<&str> = entry.tags().collect();
        if tags.is_empty() || !matches!(set.order, Order::Markov(_)) {
            return None;
        }
        Some(MarkovError::Tags {
            set: self.name.clone(),
            task: entry.name.clone(),
            tags: tags.join(", "),
        })
    }

    /// Everything worth a warning, before load starts.
    pub(crate) fn warn(&self) {
        if let Order::Markov(chain) = &self.order {
            let unreachable: Vec<&str> = chain
                .unreachable()
                .map(|index| self.entries[index].name())
                .collect();
            if !unreachable.is_empty() {
                tracing::warn!(
                    "the following Markov tasks are unreachable in task set `{}`: {}",
                    self.name,
                    unreachable.join(", ")
                );
            }
        }
        for entry in &self.entries {
            if let Some(set) = entry.set() {
                if !set.has_work() {
                    tracing::warn!(
                        "task set `{}` has no tasks to run and is left out",
                        set.name
                    );
                }
                set.warn();
            }
        }
    }

    /// The task whose share of the sum of weights `point` is in.
    fn at(&self, point: u64) -> usize {
        self.cumulative.partition_point(|&sum| sum <= point)
    }
}

/// A user's position in a table.
pub(crate) enum Cursor {
    Random,
    /// The point in the sum of weights that comes next.
    Sequential(u64),
    /// The task that comes next.
    Markov(usize),
}

impl Cursor {
    pub(crate) fn new(table: &TaskTable) -> Self {
        match &table.order {
            Order::Random => Self::Random,
            Order::Sequential => Self::Sequential(0),
            Order::Markov(chain) => Self::Markov(chain.first()),
        }
    }

    /// The task to run now; the table must have work.
    pub(crate) fn next(&mut self, table: &TaskTable, random: &mut impl Rng) -> usize {
        match (self, &table.order) {
            (Self::Sequential(point), _) => {
                let index = table.at(*point);
                *point = (*point + 1) % table.total_weight();
                index
            }
            (Self::Markov(next), Order::Markov(chain)) => {
                let index = *next;
                *next = chain.after(index, random);
                index
            }
            _ => table.at(random.random_range(0..table.total_weight())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::*;

    fn table(weights: &[u32], order: Order) -> TaskTable {
        let entry = |(index, weight): (usize, &u32)| {
            TaskEntry::new(&TaskOptions::new(index.to_string()).weight(*weight), None)
        };
        let entries = weights.iter().enumerate().map(entry).collect();
        TaskTable::new("table".into(), entries, order, Wait::OfTheUser, None)
    }

    /// Locust's flat list: each task as often as its weight.
    fn flat(weights: &[u32]) -> Vec<usize> {
        let repeated = |(index, weight): (usize, &u32)| vec![index; *weight as usize];
        weights.iter().enumerate().flat_map(repeated).collect()
    }

    proptest! {
        #[test]
        fn a_point_is_an_index_into_locusts_flat_list(weights in prop::collection::vec(0..6u32, 1..8)) {
            let table = table(&weights, Order::Random);
            let flat = flat(&weights);
            prop_assert_eq!(table.total_weight(), flat.len() as u64);
            for (point, task) in flat.iter().enumerate() {
                prop_assert_eq!(table.at(point as u64), *task);
            }
        }

        #[test]
        fn a_sequence_is_locusts_flat_list_over_and_over(weights in prop::collection::vec(0..4u32, 1..8)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let table = table(&weights, Order::Sequential);
            let mut cursor = Cursor::new(&table);
            let mut random = SmallRng::seed_from_u64(1);
            let flat = flat(&weights);
            for task in flat.iter().cycle().take(3 * flat.len()) {
                prop_assert_eq!(cursor.next(&table, &mut random), *task);
            }
        }

        #[test]
        fn huge_weights_are_drawn_as_they_are(seed: u64) {
            let table = table(&[u32::MAX, 0, u32::MAX], Order::Random);
            let drawn = Cursor::new(&table).next(&table, &mut SmallRng::seed_from_u64(seed));
            prop_assert!(drawn == 0 || drawn == 2);
        }
    }

    #[test]
    fn draws_are_uniform_over_the_flat_list_and_independent() {
        let table = table(&[1, 3, 0, 4], Order::Random);
        let mut cursor = Cursor::new(&table);
        let mut random = SmallRng::seed_from_u64(7);
        let draws: Vec<usize> = (0..20_000)
            .map(|_| cursor.next(&table, &mut random))
            .collect();
        // Binomial: six standard deviations are one chance in 500 million.
        let check = |hits: usize, total: usize, p: f64| {
            let bound = 6.0 * (total as f64 * p * (1.0 - p)).sqrt();
            assert!(
                (hits as f64 - total as f64 * p).abs() <= bound,
                "{hits} of {total}, {p}"
            );
        };
        for (task, p) in [(0, 0.125), (1, 0.375), (2, 0.0), (3, 0.5)] {
            let hits = draws.iter().filter(|drawn| **drawn == task).count();
            check(hits, draws.len(), p);
            // What comes after a task is drawn as if nothing had been.
            let after: Vec<usize> = draws
                .windows(2)
                .filter(|pair| pair[0] == task)
                .map(|pair| pair[1])
                .collect();
            check(
                after.iter().filter(|next| **next == 3).count(),
                after.len(),
                0.5,
            );
        }
    }

    #[test]
    fn a_task_set_without_work_is_left_out() {
        let empty = Arc::new(table(&[0], Order::Random));
        let entries = vec![
            TaskEntry::new(&TaskOptions::new("empty").weight(5), Some(empty)),
            TaskEntry::new(&TaskOptions::new("task"), None),
        ];
        let outer = TaskTable::new(
            "outer".into(),
            entries,
            Order::Random,
            Wait::OfTheUser,
            None,
        );
        assert_eq!(outer.total_weight(), 1);
        let mut random = SmallRng::seed_from_u64(1);
        assert!((0..50).all(|_| Cursor::new(&outer).next(&outer, &mut random) == 1));
    }
}
