//! An application whose addresses say which form of `Set-Cookie` it is to send: `/<who asks>/<form>/set/one`, then
//! `/<who asks>/<form>/set/last`.

use serde::Deserialize;

use crate::conformance::recording_server::{App, Reply, Seen};

const FORMS: &str = include_str!("../cookie_forms.jsonl");

/// One form, and why others send back something else.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// The values of `Set-Cookie` headers, a character for each byte: the last in an answer of its own, those before it
    /// together. `BASE` is the path of the form.
    pub(crate) set: Vec<String>,
    /// Why Chromium sends back something else.
    pub(crate) chromium: Option<String>,
    /// Why both of Locust's clients do.
    pub(crate) locust: Option<String>,
}

pub(crate) fn forms() -> Vec<Form> {
    let form = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    FORMS.lines().map(form).collect()
}

pub(crate) struct CookieFormsApp(pub(crate) Vec<Form>);

impl App for CookieFormsApp {
    fn answer(&self, seen: &Seen) -> Reply {
        let mut segments = seen.path().split('/').skip(1);
        let who = segments.next().unwrap_or_default();
        let number = segments.next().unwrap_or_default();
        let rest: Vec<_> = segments.collect();
        let mut head =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncache-control: no-store\r\n".to_vec();
        let form = number
            .parse::<usize>()
            .ok()
            .and_then(|number| self.0.get(number));
        let (last, first) = match form.and_then(|form| form.set.split_last()) {
            Some((last, first)) => (std::slice::from_ref(last), first),
            None => (&[][..], &[][..]),
        };
        let cookies = match rest[..] {
            ["set", "one"] => first,
            ["set", "last"] => last,
            _ => &[],
        };
        for cookie in cookies {
            let cookie = cookie.replace("BASE", &format!("{who}/{number}"));
            head.extend(b"set-cookie: ");
            head.extend(
                cookie
                    .chars()
                    .map(|c| u8::try_from(c).expect("each is a byte")),
            );
            head.extend(b"\r\n");
        }
        head.extend(b"content-length: 2\r\n\r\nok");
        Reply::Write(head)
    }
}
