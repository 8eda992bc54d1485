//! Which of a scenario's user types and tasks take part in a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::scenario::Scenario;
use crate::task::{Order, TaskEntry, TaskTable};
use crate::user::UserType;

/// What takes part; the default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// User types by name; empty for all.
    pub user_types: Vec<String>,
    /// Only tasks with at least one of these tags; empty for all.
    pub tags: Vec<String>,
    /// No tasks with any of these tags; wins over `tags`.
    pub exclude_tags: Vec<String>,
    /// Every user type has weight 1, and every task with a weight above 0 has weight 1 among those beside it.
    pub equal_weights: bool,
}

/// No task is left in any user type. The message is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no task of scenario `{scenario}` is left after selecting by tags; {}",
    tags_there_are(tags)
)]
pub struct SelectionError {
    scenario: String,
    /// The tags its tasks have.
    tags: Vec<String>,
}

pub(super) fn tags_there_are(tags: &[String]) -> String {
    if tags.is_empty() {
        "none of its tasks has a tag".to_owned()
    } else {
        format!("available tags: {}", tags.join(", "))
    }
}

impl Scenario {
    /// The tags of all tasks, sorted.
    pub fn tags(&self) -> Vec<String> {
        let tags: BTreeSet<&str> = self.user_types.iter().flat_map(UserType::tags).collect();
        tags.into_iter().map(str::to_owned).collect()
    }

    /// The scenario with only what is selected, by Locust's rules:
    ///
    /// - User types with weight 0 and without a fixed count are left out.
    /// - A task is kept if it has one of the tags and none of the excluded ones; the tags of the task sets
    ///   around it are its own, too. A task set is kept if one of its tasks is, and a Markov task set always,
    ///   with all that is in it.
    /// - A user type without tasks is left out, with a warning in the log.
    ///
    /// Tasks that are not kept stay listed, with weight 0.
    ///
    /// # Errors
    ///
    /// When no task is left. Names of user types and tags that the scenario does not have select nothing: what a load
    /// test names was validated before.
    pub fn select(&self, selection: &Selection) -> Result<Scenario, SelectionError> {
        let named = |user_type: &&UserType| {
            selection.user_types.is_empty()
                || selection
                    .user_types
                    .iter()
                    .any(|name| name == user_type.name())
        };
        let weighted =
            |user_type: &&UserType| user_type.weight() > 0.0 || user_type.fixed_count() > 0;
        let mut user_types: Vec<UserType> = self
            .user_types
            .iter()
            .filter(named)
            .filter(weighted)
            .cloned()
            .collect();
        if selection.equal_weights {
            user_types = user_types
                .iter()
                .map(UserType::with_equal_weights)
                .collect();
        }
        if !selection.tags.is_empty() || !selection.exclude_tags.is_empty() {
            let tags = TagFilter::new(selection);
            user_types = user_types
                .iter()
                .map(|kept| kept.with_tags(&tags))
                .collect();
            user_types.retain(|user_type| {
                let kept = user_type.task_table().has_work();
                if !kept {
                    let name = user_type.name();
                    tracing::warn!(
                        "user type `{name}` has no tasks left after filtering and is left out"
                    );
                }
                kept
            });
            if user_types.is_empty() {
                return Err(SelectionError {
                    scenario: self.name.clone(),
                    tags: self.tags(),
                });
            }
        }
        Ok(Self {
            user_types,
            ..self.clone()
        })
    }
}

impl UserType {
    fn with_equal_weights(&self) -> Self {
        let mut definition = self.definition().clone();
        definition.weight = 1.0;
        definition.tasks = equal_weights(&definition.tasks);
        Self::new(definition)
    }

    fn with_tags(&self, tags: &TagFilter<'_>) -> Self {
        let mut definition = self.definition().clone();
        definition.tasks = tags.filter(&definition.tasks, &BTreeSet::new());
        Self::new(definition)
    }
}

fn equal_weights(table: &TaskTable) -> TaskTable {
    let equal = |entry: &TaskEntry| {
        let set = entry.set().map(|set| Arc::new(equal_weights(set)));
        entry.with(entry.weight().min(1), set)
    };
    table.with_entries(table.entries().iter().map(equal).collect())
}

struct TagFilter<'a> {
    /// `None` keeps every task.
    tags: Option<BTreeSet<&'a str>>,
    exclude_tags: BTreeSet<&'a str>,
}

impl<'a> TagFilter<'a> {
    fn new(selection: &'a Selection) -> Self {
        let set = |tags: &'a [String]| tags.iter().map(String::as_str).collect();
        Self {
            tags: (!selection.tags.is_empty()).then(|| set(&selection.tags)),
            exclude_tags: set(&selection.exclude_tags),
        }
    }

    /// The table with weight 0 for what is not kept; `around` are the tags of the task sets around it.
    fn filter(&self, table: &TaskTable, around: &BTreeSet<&str>) -> TaskTable {
        // A chain with tasks missing would be none.
        if matches!(table.order(), Order::Markov(_)) {
            return table.clone();
        }
        let filtered = |entry: &TaskEntry| {
            let tags: BTreeSet<&str> = around.iter().copied().chain(entry.tags()).collect();
            match entry.set() {
                // Nothing left in it gives it weight 0.
                Some(set) => {
                    let set = Arc::new(self.filter(set, &tags));
                    entry.with(entry.weight(), Some(set))
                }
                None => entry.with(if self.keeps(&tags) { entry.weight() } else { 0 }, None),
            }
        };
        table.with_entries(table.entries().iter().map(filtered).collect())
    }

    fn keeps(&self, tags: &BTreeSet<&str>) -> bool {
        let wanted = self
            .tags
            .as_ref()
            .is_none_or(|wanted| !wanted.is_disjoint(tags));
        wanted && self.exclude_tags.is_disjoint(tags)
    }
}

#[cfg(test)]
mod tests;
