//! What is said about a task beside its function.

use std::collections::BTreeSet;

/// Name, weight and tags of a task or of a task set that is a task:
/// `TaskOptions::new("Shopper::products").weight(2).tags(["api"])`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOptions {
    pub(crate) name: String,
    pub(crate) weight: u32,
    pub(crate) tags: BTreeSet<String>,
}

impl TaskOptions {
    /// A task of weight 1 without tags.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            weight: 1,
            tags: BTreeSet::new(),
        }
    }

    /// How often the task is picked in proportion to the others beside it; in a sequential task set, how
    /// often it runs in a row. 0 leaves it out. In a Markov task set it has no meaning: there the
    /// transitions have the weights.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Adds tags, by which a run can select tasks. Those of a task set hold for all tasks in it. In a
    /// Markov task set, and on one, they are refused before load starts.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}
