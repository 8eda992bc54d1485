//! What is kept of the scenarios an agent names: a hello may be as large as a frame, and every page shows them.

use std::ops::Deref;
use std::slice;
use std::sync::Arc;

use crate::base::{MAX_NAME_BYTES as MAX_TEXT_BYTES, MAX_SCENARIO_PARTS, MAX_SCENARIOS, cut};
use crate::load_test::{MAX_OPTIONS, OptionInfo, ScenarioInfo, UserTypeInfo};

/// An agent's scenarios. Agents of one build share a list, and copies of a view share those of the registry.
#[derive(Debug, Clone, Default)]
pub struct ScenarioList(Arc<Vec<ScenarioInfo>>);

impl ScenarioList {
    /// What is kept of the scenarios that a hello names.
    pub(super) fn of(named: &[ScenarioInfo]) -> Self {
        Self(Arc::new(kept_scenarios(named)))
    }

    /// A copy with changes.
    pub(super) fn edited(&self, edit: impl FnOnce(&mut [ScenarioInfo])) -> Self {
        let mut list = self.to_vec();
        edit(&mut list);
        Self(Arc::new(list))
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.iter().map(ScenarioInfo::memory_bytes).sum()
    }

    /// Whether both are one list in memory.
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for ScenarioList {
    type Target = [ScenarioInfo];

    fn deref(&self) -> &[ScenarioInfo] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a ScenarioList {
    type Item = &'a ScenarioInfo;
    type IntoIter = slice::Iter<'a, ScenarioInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for ScenarioList {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || self.0 == other.0
    }
}

impl ScenarioInfo {
    /// About how many bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        let user_types = self.user_types.iter().map(|user_type| {
            size_of::<UserTypeInfo>()
                + user_type.name.len()
                + user_type.host.as_ref().map_or(0, String::len)
        });
        let options = self.options.iter().map(|option| {
            size_of::<OptionInfo>()
                + option.name.len()
                + option.default.len()
                + option.help.len()
                + texts_bytes(&option.choices)
        });
        size_of::<Self>()
            + self.name.len()
            + self.description.len()
            + texts_bytes(&self.tags)
            + user_types.sum::<usize>()
            + options.sum::<usize>()
    }
}

fn texts_bytes(texts: &[String]) -> usize {
    texts
        .iter()
        .map(|text| size_of::<String>() + text.len())
        .sum()
}

fn kept_scenarios(named: &[ScenarioInfo]) -> Vec<ScenarioInfo> {
    let kept = named.iter().take(MAX_SCENARIOS);
    kept.map(|scenario| ScenarioInfo {
        name: kept_text(&scenario.name),
        description: kept_text(&scenario.description),
        user_types: kept_parts(&scenario.user_types, kept_user_type),
        tags: kept_parts(&scenario.tags, |tag| kept_text(tag)),
        options: scenario
            .options
            .iter()
            .take(MAX_OPTIONS)
            .map(kept_option)
            .collect(),
        has_shape: scenario.has_shape,
    })
    .collect()
}

fn kept_user_type(named: &UserTypeInfo) -> UserTypeInfo {
    UserTypeInfo {
        name: kept_text(&named.name),
        // NaN is unequal to itself and would look like news for ever.
        weight: if named.weight.is_finite() {
            named.weight
        } else {
            0.0
        },
        fixed_count: named.fixed_count,
        host: named.host.as_deref().map(kept_text),
    }
}

fn kept_option(named: &OptionInfo) -> OptionInfo {
    OptionInfo {
        name: kept_text(&named.name),
        kind: named.kind,
        default: if named.secret {
            String::new()
        } else {
            kept_text(&named.default)
        },
        help: kept_text(&named.help),
        secret: named.secret,
        choices: kept_parts(&named.choices, |choice| kept_text(choice)),
    }
}

fn kept_parts<T, U>(named: &[T], keep: impl Fn(&T) -> U) -> Vec<U> {
    named.iter().take(MAX_SCENARIO_PARTS).map(keep).collect()
}

fn kept_text(text: &str) -> String {
    cut(text, MAX_TEXT_BYTES).into_owned()
}
