//! Notes behind a JSON API. A change answers with a redirect to the note; the export is not JSON.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::json;

use super::{json as json_reply, text};
use crate::conformance::recording_server::{App, Reply, Seen, respond};

#[derive(Default)]
pub(crate) struct NotesApp(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    there: BTreeSet<u64>,
    last: u64,
}

impl App for NotesApp {
    fn answer(&self, seen: &Seen) -> Reply {
        let mut notes = self.0.lock().expect("no handler panics");
        let number = seen
            .path()
            .strip_prefix("/notes/")
            .and_then(|id| id.parse::<u64>().ok());
        let there = number.filter(|number| notes.there.contains(number));
        match (seen.method.as_str(), seen.target.as_str(), there) {
            ("POST", "/notes", _) => {
                notes.last += 1;
                let number = notes.last;
                notes.there.insert(number);
                json_reply("201 Created", &json!({ "id": number }))
            }
            ("GET", "/notes?title=Migration", _) => json_reply("200 OK", &json!([])),
            ("GET", "/notes/export", _) => {
                respond("200 OK", &[("content-type", "text/html")], "<h1>Notes</h1>")
            }
            ("GET", _, Some(number)) => json_reply("200 OK", &json!({ "id": number })),
            ("PUT", target, Some(_)) => respond("303 See Other", &[("location", target)], ""),
            ("DELETE", _, Some(number)) => {
                notes.there.remove(&number);
                respond("204 No Content", &[], "")
            }
            _ => text("404 Not Found", "no such note"),
        }
    }
}
