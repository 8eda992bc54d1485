//! Task sets: in which order their tasks come, how long is waited, what they keep.

use super::*;

/// Task sets are entered, left and entered again, immediately or after a wait; each time anew.
#[tokio::test(start_paused = true)]
async fn a_task_set_runs_until_it_is_interrupted() {
    let script = [DONE, DONE, INTERRUPT, DONE, INTERRUPT_AND_WAIT, DONE];
    let set = Sets::<()>::new("Set")
        .on_start(say("start"))
        .with(say("task").takes(10).ends(&script))
        .on_stop(say("stop"));
    let story = tell(7_000, |user| {
        user.wait_time(constant(1.0))
            .on_start(say("hello"))
            .task_set(named("Set"), set)
            .on_stop(say("bye"))
    })
    .await;
    assert_eq!(
        story.lines[..13],
        [
            "hello@0",
            "start@0",
            "task@0",
            "task@1010",
            "task@2020",
            "stop@2030",
            "start@2030",
            "task@2030",
            "task@3040",
            "stop@3050",
            "start@4050",
            "task@4050",
            "task@5060",
        ],
    );
    assert_eq!(story.lines.last().unwrap(), "bye@7000");
    assert_eq!(
        story.lines[story.lines.len() - 2],
        "stop@7000",
        "innermost first"
    );
    assert!(story.errors.is_empty());
}

#[derive(Default)]
struct Counter(usize);

impl Counter {
    async fn count(&mut self, diary: &mut Diary, client: &mut Client) -> TaskResult {
        self.0 += 1;
        diary.note(&format!("{}", self.0), client);
        if self.0 == 2 {
            return interrupt_and_wait();
        }
        Ok(())
    }

    fn wait_time(&mut self, _: &mut Diary) -> Duration {
        Duration::from_millis(100 * self.0 as u64)
    }
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_task_set_is_made_each_time_it_is_entered() {
    let story = tell(3_500, |user| {
        let set = Sets::<Counter>::new("Set")
            .wait_time_fn(Counter::wait_time)
            .task(1, Counter::count);
        assert_eq!(TaskSet::from(set).tasks()[0].name(), "Counter::count");
        let set = Sets::<Counter>::new("Set")
            .wait_time_fn(Counter::wait_time)
            .task(1, Counter::count);
        user.wait_time(constant(1.0)).task_set(named("Set"), set)
    })
    .await;
    assert_eq!(
        story.text(),
        "1@0 2@100 1@1100 2@1200 1@2200 2@2300 1@3300 2@3400"
    );
}

#[tokio::test(start_paused = true)]
async fn sequences_keep_their_order_with_weights_and_task_sets_in_their_places() {
    let inner = Sets::<()>::sequential("Inner")
        .with(say("x").takes(1))
        .with(say("y").takes(1).ends(&[INTERRUPT]));
    let outer = Sets::<()>::sequential("Outer")
        .with(say("a").takes(1))
        .task_set(named("Inner"), inner)
        .task_with(named("b").weight(2), say("b").takes(1))
        .task_with(named("never").weight(0), say("never"))
        .with(say("c").takes(1).ends(&[DONE, STOP_USER]));
    let story = tell(60_000, |user| user.task_set(named("Outer"), outer)).await;
    let names: Vec<&str> = story
        .lines
        .iter()
        .map(|line| line.split('@').next().unwrap())
        .collect();
    assert_eq!(names.join(""), "axybbcaxybbc");
}

#[tokio::test(start_paused = true)]
async fn a_markov_task_set_begins_with_its_first_task_and_follows_its_transitions() {
    let home = Sets::<()>::new("Home").with(say("home").takes(1).ends(&[INTERRUPT]));
    let chain = Sets::<()>::markov("Chain")
        .task_set(named("Home"), home)
        .with(say("list").takes(1))
        .with(say("buy").takes(1).ends(&[DONE, DONE, INTERRUPT]))
        .transitions("Home", [("list", 1)])
        .transitions("list", [("buy", 2), ("Home", 0)])
        .transitions("buy", [("list", 1)])
        .transitions("buy", [("Home", 1), ("list", 0)]);
    let story = tell(60_000, |user| {
        user.task_set(named("Chain"), chain)
            .on_stop(say("bye"))
            .wait_time(constant(10.0))
    })
    .await;
    let names: Vec<&str> = story
        .lines
        .iter()
        .map(|line| line.split('@').next().unwrap())
        .collect();
    // Home is a task set that interrupts immediately, so there is no wait after it, and after an interrupt
    // the chain begins anew.
    assert_eq!(
        names.join(" "),
        "home list buy home list buy home list buy home list bye"
    );
}

#[tokio::test(start_paused = true)]
async fn the_wait_time_is_the_task_sets_own_or_the_users() {
    let story = tell(60_000, |user| {
        let deep = Sets::<()>::new("Deep").with(say("deep").ends(&[DONE, STOP_USER]));
        let set = Sets::<()>::sequential("Set")
            .wait_time(constant(1.0))
            .with(say("a"))
            .with(say("b"))
            .task_set(named("Deep"), deep);
        user.wait_time(constant(7.0)).task_set(named("Set"), set)
    })
    .await;
    // As in Locust: a task set without its own uses the user's, not that of the set around it.
    assert_eq!(story.text(), "a@0 b@1000 deep@2000 deep@9000");
}

#[tokio::test(start_paused = true)]
async fn a_custom_wait_time_is_asked_each_time_and_its_panic_ends_the_user() {
    let story = tell(60_000, |user| {
        let asked = AtomicUsize::new(0);
        user.wait_time_fn(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            3 => panic!("no idea"),
            times => Duration::from_millis(100 * times as u64),
        })
        .with(say("task").takes(1))
        .on_stop(say("bye"))
    })
    .await;
    assert_eq!(story.text(), "task@0 task@1 task@102 task@303 bye@304");
    assert_eq!(story.errors, ["wait_time of User: panicked: no idea"]);
}
