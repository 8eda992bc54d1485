//! goose as it comes, for comparison: its own client, its own metrics, bodies read. Run in a process of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use goose::config::GooseConfiguration;
use goose::prelude::*;

/// First argument that makes this program be plain goose.
pub(crate) const ARGUMENT: &str = "plain-goose";
/// Stands before the number of requests in the output.
pub(crate) const RESULT: &str = "requests: ";

static REQUESTS: AtomicU64 = AtomicU64::new(0);

async fn request(user: &mut GooseUser) -> TransactionResult {
    let response = user
        .get("")
        .await?
        .response
        .map_err(|error| Box::new(error.into()))?;
    response
        .bytes()
        .await
        .map_err(|error| Box::new(error.into()))?;
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Runs 50 users against a host, in this thread, and prints how many requests they made.
pub(crate) async fn attack(url: &str, seconds: &str) {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(url.to_owned());
    configuration.users = Some(50);
    configuration.increase_rate = Some("1000".to_owned());
    configuration.run_time = Some(format!("{seconds}s"));
    configuration.no_print_metrics = true;
    configuration.no_telnet = true;
    configuration.no_websocket = true;
    configuration.quiet = 2;
    GooseAttack::initialize_with_config(configuration)
        .expect("a valid configuration")
        .register_scenario(scenario!("plain").register_transaction(transaction!(request)))
        .execute()
        .await
        .expect("an attack");
    println!("{RESULT}{}", REQUESTS.load(Ordering::Relaxed));
}
