//! `login_journey`: tokens, cookies, names, weights, on_start and on_stop.

use std::collections::{BTreeMap, BTreeSet};

use crate::conformance::apps::{EVERY_MISSING, MembersApp};
use crate::conformance::pair::{Outcome, Pair};
use crate::conformance::recording_server::Seen;
use crate::conformance::statistics::assert_share;

/// Weights 3 and 1: nine members and three strangers, and enough picks for the mix to mean something.
const USERS: u64 = 48;
const MEMBERS: usize = 36;

/// The requests that members' tasks begin with, and the tasks' weights.
const MEMBER_TASKS: [(&str, f64); 4] = [
    ("GET /timeline", 5.0),
    ("GET /messages/[id]", 3.0),
    ("POST /messages", 1.0),
    ("POST /token", 1.0),
];

#[tokio::test]
async fn login_journey() {
    let pair = Pair::example("login_journey", "login_journey_locustfile.py", USERS, 7);
    let both = pair.run(MembersApp::default).await;

    assert_eq!(both.locust.results.keys(), both.greylag.results.keys());
    assert_eq!(
        both.locust.results.keys(),
        BTreeSet::from(
            [
                "POST /login",
                "GET /timeline",
                "GET /messages/[id]",
                "POST /messages",
                "POST /token",
                "POST /logout",
                "GET /",
                "POST /login (wrong)",
                "GET /timeline (stranger)",
            ]
            .map(str::to_owned)
        )
    );
    // On purpose: requests failed, which is the target's affair unless `--exit-code-on-error` says otherwise.
    assert_eq!((both.locust.exit_code, both.greylag.exit_code), (1, 0));
    // The files of `--csv` have the same columns, so that what reads one reads the other.
    assert_eq!(both.locust.csv_heads.len(), 4);
    let mut written = both.greylag.csv_heads.clone();
    // On purpose: a file beside them says whether the results are complete.
    let completeness = written.remove("_completeness.json");
    assert!(completeness.is_some_and(|text| text.contains("\"complete\":true")));
    assert_eq!(both.locust.csv_heads, written);
    for outcome in both.each() {
        members_carry_what_they_were_given(outcome);
        members_mix_their_tasks(outcome);
        every_answer_is_counted(outcome);
    }
    let missing = "404 Client Error: Not Found for url: /messages/[id]";
    for outcome in both.each() {
        let errors = outcome.results.errors_of("GET", "/messages/[id]");
        assert_eq!(errors, [missing], "{}", outcome.system);
    }
    // On purpose: Greylag words the failures of both kinds of users alike.
    let refused =
        |outcome: &Outcome| outcome.results.errors_of("GET", "/timeline (stranger)")[0].to_owned();
    assert_eq!(refused(&both.locust), "LocustBadStatusCode(code=401)");
    assert_eq!(
        refused(&both.greylag),
        "401 Client Error: Unauthorized for url: /timeline (stranger)"
    );
}

/// The requests of each session, in order.
fn sessions(outcome: &Outcome) -> BTreeMap<&str, Vec<&Seen>> {
    let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for seen in &outcome.seen {
        if let Some(session) = seen.cookie("session") {
            sessions.entry(session).or_default().push(seen);
        }
    }
    sessions
}

fn members_carry_what_they_were_given(outcome: &Outcome) {
    let system = outcome.system;
    let logins = |seen: &&Seen| seen.line() == "POST /login" && seen.body.contains("swordfish");
    let names: BTreeSet<_> = outcome
        .seen
        .iter()
        .filter(logins)
        .map(|seen| &seen.body)
        .collect();
    assert_eq!(names.len(), MEMBERS, "{system}: each member its own name");
    let sessions = sessions(outcome);
    assert_eq!(sessions.len(), MEMBERS, "{system}");
    for requests in sessions.values() {
        // The server accepts the newest token only, and refuses everything else.
        let renewed = requests
            .iter()
            .filter(|seen| seen.path() == "/token")
            .count();
        let tokens: BTreeSet<_> = requests
            .iter()
            .map(|seen| seen.header("authorization"))
            .collect();
        assert!(!tokens.contains(&None), "{system}: {requests:#?}");
        assert_eq!(tokens.len(), renewed + 1, "{system}: {requests:#?}");
        let last = requests.last().expect("a session has requests");
        assert_eq!(last.line(), "POST /logout", "{system}");
        let logouts = requests.iter().filter(|seen| seen.path() == "/logout");
        assert_eq!(logouts.count(), 1, "{system}");
    }
    for (method, name) in [
        ("POST", "/login"),
        ("GET", "/timeline"),
        ("POST", "/token"),
        ("POST", "/logout"),
    ] {
        let (requests, failures) = outcome.results.counts(method, name);
        assert!(requests > 0 && failures == 0, "{system}: {method} {name}");
    }
}

/// What is picked does not depend on the time it takes, so every pick that began counts.
fn members_mix_their_tasks(outcome: &Outcome) {
    let begun = |task: &str| {
        let begins = |seen: &&Seen| match task {
            "GET /timeline" => {
                seen.target == "/timeline?page=1" && seen.cookie("session").is_some()
            }
            "GET /messages/[id]" => seen.method == "GET" && seen.path().starts_with("/messages/"),
            other => seen.line() == other,
        };
        outcome.seen.iter().filter(begins).count() as u64
    };
    let weights: f64 = MEMBER_TASKS.iter().map(|(_, weight)| weight).sum();
    let picks = MEMBER_TASKS.iter().map(|(task, _)| begun(task)).sum();
    for (task, weight) in MEMBER_TASKS {
        let what = format!("{}: {task}", outcome.system);
        assert_share(
            &what,
            begun(task),
            picks,
            weight / weights,
            2 * MEMBER_TASKS.len(),
        );
    }
}

/// Whatever the server was asked is counted, once, with the verdict its answer asks for.
fn every_answer_is_counted(outcome: &Outcome) {
    let messages = outcome.seen.iter().filter_map(|seen| {
        let number = seen
            .path()
            .strip_prefix("/messages/")?
            .parse::<u64>()
            .ok()?;
        Some(number % EVERY_MISSING == 0)
    });
    let (mut asked, mut missing) = (0, 0);
    for is_missing in messages {
        asked += 1;
        missing += u64::from(is_missing);
    }
    let counted = outcome.results.counts("GET", "/messages/[id]");
    assert_eq!(counted, (asked, missing), "{}", outcome.system);

    let total: u64 = outcome
        .results
        .endpoints
        .values()
        .map(|(requests, _)| requests)
        .sum();
    assert_eq!(
        total,
        outcome.seen.len() as u64,
        "{}: all requests",
        outcome.system
    );
    // A 401 that was caught and judged a success.
    let (wrong, failures) = outcome.results.counts("POST", "/login (wrong)");
    assert!(wrong > 0 && failures == 0, "{}", outcome.system);
}
