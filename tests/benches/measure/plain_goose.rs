//! goose as it comes, for comparison: its own client, its own metrics, bodies read. Run in a process of its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use goose::config::GooseConfiguration;
use goose::prelude::*;

/// First argument that makes this program be plain goose.
pub(crate) const ARGUMENT: &str = "plain-goose";
/// Stands before the number of requests in the output.
pub(crate) const RESULT: &str = "requests: ";

/// What is requested: a path, and JSON to send if it is not empty.
static REQUEST: OnceLock<(String, String)> = OnceLock::new();
static REQUESTS: AtomicU64 = AtomicU64::new(0);

async fn request(user: &mut GooseUser) -> TransactionResult {
    let (path, body) = REQUEST.get().expect("it is set before the attack");
    let response = if body.is_empty() {
        user.get(path).await?
    } else {
        let builder = user
            .get_request_builder(&GooseMethod::Post, path)?
            .header("content-type", "application/json")
            .body(body.as_str());
        let request = GooseRequest::builder().set_request_builder(builder).build();
        user.request(request).await?
    };
    let response = response.response.map_err(|error| Box::new(error.into()))?;
    response
        .bytes()
        .await
        .map_err(|error| Box::new(error.into()))?;
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Runs 50 users, in this thread, and prints how many requests they made. The arguments are host, path, JSON (or
/// nothing) and seconds.
pub(crate) async fn attack(arguments: &[&str]) {
    let &[host, path, body, seconds] = arguments else {
        panic!("not the arguments of plain goose: {arguments:?}");
    };
    REQUEST.get_or_init(|| (path.to_owned(), body.to_owned()));
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(host.to_owned());
    configuration.users = Some(50);
    configuration.increase_rate = Some("1000".to_owned());
    configuration.run_time = Some(format!("{seconds}s"));
    configuration.no_print_metrics = true;
    configuration.no_telnet = true;
    configuration.no_websocket = true;
    configuration.quiet = 2;
    configuration.accept_invalid_certs = true;
    GooseAttack::initialize_with_config(configuration)
        .expect("a valid configuration")
        .register_scenario(scenario!("plain").register_transaction(transaction!(request)))
        .execute()
        .await
        .expect("an attack");
    println!("{RESULT}{}", REQUESTS.load(Ordering::Relaxed));
}
