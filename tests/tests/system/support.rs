//! What the tests share: the binary, test definitions, and the comparison with the witness.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use greylag_tests::summary::Summary;
use greylag_tests::{AccessLog, Api, Cluster, Counts, Greylag, Nginx, stored_counts};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a short run may take from its start to its end on a slow machine.
pub(crate) const RUN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long something may take that happens immediately on a machine with nothing else to do.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The binary under test: the product's, with the scenarios of `src/bin/greylag_under_test.rs`.
pub(crate) fn greylag() -> Greylag {
    Greylag::at(env!("CARGO_BIN_EXE_greylag_under_test"))
}

/// One declared request.
pub(crate) fn request(method: &str, path: &str, weight: u32) -> Value {
    json!({ "method": method, "path": path, "weight": weight })
}

/// Declared requests with a wait between the two times, in seconds.
pub(crate) fn declared(requests: &[Value], wait: (f64, f64)) -> Value {
    json!({ "requests": requests, "wait_time": { "Between": [wait.0, wait.1] } })
}

/// Healthy, missing and refused requests of several methods.
pub(crate) fn mixed_requests() -> Vec<Value> {
    vec![
        request("GET", "/", 4),
        request("GET", "/list?page=2&sort=name", 2),
        request("POST", "/cart", 1),
        request("DELETE", "/cart/7", 1),
        request("GET", "/missing", 1),
        request("POST", "/not-allowed", 1),
    ]
}

/// A test with mixed requests, a few users and a short wait; `changes` are added.
pub(crate) fn test(host: &str, infrastructure: &str, changes: Value) -> Value {
    let mut test = json!({
        "name": "system test",
        "host": host,
        "infrastructure": infrastructure,
        "users": 20,
        "ramp_up": 1,
        "duration": 6,
        "workers": 2,
        // Few of these tests are about waiting.
        "share": true,
        "declared": declared(&mixed_requests(), (0.02, 0.1)),
    });
    let (all, changes) = (test.as_object_mut(), changes.as_object().cloned());
    all.expect("an object").extend(changes.expect("an object"));
    if test["scenario"].is_string() {
        test.as_object_mut().expect("an object").remove("declared");
    }
    test
}

/// Asks for a run that is on time until one of three is. A machine that stands still for a second makes users late, and never
/// early: what must hold in every run is asserted by `run` itself, and what it gives back says how it was late.
pub(crate) async fn in_one_of_three_runs(mut run: impl AsyncFnMut() -> Result<(), String>) {
    let mut late = Vec::new();
    for _ in 0..3 {
        match run().await {
            Ok(()) => return,
            Err(how) => late.push(how),
        }
    }
    panic!("none of three runs was on time: {late:#?}");
}

/// What finishes a run of `per-process-until`: one that lasts for as long as its test has something to see, however slow the
/// machine is, and is Finished then.
#[derive(Debug)]
pub(crate) struct Enough(TempDir);

impl Enough {
    pub(crate) fn not_yet() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    /// The file that the scenario looks for.
    pub(crate) fn path(&self) -> String {
        let path = self.0.path().join("enough");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    /// A test of that scenario; `changes` are added.
    pub(crate) fn test(&self, host: &str, infrastructure: &str, changes: Value) -> Value {
        let mut test = test(host, infrastructure, changes);
        let until = json!({
            "scenario": "per-process-until", "options": { "until": self.path() }, "duration": 600,
        });
        let (all, until) = (test.as_object_mut(), until.as_object().cloned());
        let all = all.expect("an object");
        all.extend(until.expect("an object"));
        all.remove("declared");
        test
    }

    /// Users find the file at their next request.
    pub(crate) fn seen(&self) {
        std::fs::write(self.path(), "").expect("the directory is ours");
    }
}

/// The summary's endpoints by method and name.
pub(crate) fn endpoint_counts(summary: &Summary) -> BTreeMap<(String, String), Counts> {
    summary
        .endpoints
        .iter()
        .map(|endpoint| {
            let counts = Counts {
                requests: endpoint.requests,
                failures: endpoint.failures,
            };
            ((endpoint.method.clone(), endpoint.name.clone()), counts)
        })
        .collect()
}

/// Waits until the run is finished, and checks that it is what the witness saw.
pub(crate) async fn assert_finishes_as_logged(cluster: &Cluster, nginx: Nginx, id: &str) {
    let api = cluster.api();
    api.wait_for_status(id, "Finished", RUN_TIMEOUT).await;
    let log = nginx.finish().await;
    assert_equal_to_log(api, cluster.data(), id, &log).await;
}

/// Checks that summary, page and store hold exactly what the witness saw, in all and per endpoint.
pub(crate) async fn assert_equal_to_log(
    api: &Api,
    data: &Path,
    id: &str,
    log: &AccessLog,
) -> Summary {
    let summary = api.summary(id).await;
    let expected = log.totals();
    assert!(expected.requests > 0, "the witness saw nothing");
    let totals = Counts {
        requests: summary.totals.requests,
        failures: summary.totals.failures,
    };
    assert_eq!(totals, expected, "totals of the summary, and nginx's log");
    assert_eq!(
        endpoint_counts(&summary),
        log.by_endpoint(),
        "endpoints of the summary, and nginx's log"
    );
    assert_eq!(
        stored_counts(data, id),
        log.by_endpoint(),
        "the store, and nginx's log"
    );

    let page = api.page(id).await;
    assert_eq!(
        page_field(&page, "total-requests"),
        expected.requests.to_string(),
        "the page's card"
    );
    assert_eq!(
        page_endpoints(&page),
        log.by_endpoint(),
        "the page's rows, and nginx's log"
    );
    assert_eq!(
        page_aggregated(&page),
        expected,
        "the page's Aggregated row"
    );

    let series = summary
        .series
        .iter()
        .fold(Counts::default(), |sum, point| Counts {
            requests: sum.requests + point.requests,
            failures: sum.failures + point.failures,
        });
    assert_eq!(series, expected, "the sum of the series");
    let errors: u64 = summary.errors.iter().map(|error| error.occurrences).sum();
    assert_eq!(
        errors, expected.failures,
        "the sum of the errors: {:?}",
        summary.errors
    );
    summary
}

/// The `data-value` of a field in the page's HTML.
pub(crate) fn page_field(html: &str, field: &str) -> String {
    let mark = format!("data-field=\"{field}\"");
    let at = html
        .find(&mark)
        .unwrap_or_else(|| panic!("the page has no field {field}"));
    attribute(&html[at..], "data-value")
}

fn attribute(html: &str, name: &str) -> String {
    let mark = format!("{name}=\"");
    let at = html
        .find(&mark)
        .unwrap_or_else(|| panic!("no {name} in {:.200}", html))
        + mark.len();
    let end = html[at..].find('"').expect("attributes end") + at;
    unescape(&html[at..end])
}

pub(crate) fn unescape(text: &str) -> String {
    // Askama writes numeric references.
    [
        ("&#38;", "&"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
    ]
    .iter()
    .fold(text.to_owned(), |text, (reference, character)| {
        text.replace(reference, character)
    })
}

fn page_rows(html: &str) -> Vec<((String, String), Counts)> {
    html.split("<tr data-endpoint-method=")
        .skip(1)
        .map(|row| {
            let row = format!("data-endpoint-method={row}");
            let endpoint = (
                attribute(&row, "data-endpoint-method"),
                attribute(&row, "data-endpoint-name"),
            );
            let number = |field: &str| page_field(&row, field).parse().expect("a number");
            (
                endpoint,
                Counts {
                    requests: number("requests"),
                    failures: number("fails"),
                },
            )
        })
        .collect()
}

fn page_endpoints(html: &str) -> BTreeMap<(String, String), Counts> {
    let mut rows = page_rows(html);
    rows.pop();
    rows.into_iter().collect()
}

fn page_aggregated(html: &str) -> Counts {
    let (endpoint, counts) = page_rows(html)
        .pop()
        .expect("the page has an Aggregated row");
    assert_eq!(endpoint, (String::new(), "Aggregated".to_owned()));
    counts
}
