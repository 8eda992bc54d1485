//! What is sent: methods, targets, headers, bodies, cookies, redirects.

use std::collections::{BTreeMap, BTreeSet};

use super::{both, lines, of};
use crate::conformance::pair::Outcome;
use crate::conformance::recording_server::Seen;

/// Headers that differ on purpose, or say nothing of their own.
const LEFT_OUT: [&str; 4] = [
    "user-agent",      // each says who it is
    "accept-encoding", // each says what it can decode
    "connection",      // HTTP/1.1 keeps connections without being asked
    "content-length",  // the bodies are compared
];
/// A user's cookie of this name is looked at in a test of its own.
const SECURE: &str = "secure=8";

/// A request in the words that both systems should have in common.
fn normal(seen: &Seen) -> String {
    let mut headers = BTreeMap::new();
    for (name, value) in &seen.headers {
        let value = match name.as_str() {
            "host" => value.split(':').next().unwrap_or_default().to_owned(),
            "cookie" => {
                let pairs = value.split("; ").filter(|pair| *pair != SECURE);
                pairs.collect::<Vec<_>>().join("; ")
            }
            _ => value.clone(),
        };
        if !LEFT_OUT.contains(&name.as_str()) {
            headers.insert(name.as_str(), value);
        }
    }
    let (target, body) = (&seen.target, &seen.body);
    format!("{} {target} {headers:?} {body}", seen.method)
}

/// The requests of a class in those words; ports and the class's own name are those of the run.
fn normal_lines(outcome: &Outcome, class: &str) -> Vec<String> {
    let own = of(outcome, class).into_iter();
    // An empty query is looked at in a test of its own.
    let own = own.filter(|seen| !matches!(seen.target.rsplit('/').next(), Some("path" | "path?")));
    own.map(|seen| normal(seen).replace(class, "User"))
        .collect()
}

fn assert_same(what: &str, locust: &[String], greylag: &[String]) {
    assert!(!locust.is_empty(), "{what}: Locust asked nothing");
    let pairs = locust.iter().zip(greylag);
    let different: Vec<_> = pairs
        .filter(|(locust, greylag)| locust != greylag)
        .map(|(locust, greylag)| format!("  Locust  {locust}\n  Greylag {greylag}"))
        .collect();
    assert!(different.is_empty(), "{what}\n{}", different.join("\n"));
    assert_eq!(locust.len(), greylag.len(), "{what}: {:?}", greylag.last());
}

#[tokio::test]
async fn requests_look_alike() {
    let both = both().await;
    for class in [
        "SendingHttp",
        "SendingFast",
        "NamingHttp",
        "NamingFast",
        "CatchingHttp",
        "CatchingFast",
    ] {
        let lines = |outcome| normal_lines(outcome, class);
        assert_same(class, &lines(&both.locust), &lines(&both.greylag));
    }
}

#[tokio::test]
async fn an_empty_query_is_not_sent() {
    let both = both().await;
    for class in ["NamingHttp", "NamingFast"] {
        for outcome in both.each() {
            let lines = lines(outcome, class);
            let paths = lines.iter().filter(|line| *line == "GET /path");
            assert_eq!(paths.count(), 2, "{} {class}: {lines:?}", outcome.system);
        }
    }
}

/// A request whose method wants a body says that it has none (RFC 9110, 8.6).
#[tokio::test]
async fn a_missing_body_has_a_length() {
    let both = both().await;
    for class in ["SendingHttp", "SendingFast"] {
        for outcome in both.each() {
            for method in ["POST", "PUT"] {
                let nothing = format!("/{class}/nothing");
                let requests = of(outcome, class);
                let request = requests
                    .iter()
                    .find(|seen| seen.method == method && seen.target == nothing)
                    .expect("it was sent");
                let length = request.header("content-length");
                assert_eq!(length, Some("0"), "{} {class} {method}", outcome.system);
            }
        }
    }
}

#[tokio::test]
async fn headers_that_differ_on_purpose() {
    let both = both().await;
    let header = |outcome, class: &str, name| {
        let seen = of(outcome, class)[0].header(name).map(str::to_owned);
        seen.unwrap_or_default()
    };
    for class in ["SendingHttp", "SendingFast"] {
        assert!(header(&both.greylag, class, "user-agent").starts_with("greylag/"));
        assert_eq!(
            header(&both.greylag, class, "accept-encoding"),
            "gzip, deflate, br"
        );
    }
    assert!(header(&both.locust, "SendingHttp", "user-agent").starts_with("python-requests/"));
    assert!(
        header(&both.locust, "SendingFast", "user-agent").starts_with("python/gevent-http-client")
    );
}

#[tokio::test]
async fn a_user_keeps_one_connection() {
    let both = both().await;
    for outcome in both.each() {
        for class in [
            "SendingHttp",
            "SendingFast",
            "NamingHttp",
            "CatchingFast",
            "SequentialFlow",
        ] {
            let connections: BTreeSet<_> = of(outcome, class)
                .iter()
                .map(|seen| seen.connection)
                .collect();
            assert_eq!(connections.len(), 1, "{} {class}", outcome.system);
        }
    }
}

#[tokio::test]
async fn cookies_are_kept_and_sent_alike() {
    let both = both().await;
    for class in ["CookiesHttp", "CookiesFast"] {
        let lines = |outcome| normal_lines(outcome, class);
        assert_same(class, &lines(&both.locust), &lines(&both.greylag));
    }
}

#[tokio::test]
async fn a_secure_cookie_is_not_sent_in_the_clear() {
    let both = both().await;
    for class in ["CookiesHttp", "CookiesFast"] {
        for outcome in both.each() {
            let requests = of(outcome, class);
            let sent = requests
                .iter()
                .filter(|seen| seen.cookie("secure").is_some());
            assert_eq!(sent.count(), 0, "{} {class}", outcome.system);
        }
    }
}

#[tokio::test]
async fn redirects_are_followed_alike() {
    let both = both().await;
    let class = "RedirectsHttp";
    // On purpose: a GET on a kept connection that is closed without an answer is sent once more, as browsers do it.
    let closed = |line: &String| line.starts_with("GET /User/close/before ");
    let repeated = |lines: Vec<String>| -> Vec<String> {
        let times = |line: &String| if closed(line) { 2 } else { 1 };
        let repeat = |line: String| std::iter::repeat_n(line.clone(), times(&line));
        lines.into_iter().flat_map(repeat).collect()
    };
    let expected = repeated(normal_lines(&both.locust, class));
    assert_same(class, &expected, &normal_lines(&both.greylag, class));

    let class = "RedirectsFast";
    let mut expected = normal_lines(&both.locust, class);
    // On purpose: a 301 changes POST to GET and leaves other methods, as HttpUser and RFC 9110 have it.
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
        let landed = format!(" /User/landed/301/{method} ");
        let theirs = expected.iter_mut().find(|line| line.contains(&landed));
        let theirs = theirs.expect("it was redirected");
        assert!(theirs.starts_with("GET "), "{theirs}");
        *theirs = theirs.replacen("GET", method, 1);
    }
    // On purpose: such a request is not sent again and again.
    assert!(
        expected.iter().filter(|line| closed(line)).count() > 1,
        "{expected:#?}"
    );
    expected.dedup_by(|line, before| closed(line) && closed(before));
    let expected = repeated(expected);
    assert_same(class, &expected, &normal_lines(&both.greylag, class));
}
