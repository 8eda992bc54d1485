//! What the tests of this crate share: a recorder that keeps everything, and servers to talk to.

mod driving;
mod recorder;
mod server;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::client::{Client, ClientKind, ClientOptions, ClientShared};
use crate::engine::{LogLimit, StopSignal};
use crate::events::Events;
use crate::recorder::Recorder;
use crate::run::{Run, RunContext, RunSettings, UserContext, UserInfo};

pub(crate) use driving::{drive_plan, drive_until, plan, until};
pub(crate) use recorder::Memory;
pub(crate) use server::{Reply, Seen, Server, refusing_address, respond};

/// A client outside of any run, and what it records.
pub(crate) fn client(kind: ClientKind, host: &Url) -> (Client, Arc<Memory>) {
    client_with(kind, host, |_| {})
}

/// The same with options changed.
pub(crate) fn client_with(
    kind: ClientKind,
    host: &Url,
    change: impl FnOnce(&mut ClientOptions),
) -> (Client, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let user = user_context(memory.clone());
    let mut options = ClientOptions::new(kind);
    change(&mut options);
    let shared = ClientShared::new(host, Arc::new(options)).unwrap();
    (Client::new(Arc::new(shared), user), memory)
}

/// A user outside of any run.
pub(crate) fn user_context(recorder: Arc<dyn Recorder>) -> Arc<UserContext> {
    user_context_with(recorder, Arc::default())
}

/// The same, heard by a scenario's listeners.
pub(crate) fn user_context_with(
    recorder: Arc<dyn Recorder>,
    events: Arc<Events>,
) -> Arc<UserContext> {
    let run = Run::new(RunSettings::default(), Arc::clone(&recorder));
    Arc::new(UserContext {
        run: Arc::new(RunContext {
            recorder,
            log: LogLimit::new(),
            run: Arc::new(run),
            events,
            watch: None,
        }),
        stop: Arc::new(StopSignal::new(Duration::from_secs(1))),
        info: UserInfo {
            index: 0,
            user_type: "Tester".into(),
        },
    })
}

/// Both transports, to prove that they behave alike.
pub(crate) const BOTH: [ClientKind; 2] = [ClientKind::Fast, ClientKind::Full];
