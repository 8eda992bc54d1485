//! Under which tags requests are recorded.

use super::*;
use crate::task::TagSet;

/// Records something of its own, and through a fork of its client.
struct Note(&'static str);

impl Note {
    fn note(&self, client: &mut Client) {
        client.record("NOTE", self.0, Duration::ZERO);
        client.fork().record("NOTE", self.0, Duration::ZERO);
    }
}

impl<'a> TaskFn<'a, ()> for Note {
    type Run = BoxFuture<'a, TaskResult>;

    fn run(&self, (): &'a mut (), client: &'a mut Client) -> Self::Run {
        self.note(client);
        Box::pin(async { Ok(()) })
    }
}

/// The same in a task set, which the task `leave` ends.
impl<'a> TaskSetFn<'a, (), ()> for Note {
    type Run = BoxFuture<'a, TaskResult>;

    fn run(&self, (): &'a mut (), (): &'a mut (), client: &'a mut Client) -> Self::Run {
        self.note(client);
        let leaves = self.0.starts_with("leave");
        Box::pin(async move { if leaves { interrupt() } else { Ok(()) } })
    }
}

#[tokio::test(start_paused = true)]
async fn requests_count_for_the_tags_of_their_task_and_of_the_task_sets_around_it() {
    let tagged = |name: &str, tags: &[&str]| TaskOptions::new(name).tags(tags.iter().copied());
    let inner = TaskSetBuilder::<(), ()>::sequential("Inner")
        .on_start(Note("inner start"))
        .task_with(tagged("inner", &["slow", "unknown"]), Note("inner"))
        .task_with(tagged("leave inner", &[]), Note("leave inner"))
        .on_stop(Note("inner stop"));
    let outer = TaskSetBuilder::<(), ()>::sequential("Outer")
        .on_start(Note("outer start"))
        .task_with(tagged("outer", &[]), Note("outer"))
        .task_set(tagged("Inner", &["api"]), inner)
        .task_with(tagged("leave outer", &["slow"]), Note("leave outer"))
        .on_stop(Note("outer stop"));
    // All of the user's tasks are run in turn.
    let turns = TaskSetBuilder::<(), ()>::sequential("Turns")
        .task_with(tagged("plain", &[]), Note("plain"))
        .task_set(tagged("Outer", &["shop"]), outer)
        .task_with(tagged("both", &["slow", "api"]), Note("both"))
        .task_with(tagged("last", &[]), Note("last"));
    let user = FastHttpUser::<()>::new("User")
        .wait_time(constant(1.0))
        .on_start(Note("hello"))
        .task_set(tagged("Turns", &[]), turns)
        .on_stop(Note("bye"));
    let counted = ["api", "shop", "slow"].map(str::to_owned);
    let user_type = UserType::from(user).counting_tags(&counted);
    let stop = sleep(Duration::from_millis(5_500));
    let (memory, _) = run_once(&user_type, None, stop).await;

    let shown = |tags: TagSet| {
        let names = tags.positions().map(|at| counted[at as usize].as_str());
        names.collect::<Vec<_>>().join("+")
    };
    let samples = memory.samples();
    let recorded = samples
        .iter()
        .map(|sample| (sample.name.as_str(), shown(sample.tags)));
    let mut recorded: Vec<_> = recorded.collect();
    // Each twice, once through the fork.
    assert!(recorded.chunks(2).all(|pair| pair[0] == pair[1]));
    recorded.dedup();
    // How far the next round comes before the stop depends on the machine.
    let last = recorded.iter().position(|(name, _)| *name == "last");
    recorded.drain(last.unwrap() + 1..recorded.len() - 1);
    let expected = [
        ("hello", ""),
        ("plain", ""),
        ("outer start", "shop"),
        ("outer", "shop"),
        ("inner start", "api+shop"),
        ("inner", "api+shop+slow"),
        ("leave inner", "api+shop"),
        ("inner stop", "api+shop"),
        ("leave outer", "shop+slow"),
        ("outer stop", "shop"),
        ("both", "api+slow"),
        ("last", ""),
        ("bye", ""),
    ];
    let expected: Vec<_> = expected.map(|(name, tags)| (name, tags.to_owned())).into();
    assert_eq!(recorded, expected);
}
