//! What a task can know of the stop of its user.

use super::*;
use crate::testing::{Reply, Seen, Server};

/// What tasks note, in ms since they began.
#[derive(Clone)]
struct Notes {
    born: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Notes {
    fn add(&self, text: &str) {
        let at = self.born.elapsed().as_millis();
        self.lines.lock().unwrap().push(format!("{text}@{at}"));
    }

    async fn polls(&mut self, client: &mut Client) -> TaskResult {
        let handle = client.stop_handle();
        assert!(!client.stopping() && !handle.stopping());
        while !client.stopping() {
            self.add("poll");
            sleep(Duration::from_millis(400)).await;
        }
        assert!(handle.clone().stopping());
        handle.until_stop().await;
        self.add("ended");
        Ok(())
    }

    async fn selects(&mut self, client: &mut Client) -> TaskResult {
        let stop = client.until_stop();
        tokio::select! {
            answer = client.get("/never").send() => drop(answer?),
            () = stop => self.add("stop"),
        }
        Ok(())
    }

    async fn sleeps(&mut self, client: &mut Client) -> TaskResult {
        assert!(client.sleep(Duration::from_millis(300)).await);
        self.add("slept");
        let whole = client.sleep(Duration::MAX).await;
        self.add(if whole { "slept" } else { "woken" });
        assert!(!client.sleep(Duration::from_millis(1)).await);
        Ok(())
    }
}

async fn notes_of(build: impl FnOnce(FastHttpUser<Notes>) -> FastHttpUser<Notes>) -> Vec<String> {
    let notes = Notes {
        born: Instant::now(),
        lines: Arc::default(),
    };
    let kept = notes.clone();
    let user = FastHttpUser::with_state("User", move || notes.clone());
    let stop = sleep(Duration::from_millis(1_000));
    let (memory, _) = run_once(&build(user).into(), None, stop).await;
    assert_eq!(memory.task_errors(), []);
    kept.lines.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_loops_can_ask_whether_to_end() {
    let notes = notes_of(|user| user.task(1, Notes::polls)).await;
    assert_eq!(notes, ["poll@0", "poll@400", "poll@800", "ended@1200"]);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_ends_with_the_user() {
    let notes = notes_of(|user| user.task(1, Notes::sleeps)).await;
    assert_eq!(notes, ["slept@300", "woken@1000"]);
}

#[tokio::test]
async fn a_stop_can_be_selected_on_beside_a_request() {
    let server = Server::start(|_: &Seen| Reply::Hang(Vec::new())).await;
    let notes = notes_of(|user| user.host(server.url.as_str()).task(1, Notes::selects)).await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("stop@"), "{notes:?}");
}
