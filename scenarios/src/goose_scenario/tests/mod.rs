//! Unmodified goose scenarios, written as in goose's documentation, against a small server.

mod against_goose;
mod driven;

use std::sync::Arc;
use std::time::Duration;

use ::goose::prelude::*;

use super::*;
use crate::testing::{Memory, Reply, Seen, Server, respond, user_context};

async fn nothing(_: &mut GooseUser) -> TransactionResult {
    Ok(())
}

async fn login(user: &mut GooseUser) -> TransactionResult {
    user.get("/login").await?;
    Ok(())
}

async fn index(user: &mut GooseUser) -> TransactionResult {
    user.get("").await?;
    Ok(())
}

async fn about(user: &mut GooseUser) -> TransactionResult {
    user.get_named("about/", "about page").await?;
    Ok(())
}

async fn logout(user: &mut GooseUser) -> TransactionResult {
    user.get("/logout").await?;
    Ok(())
}

fn life(scenario: Scenario, host: &Url) -> GooseLife {
    GooseLife::new(scenario, &GooseScheduler::RoundRobin, Some(host.clone()))
}

/// A user whose stop cuts no request, however busy the machine is.
fn patient_user(memory: &Arc<Memory>) -> Arc<UserContext> {
    let mut user = Arc::into_inner(user_context(memory.clone())).unwrap();
    user.stop = Arc::new(StopSignal::new(Duration::from_secs(60)));
    Arc::new(user)
}

/// Runs a user until the server has seen `requests`, then stops it.
async fn run_until(scenario: Scenario, server: &Server, requests: usize) -> Arc<Memory> {
    let memory = Arc::new(Memory::default());
    let context = patient_user(&memory);
    let life = life(scenario, &server.url);
    let stop = async {
        server.has_seen(requests).await;
        context.stop.raise();
    };
    tokio::join!(life.run_user(&context, None), stop);
    memory
}

async fn server(reply: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Server {
    Server::start(move |seen: &Seen| Reply::Write(reply(seen))).await
}

fn targets(server: &Server) -> Vec<String> {
    server.seen().into_iter().map(|seen| seen.target).collect()
}

#[tokio::test]
async fn a_goose_user_runs_as_goose_runs_it() {
    let server = server(|_| respond("200 OK", &[], b"ok")).await;
    let scenario = scenario!("Shop")
        .register_transaction(transaction!(index).set_weight(2).unwrap())
        .register_transaction(transaction!(login).set_on_start())
        .register_transaction(transaction!(about))
        .register_transaction(transaction!(logout).set_on_stop());
    let memory = run_until(scenario, &server, 8).await;
    let seen = targets(&server);
    assert_eq!(
        seen[..8],
        ["/login", "/", "/about/", "/", "/", "/about/", "/", "/"],
        "round robin of 2:1, again and again"
    );
    assert_eq!(seen.last().unwrap(), "/logout");
    let lines = memory.lines();
    assert_eq!(lines.len(), seen.len(), "every request is recorded");
    assert_eq!(lines[0], "GET /login");
    assert_eq!(lines[1], "GET ");
    assert_eq!(lines[2], "GET about page");
    assert_eq!(server.seen()[0].header("user-agent"), Some("goose/0.19.0"));
    for kept in memory.samples() {
        assert!(kept.first_byte_only);
        assert_eq!(kept.time_to_first_byte, Some(kept.response_time));
        assert!(!kept.response_time.is_zero());
    }
    assert!(memory.task_errors().is_empty());
}

#[tokio::test]
async fn failures_and_verdicts_carry_gooses_texts() {
    async fn missing(user: &mut GooseUser) -> TransactionResult {
        user.get("/missing").await?;
        Ok(())
    }
    async fn expected(user: &mut GooseUser) -> TransactionResult {
        let mut goose = user.get("/missing").await?;
        user.set_success(&mut goose.request)
    }
    async fn refused(user: &mut GooseUser) -> TransactionResult {
        let mut first = user.get("/first").await?;
        user.get("/second").await?;
        user.set_failure("no basket", &mut first.request, None, None)
    }
    async fn own(_: &mut GooseUser) -> TransactionResult {
        Err(Box::new("out of luck".into()))
    }
    async fn panics(_: &mut GooseUser) -> TransactionResult {
        panic!("no table")
    }
    async fn other_protocol(user: &mut GooseUser) -> TransactionResult {
        user.record_custom_request("TCP", "echo", 7, false, None, Some("refused"))
            .await
    }
    async fn last(user: &mut GooseUser) -> TransactionResult {
        user.get("/last").await?;
        Ok(())
    }
    let server = server(|seen| match &*seen.target {
        "/missing" => respond("404 Not Found", &[], b""),
        _ => respond("200 OK", &[], b""),
    })
    .await;
    let scenario = scenario!("Failures")
        .register_transaction(transaction!(missing).set_sequence(1))
        .register_transaction(
            transaction!(missing)
                .set_sequence(2)
                .set_name_for_transaction_and_requests("named"),
        )
        .register_transaction(transaction!(expected).set_sequence(3))
        .register_transaction(transaction!(refused).set_sequence(4))
        .register_transaction(transaction!(own).set_sequence(5).set_name("gambler"))
        .register_transaction(transaction!(panics).set_sequence(6))
        .register_transaction(transaction!(other_protocol).set_sequence(7))
        .register_transaction(transaction!(last).set_sequence(8));
    let memory = run_until(scenario, &server, 6).await;
    assert_eq!(
        memory.lines(),
        [
            "GET /missing -> 404 Not Found: /missing",
            "GET named -> 404 Not Found: named",
            "GET /missing",
            "GET /first -> no basket",
            "GET /second",
            "TCP echo -> refused",
            "GET /last",
        ]
    );
    let tcp = &memory.samples()[5];
    assert!(!tcp.first_byte_only && tcp.time_to_first_byte.is_none());
    assert_eq!(tcp.response_time, Duration::from_millis(7));
    assert_eq!(
        memory.task_errors(),
        [
            ("gambler", "TransactionError: custom error (out of luck)"),
            ("transaction 5", "panicked: no table"),
        ]
        .map(|(task, text)| (task.to_owned(), text.to_owned()))
    );
}

#[tokio::test]
async fn a_target_that_is_gone_is_a_failure_and_the_user_goes_on() {
    let url = Server::unreachable();
    let memory = Arc::new(Memory::default());
    let context = patient_user(&memory);
    let named = transaction!(login).set_name_for_transaction_and_requests("sign in");
    let life = life(scenario!("Gone").register_transaction(named), &url);
    let stop = async {
        memory.has_samples(3).await;
        context.stop.raise();
    };
    tokio::join!(life.run_user(&context, None), stop);
    let lines = memory.lines();
    assert!(lines.len() >= 3);
    for line in lines {
        assert!(
            line.starts_with("GET sign in -> error sending request sign in: "),
            "{line}"
        );
    }
    assert!(
        memory.task_errors().is_empty(),
        "a failed request is reported once"
    );
}

#[tokio::test]
async fn users_share_a_client_but_no_cookies() {
    async fn visit(user: &mut GooseUser) -> TransactionResult {
        let name = format!("/visit/{}", user.weighted_users_index);
        user.get(&name).await?;
        Ok(())
    }
    let server = server(|seen| {
        let cookie = format!("who={}", seen.target.rsplit('/').next().unwrap());
        respond("200 OK", &[("set-cookie", &cookie)], b"")
    })
    .await;
    let memory = Arc::new(Memory::default());
    let users = [0, 1].map(|index| {
        let context = patient_user(&memory);
        let mut context = Arc::into_inner(context).unwrap();
        context.info.index = index;
        context
    });
    let life = life(
        scenario!("Cookies").register_transaction(transaction!(visit)),
        &server.url,
    );
    let stop = async {
        server.has_seen(20).await;
        for user in &users {
            user.stop.raise();
        }
    };
    tokio::join!(
        life.run_user(&users[0], None),
        life.run_user(&users[1], None),
        stop
    );
    let mut begun = std::collections::BTreeSet::new();
    for seen in server.seen() {
        let who = seen.target.rsplit('/').next().unwrap().to_owned();
        let expected = format!("who={who}");
        let expected = (!begun.insert(who)).then_some(&*expected);
        assert_eq!(seen.header("cookie"), expected);
    }
    assert_eq!(begun.len(), 2);
}

#[tokio::test]
async fn a_stop_ends_a_wait_at_once_and_runs_on_stop() {
    let server = server(|_| respond("200 OK", &[], b"")).await;
    let scenario = scenario!("Waits")
        .set_wait_time(Duration::from_secs(600), Duration::from_secs(600))
        .unwrap()
        .register_transaction(transaction!(index))
        .register_transaction(transaction!(logout).set_on_stop());
    let run = run_until(scenario, &server, 1);
    let memory = tokio::time::timeout(Duration::from_secs(30), run)
        .await
        .expect("the stop wakes the user");
    assert_eq!(memory.lines(), ["GET ", "GET /logout"]);
}

#[tokio::test]
async fn a_transaction_that_hangs_is_dropped_after_the_stop_time_out() {
    async fn hang(user: &mut GooseUser) -> TransactionResult {
        user.get("/before").await?;
        std::future::pending().await
    }
    let server = server(|_| respond("200 OK", &[], b"")).await;
    let scenario = scenario!("Hangs")
        .register_transaction(transaction!(hang))
        .register_transaction(transaction!(logout).set_on_stop());
    let memory = Arc::new(Memory::default());
    let context = user_context(memory.clone());
    let life = life(scenario, &server.url);
    let stop = async {
        memory.has_samples(1).await;
        context.stop.raise();
    };
    tokio::join!(life.run_user(&context, None), stop);
    assert_eq!(memory.lines(), ["GET /before", "GET /logout"]);
}

#[test]
fn order_is_that_of_goose() {
    let order = |transactions: &[(usize, usize)], scheduler: &GooseScheduler| {
        let scenario =
            transactions
                .iter()
                .fold(scenario!("Order"), |scenario, (weight, sequence)| {
                    let transaction = transaction!(nothing)
                        .set_weight(*weight)
                        .unwrap()
                        .set_sequence(*sequence);
                    scenario.register_transaction(transaction)
                });
        Order::new(&scenario.transactions, scheduler).again_and_again
    };
    let (round, serial, random) = (
        GooseScheduler::RoundRobin,
        GooseScheduler::Serial,
        GooseScheduler::Random,
    );
    // The documentation of goose's schedulers: a 4, b 2, c 1 and so on, reduced by their divisor.
    assert_eq!(order(&[(2, 0), (1, 0)], &round), [0, 1, 0]);
    assert_eq!(order(&[(2, 0), (1, 0)], &serial), [0, 0, 1]);
    assert_eq!(order(&[(10, 0), (10, 0), (10, 0)], &serial), [0, 1, 2]);
    assert_eq!(order(&[(1, 0), (1, 2), (1, 1)], &round), [2, 1, 0]);
    // goose's own test `test_random_scheduler_keeps_sequence_order`.
    let sequenced = [(5, 2), (5, 1), (6, 1), (6, 2)];
    assert_eq!(
        order(&sequenced, &serial),
        [vec![1; 5], vec![2; 6], vec![0; 5], vec![3; 6]].concat()
    );
    let mut shuffled = order(&sequenced, &random);
    shuffled[..11].sort_unstable();
    shuffled[11..].sort_unstable();
    assert_eq!(
        shuffled,
        [vec![1; 5], vec![2; 6], vec![0; 5], vec![3; 6]].concat()
    );
    // Its round robin of a sequence ends when the list is as long as its first transaction has weight.
    assert_eq!(order(&[(1, 1), (3, 1)], &round), [0, 1]);
    assert_eq!(order(&[(3, 1), (1, 1)], &round), [0, 1, 0]);
    assert_eq!(order(&[], &round), [0; 0]);
}

#[test]
fn transactions_at_the_ends_stay_serial_and_can_be_both() {
    let scenario = (0..3).fold(scenario!("StartStop"), |scenario, _| {
        scenario.register_transaction(
            transaction!(nothing)
                .set_on_start()
                .set_on_stop()
                .set_weight(10)
                .unwrap(),
        )
    });
    let scenario = scenario.register_transaction(transaction!(nothing).set_weight(11).unwrap());
    let order = Order::new(&scenario.transactions, &GooseScheduler::Random);
    let serial = [vec![0; 10], vec![1; 10], vec![2; 10]].concat();
    assert_eq!(order.on_start, serial);
    assert_eq!(order.on_stop, serial);
    assert_eq!(order.again_and_again, vec![3; 11]);
}

#[test]
fn weights_that_goose_would_refuse_do_no_harm() {
    let mut scenario = scenario!("Odd")
        .register_transaction(transaction!(nothing))
        .register_transaction(transaction!(nothing));
    scenario.transactions[0].weight = 0;
    let order = Order::new(&scenario.transactions, &GooseScheduler::RoundRobin);
    assert_eq!(order.again_and_again, [1]);
    scenario.transactions[1].weight = 0;
    let order = Order::new(&scenario.transactions, &GooseScheduler::RoundRobin);
    assert!(order.again_and_again.is_empty());
    scenario.transactions[0].weight = usize::MAX;
    scenario.transactions[1].weight = 1;
    let order = Order::new(&scenario.transactions, &GooseScheduler::Serial);
    assert_eq!(order.again_and_again.len(), 1_000_000);
}
