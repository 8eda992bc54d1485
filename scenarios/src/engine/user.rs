//! The users of this process: from what is planned to who lives.

use std::sync::Arc;

use super::arrivals::Arrivals;
use super::attack::PlannedUser;
use super::life;
use super::stop::StopSignal;
use crate::client::{Client, ClientShared};
use crate::recorder::{RunContext, UserContext};
use crate::run::UserInfo;
use crate::scenario::Scenario;
use crate::user_type::UserType;

/// Everybody this process runs.
pub(super) struct Crew {
    context: Arc<RunContext>,
    /// The iterations of an arrival rate, where there is one.
    arrivals: Option<Arc<Arrivals>>,
    /// The scenario's user types, each with what its users' clients share.
    user_types: Vec<(UserType, Arc<ClientShared>)>,
}

impl Crew {
    pub(super) fn new(
        scenario: &Scenario,
        context: Arc<RunContext>,
        arrivals: Option<Arc<Arrivals>>,
    ) -> Result<Self, String> {
        let user_types = scenario
            .user_types
            .iter()
            .map(|user_type| {
                let host = context
                    .run
                    .host()
                    .or(user_type.host())
                    .ok_or("no host is given")?;
                let shared = ClientShared::new(host, Arc::clone(user_type.client_options()))?;
                Ok((user_type.clone(), Arc::new(shared)))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            context,
            arrivals,
            user_types,
        })
    }

    /// The whole life of a user, until it ends by itself or `stop` is raised.
    pub(super) async fn live(&self, planned: PlannedUser, stop: Arc<StopSignal>) {
        if stop.is_raised() {
            return;
        }
        let (user_type, shared) = &self.user_types[planned.user_type];
        let _present = Present::new(&self.context);
        let context = Arc::new(UserContext {
            run: Arc::clone(&self.context),
            stop,
            info: UserInfo {
                index: planned.index,
                user_type: user_type.name().into(),
            },
        });
        if let Some(goose) = user_type.goose_life() {
            return goose.live(&context, self.arrivals.as_deref()).await;
        }
        let client = Client::new(Arc::clone(shared), Arc::clone(&context));
        life::live(&context, user_type, client, self.arrivals.as_deref()).await;
    }
}

/// Counts a user as active for as long as it lives, also when it is dropped.
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
