//! Port of flows.py. Every request says how often its user has waited.

use greylag::prelude::*;

/// What the users of this file have in common: Locust's abstract base class, as a part of each.
#[derive(Default)]
struct Flow {
    waits: u64,
    rounds: u64,
}

impl Flow {
    fn wait_time(&mut self) -> Duration {
        self.waits += 1;
        Duration::ZERO
    }

    async fn say(&self, client: &mut Client, what: &str) -> TaskResult {
        let path = format!("/{}/{what}", client.user().user_type);
        client
            .get(format!("{path}?waits={}", self.waits))
            .name(&path)
            .send()
            .await?;
        Ok(())
    }
}

/// A user with a flow, and the tasks that are written in it.
macro_rules! flow_user {
    ($user:ident { $($tasks:tt)* }) => {
        #[derive(Default)]
        pub(super) struct $user(Flow);

        #[http_user]
        impl $user {
            fn wait_time(&mut self) -> Duration {
                self.0.wait_time()
            }

            async fn on_start(&mut self, client: &mut Client) -> TaskResult {
                self.0.say(client, "user-starts").await
            }

            $($tasks)*

            async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
                self.0.say(client, "user-stops").await
            }
        }
    };
}

flow_user!(SequentialFlow {
    #[task]
    type Journey = Journey;
});

#[derive(Default)]
struct Journey;

#[sequential_task_set(user = SequentialFlow)]
impl Journey {
    async fn on_start(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "journey-starts").await
    }

    #[task]
    async fn first(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "first").await
    }

    #[task(weight = 2)]
    async fn twice(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "twice").await
    }

    #[task]
    type Stop = Stop;

    #[task]
    async fn last(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "last").await?;
        user.0.rounds += 1;
        if user.0.rounds == 2 {
            return stop_user();
        }
        Ok(())
    }

    async fn on_stop(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "journey-stops").await
    }
}

#[derive(Default)]
struct Stop;

#[sequential_task_set(user = SequentialFlow)]
impl Stop {
    async fn on_start(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "stop-starts").await
    }

    #[task]
    async fn look(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "look").await
    }

    #[task]
    async fn leave(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "leave").await?;
        interrupt()
    }

    async fn on_stop(&mut self, user: &mut SequentialFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "stop-stops").await
    }
}

flow_user!(InterruptFlow {
    #[task]
    type Outer = InterruptOuter;
});

#[derive(Default)]
struct InterruptOuter;

#[sequential_task_set(user = InterruptFlow)]
impl InterruptOuter {
    #[task]
    type AtOnce = AtOnce;

    #[task]
    async fn between(&mut self, user: &mut InterruptFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "between").await
    }

    #[task]
    type AfterAWait = AfterAWait;

    #[task]
    async fn last(&mut self, user: &mut InterruptFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "last").await?;
        user.0.rounds += 1;
        match user.0.rounds {
            2 => interrupt(),
            3 => stop_user(),
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct AtOnce;

#[task_set(user = InterruptFlow)]
impl AtOnce {
    #[task]
    async fn only(&mut self, user: &mut InterruptFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "at-once").await?;
        interrupt()
    }
}

#[derive(Default)]
struct AfterAWait;

#[task_set(user = InterruptFlow)]
impl AfterAWait {
    #[task]
    async fn only(&mut self, user: &mut InterruptFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "after-a-wait").await?;
        interrupt_and_wait()
    }
}

// The ways a task can end.
flow_user!(EndingFlow {
    #[task]
    type Ways = Ways;
});

#[derive(Default)]
struct Ways;

#[sequential_task_set(user = EndingFlow)]
impl Ways {
    #[task]
    async fn returns(&mut self, user: &mut EndingFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "returns").await
    }

    #[task]
    async fn reschedules(&mut self, user: &mut EndingFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "reschedules").await?;
        reschedule()
    }

    #[task]
    async fn reschedules_at_once(
        &mut self,
        user: &mut EndingFlow,
        client: &mut Client,
    ) -> TaskResult {
        user.0.say(client, "reschedules-at-once").await?;
        reschedule_immediately()
    }

    #[task]
    async fn fails(&mut self, user: &mut EndingFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "fails").await?;
        Err(TaskError::new("a task failed"))
    }

    #[task]
    type FailsToStart = FailsToStart;

    #[task]
    async fn stops(&mut self, user: &mut EndingFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "stops").await?;
        stop_user()
    }
}

#[derive(Default)]
struct FailsToStart;

#[task_set(user = EndingFlow)]
impl FailsToStart {
    async fn on_start(&mut self, user: &mut EndingFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "set-starts").await?;
        Err(TaskError::new("a task set failed to start"))
    }

    #[task]
    async fn never(&mut self, user: &mut EndingFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "never").await
    }

    async fn on_stop(&mut self, user: &mut EndingFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "set-stops").await
    }
}

flow_user!(DeepStopFlow {
    #[task]
    type Outer = DeepOuter;
});

#[derive(Default)]
struct DeepOuter;

#[task_set(user = DeepStopFlow)]
impl DeepOuter {
    #[task]
    type Inner = DeepInner;

    async fn on_stop(&mut self, user: &mut DeepStopFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "outer-stops").await
    }
}

#[derive(Default)]
struct DeepInner;

#[task_set(user = DeepStopFlow)]
impl DeepInner {
    #[task]
    async fn stops(&mut self, user: &mut DeepStopFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "stops").await?;
        stop_user()
    }

    async fn on_stop(&mut self, user: &mut DeepStopFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "inner-stops").await
    }
}

// A task set with a wait time of its own does not ask its user's.
flow_user!(OwnWaitFlow {
    #[task]
    type Patient = Patient;
});

#[derive(Default)]
struct Patient {
    waits: u64,
}

#[sequential_task_set(user = OwnWaitFlow)]
impl Patient {
    fn wait_time(&mut self) -> Duration {
        self.waits += 1;
        Duration::ZERO
    }

    #[task]
    async fn one(&mut self, user: &mut OwnWaitFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, &format!("one-{}", self.waits)).await
    }

    #[task]
    async fn two(&mut self, user: &mut OwnWaitFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, &format!("two-{}", self.waits)).await?;
        user.0.rounds += 1;
        match user.0.rounds {
            2 => interrupt_and_wait(),
            3 => stop_user(),
            _ => Ok(()),
        }
    }
}

flow_user!(MarkovFlow {
    #[task]
    type Ring = Ring;
});

#[derive(Default)]
struct Ring;

#[markov_task_set(user = MarkovFlow)]
impl Ring {
    #[task]
    #[transitions(middle)]
    async fn entrance(&mut self, user: &mut MarkovFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "entrance").await
    }

    #[task]
    #[transitions(end)]
    async fn middle(&mut self, user: &mut MarkovFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "middle").await
    }

    #[task]
    #[transitions(entrance)]
    async fn end(&mut self, user: &mut MarkovFlow, client: &mut Client) -> TaskResult {
        user.0.say(client, "end").await?;
        user.0.rounds += 1;
        if user.0.rounds == 2 {
            return stop_user();
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct StartFails(Flow);

#[http_user]
impl StartFails {
    fn wait_time(&mut self) -> Duration {
        self.0.wait_time()
    }

    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "user-starts").await?;
        Err(TaskError::new("a user failed to start"))
    }

    #[task]
    async fn never(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "never").await?;
        stop_user()
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "user-stops").await
    }
}

#[derive(Default)]
pub(super) struct StartStops(Flow);

#[http_user]
impl StartStops {
    fn wait_time(&mut self) -> Duration {
        self.0.wait_time()
    }

    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "user-starts").await?;
        stop_user()
    }

    #[task]
    async fn never(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "never").await
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "user-stops").await
    }
}

#[derive(Default)]
pub(super) struct StopFails(Flow);

#[http_user]
impl StopFails {
    fn wait_time(&mut self) -> Duration {
        self.0.wait_time()
    }

    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "user-starts").await
    }

    #[task]
    async fn stops(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "stops").await?;
        stop_user()
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        self.0.say(client, "user-stops").await?;
        Err(TaskError::new("a user failed to stop"))
    }
}
