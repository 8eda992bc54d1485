//! `rest_crud`: rest(), caught responses, 404s that are successes, redirects, RescheduleTask.

use std::collections::{BTreeMap, BTreeSet};

use crate::conformance::apps::NotesApp;
use crate::conformance::pair::{Outcome, Pair};
use crate::conformance::recording_server::Seen;

/// So many that every run has the rarest task, one of nineteen, even if a busy machine does half as many.
const USERS: u64 = 32;

#[tokio::test]
async fn rest_crud() {
    let mut pair = Pair::example("rest_crud", "rest_crud_locustfile.py", USERS, 7);
    // Some requests fail, which without this option differs: 1 for Locust, 0 for Greylag.
    pair.options = &["--exit-code-on-error", "3"];
    let both = pair.run(NotesApp::default).await;

    assert_eq!(both.locust.results.keys(), both.greylag.results.keys());
    assert_eq!(
        both.locust.results.keys(),
        BTreeSet::from(
            [
                "POST /notes",
                "GET /notes/[id]",
                "PUT /notes/[id]",
                "DELETE /notes/[id]",
                "GET /notes/[id] (removed)",
                "GET /notes?title=",
                "GET /notes/0",
                "GET /notes/export",
            ]
            .map(str::to_owned)
        )
    );
    for outcome in both.each() {
        assert_eq!(outcome.exit_code, 3, "{}", outcome.system);
        every_request_is_one_sample(outcome);
        verdicts_are_the_scenarios(outcome);
        json_is_asked_for(outcome);
    }
    // How a JSON parser says what is wrong is its own affair.
    let export = |outcome: &Outcome| {
        let text = outcome.results.errors_of("GET", "/notes/export")[0];
        text.split(", error ").next().map(str::to_owned)
    };
    assert_eq!(
        export(&both.locust).as_deref(),
        Some("Could not parse response as JSON. <h1>Notes</h1>, response code 200")
    );
    assert_eq!(export(&both.locust), export(&both.greylag));
}

/// A change and the note it redirects to are two requests for the server and one sample.
fn every_request_is_one_sample(outcome: &Outcome) {
    let system = outcome.system;
    let count = |method: &str| {
        outcome
            .seen
            .iter()
            .filter(|seen| seen.method == method)
            .count() as u64
    };
    for (method, name) in [
        ("POST", "/notes"),
        ("PUT", "/notes/[id]"),
        ("DELETE", "/notes/[id]"),
    ] {
        assert_eq!(
            outcome.results.counts(method, name),
            (count(method), 0),
            "{system} {method}"
        );
    }
    let gets: u64 = outcome
        .results
        .endpoints
        .iter()
        .filter(|((method, _), _)| method == "GET")
        .map(|(_, (requests, _))| requests)
        .sum();
    assert_eq!(gets + count("PUT"), count("GET"), "{system}: all GETs");

    let mut connections = BTreeMap::<_, Vec<&Seen>>::new();
    for seen in &outcome.seen {
        connections.entry(seen.connection).or_default().push(seen);
    }
    assert_eq!(
        connections.len() as u64,
        USERS,
        "{system}: one connection for each user"
    );
    for requests in connections.values() {
        assert_eq!(requests[0].line(), "POST /notes", "{system}: on_start");
        for pair in requests.windows(2) {
            let (change, after) = (pair[0], pair[1]);
            if change.method == "PUT" {
                assert_eq!(after.line(), format!("GET {}", change.target), "{system}");
                assert!(
                    after.body.is_empty() && after.header("content-type").is_none(),
                    "{system}"
                );
            }
            if change.method == "DELETE" {
                assert_eq!(after.line(), format!("GET {}", change.target), "{system}");
            }
        }
    }
}

fn verdicts_are_the_scenarios(outcome: &Outcome) {
    let system = outcome.system;
    for name in ["/notes/[id]", "/notes/[id] (removed)", "/notes?title="] {
        let (requests, failures) = outcome.results.counts("GET", name);
        assert!(
            requests > 0 && failures == 0,
            "{system} {name}: {failures} of {requests}"
        );
    }
    for name in ["/notes/0", "/notes/export"] {
        let (requests, failures) = outcome.results.counts("GET", name);
        assert!(
            requests > 0 && failures == requests,
            "{system} {name}: {failures} of {requests}"
        );
    }
}

fn json_is_asked_for(outcome: &Outcome) {
    for seen in &outcome.seen {
        let what = format!("{}: {seen:?}", outcome.system);
        assert_eq!(seen.header("x-client"), Some("editor"), "{what}");
        if seen.method == "POST" || seen.target == "/notes/export" {
            assert_eq!(seen.header("accept"), Some("application/json"), "{what}");
            assert_eq!(
                seen.header("content-type"),
                Some("application/json"),
                "{what}"
            );
        }
    }
}
