//! goose scenarios as they are: the life of a user that runs an unmodified [`goose::goose::Scenario`].
//!
//! - here: what goose's own user loop does (`user.rs` of goose 0.19), on our ramp and our stop.
//! - `order`: in which order goose runs transactions.
//! - `client`: goose's HTTP client, one per process, with cookies per user.
//! - `observer`: how the requests become known.
//! - `user_type`: a user type and a scenario of it.
//!
//! The same as in goose: `on_start` transactions once, in order; then the weighted list of transactions from its
//! beginning to its end, again and again, each followed by the scenario's wait time; `on_stop` transactions in
//! the end; session data, base URL, cookies and client builder of the user; a transaction's error does not end
//! the user.
//!
//! Different from goose: a stop also ends a wait immediately, and a transaction under way only after the stop
//! timeout; a panic of a transaction is reported as its error, and the user continues. Without effect are goose's
//! own settings of a load test (throttle, coordinated omission mitigation, logs, `iterations`), and
//! `get_iterations` stays 0. A request that the end of the run cuts off never becomes known.

mod client;
mod observer;
mod order;
mod user_type;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ::goose::config::GooseConfiguration;
use ::goose::goose::{
    GooseUser, Scenario as GooseScenario, Transaction, TransactionError, TransactionName,
    TransactionResult,
};
use ::goose::{GooseError, GooseScheduler};
use futures_util::FutureExt as _;
use tokio::time::Instant;
use url::Url;

use crate::engine::{Arrivals, StopSignal, lateness, next_arrival, polled_as, report};
use crate::place::panic_message;
use crate::run::UserContext;
use observer::Observer;
use order::Order;

/// An unmodified goose scenario as a user type's behaviour.
pub(crate) struct GooseLife {
    scenario: GooseScenario,
    order: Order,
    configuration: GooseConfiguration,
    /// The scenario's own, used when the load test names none.
    host: Option<Url>,
}

/// Why a user of goose's cannot be made.
#[derive(Debug, thiserror::Error)]
enum GooseUserError {
    #[error("no host is given")]
    NoHost,
    #[error("goose's HTTP client cannot be set up: {0}")]
    Client(Arc<reqwest::Error>),
    #[error("goose's user cannot be made: {0}")]
    User(#[source] GooseError),
}

impl GooseLife {
    fn new(scenario: GooseScenario, scheduler: &GooseScheduler, host: Option<Url>) -> Self {
        let mut configuration = GooseConfiguration::default();
        // Any name: it makes the user send each request to its logger, which is ours.
        configuration.request_log = Some("observed".to_owned());
        Self {
            order: Order::new(&scenario.transactions, scheduler),
            configuration,
            host,
            scenario,
        }
    }

    fn name(&self) -> &str {
        &self.scenario.name
    }

    /// The whole life of a user, from `on_start` to `on_stop`.
    ///
    /// An iteration of an arrival rate is one pass through the list of transactions.
    pub(crate) async fn run_user(&self, context: &UserContext, arrivals: Option<&Arrivals>) {
        client::with_own_cookies(self.live_with_cookies(context, arrivals)).await;
    }

    async fn live_with_cookies(&self, context: &UserContext, arrivals: Option<&Arrivals>) {
        let mut user = match self.user(context) {
            Ok(user) => user,
            Err(error) => return report(context, self.name(), &error.to_string()),
        };
        let mut observer = Observer::attach(&mut user, context);
        let stop = &context.stop;
        let mut cut_off = false;
        for &index in &self.order.on_start {
            if cut_off {
                break;
            }
            cut_off = self
                .transact(index, &mut user, &mut observer, stop_deadline(stop))
                .await;
        }
        while !cut_off && !stop.is_raised() && !self.order.again_and_again.is_empty() {
            if let Some(arrivals) = arrivals {
                let Some(intended) = next_arrival(stop, arrivals).await else {
                    break;
                };
                observer.set_delay(Some(lateness(intended, true)));
            }
            cut_off = self.iterate(&mut user, &mut observer).await;
        }
        observer.set_delay(None);
        for &index in &self.order.on_stop {
            let deadline = tokio::time::sleep_until(stop.on_stop_deadline());
            if self
                .transact(index, &mut user, &mut observer, deadline)
                .await
            {
                break;
            }
        }
    }

    fn user(&self, context: &UserContext) -> Result<GooseUser, GooseUserError> {
        let host = context.run.run.host().or(self.host.as_ref());
        let host = host.ok_or(GooseUserError::NoHost)?;
        let name = Arc::clone(&self.scenario.name);
        let client = client::shared().map_err(GooseUserError::Client)?;
        let mut user = GooseUser::new(0, name, host.clone(), &self.configuration, 0, Some(client))
            .map_err(GooseUserError::User)?;
        user.weighted_users_index = usize::try_from(context.info.index).unwrap_or(usize::MAX);
        Ok(user)
    }

    /// Runs the list of transactions once; whether the stop timeout cut it off.
    async fn iterate(&self, user: &mut GooseUser, observer: &mut Observer<'_>) -> bool {
        let stop = &observer.context().stop;
        for &index in &self.order.again_and_again {
            if stop.is_raised() {
                return false;
            }
            let cut_off = self
                .transact(index, user, observer, stop_deadline(stop))
                .await;
            if cut_off {
                return true;
            }
            // A transaction that never waited for anything would keep a single-threaded runtime to itself.
            tokio::task::yield_now().await;
            wait(self.wait_time(), stop).await;
        }
        false
    }

    fn wait_time(&self) -> Duration {
        let Some((shortest, longest)) = self.scenario.transaction_wait else {
            return Duration::ZERO;
        };
        // goose compares and waits whole milliseconds.
        rand::random_range(shortest..=longest.max(shortest))
    }

    /// Runs a transaction; whether it was dropped because `deadline` came first.
    async fn transact(
        &self,
        index: usize,
        user: &mut GooseUser,
        observer: &mut Observer<'_>,
        deadline: impl Future<Output = ()>,
    ) -> bool {
        let transaction = &self.scenario.transactions[index];
        let name = match &transaction.name {
            TransactionName::InheritNameByRequests(name) if !name.is_empty() => Some(&**name),
            _ => None,
        };
        let called = name_of(index, transaction);
        observer.begin(name, &user.base_url);
        // Inside the future, so that a panic before the transaction's own future exists is caught too.
        let running = async { (transaction.function)(user).await };
        let running = polled_as(observer.context(), &called, running);
        let running = AssertUnwindSafe(running).catch_unwind();
        let ended = observer.watch(pin!(running), pin!(deadline)).await;
        let error = match ended {
            None => {
                observer.context().stop.cut_off();
                return true;
            }
            Some(Ok(result)) => error_text(&result),
            Some(Err(panic)) => Some(format!("panicked: {}", panic_message(&*panic))),
        };
        if let Some(text) = error {
            report(observer.context(), &called, &text);
        }
        false
    }
}

fn name_of(index: usize, transaction: &Transaction) -> String {
    match transaction.name.name_for_transaction() {
        "" => format!("transaction {index}"),
        name => name.to_owned(),
    }
}

/// What is to be reported of a transaction's result, as goose's table of transaction errors says it: nothing of
/// requests that failed, which are recorded already, and nothing of a run that ends.
fn error_text(result: &TransactionResult) -> Option<String> {
    let error = result.as_ref().err()?;
    let recorded = match &**error {
        TransactionError::Reqwest(error) => {
            error.is_request() || error.is_redirect() || error.is_status()
        }
        TransactionError::RequestFailed { .. } | TransactionError::RequestCanceled { .. } => true,
        _ => false,
    };
    (!recorded).then(|| error.to_string())
}

/// Resolves when a task under way is to be dropped.
async fn stop_deadline(stop: &StopSignal) {
    stop.wait().await;
    tokio::time::sleep_until(stop.deadline().unwrap_or_else(Instant::now)).await;
}

/// Waits, but not beyond a stop.
async fn wait(time: Duration, stop: &StopSignal) {
    if time.is_zero() {
        return;
    }
    tokio::select! {
        () = stop.wait() => {}
        () = tokio::time::sleep(time) => {}
    }
}

#[cfg(test)]
mod tests;
