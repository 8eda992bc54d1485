//! The same scenario run by goose itself and by us: the requests the target sees, names, failures and texts.

use std::collections::BTreeSet;

use ::goose::config::GooseConfiguration;
use ::goose::metrics::GooseMetrics;

use super::*;

/// The client that goose makes for a user with its `cookies` feature, which is on by default but not in this
/// workspace.
async fn keep_cookies(user: &mut GooseUser) -> TransactionResult {
    let builder = reqwest::Client::builder()
        .user_agent("goose/0.19.0")
        .timeout(Duration::from_secs(60))
        .gzip(true)
        .cookie_store(true);
    user.set_client_builder(builder).await.map_err(Box::new)
}

/// Runs a scenario by goose, two iterations of one user.
async fn by_goose(scenario: Scenario, scheduler: GooseScheduler, host: &Url) -> GooseMetrics {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(host.to_string());
    configuration.users = Some(1);
    configuration.iterations = Some(2);
    configuration.no_telnet = true;
    configuration.no_print_metrics = true;
    configuration.quiet = 2;
    let keep_cookies = transaction!(keep_cookies).set_on_start().set_sequence(1);
    ::goose::GooseAttack::initialize_with_config(configuration)
        .unwrap()
        .set_scheduler(scheduler)
        .register_scenario(scenario.register_transaction(keep_cookies))
        .execute()
        .await
        .unwrap()
}

/// `GET name -> error` of everything that happened, each once.
fn by_us(memory: &Memory) -> BTreeSet<String> {
    memory.lines().into_iter().collect()
}

fn by_them(metrics: &GooseMetrics) -> BTreeSet<String> {
    let succeeded = metrics
        .requests
        .iter()
        .filter(|(_, request)| request.success_count > 0)
        .map(|(key, _)| key.clone());
    let failed = metrics
        .errors
        .values()
        .map(|error| format!("{} {} -> {}", error.method, error.name, error.error));
    succeeded.chain(failed).collect()
}

async fn compare(make: fn() -> Scenario, scheduler: GooseScheduler) {
    let reply = |seen: &Seen| match &*seen.target {
        "/moved" => respond("302 Found", &[("location", "/there")], b""),
        "/missing" => respond("404 Not Found", &[], b""),
        "/broken" => respond("500 Internal Server Error", &[], b"x"),
        _ => respond("200 OK", &[("set-cookie", "seen=1; Path=/")], b"ok"),
    };
    let theirs = server(reply).await;
    let metrics = by_goose(make(), scheduler.clone(), &theirs.url).await;
    let ours = server(reply).await;
    let memory = Arc::new(Memory::default());
    let context = patient_user(&memory);
    let life = GooseLife::new(make(), &scheduler, Some(ours.url.clone()));
    let expected = theirs.seen();
    let stop = async {
        ours.has_seen(expected.len()).await;
        context.stop.raise();
    };
    tokio::join!(life.run_user(&context, None), stop);
    let on_stop = make().transactions.iter().filter(|one| one.on_stop).count();
    let (again, ends) = expected.split_at(expected.len() - on_stop);
    let essence = |seen: &[Seen]| -> Vec<String> {
        let one = |seen: &Seen| {
            let header = |name| seen.header(name).unwrap_or("-").to_owned();
            let headers = ["user-agent", "cookie", "accept", "content-type"].map(header);
            format!(
                "{} {} {:?} {}",
                seen.method, seen.target, headers, seen.body
            )
        };
        seen.iter().map(one).collect()
    };
    let seen = ours.seen();
    assert_eq!(essence(&seen[..again.len()]), essence(again));
    assert_eq!(essence(&seen[seen.len() - on_stop..]), essence(ends));
    assert_eq!(by_us(&memory), by_them(&metrics));
    let mut errors: Vec<String> = memory
        .task_errors()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    errors.sort();
    errors.dedup();
    let theirs: BTreeSet<String> = metrics
        .transaction_errors
        .values()
        .map(|error| error.error.clone())
        .collect();
    assert_eq!(errors, theirs.into_iter().collect::<Vec<_>>());
}

fn shop() -> Scenario {
    async fn form(user: &mut GooseUser) -> TransactionResult {
        user.post_form("/form", &[("a", "1")]).await?;
        Ok(())
    }
    async fn moved(user: &mut GooseUser) -> TransactionResult {
        user.get("/moved").await?;
        Ok(())
    }
    async fn missing(user: &mut GooseUser) -> TransactionResult {
        user.get("/missing").await?;
        Ok(())
    }
    async fn broken(user: &mut GooseUser) -> TransactionResult {
        let mut goose = user.get_named("/broken", "broken").await?;
        if user.get_session_data::<u32>().is_none() {
            user.set_session_data(1_u32);
            return user.set_success(&mut goose.request);
        }
        Ok(())
    }
    async fn judged(user: &mut GooseUser) -> TransactionResult {
        let mut goose = user.get("/judged").await?;
        user.set_failure("no basket", &mut goose.request, None, None)
    }
    async fn own(_: &mut GooseUser) -> TransactionResult {
        Err(Box::new("out of luck".into()))
    }
    scenario!("Shop")
        .register_transaction(transaction!(login).set_on_start())
        .register_transaction(transaction!(form).set_weight(4).unwrap())
        .register_transaction(transaction!(moved).set_weight(2).unwrap().set_name("move"))
        .register_transaction(
            transaction!(missing)
                .set_weight(2)
                .unwrap()
                .set_sequence(2)
                .set_name_for_transaction_and_requests("gone"),
        )
        .register_transaction(transaction!(broken).set_weight(6).unwrap().set_sequence(2))
        .register_transaction(transaction!(judged).set_weight(2).unwrap().set_sequence(1))
        .register_transaction(transaction!(own).set_weight(2).unwrap())
        .register_transaction(transaction!(index).set_weight(6).unwrap())
        .register_transaction(transaction!(about).set_weight(2).unwrap().set_sequence(7))
        .register_transaction(transaction!(logout).set_on_stop())
}

#[tokio::test]
async fn round_robin_is_the_same() {
    compare(shop, GooseScheduler::RoundRobin).await;
}

#[tokio::test]
async fn serial_is_the_same() {
    compare(shop, GooseScheduler::Serial).await;
}
