//! Members with a password, a session cookie and a token that can be renewed: wants both for every page of theirs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::{json as json_reply, text};
use crate::conformance::recording_server::{App, Reply, Seen, respond};

/// Messages whose number divides by this are gone: so many that every run asks for some, however short a busy machine makes it.
pub(crate) const EVERY_MISSING: u64 = 2;

#[derive(Default)]
pub(crate) struct MembersApp(Mutex<Sessions>);

#[derive(Default)]
struct Sessions {
    /// The valid token of each session.
    tokens: BTreeMap<String, String>,
    given: u64,
}

impl App for MembersApp {
    fn answer(&self, seen: &Seen) -> Reply {
        let mut sessions = self.0.lock().expect("no handler panics");
        let session = sessions.session_of(seen);
        match (seen.method.as_str(), seen.path(), session) {
            ("GET", "/", _) => text("200 OK", "welcome"),
            ("POST", "/login", _) => sessions.log_in(seen),
            (_, _, None) => text("401 Unauthorized", "who are you?"),
            ("POST", "/token", Some(session)) => {
                let token = sessions.new_token(&session);
                json_reply("200 OK", &json!({ "token": token }))
            }
            ("POST", "/logout", Some(session)) => {
                sessions.tokens.remove(&session);
                let gone = "session=; Path=/; Max-Age=0";
                respond("204 No Content", &[("set-cookie", gone)], "")
            }
            ("GET", "/timeline", Some(_)) => text("200 OK", "posts"),
            ("POST", "/messages", Some(_)) => text("201 Created", "sent"),
            ("GET", path, Some(_)) if message(path).is_some_and(|number| number > 0) => {
                match message(path) {
                    Some(number) if number % EVERY_MISSING == 0 => text("404 Not Found", "gone"),
                    _ => text("200 OK", "a message"),
                }
            }
            _ => text("400 Bad Request", "what?"),
        }
    }
}

fn message(path: &str) -> Option<u64> {
    path.strip_prefix("/messages/")?.parse().ok()
}

impl Sessions {
    /// The session whose cookie and valid token came with a request.
    fn session_of(&self, seen: &Seen) -> Option<String> {
        let session = seen.cookie("session")?;
        let token = self.tokens.get(session)?;
        let sent = seen.header("authorization")?.strip_prefix("Bearer ")?;
        (sent == token).then(|| session.to_owned())
    }

    fn new_token(&mut self, session: &str) -> String {
        self.given += 1;
        let token = format!("token-{}", self.given);
        self.tokens.insert(session.to_owned(), token.clone());
        token
    }

    fn log_in(&mut self, seen: &Seen) -> Reply {
        let sent: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        if seen.header("content-type") != Some("application/json")
            || sent["password"] != "swordfish"
        {
            return text("401 Unauthorized", "no");
        }
        let session = format!("session-{}", self.given + 1);
        let token = self.new_token(&session);
        let body = json!({ "token": token }).to_string();
        let cookie = format!("session={session}; Path=/; HttpOnly");
        let headers = [
            ("set-cookie", cookie.as_str()),
            ("content-type", "application/json"),
        ];
        respond("200 OK", &headers, &body)
    }
}
