//! Runs each user of this process from `on_start` to `on_stop`.

use std::future::{Future as _, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::arrivals::Arrivals;
use super::attack::PlannedUser;
use super::life;
use super::loop_watch::NameId;
use super::stop::StopSignal;
use super::task_run::report_panic;
use crate::client::{Client, ClientSetupError, ClientShared};
use crate::run::{RunContext, UserContext, UserInfo};
use crate::scenario::Scenario;
use crate::user::UserType;

/// Runs the users of this process.
pub(super) struct UserRunner {
    context: Arc<RunContext>,
    /// The iterations of an arrival rate, where there is one.
    arrivals: Option<Arc<Arrivals>>,
    /// The scenario's user types, each with what its users' clients share and its name as a number.
    user_types: Vec<(UserType, Arc<ClientShared>, NameId)>,
}

impl UserRunner {
    pub(super) fn new(
        scenario: &Scenario,
        context: Arc<RunContext>,
        arrivals: Option<Arc<Arrivals>>,
    ) -> Result<Self, ClientSetupError> {
        let user_types = scenario
            .user_types
            .iter()
            .map(|user_type| {
                let host = context
                    .run
                    .host()
                    .or(user_type.host())
                    .ok_or(ClientSetupError::NoHost)?;
                let shared = ClientShared::new(host, Arc::clone(user_type.client_options()))?;
                let name = NameId::of(user_type.name());
                Ok((user_type.clone(), Arc::new(shared), name))
            })
            .collect::<Result<_, ClientSetupError>>()?;
        Ok(Self {
            context,
            arrivals,
            user_types,
        })
    }

    /// Runs a user until it ends by itself or `stop` is raised.
    pub(super) async fn run(&self, planned: PlannedUser, stop: Arc<StopSignal>) {
        if stop.is_raised() {
            return;
        }
        let (user_type, shared, name) = &self.user_types[planned.user_type];
        let _present = Present::new(&self.context);
        let context = Arc::new(UserContext {
            run: Arc::clone(&self.context),
            stop,
            info: UserInfo {
                index: planned.index,
                user_type: user_type.name().into(),
            },
        });
        let arrivals = self.arrivals.as_deref();
        let life = async {
            if let Some(driven) = user_type.self_driven() {
                return driven.run(&context, arrivals).await;
            }
            let client = Client::new(Arc::clone(shared), Arc::clone(&context));
            life::run_user(&context, user_type, client, arrivals).await;
        };
        // What functions of the scenario panic with is caught where they are called. What is left is states and
        // tasks that panic while they are dropped: that must not take the slot along.
        let mut life = pin!(AssertUnwindSafe(life).catch_unwind());
        let ended = poll_fn(|cx| {
            let _poll = self.context.watch.as_ref().map(|watch| watch.begin(*name));
            life.as_mut().poll(cx)
        });
        if let Err(panic) = ended.await {
            report_panic(&context, user_type.name(), &*panic);
        }
    }
}

/// Counts a user as active for as long as it runs, also when it is dropped.
struct Present<'a>(&'a RunContext);

impl<'a> Present<'a> {
    fn new(context: &'a RunContext) -> Self {
        context.recorder.user_started();
        Self(context)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.recorder.user_stopped();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::testing::{Memory, user_context};

    /// What a user's life may take, in bytes: every idle user holds one.
    const LIFE_BYTES: usize = 2_048;

    #[test]
    fn a_life_is_small() {
        async fn nothing(_: &mut (), _: &mut Client) -> TaskResult {
            Ok(())
        }
        let user = FastHttpUser::<()>::new("User")
            .host("http://127.0.0.1:1")
            .task(1, nothing);
        let scenario = Scenario::new("idle").user(user);
        let context = user_context(Arc::new(Memory::default()));
        let runner = UserRunner::new(&scenario, Arc::clone(&context.run), None).unwrap();
        let planned = PlannedUser {
            index: 0,
            user_type: 0,
        };
        let life = runner.run(planned, Arc::clone(&context.stop));
        let bytes = size_of_val(&life);
        assert!(bytes <= LIFE_BYTES, "{bytes} bytes");
    }
}
