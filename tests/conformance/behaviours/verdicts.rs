//! What counts as a failure, under which name, and with which text.

use std::collections::{BTreeMap, BTreeSet};

use super::both;
use crate::conformance::compare::Results;
use crate::conformance::pair::Outcome;

/// Endpoints of a user class.
fn endpoints(outcome: &Outcome, class: &str) -> BTreeMap<String, (u64, u64)> {
    let prefix = format!("/{class}/");
    let own = outcome
        .results
        .endpoints
        .iter()
        .filter(|((_, name), _)| name.contains(&prefix));
    own.map(|((method, name), counts)| {
        // An absolute address has the port of its run.
        let host = name.find(&prefix).expect("it was just seen");
        (format!("{method} {}", &name[host..]), *counts)
    })
    .collect()
}

/// Error lines of a user class.
fn errors(results: &Results, class: &str) -> BTreeSet<String> {
    let prefix = format!(" /{class}/");
    let mut lines = results.error_lines();
    lines.retain(|line| line.contains(&prefix));
    lines
}

#[tokio::test]
async fn statuses_count_as_for_http_user() {
    let both = both().await;
    let class = "StatusesHttp";
    assert_eq!(
        endpoints(&both.locust, class),
        endpoints(&both.greylag, class)
    );
    let expected = errors(&both.locust.results, class);
    assert_eq!(expected.len(), 200, "400 to 599");
    assert_eq!(expected, errors(&both.greylag.results, class));
}

#[tokio::test]
async fn statuses_count_as_for_fast_http_user() {
    let both = both().await;
    let class = "StatusesFast";
    assert_eq!(
        endpoints(&both.locust, class),
        endpoints(&both.greylag, class)
    );
    // The texts differ on purpose: Greylag says what HttpUser says.
    let failed = |outcome: &Outcome| -> BTreeSet<u16> {
        let lines = errors(&outcome.results, class);
        lines.iter().map(|line| code(line)).collect()
    };
    let fine = |status: &u16| matches!(status, 200..=208 | 226 | 301..=304 | 307 | 308);
    let expected = (200..600)
        .chain([600, 799, 999])
        .filter(|status| !fine(status))
        .collect();
    for outcome in both.each() {
        assert_eq!(failed(outcome), expected, "{}", outcome.system);
    }
}

/// The status in `… -> LocustBadStatusCode(code=404)` or `… -> 404 Client Error: …`.
fn code(line: &str) -> u16 {
    let (_, text) = line.split_once(" -> ").expect("an error line");
    let text = text.trim_start_matches("LocustBadStatusCode(code=");
    text[..3].parse().unwrap_or_else(|_| panic!("{line}"))
}

/// What happens, what `HttpUser`, `FastHttpUser` and both of Greylag's clients say of it. An empty text is a success. Of
/// Locust's texts only the beginning is given: the rest has ports, byte counts and Python's insides.
const TRANSPORT: [(&str, &str, &str, &str); 12] = [
    ("refused", REFUSED, REFUSED, REFUSED),
    (
        "close/before",
        DISCONNECTED,
        "HTTPConnectionClosed('connection closed.')",
        DISCONNECTED,
    ),
    (
        "close/reset",
        RESET,
        "HTTPConnectionClosed('connection closed.')",
        RESET,
    ),
    // http.client takes half a head for a whole one.
    ("close/in-head", "", "HTTPParseError(", CUT_SHORT),
    (
        "close/in-body",
        "ChunkedEncodingError(ProtocolError('Connection broken: IncompleteRead(",
        "HTTPParseError('Incomplete response.')",
        CUT_SHORT,
    ),
    (
        "close/in-chunk",
        "ChunkedEncodingError(ProtocolError('Connection broken: IncompleteRead(",
        "HTTPParseError('Incomplete response.')",
        CUT_SHORT,
    ),
    (
        "bad/answer",
        "BadStatusLine('what is this?",
        "HTTPParseError('Expected HTTP/, RTSP/ or ICE/'",
        "Malformed response: this is not an HTTP/1 status line: \"what is this?\"",
    ),
    (
        "bad/chunk",
        "ChunkedEncodingError(ProtocolError(\"Connection broken: InvalidChunkLength(",
        "HTTPParseError('Invalid character in chunk size'",
        "Malformed response: this is not the size of a chunk: \"zz\"",
    ),
    (
        "bad/gzip",
        "ContentDecodingError(",
        "error('Error -3 while decompressing data",
        "Response body cannot be decompressed",
    ),
    ("hang/before", "ReadTimeout(", "RetriesExceeded(", TIMED_OUT),
    (
        "hang/in-body",
        "ReadTimeoutError(",
        "TimeoutError('timed out')",
        TIMED_OUT,
    ),
    // FastHttpUser takes its kept plain connection to the same port, and is answered.
    (
        "tls",
        "SSLError(SSLEOFError(",
        "",
        "TLS failure: the server closed the connection",
    ),
];
const REFUSED: &str = "ConnectionRefusedError(111, 'Connection refused')";
const DISCONNECTED: &str = "RemoteDisconnected('Remote end closed connection without response')";
const RESET: &str = "ConnectionResetError(104, 'Connection reset by peer')";
const CUT_SHORT: &str = "Connection closed before the whole response was received";
const TIMED_OUT: &str = "Request timeout: the response was not complete within the time allowed";

#[tokio::test]
async fn transport_errors_are_failures() {
    let both = both().await;
    let mut wrong = Vec::new();
    for (what, http, fast, greylag) in TRANSPORT {
        for (outcome, class, expected) in [
            (&both.locust, "TransportHttp", http),
            (&both.locust, "TransportFast", fast),
            (&both.greylag, "TransportHttp", greylag),
            (&both.greylag, "TransportFast", greylag),
        ] {
            let name = format!("/{class}/{what}");
            let counts = outcome.results.counts("GET", &name);
            let texts = outcome.results.errors_of("GET", &name);
            let is_right = match expected {
                "" => counts == (1, 0),
                text => counts == (1, 1) && texts.len() == 1 && texts[0].starts_with(text),
            };
            if !is_right {
                let system = outcome.system;
                wrong.push(format!(
                    "{system} {name}: {counts:?} {texts:?}, expected {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for outcome in both.each() {
        for class in ["TransportHttp", "TransportFast"] {
            let after = outcome
                .results
                .counts("GET", &format!("/{class}/still-here"));
            assert_eq!(
                after,
                (1, 0),
                "{} {class}: the user continues",
                outcome.system
            );
        }
    }
}

#[tokio::test]
async fn redirects_are_one_sample() {
    let both = both().await;
    for class in ["RedirectsHttp", "RedirectsFast"] {
        assert_eq!(
            endpoints(&both.locust, class),
            endpoints(&both.greylag, class)
        );
    }
    let class = "RedirectsHttp";
    assert_eq!(
        errors(&both.locust.results, class),
        errors(&both.greylag.results, class)
    );
}

#[tokio::test]
async fn verdicts_of_the_scenario_count() {
    let both = both().await;
    for class in ["CatchingHttp", "CatchingFast"] {
        assert_eq!(
            endpoints(&both.locust, class),
            endpoints(&both.greylag, class)
        );
        // How a JSON parser says what is wrong is its own affair, and so is how FastHttpUser names a status.
        let texts = |outcome: &Outcome| -> BTreeSet<String> {
            let lines = errors(&outcome.results, class).into_iter();
            lines
                .filter(|line| !line.contains("unjudged"))
                .map(|line| line.split(", error ").next().unwrap_or_default().to_owned())
                .collect()
        };
        assert_eq!(texts(&both.locust), texts(&both.greylag));
    }
    let class = "CatchingHttp";
    let unjudged = |outcome: &Outcome| {
        let lines = errors(&outcome.results, class).into_iter();
        lines
            .filter(|line| line.contains("unjudged"))
            .collect::<Vec<_>>()
    };
    assert_eq!(unjudged(&both.locust), unjudged(&both.greylag));
}

/// Locust loses a request whose block raises; the target has seen it, so Greylag counts it.
#[tokio::test]
async fn a_broken_block_loses_no_request() {
    let both = both().await;
    let counts = |outcome: &Outcome| outcome.results.counts("GET", "/BrokenBlock/status/200");
    assert_eq!(counts(&both.locust), (0, 0));
    assert_eq!(counts(&both.greylag), (2, 0));
}

#[tokio::test]
async fn errors_of_tasks_are_no_failed_requests() {
    let both = both().await;
    let mut greylag = BTreeMap::new();
    for ((method, _, error), count) in &both.greylag.results.errors {
        if method == "TASK" {
            // On purpose: our text names the line, as Locust's traceback does.
            let placed = error
                .rsplit_once(" (")
                .filter(|(_, place)| place.contains(".rs:"));
            let text = placed.map_or(error.as_str(), |(text, _)| text);
            *greylag.entry(text.to_owned()).or_default() += count;
        }
    }
    // On purpose: an error in on_stop, which Locust only writes to its log.
    let on_stop = "a user failed to stop";
    assert!(!both.report.exceptions().contains_key(on_stop));
    assert_eq!(greylag.remove(on_stop), Some(1));
    assert_eq!(both.report.exceptions(), greylag);
}

#[tokio::test]
async fn requests_have_the_same_names() {
    let both = both().await;
    for class in ["NamingHttp", "NamingFast"] {
        let names = |outcome: &Outcome| -> BTreeSet<String> {
            let names = endpoints(outcome, class).into_keys();
            // Of HttpUser's empty query `an_empty_query_is_not_sent` knows.
            names
                .filter(|name| !name.ends_with("/path?") || class == "NamingFast")
                .collect()
        };
        assert_eq!(names(&both.locust), names(&both.greylag));
    }
}
