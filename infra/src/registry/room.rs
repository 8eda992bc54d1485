//! Whether there is room for an agent that connects, and who makes room: never an agent that is connected or takes part in
//! an active run.

use std::collections::BTreeMap;

use super::shares::SharedBudget;
use super::{
    AgentView, ConnectionStatus, InfrastructureError, MAX_AGENTS, MAX_SCENARIO_BYTES, Registry,
    ScenarioList,
};
use crate::base::AgentId;

/// An agent that connects.
pub(super) struct Newcomer<'n> {
    pub(super) id: &'n AgentId,
    /// Its token, if it is one that has a share.
    pub(super) token: Option<&'n str>,
    /// Who takes part in an active run.
    pub(super) is_in_run: &'n dyn Fn(&AgentId) -> bool,
}

impl Newcomer<'_> {
    fn has_token_of(&self, agent: &AgentView) -> bool {
        self.token.is_some() && agent.admission.token.as_deref() == self.token
    }
}

impl Registry {
    /// Whether what the agent names and declares is within its token's share.
    ///
    /// # Errors
    /// [`InfrastructureError::TokenShare`].
    pub(super) fn check_shares(
        &self,
        newcomer: &Newcomer<'_>,
        infrastructure: &str,
        scenarios: &ScenarioList,
    ) -> Result<(), InfrastructureError> {
        let Some(token) = newcomer.token else {
            return Ok(());
        };
        if !self.secret_options.has_room_for(scenarios, token) {
            let over = SharedBudget::SecretOptions;
            return Err(InfrastructureError::TokenShare(over));
        }
        let named_by_token = || {
            let named = self.infrastructures.iter().filter(|(name, agents)| {
                let mut agents = agents.values();
                !self.lasting.contains(*name) && agents.any(|agent| newcomer.has_token_of(agent))
            });
            named.count()
        };
        let budget = SharedBudget::Infrastructures;
        let is_known = self.infrastructures.contains_key(infrastructure);
        if !is_known && !budget.allows(1, self.infrastructures.len(), named_by_token) {
            return Err(InfrastructureError::TokenShare(budget));
        }
        Ok(())
    }

    /// The same list as another agent's if there is one, so that it is kept once.
    ///
    /// # Errors
    /// It does not fit beside the others.
    pub(super) fn shared_list(
        &mut self,
        newcomer: &Newcomer<'_>,
        list: ScenarioList,
    ) -> Result<ScenarioList, InfrastructureError> {
        if let Some(known) = self.all().find(|agent| agent.scenarios == list) {
            return Ok(known.scenarios.clone());
        }
        let budget = SharedBudget::ScenarioBytes;
        loop {
            let (by_all, by_token) = self.list_bytes(newcomer);
            if newcomer.token.is_some() && !budget.allows(list.bytes(), by_all, || by_token) {
                self.forget_oldest_of_token(newcomer, budget)?;
            } else if by_all + list.bytes() <= MAX_SCENARIO_BYTES {
                return Ok(list);
            } else if !self.forget_oldest(newcomer, |_| true) {
                return Err(InfrastructureError::TooManyScenarios);
            }
        }
    }

    /// Memory for the lists of all agents but this one, and for those that agents with its token have.
    fn list_bytes(&self, newcomer: &Newcomer<'_>) -> (usize, usize) {
        let mut lists: Vec<(&ScenarioList, bool)> = Vec::new();
        for agent in self.all().filter(|agent| agent.id != *newcomer.id) {
            let is_of_token = newcomer.has_token_of(agent);
            let known = lists
                .iter_mut()
                .find(|(known, _)| known.is_shared_with(&agent.scenarios));
            match known {
                Some((_, of_token)) => *of_token |= is_of_token,
                None => lists.push((&agent.scenarios, is_of_token)),
            }
        }
        let (mut by_all, mut by_token) = (0, 0);
        for (list, is_of_token) in lists {
            by_all += list.bytes();
            by_token += if is_of_token { list.bytes() } else { 0 };
        }
        (by_all, by_token)
    }

    /// Sees to it that there is a place for the agent.
    ///
    /// # Errors
    /// There is none, or none for its token.
    pub(super) fn make_room_for(
        &mut self,
        newcomer: &Newcomer<'_>,
    ) -> Result<(), InfrastructureError> {
        if self.agent(newcomer.id).is_some() {
            return Ok(());
        }
        let by_all = self.infrastructures.values().map(BTreeMap::len).sum();
        let by_token = || {
            let of_token = self.all().filter(|agent| newcomer.has_token_of(agent));
            of_token.count()
        };
        let budget = SharedBudget::Agents;
        if newcomer.token.is_some() && !budget.allows(1, by_all, by_token) {
            // In the place of another one of the same token it takes no more.
            return self.forget_oldest_of_token(newcomer, budget);
        }
        if by_all >= MAX_AGENTS && !self.forget_oldest(newcomer, |_| true) {
            return Err(InfrastructureError::TooManyAgents);
        }
        Ok(())
    }

    fn forget_oldest_of_token(
        &mut self,
        newcomer: &Newcomer<'_>,
        budget: SharedBudget,
    ) -> Result<(), InfrastructureError> {
        if self.forget_oldest(newcomer, |agent| newcomer.has_token_of(agent)) {
            Ok(())
        } else {
            Err(InfrastructureError::TokenShare(budget))
        }
    }

    /// Forgets the longest unheard of these agents that are gone and in no active run; false if there is none.
    fn forget_oldest(
        &mut self,
        newcomer: &Newcomer<'_>,
        may_go: impl Fn(&AgentView) -> bool,
    ) -> bool {
        let mut gone: Vec<&AgentView> = self
            .all()
            .filter(|agent| agent.status != ConnectionStatus::Connected && may_go(agent))
            .collect();
        // Runs are asked about as few as possible.
        gone.sort_unstable_by_key(|agent| agent.last_heard);
        let oldest = gone
            .into_iter()
            .find(|agent| !(newcomer.is_in_run)(&agent.id));
        let Some(id) = oldest.map(|agent| agent.id.clone()) else {
            return false;
        };
        for agents in self.infrastructures.values_mut() {
            agents.remove(&id);
        }
        true
    }
}
