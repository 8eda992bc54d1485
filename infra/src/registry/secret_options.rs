//! Which options are secret: what one agent has declared so stays so, whatever other agents declare later.

use std::collections::BTreeSet;

use crate::load_test::{MAX_OPTION_NAME_BYTES, MAX_OPTIONS, OptionInfo, ScenarioInfo};

/// Most options remembered; beyond them every option counts as secret.
const MAX_SECRET_OPTIONS: usize = 10_000;
/// Most options of one hello that are remembered, so that no single agent can make all options secret; an agent with
/// more has further ones remembered with its next hello.
const MAX_NEW_OF_ONE_HELLO: usize = MAX_OPTIONS;

/// A scenario's name and that of its option.
pub type SecretOption = (String, String);

/// The secret options of all scenarios that have been here.
#[derive(Debug, Default)]
pub(super) struct SecretOptions {
    known: BTreeSet<SecretOption>,
    /// Those that are not saved yet.
    new: Vec<SecretOption>,
}

impl SecretOptions {
    pub(super) fn of(known: impl IntoIterator<Item = SecretOption>) -> Self {
        Self {
            known: known.into_iter().collect(),
            new: Vec::new(),
        }
    }

    /// Remembers what the scenarios of a hello declare as secret; says whether any of it was not known before.
    pub(super) fn learn(&mut self, scenarios: &[ScenarioInfo]) -> bool {
        let known_before = self.known.len();
        for scenario in scenarios {
            // No test can give a value to one with a longer name.
            let can_be_given = |option: &&OptionInfo| option.name.len() <= MAX_OPTION_NAME_BYTES;
            let declared = scenario.options.iter().filter(|option| option.secret);
            for option in declared.filter(can_be_given) {
                let new_count = self.known.len() - known_before;
                if self.is_full() || new_count >= MAX_NEW_OF_ONE_HELLO {
                    return new_count > 0;
                }
                let key = (scenario.name.clone(), option.name.clone());
                if self.known.insert(key.clone()) {
                    self.new.push(key);
                }
            }
        }
        self.known.len() > known_before
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
