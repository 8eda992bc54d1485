//! What the attributes make of impl blocks that are right.

#![allow(dead_code, reason = "users that only have to compile")]

use greylag::macro_support::{TaskSetDef as _, UserTypeDef};
use greylag::prelude::*;

/// Names, weights and tags of a user type's tasks.
fn tasks<U: UserTypeDef>() -> Vec<(String, u32, Vec<String>)> {
    let user_type = U::user_type();
    let tasks = user_type.tasks().iter();
    tasks
        .map(|task| {
            let tags = task.tags().map(str::to_owned).collect();
            (task.name().to_owned(), task.weight(), tags)
        })
        .collect()
}

fn task(name: &str, weight: u32, tags: &[&str]) -> (String, u32, Vec<String>) {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    (name.to_owned(), weight, tags)
}

#[derive(Default)]
struct Plain;

#[http_user]
impl Plain {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }
}

#[test]
fn without_arguments_everything_is_locusts_default() {
    let user_type = Plain::user_type();
    assert_eq!(user_type.name(), "Plain");
    assert_eq!(user_type.weight(), 1.0);
    assert_eq!(user_type.fixed_count(), 0);
    assert_eq!(user_type.host(), None);
    assert_eq!(tasks::<Plain>(), [task("Plain::homepage", 1, &[])]);
}

const HALF: f32 = 0.5;
const TWICE: u32 = 2;
const HOST: &str = "https://shop.test/";

/// A state without a default, made by an associated function.
struct Full {
    builder: u64,
}

#[fast_http_user(
    weight = HALF,
    fixed_count = 7,
    host = HOST,
    wait_time = between(1.0, 3.0),
    tags("shop"),
    state = Self::new(),
    request_timeout = Duration::from_secs(5),
    connect_timeout = Duration::from_secs(1),
    max_redirects = 3,
    accept_invalid_certs = true,
    with = |user| user.max_redirects(4),
)]
impl Full {
    const THRICE: u32 = 3;

    fn new() -> Self {
        Self { builder: 1 }
    }

    async fn on_start(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }

    async fn on_stop<'a>(&'a mut self, _client: &'a mut Client) -> TaskResult {
        Ok(())
    }

    #[task(weight = TWICE, tags("api", "slow"))]
    async fn products(&mut self, client: &mut Client) -> TaskResult {
        client.get(format!("/{}", self.builder)).send().await?;
        Ok(())
    }

    #[task(weight = Self::THRICE)]
    async fn r#match(&mut self, client: &mut Client) -> Result<(), TaskError> {
        self.helper(client).await
    }

    /// Not marked, so an ordinary method.
    async fn helper(&self, _: &mut Client) -> TaskResult {
        Ok(())
    }

    #[cfg(any())]
    #[task]
    async fn not_compiled(&mut self, client: &mut Client) -> TaskResult {
        no_such_function()
    }

    #[cfg(not(any()))]
    #[greylag::prelude::task]
    async fn compiled(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

#[test]
fn every_argument_arrives() {
    let user_type = Full::user_type();
    assert_eq!(user_type.weight(), 0.5);
    assert_eq!(user_type.fixed_count(), 7);
    assert_eq!(
        user_type.host().map(ToString::to_string).as_deref(),
        Some(HOST)
    );
    assert_eq!(
        tasks::<Full>(),
        [
            task("Full::products", 2, &["api", "shop", "slow"]),
            task("Full::match", 3, &["shop"]),
            task("Full::compiled", 1, &["shop"]),
        ]
    );
}

#[derive(Default)]
struct Paced(u64);

#[fast_http_user(weight = 2)]
impl Paced {
    fn wait_time(&mut self) -> Duration {
        self.0 += 1;
        Duration::from_secs(self.0)
    }

    #[task]
    type Walk = walking::Walking;

    #[task(weight = 4, tags("once"))]
    type Buy = Buying;

    #[task]
    type Stroll = Strolling;
}

mod walking {
    use greylag::prelude::*;

    use super::{Buying, Paced};

    #[derive(Default)]
    pub(super) struct Walking {
        steps: u64,
    }

    #[task_set(user = Paced, tags("walk"))]
    impl Walking {
        fn wait_time(&self, user: &mut Paced) -> Duration {
            Duration::from_secs(user.0 + self.steps)
        }

        async fn on_start(&mut self, user: &mut Paced, client: &mut Client) -> TaskResult {
            user.0 += 1;
            client.get("/").send().await?;
            Ok(())
        }

        #[task(weight = 9)]
        async fn step(&mut self, _: &mut Paced, _: &mut Client) -> TaskResult {
            self.steps += 1;
            Ok(())
        }

        /// A set in a set.
        #[task]
        type Buy = Buying;

        #[task]
        async fn leave(&mut self, _: &mut Paced, _: &mut Client) -> TaskResult {
            interrupt()
        }
    }
}

struct Buying {
    left: u64,
}

#[sequential_task_set(user = Paced, state = Buying { left: 2 }, wait_time = constant(0.5))]
impl Buying {
    #[task]
    async fn choose(&mut self, user: &mut Paced, _: &mut Client) -> TaskResult {
        self.left -= user.0;
        Ok(())
    }

    #[task(weight = 3)]
    async fn pay(&mut self, _: &mut Paced, _: &mut Client) -> TaskResult {
        interrupt_and_wait()
    }

    async fn on_stop(&mut self, _: &mut Paced, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

#[derive(Default)]
struct Strolling;

#[markov_task_set(user = Paced)]
impl Strolling {
    fn wait_time(&mut self) -> Duration {
        Duration::ZERO
    }

    #[task]
    #[transitions(shelf = 3, walk)]
    async fn entrance(&mut self, _: &mut Paced, _: &mut Client) -> TaskResult {
        Ok(())
    }

    /// The transitions alone say that it is a task, as in Locust.
    #[transitions(entrance = TWICE)]
    async fn shelf(&mut self, _: &mut Paced, _: &mut Client) -> TaskResult {
        interrupt()
    }

    #[task]
    #[transitions(shelf)]
    type walk = walking::Walking;
}

#[test]
fn task_sets_are_tasks_at_their_place() {
    assert_eq!(
        tasks::<Paced>(),
        [
            task("Paced::Walk", 1, &[]),
            task("Paced::Buy", 4, &["once"]),
            task("Paced::Stroll", 1, &[]),
        ]
    );
    let walking = walking::Walking::task_set();
    assert_eq!(walking.name(), "Walking");
    let names: Vec<&str> = walking.tasks().iter().map(|task| task.name()).collect();
    assert_eq!(names, ["Walking::step", "Walking::Buy", "Walking::leave"]);
    assert!(walking.tasks().iter().all(|task| task.tags().eq(["walk"])));
    let buying = walking.tasks()[1].tasks();
    assert_eq!(buying[0].name(), "Buying::choose");
    assert_eq!(buying[1].weight(), 3);
    let strolling = Strolling::task_set();
    let names: Vec<&str> = strolling.tasks().iter().map(|task| task.name()).collect();
    assert_eq!(
        names,
        ["Strolling::entrance", "Strolling::shelf", "Strolling::walk"]
    );
}

#[derive(Default)]
struct Conditional;

#[http_user]
impl Conditional {
    #[task]
    async fn look(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }

    // Whichever is compiled is called.
    #[cfg(not(any()))]
    #[deny(dead_code)]
    fn wait_time(&mut self) -> Duration {
        Duration::from_secs(1)
    }

    #[cfg(any())]
    fn wait_time(&mut self) -> Duration {
        no_such_function()
    }
}

#[test]
fn a_scenario_takes_the_type() {
    let scenario = Scenario::new("all")
        .user_type::<Plain>()
        .user_type::<Full>()
        .user_type::<Conditional>();
    let names: Vec<&str> = scenario.user_types.iter().map(UserType::name).collect();
    assert_eq!(names, ["Plain", "Full", "Conditional"]);
}

/// Two task sets that contain each other.
#[derive(Default)]
struct Endless;

#[http_user]
impl Endless {
    #[task]
    type There = There;
}

#[derive(Default)]
struct There;

#[task_set(user = Endless)]
impl There {
    #[task]
    type Back = Back;
}

#[derive(Default)]
struct Back;

#[task_set(user = Endless)]
impl Back {
    #[task]
    type There = There;
}

#[test]
#[should_panic(expected = "contains itself")]
fn task_sets_that_contain_each_other_are_told() {
    Endless::user_type();
}
