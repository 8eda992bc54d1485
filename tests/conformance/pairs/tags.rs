//! Port of tags.py.

use greylag::prelude::*;

const REQUESTS: u32 = 12;

#[derive(Default)]
pub(super) struct Tagged {
    asked: u32,
}

#[http_user]
impl Tagged {
    async fn say(&mut self, client: &mut Client, what: &str) -> TaskResult {
        if self.asked == REQUESTS {
            return stop_user();
        }
        self.asked += 1;
        client.get(format!("/Tagged/{what}")).send().await?;
        Ok(())
    }

    #[task]
    type Tour = Tour;
}

#[derive(Default)]
struct Tour;

#[sequential_task_set(user = Tagged)]
impl Tour {
    #[task]
    async fn plain(&mut self, user: &mut Tagged, client: &mut Client) -> TaskResult {
        user.say(client, "plain").await
    }

    #[task(tags("a"))]
    async fn only_a(&mut self, user: &mut Tagged, client: &mut Client) -> TaskResult {
        user.say(client, "a").await
    }

    #[task(tags("a", "b"))]
    async fn a_and_b(&mut self, user: &mut Tagged, client: &mut Client) -> TaskResult {
        user.say(client, "a-b").await
    }

    #[task(tags("c"))]
    type Inner = Inner;

    #[task(weight = 2, tags("b"))]
    async fn twice_b(&mut self, user: &mut Tagged, client: &mut Client) -> TaskResult {
        user.say(client, "b").await
    }
}

#[derive(Default)]
struct Inner;

#[sequential_task_set(user = Tagged)]
impl Inner {
    #[task]
    async fn inner(&mut self, user: &mut Tagged, client: &mut Client) -> TaskResult {
        user.say(client, "c").await
    }

    #[task(tags("a"))]
    async fn inner_a(&mut self, user: &mut Tagged, client: &mut Client) -> TaskResult {
        user.say(client, "c-a").await?;
        interrupt()
    }
}
