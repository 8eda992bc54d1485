//! User types made of goose scenarios.

use std::sync::Arc;

use ::goose::GooseScheduler;
use ::goose::goose::Scenario as GooseScenario;

use futures_util::future::BoxFuture;

use super::{GooseLife, name_of};
use crate::client::{ClientKind, ClientOptions};
use crate::engine::Arrivals;
use crate::run::UserContext;
use crate::scenario::Scenario;
use crate::task::{
    MakeUser, Order, SelfDriven, TaskEntry, TaskOptions, TaskTable, UserRun, Wait, WaitTime,
};
use crate::user::{Definition, UserType, UserTypeProblem, base_url};

impl UserType {
    /// Users that run an unmodified goose scenario, of the goose that is [`greylag::goose`](crate::goose). Its
    /// name, weight and host are the scenario's.
    ///
    /// Transactions run in the order and with the waits of goose, by its default scheduler (round robin). All
    /// users of a process share one HTTP client and its connections, but no cookies. Requests are timed to the
    /// first byte, because goose tells no more, and marked so; names and error texts are goose's. What a
    /// transaction returns beside a failed request is reported as an error of a task, and the user continues.
    pub fn goose(scenario: GooseScenario) -> Self {
        Self::goose_scheduled(scenario, &GooseScheduler::RoundRobin)
    }

    /// The same with the scheduler that a goose load test sets by `set_scheduler`.
    pub fn goose_scheduled(scenario: GooseScenario, scheduler: &GooseScheduler) -> Self {
        let entries: Vec<TaskEntry> = scenario
            .transactions
            .iter()
            .enumerate()
            .filter(|(_, transaction)| !transaction.on_start && !transaction.on_stop)
            .map(|(index, transaction)| {
                let weight = u32::try_from(transaction.weight).unwrap_or(u32::MAX);
                let options = TaskOptions::new(name_of(index, transaction)).weight(weight);
                TaskEntry::new(&options, None)
            })
            .collect();
        let (host, wrong_host) = match scenario.host.as_deref().map(base_url).transpose() {
            Ok(host) => (host, None),
            Err(problem) => (None, Some(problem)),
        };
        let idle = entries.iter().all(|entry| entry.weight() == 0);
        let problem = wrong_host.or(idle.then_some(UserTypeProblem::OnlyHooks));
        let tasks = TaskTable::new(
            scenario.name.to_string(),
            entries,
            Order::Random,
            Wait::Time(WaitTime::default()),
            None,
        );
        Self::new(Definition {
            weight: scenario.weight as f64,
            fixed_count: 0,
            host: host.clone(),
            tasks,
            client: Arc::new(ClientOptions::new(ClientKind::Fast)),
            functions: Arc::new(GooseLife::new(scenario, scheduler, host)),
            problem,
        })
    }
}

impl Scenario {
    /// Adds users that run an unmodified goose scenario: [`UserType::goose`].
    pub fn goose(self, scenario: GooseScenario) -> Self {
        self.user(UserType::goose(scenario))
    }
}

impl MakeUser for GooseLife {
    fn new_user(self: Arc<Self>) -> Box<dyn UserRun> {
        unreachable!("the engine asks for the goose scenario first")
    }

    fn self_driven(&self) -> Option<&dyn SelfDriven> {
        Some(self)
    }
}

impl SelfDriven for GooseLife {
    fn run<'a>(
        &'a self,
        user: &'a UserContext,
        arrivals: Option<&'a Arrivals>,
    ) -> BoxFuture<'a, ()> {
        Box::pin(self.run_user(user, arrivals))
    }
}
