//! Port of timing.py.

use greylag::prelude::*;

/// Enough for the mix to mean something, and soon done, so that the paced users have the machine.
const PICKS: u32 = 1500;

#[derive(Default)]
pub(super) struct Paced;

#[http_user(wait_time = constant_pacing(0.5))]
impl Paced {
    #[task]
    async fn beat(&mut self, client: &mut Client) -> TaskResult {
        client.get("/Paced/beat").send().await?;
        Ok(())
    }
}

/// One answer takes longer than two turns.
#[derive(Default)]
pub(super) struct Overrun {
    beats: u32,
}

#[http_user(wait_time = constant_pacing(0.5))]
impl Overrun {
    #[task]
    async fn beat(&mut self, client: &mut Client) -> TaskResult {
        self.beats += 1;
        let path = if self.beats == 3 {
            "/Overrun/stalls"
        } else {
            "/Overrun/beat"
        };
        client.get(path).send().await?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Throughput;

#[http_user(wait_time = constant_throughput(4.0))]
impl Throughput {
    #[task]
    async fn beat(&mut self, client: &mut Client) -> TaskResult {
        client.get("/Throughput/beat").send().await?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Constant;

#[http_user(wait_time = constant(0.3))]
impl Constant {
    #[task]
    async fn beat(&mut self, client: &mut Client) -> TaskResult {
        client.get("/Constant/beat").send().await?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Between;

#[http_user(wait_time = between(0.1, 0.4))]
impl Between {
    #[task]
    async fn beat(&mut self, client: &mut Client) -> TaskResult {
        client.get("/Between/beat").send().await?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct PacedSet;

#[http_user(wait_time = constant(30.0))]
impl PacedSet {
    #[task]
    type Set = PacedTasks;
}

#[derive(Default)]
struct PacedTasks;

#[task_set(user = PacedSet, wait_time = constant_pacing(0.4))]
impl PacedTasks {
    #[task]
    async fn beat(&mut self, _: &mut PacedSet, client: &mut Client) -> TaskResult {
        client.get("/PacedSet/beat").send().await?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Mix {
    picks: u32,
}

#[fast_http_user]
impl Mix {
    async fn pick(&mut self, client: &mut Client, what: &str) -> TaskResult {
        if self.picks == PICKS {
            return stop_user();
        }
        self.picks += 1;
        client.get(format!("/Mix/{what}")).send().await?;
        Ok(())
    }

    #[task]
    async fn one(&mut self, client: &mut Client) -> TaskResult {
        self.pick(client, "one").await
    }

    #[task(weight = 2)]
    async fn two(&mut self, client: &mut Client) -> TaskResult {
        self.pick(client, "two").await
    }

    #[task(weight = 7)]
    async fn seven(&mut self, client: &mut Client) -> TaskResult {
        self.pick(client, "seven").await
    }
}

#[derive(Default)]
pub(super) struct Walk {
    picks: u32,
}

#[fast_http_user]
impl Walk {
    async fn pick(&mut self, client: &mut Client, what: &str) -> TaskResult {
        if self.picks == PICKS {
            return stop_user();
        }
        self.picks += 1;
        client.get(format!("/Walk/{what}")).send().await?;
        Ok(())
    }

    #[task]
    type Set = Rooms;
}

#[derive(Default)]
struct Rooms;

#[markov_task_set(user = Walk)]
impl Rooms {
    #[task]
    #[transitions(shelf = 3, till)]
    async fn door(&mut self, user: &mut Walk, client: &mut Client) -> TaskResult {
        user.pick(client, "door").await
    }

    #[task]
    #[transitions(door, till = 2)]
    async fn shelf(&mut self, user: &mut Walk, client: &mut Client) -> TaskResult {
        user.pick(client, "shelf").await
    }

    #[task]
    #[transitions(door)]
    async fn till(&mut self, user: &mut Walk, client: &mut Client) -> TaskResult {
        user.pick(client, "till").await
    }
}

/// In the middle of a nested task set when the run ends.
#[derive(Default)]
pub(super) struct Interrupted;

#[http_user(wait_time = constant(0.2))]
impl Interrupted {
    async fn say(&mut self, client: &mut Client, what: &str) -> TaskResult {
        client.get(format!("/Interrupted/{what}")).send().await?;
        Ok(())
    }

    #[task]
    type Outer = Outer;

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        self.say(client, "user-stops").await
    }
}

#[derive(Default)]
struct Outer;

#[task_set(user = Interrupted)]
impl Outer {
    #[task]
    type Inner = Inner;

    async fn on_stop(&mut self, user: &mut Interrupted, client: &mut Client) -> TaskResult {
        user.say(client, "outer-stops").await
    }
}

#[derive(Default)]
struct Inner;

#[task_set(user = Interrupted)]
impl Inner {
    #[task]
    async fn beat(&mut self, user: &mut Interrupted, client: &mut Client) -> TaskResult {
        user.say(client, "beat").await
    }

    async fn on_stop(&mut self, user: &mut Interrupted, client: &mut Client) -> TaskResult {
        user.say(client, "inner-stops").await
    }
}
