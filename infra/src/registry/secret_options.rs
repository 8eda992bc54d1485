//! Which options are secret: what one agent has declared so stays so, whatever other agents declare later.

use std::collections::{BTreeMap, BTreeSet};

use super::shares::SharedBudget;
use crate::load_test::{MAX_OPTION_NAME_BYTES, MAX_OPTIONS, OptionInfo, ScenarioInfo};

/// Most options remembered; beyond them every option counts as secret.
pub(super) const MAX_SECRET_OPTIONS: usize = 10_000;
/// Most options of one hello that are remembered, so that no single agent can make all options secret; an agent with
/// more has further ones remembered with its next hello.
const MAX_NEW_OF_ONE_HELLO: usize = MAX_OPTIONS;

/// An option that is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretOption {
    /// Name of its scenario.
    pub scenario: String,
    /// Its name.
    pub option: String,
    /// The token of the agent that declared it first, if it was one with a role.
    pub token: Option<String>,
}

/// The secret options of all scenarios that have been here.
#[derive(Debug, Default)]
pub(super) struct SecretOptions {
    /// Scenario and option.
    known: BTreeSet<(String, String)>,
    /// How many of them agents declared first that had a token with a role, by its id.
    by_token: BTreeMap<String, usize>,
    /// Those that are not saved yet.
    new: Vec<SecretOption>,
}

impl SecretOptions {
    pub(super) fn of(known: impl IntoIterator<Item = SecretOption>) -> Self {
        let mut secret = Self::default();
        for option in known {
            secret.add(&option);
        }
        secret
    }

    /// Those of a hello's secret options that would have to be remembered, each once.
    fn unknown(&self, scenarios: &[ScenarioInfo]) -> BTreeSet<(String, String)> {
        // No test can give a value to one with a longer name.
        let can_be_given = |option: &&OptionInfo| option.name.len() <= MAX_OPTION_NAME_BYTES;
        let declared = scenarios.iter().flat_map(|scenario| {
            let secret = scenario.options.iter().filter(|option| option.secret);
            secret
                .filter(can_be_given)
                .map(|option| (scenario.name.clone(), option.name.clone()))
        });
        let unknown = declared.filter(|key| !self.known.contains(key));
        unknown.take(MAX_NEW_OF_ONE_HELLO).collect()
    }

    /// Whether what the scenarios of a hello declare as secret is within the share of the agent's token.
    pub(super) fn has_room_for(&self, scenarios: &[ScenarioInfo], token: &str) -> bool {
        let more = self.unknown(scenarios).len();
        let by_token = || self.by_token.get(token).copied().unwrap_or(0);
        more == 0 || SharedBudget::SecretOptions.allows(more, self.known.len(), by_token)
    }

    /// Remembers what the scenarios of a hello declare as secret; says whether any of it was not known before.
    pub(super) fn learn(&mut self, scenarios: &[ScenarioInfo], token: Option<&str>) -> bool {
        let known_before = self.known.len();
        for (scenario, option) in self.unknown(scenarios) {
            if self.is_full() {
                break;
            }
            let learnt = SecretOption {
                scenario,
                option,
                token: token.map(str::to_owned),
            };
            self.add(&learnt);
            self.new.push(learnt);
        }
        self.known.len() > known_before
    }

    fn add(&mut self, option: &SecretOption) {
        let key = (option.scenario.clone(), option.option.clone());
        if self.known.insert(key)
            && let Some(token) = &option.token
        {
            *self.by_token.entry(token.clone()).or_default() += 1;
        }
    }

    /// Marks options that are known to be secret, and forgets what they would show.
    pub(super) fn hide_in(&self, scenarios: &mut [ScenarioInfo]) {
        for scenario in scenarios {
            for option in &mut scenario.options {
                let key = (scenario.name.clone(), option.name.clone());
                if self.is_full() || self.known.contains(&key) {
                    option.secret = true;
                    option.default.clear();
                    option.choices.clear();
                }
            }
        }
    }

    /// What has to be saved, once.
    pub(super) fn take_new(&mut self) -> Vec<SecretOption> {
        std::mem::take(&mut self.new)
    }

    /// What could not be saved, to be taken again.
    pub(super) fn give_back(&mut self, unsaved: Vec<SecretOption>) {
        self.new.extend(unsaved);
    }

    fn is_full(&self) -> bool {
        self.known.len() >= MAX_SECRET_OPTIONS
    }
}
