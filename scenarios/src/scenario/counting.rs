//! Which tags of tasks a run counts, so that thresholds can be about them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::selection::tags_there_are;
use crate::scenario::Scenario;
use crate::task::{Order, TagSet, TaskEntry, TaskTable};
use crate::user::UserType;

/// No task that takes part has a tag that a run counts: with what is counted of it a threshold would pass or fail without a
/// reason. The message is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a threshold is about tag `{tag}`, which none of the selected tasks of scenario `{scenario}` has; {}",
    tags_there_are(tags)
)]
pub struct CountedTagError {
    scenario: String,
    tag: String,
    /// The tags that tasks which take part have.
    tags: Vec<String>,
}

impl Scenario {
    /// The scenario with requests recorded under those of these tags that their tasks have; the tags of the task sets around a
    /// task are its own, too. A tag is known by its position from then on: see
    /// [`RequestSample::tags`](crate::RequestSample::tags). Tags beyond [`MAX_COUNTED_TAGS`](crate::MAX_COUNTED_TAGS) are not counted.
    ///
    /// # Errors
    ///
    /// None of the tasks that can be picked has one of the tags.
    pub fn counting_tags(&self, tags: &[String]) -> Result<Self, CountedTagError> {
        let user_types = self.user_types.iter();
        let mut there = BTreeSet::new();
        for user_type in user_types.clone() {
            add_tags(user_type.task_table(), &mut there);
        }
        if let Some(missing) = tags.iter().find(|tag| !there.contains(tag.as_str())) {
            return Err(CountedTagError {
                scenario: self.name.clone(),
                tag: missing.clone(),
                tags: there.into_iter().map(str::to_owned).collect(),
            });
        }
        Ok(Self {
            user_types: user_types
                .map(|user_type| user_type.counting_tags(tags))
                .collect(),
            ..self.clone()
        })
    }
}

/// Adds the tags of the tasks that can be picked, and of the task sets around them.
fn add_tags<'a>(table: &'a TaskTable, there: &mut BTreeSet<&'a str>) {
    // Whether a task of a chain is reached is a matter of its transitions, not of weights.
    let is_chain = matches!(table.order(), Order::Markov(_));
    for entry in table.entries() {
        if is_chain || entry.weight() > 0 {
            there.extend(entry.tags());
            if let Some(set) = entry.set() {
                add_tags(set, there);
            }
        }
    }
}

impl UserType {
    pub(crate) fn counting_tags(&self, tags: &[String]) -> Self {
        let mut definition = self.definition().clone();
        definition.tasks = counting(&definition.tasks, tags, TagSet::NONE);
        Self::new(definition)
    }
}

/// The table with what each task counts for; `around` is what the task sets around it do.
fn counting(table: &TaskTable, tags: &[String], around: TagSet) -> TaskTable {
    let counted = |entry: &TaskEntry| {
        let all = tags.iter().enumerate();
        let own = all.filter(|(_, tag)| entry.tags().any(|own| own == *tag));
        let counted = around.with(own.map(|(position, _)| position).collect());
        let set = entry
            .set()
            .map(|set| Arc::new(counting(set, tags, counted)));
        entry.counting(counted, set)
    };
    table.with_entries(table.entries().iter().map(counted).collect())
}
