//! `checkout`: a sequence with a nested task set, rows of a file, pacing, tags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::form_urlencoded;

use crate::conformance::apps::CheckoutApp;
use crate::conformance::pair::{Outcome, Pair};
use crate::conformance::recording_server::Seen;

/// Two customers for each row of the file.
const USERS: u64 = 12;
const ROWS: usize = 6;

#[tokio::test]
async fn checkout() {
    let pair = Pair::example("checkout", "checkout_locustfile.py", USERS, 8);
    let both = pair.run(CheckoutApp::default).await;

    assert_eq!(both.locust.results.keys(), both.greylag.results.keys());
    assert_eq!(both.locust.results.error_lines(), BTreeSet::new());
    assert_eq!(both.greylag.results.error_lines(), BTreeSet::new());
    for outcome in both.each() {
        assert_eq!(outcome.exit_code, 0, "{}", outcome.system);
        rows_are_distributed_in_turn(outcome);
        let mut orders = 0;
        for (_, requests) in customers(outcome) {
            orders += steps_follow_each_other(outcome.system, &requests);
        }
        assert!(orders > 0, "{}: no user bought anything", outcome.system);
        let total: u64 = outcome
            .results
            .endpoints
            .values()
            .map(|(requests, _)| requests)
            .sum();
        assert_eq!(total, outcome.seen.len() as u64, "{}", outcome.system);
    }
}

fn rows_are_distributed_in_turn(outcome: &Outcome) {
    let mut names = BTreeMap::<String, usize>::new();
    for seen in outcome
        .seen
        .iter()
        .filter(|seen| seen.line() == "POST /session")
    {
        let fields: BTreeMap<_, _> = form_urlencoded::parse(seen.body.as_bytes()).collect();
        *names.entry(fields["name"].to_string()).or_default() += 1;
    }
    assert_eq!(names.len(), ROWS, "{}: {names:?}", outcome.system);
    assert!(
        names.values().all(|users| *users == 2),
        "{}: {names:?}",
        outcome.system
    );
}

/// The requests of each customer after its session began, in order.
fn customers(outcome: &Outcome) -> BTreeMap<&str, Vec<&Seen>> {
    let mut customers = BTreeMap::<_, Vec<&Seen>>::new();
    for seen in &outcome.seen {
        if let Some(customer) = seen.cookie("customer") {
            customers.entry(customer).or_default().push(seen);
        }
    }
    assert_eq!(customers.len() as u64, USERS, "{}", outcome.system);
    customers
}

/// `shop (product+ address pay receipt)* … end of the session`, cut off anywhere. Gives the number of orders.
fn steps_follow_each_other(system: &str, requests: &[&Seen]) -> usize {
    let lines: Vec<_> = requests.iter().map(|seen| seen.line()).collect();
    let what = format!("{system}: {lines:#?}");
    assert_eq!(
        lines.first().map(String::as_str),
        Some("GET /shop"),
        "{what}"
    );
    assert_eq!(
        lines.last().map(String::as_str),
        Some("DELETE /session"),
        "{what}"
    );
    let (mut orders, mut basket) = (0, 0);
    for pair in requests[..requests.len() - 1].windows(2) {
        let (before, now) = (step(pair[0]), step(pair[1]));
        let follows = matches!(
            (before, now),
            ("shop" | "product" | "receipt", "product")
                | ("product", "address")
                | ("address", "pay")
                | ("pay", "receipt")
        );
        assert!(follows, "{before}, then {now}\n{what}");
        if now == "product" {
            basket = if before == "receipt" { 1 } else { basket + 1 };
        }
        if now == "pay" {
            orders += 1;
            let order: Value = serde_json::from_str(&pair[1].body).expect("an order is JSON");
            let products = order["products"].as_array().map_or(0, Vec::len);
            assert_eq!(products, basket, "{what}");
        }
    }
    orders
}

fn step(seen: &Seen) -> &'static str {
    match seen.path() {
        "/shop" => "shop",
        "/products/next" => "product",
        "/address" => "address",
        "/orders" => "pay",
        path if path.starts_with("/orders/of/") => "receipt",
        _ => "?",
    }
}
