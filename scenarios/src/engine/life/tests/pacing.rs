//! Paced users and arrival rates: when tasks begin, and how much later than intended.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_paced_user_starts_its_tasks_on_its_schedule() {
    let story = tell(4_500, |user| {
        user.wait_time(constant_pacing(1.0))
            .with(say("task").takes(300))
    })
    .await;
    assert_eq!(
        story.text(),
        "task@0+0 task@1000+0 task@2000+0 task@3000+0 task@4000+0"
    );
    let story = tell(900, |user| {
        user.wait_time(constant_throughput(4.0))
            .with(say("task").takes(100))
    })
    .await;
    assert_eq!(story.text(), "task@0+0 task@250+0 task@500+0 task@750+0");
}

/// A task that takes the time of its turn: the target stalls once.
struct Stall(AtomicUsize, Vec<u64>);

impl<'a> TaskFn<'a, Diary> for Stall {
    type Run = BoxFuture<'a, TaskResult>;

    fn run(&self, diary: &'a mut Diary, client: &'a mut Client) -> Self::Run {
        diary.note("task", client);
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        let takes = Duration::from_millis(self.1[turn.min(self.1.len() - 1)]);
        Box::pin(async move {
            sleep(takes).await;
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_delays_every_task_until_the_user_has_caught_up() {
    let story = tell(7_500, |user| {
        let stall = Stall(AtomicUsize::new(0), vec![100, 3_500, 100]);
        user.wait_time(constant_pacing(1.0))
            .task_with(named("task"), stall)
    })
    .await;
    assert_eq!(
        story.text(),
        "task@0+0 task@1000+0 task@4500+2500 task@4600+1600 task@4700+700 task@5000+0 \
         task@6000+0 task@7000+0"
    );
}

#[tokio::test(start_paused = true)]
async fn the_schedule_begins_with_the_user_and_on_start_makes_nobody_late() {
    let within = tell(2_500, |user| {
        user.wait_time(constant_pacing(1.0))
            .on_start(say("hello").takes(400))
            .with(say("task"))
    })
    .await;
    // Locust counts the first period from the user's construction, on_start included.
    assert_eq!(within.text(), "hello@0 task@400+0 task@1000+0 task@2000+0");
    let beyond = tell(5_800, |user| {
        user.wait_time(constant_pacing(1.0))
            .on_start(say("hello").takes(3_400))
            .with(say("task").takes(100))
    })
    .await;
    assert_eq!(
        beyond.text(),
        "hello@0 task@3400+0 task@3500+0 task@4500+0 task@5500+0"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unpaced_user_has_no_delay() {
    let story = tell(1_500, |user| {
        user.wait_time(constant(1.0)).with(say("task"))
    })
    .await;
    assert_eq!(story.text(), "task@0 task@1000");
}

#[tokio::test(start_paused = true)]
async fn the_users_pace_goes_on_in_task_sets_without_their_own() {
    let story = tell(60_000, |user| {
        let script = [DONE, DONE, INTERRUPT, DONE, STOP_USER];
        let set = Sets::<()>::new("Set").with(say("task").takes(100).ends(&script));
        user.wait_time(constant_pacing(1.0))
            .task_set(named("Set"), set)
    })
    .await;
    // After the interrupt the next one is picked immediately, and the next wait ends on the schedule.
    assert_eq!(
        story.text(),
        "task@0+0 task@1000+0 task@2000+0 task@2100+0 task@3000+0"
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_set_has_its_own_pace_and_the_users_rests_meanwhile() {
    let story = tell(60_000, |user| {
        let script = [DONE, DONE, INTERRUPT, DONE, STOP_USER];
        let set = Sets::<()>::new("Set")
            .wait_time(constant_pacing(0.5))
            .with(say("fast").takes(100).ends(&script));
        let outer = Sets::<()>::sequential("Outer")
            .task_set(named("Set"), set)
            .with(say("slow").takes(100));
        user.wait_time(constant_pacing(0.3))
            .task_set(named("Outer"), outer)
    })
    .await;
    // 1.1 s in the task set are nothing the user's pace has to catch up with.
    assert_eq!(
        story.text(),
        "fast@0+0 fast@500+0 fast@1000+0 slow@1100+0 fast@1200+0 fast@1700+0"
    );
    let unpaced = tell(60_000, |user| {
        let set = Sets::<()>::new("Set")
            .wait_time(constant(0.5))
            .with(say("fast").takes(100).ends(&[DONE, DONE, STOP_USER]));
        user.wait_time(constant_pacing(0.3))
            .task_set(named("Set"), set)
    })
    .await;
    assert_eq!(unpaced.text(), "fast@0 fast@600 fast@1200");
}

fn arrivals() -> Arc<Arrivals> {
    Arc::new(Arrivals::new(Arc::new(Memory::default())))
}

/// Lets iterations begin at these milliseconds.
fn feed(arrivals: &Arc<Arrivals>, at: &[u64]) -> tokio::task::JoinHandle<()> {
    let (arrivals, start, at) = (Arc::clone(arrivals), Instant::now(), at.to_vec());
    tokio::spawn(async move {
        for at in at {
            let intended = start + Duration::from_millis(at);
            tokio::time::sleep_until(intended).await;
            arrivals.push(intended);
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_iteration_is_one_task_when_it_is_due() {
    let due = arrivals();
    let feeding = feed(&due, &[100, 200, 1_000, 1_010]);
    let story = tell_with(2_000, Some(&due), |user| {
        user.wait_time(constant(60.0))
            .on_start(say("hello"))
            .with(say("task").takes(300))
            .on_stop(say("bye"))
    })
    .await;
    feeding.await.unwrap();
    // The wait time has no meaning; a user that was busy begins late, and it is known how late.
    assert_eq!(
        story.text(),
        "hello@0 task@100+0 task@400+200 task@1000+0 task@1300+290 bye@2000"
    );
}

#[tokio::test(start_paused = true)]
async fn an_iteration_that_is_a_task_set_runs_until_it_is_interrupted() {
    let due = arrivals();
    let feeding = feed(&due, &[100, 700, 2_000]);
    let story = tell_with(3_000, Some(&due), |user| {
        let script = [DONE, INTERRUPT, DONE, INTERRUPT_AND_WAIT];
        let set = Sets::<()>::new("Set")
            .with(say("task").takes(100).ends(&script))
            .on_stop(say("stop"));
        user.wait_time(constant_pacing(0.9))
            .task_set(named("Set"), set)
    })
    .await;
    feeding.await.unwrap();
    // Between its tasks the user's pace holds, counted from when the iteration began.
    assert_eq!(
        story.text(),
        "task@100+0 task@1000+0 stop@1100+0 task@1100+400 task@2000+400 stop@2100+400 \
         task@2100+100 stop@2200+100"
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_that_waits_for_an_iteration_stops_at_once() {
    let due = arrivals();
    let story = tell_with(800, Some(&due), |user| {
        user.with(say("task")).on_stop(say("bye"))
    })
    .await;
    assert_eq!(story.text(), "bye@800");
}
