//! Every behaviour once: the pairs of `pairs/`, all of their users in one run of each system.

mod flows;
mod requests;
mod verdicts;

use tokio::sync::OnceCell;

use crate::conformance::apps::BehavioursApp;
use crate::conformance::pair::{Both, Outcome, Pair};
use crate::conformance::recording_server::Seen;

/// The locustfiles of `pairs/` whose users stop by themselves.
const LOCUSTFILES: [&str; 8] = [
    "catching",
    "cookies",
    "flows",
    "naming",
    "redirects",
    "sending",
    "statuses",
    "transport",
];
/// The user classes in them: one user each.
const USER_CLASSES: u64 = 24;
/// Long enough for those with several tasks.
const SECONDS: u64 = 12;
/// For those with one task, the slowest of which asks 500 times: on a busy machine it goes on after the end.
const STOP_TIMEOUT: &str = "110";

/// What came of the run; the first who asks runs it.
async fn both() -> &'static Both {
    static BOTH: OnceCell<Both> = OnceCell::const_new();
    BOTH.get_or_init(async || {
        let mut pair = Pair::here(&LOCUSTFILES, "behaviours", USER_CLASSES, SECONDS);
        pair.ends_when_idle = true;
        pair.stop_timeout = STOP_TIMEOUT;
        pair.run(BehavioursApp::default).await
    })
    .await
}

/// The requests of a user class, in order.
fn of<'o>(outcome: &'o Outcome, class: &str) -> Vec<&'o Seen> {
    let own = outcome.seen.iter().filter(|seen| {
        let path = seen.path().split('/').nth(1);
        seen.header("x-user").or(path) == Some(class)
    });
    own.collect()
}

/// The same as lines, without the class.
fn lines(outcome: &Outcome, class: &str) -> Vec<String> {
    let prefix = format!("/{class}/");
    let line = |seen: &&Seen| format!("{} {}", seen.method, seen.target.replace(&prefix, "/"));
    of(outcome, class).iter().map(line).collect()
}
