//! A target that stalls, against the same load measured naively.

use crate::prelude::*;
use crate::testing::{Memory, Reply, Seen, Server, drive_until, plan, respond};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The target answers immediately, except for one request, during which it answers no other.
const STALL: Duration = Duration::from_secs(1);
/// Which request that is.
const STALLED: usize = 20;
const PERIOD: Duration = Duration::from_millis(10);
const REQUESTS: usize = 160;

#[derive(Default)]
struct Paced;

impl Paced {
    async fn step(&mut self, client: &mut Client) -> TaskResult {
        client.get("/step").send().await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_shows_in_every_start_that_it_delayed() {
    let requests = AtomicUsize::new(0);
    let server = Server::start(move |_: &Seen| {
        if requests.fetch_add(1, Ordering::Relaxed) == STALLED {
            std::thread::sleep(STALL);
        }
        Reply::Write(respond("200 OK", &[], b""))
    })
    .await;
    let memory = Arc::new(Memory::default());
    let user = FastHttpUser::<Paced>::new("Paced")
        .wait_time(constant_pacing(PERIOD.as_secs_f64()))
        .task(1, Paced::step);
    let scenario = Scenario::new("stall").user(user);
    drive_until(
        scenario,
        plan(&server.url, [0]),
        &memory,
        server.has_seen(REQUESTS),
    )
    .await;
    let samples = memory.samples();
    // A start that was due within the first 0.6 s of the stall is answered 0.4 s too late at the least,
    // however slow the machine is.
    let slow = STALL * 2 / 5;
    let delayed = (STALL - slow).as_millis() / PERIOD.as_millis();
    let naive = samples.iter().filter(|kept| kept.response_time >= slow);
    let naive = naive.count();
    let intended = samples
        .iter()
        .filter(|kept| kept.from_intended_start.unwrap() >= slow)
        .count();
    assert!(naive >= 1, "the one that stalled");
    assert!(intended as u128 >= delayed - 1, "{intended} of {delayed}");
    assert!(
        intended >= 10 * naive,
        "naively it is lost in the crowd: {naive}"
    );
    for kept in &samples {
        assert!(kept.from_intended_start.unwrap() >= kept.response_time);
    }
}
