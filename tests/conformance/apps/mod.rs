//! What stands behind the recording server: one small application for each pair.

mod behaviours;
mod checkout;
mod cookie_forms;
mod members;
mod notes;

pub(super) use behaviours::BehavioursApp;
pub(super) use checkout::CheckoutApp;
pub(super) use cookie_forms::{CookieFormsApp, Form, forms};
pub(super) use members::{EVERY_MISSING, MembersApp};
pub(super) use notes::NotesApp;

use super::recording_server::{Reply, respond};

/// A JSON answer.
fn json(status: &str, value: &serde_json::Value) -> Reply {
    respond(
        status,
        &[("content-type", "application/json")],
        &value.to_string(),
    )
}

/// An answer of a few words.
fn text(status: &str, body: &str) -> Reply {
    respond(status, &[("content-type", "text/plain")], body)
}
