//! Which tags of tasks a run counts, so that thresholds can be about them.

use std::sync::Arc;

use crate::scenario::Scenario;
use crate::task::{TagSet, TaskEntry, TaskTable};
use crate::user::UserType;

impl Scenario {
    /// The scenario with requests recorded under those of these tags that their tasks have; the tags of the task sets around a
    /// task are its own, too. A tag is known by its position from then on: see
    /// [`RequestSample::tags`](crate::RequestSample::tags). Tags beyond [`MAX_COUNTED_TAGS`](crate::MAX_COUNTED_TAGS) are not counted.
    #[must_use]
    pub fn counting_tags(&self, tags: &[String]) -> Self {
        let user_types = self.user_types.iter();
        Self {
            user_types: user_types
                .map(|user_type| user_type.counting_tags(tags))
                .collect(),
            ..self.clone()
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
