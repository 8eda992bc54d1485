//! A shop with sessions, that takes no order without a card.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{json as json_reply, text};
use crate::conformance::recording_server::{App, Reply, Seen, respond};

#[derive(Default)]
pub(crate) struct CheckoutApp(AtomicU64);

impl App for CheckoutApp {
    fn answer(&self, seen: &Seen) -> Reply {
        if seen.line() == "POST /session" {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            let cookie = format!("customer={number}; Path=/");
            return respond("204 No Content", &[("set-cookie", &cookie)], "");
        }
        if seen.cookie("customer").is_none() {
            return text("401 Unauthorized", "no session");
        }
        match (seen.method.as_str(), seen.path()) {
            ("GET", "/shop") => text("200 OK", "welcome"),
            ("GET", "/products/next") => {
                let number = self.0.fetch_add(1, Ordering::SeqCst);
                json_reply("200 OK", &json!({ "id": number }))
            }
            ("PUT", "/address") => text("200 OK", "noted"),
            ("POST", "/orders") => {
                let order: Value = serde_json::from_str(&seen.body).unwrap_or_default();
                match order["card"].as_str() {
                    Some("") => text("402 Payment Required", "no card"),
                    Some(_) => text("201 Created", "ordered"),
                    None => text("400 Bad Request", "no order"),
                }
            }
            ("GET", path) if path.starts_with("/orders/of/") => text("200 OK", "thank you"),
            ("DELETE", "/session") => text("200 OK", "bye"),
            _ => text("404 Not Found", "what?"),
        }
    }
}
