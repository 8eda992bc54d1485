//! Greylag beside the real Locust: the same users, written in both, against the same recording server. See `README.md`.

// One name around all tests, so that `-- --skip conformance` leaves them out.
#[path = "."]
mod conformance {
    mod answers;
    mod api;
    mod apps;
    mod behaviours;
    mod compare;
    mod cookie_forms;
    mod distribution;
    mod examples;
    mod hlog;
    mod joining;
    mod locust;
    mod options;
    mod pair;
    mod recording_server;
    mod statistics;
    mod stopping;
    mod tags;
    mod targets;
    mod timing;
}
