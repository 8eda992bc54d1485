//! An application whose addresses say how it is to answer: `/<class>/status/404`, `/<class>/302?to=/x`. The class is the
//! user class that asks, so that all of them can run at once and be distinguished.

use std::time::Duration;

use http::StatusCode;
use url::form_urlencoded;

use super::{json as json_reply, text};
use crate::conformance::recording_server::{App, Reply, Seen, respond};

/// How long `/<class>/stalls` takes: longer than two turns of the user that asks for it.
const STALL: Duration = Duration::from_millis(1_200);

#[derive(Default)]
pub(crate) struct BehavioursApp;

impl App for BehavioursApp {
    fn answer(&self, seen: &Seen) -> Reply {
        let mut segments = seen.path().split('/').skip(1);
        let class = segments.next().unwrap_or_default();
        let rest: Vec<_> = segments.collect();
        match rest[..] {
            ["status", status] => final_status(status),
            ["interim", status] => interim_status(status),
            ["close", when] => closing(when),
            ["bad", what] => malformed(what),
            ["hang", when] => Reply::Hang(begun(when)),
            ["chain", "0"] => text("200 OK", "the end"),
            ["chain", left] => {
                let left = left.parse::<u32>().unwrap_or(1) - 1;
                redirect("302", &format!("/{class}/chain/{left}"))
            }
            ["loop"] => redirect("302", &seen.target),
            ["set", "one"] => {
                let cookie = parameter(seen, "cookie").unwrap_or_default();
                respond("200 OK", &[("set-cookie", &cookie)], "set")
            }
            ["stalls"] => Reply::WriteAfter(STALL, written(text("200 OK", "at last"))),
            ["json"] => json_reply("200 OK", &serde_json::json!({ "a": 1 })),
            ["text"] => text("200 OK", "no JSON"),
            [status, ..] if status.parse::<u16>().is_ok() => match parameter(seen, "to") {
                Some(to) => redirect(status, &absolute(&to, seen)),
                None => text("200 OK", "ok"),
            },
            _ => text("200 OK", "ok"),
        }
    }
}

fn parameter(seen: &Seen, name: &str) -> Option<String> {
    let query = seen.target.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes())
        .find_map(|(own, value)| (own == name).then(|| value.into_owned()))
}

/// A location with the server's own address under its two names filled in.
fn absolute(location: &str, seen: &Seen) -> String {
    let host = seen.header("host").unwrap_or_default();
    let elsewhere = host.replace("127.0.0.1", "localhost");
    location
        .replace("ELSEWHERE", &format!("http://{elsewhere}"))
        .replace("HERE", &format!("http://{host}"))
        .replace("HOST", host)
}

fn redirect(status: &str, location: &str) -> Reply {
    respond(
        &with_reason(status),
        &[("location", location)],
        "over there",
    )
}

/// A status with its usual reason phrase, or with one of ours where it has none.
fn with_reason(status: &str) -> String {
    let known = StatusCode::from_bytes(status.as_bytes()).ok();
    let reason = known.and_then(|status| status.canonical_reason());
    format!("{status} {}", reason.unwrap_or("No Such Status"))
}

fn final_status(status: &str) -> Reply {
    text(&with_reason(status), "body")
}

fn interim_status(status: &str) -> Reply {
    let interim = format!("HTTP/1.1 {}\r\n\r\n", with_reason(status));
    let answer = written(text("200 OK", "at last"));
    Reply::Write([interim.into_bytes(), answer].concat())
}

fn written(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Write(bytes) => bytes,
        other => unreachable!("{other:?} is not an answer that is just written"),
    }
}

fn closing(when: &str) -> Reply {
    match when {
        "reset" => Reply::Reset,
        when => Reply::WriteAndClose(begun(when)),
    }
}

/// An answer that ends too early.
fn begun(when: &str) -> Vec<u8> {
    let bytes = match when {
        "in-head" => "HTTP/1.1 200 OK\r\ncontent-le",
        "in-body" => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        "in-chunk" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        _ => "",
    };
    bytes.as_bytes().to_vec()
}

fn malformed(what: &str) -> Reply {
    let bytes = match what {
        "chunk" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        "gzip" => "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 7\r\n\r\nno gzip",
        _ => "what is this?\r\n\r\n",
    };
    let bytes = bytes.as_bytes().to_vec();
    match what {
        // A whole answer: closing behind it would race with the next request.
        "gzip" => Reply::Write(bytes),
        _ => Reply::WriteAndClose(bytes),
    }
}
