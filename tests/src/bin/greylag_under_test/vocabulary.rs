//! Scenarios that show on the wire what Locust's vocabulary does over all workers.

use std::time::Duration;

use greylag::prelude::*;
use serde::Deserialize;

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    vec![
        weighted(),
        paced(),
        shaped(),
        endless(),
        eventful(),
        unique_rows(),
        rows_once(),
        rows_from_file(),
        optional(),
        stopping(),
        finishing(),
        tagged(),
        own_host(),
        slow(),
        shaped_rows(),
        metering(),
    ]
}

/// One request when a user begins, with its type and index, and one when it stops.
#[derive(Default)]
struct Ant;

#[fast_http_user(weight = 3, wait_time = constant(3600.0))]
impl Ant {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        present(client, "is").await
    }
    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        present(client, "was").await
    }
    #[task]
    async fn nothing(&mut self, _client: &mut Client) -> TaskResult {
        Ok(())
    }
}

#[derive(Default)]
struct Bee;

#[fast_http_user(wait_time = constant(3600.0))]
impl Bee {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        present(client, "is").await
    }
    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        present(client, "was").await
    }
    #[task]
    async fn nothing(&mut self, _client: &mut Client) -> TaskResult {
        Ok(())
    }
}

#[derive(Default)]
struct Cat;

#[fast_http_user(fixed_count = 2, wait_time = constant(3600.0))]
impl Cat {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        present(client, "is").await
    }
    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        present(client, "was").await
    }
    #[task]
    async fn nothing(&mut self, _client: &mut Client) -> TaskResult {
        Ok(())
    }
}

async fn present(client: &mut Client, verb: &str) -> TaskResult {
    let user = client.user().clone();
    let path = format!("/{verb}/{}/{}", user.user_type, user.index);
    client.get(path).name(format!("/{verb}")).send().await?;
    Ok(())
}

fn weighted() -> Scenario {
    Scenario::new("weighted")
        .description("Each user says its type and index when it begins and when it stops")
        .user_type::<Ant>()
        .user_type::<Bee>()
        .user_type::<Cat>()
}

/// A request every tenth of a second.
#[derive(Default)]
struct Metronome;

#[fast_http_user(wait_time = constant_pacing(0.1))]
impl Metronome {
    #[task]
    async fn tick(&mut self, client: &mut Client) -> TaskResult {
        client.get("/tick").send().await?;
        Ok(())
    }
}

fn paced() -> Scenario {
    Scenario::new("paced")
        .description("A request every tenth of a second")
        .user_type::<Metronome>()
}

/// 4 users, then 9, then 2, then the end.
#[derive(Default)]
struct Steps;

impl LoadShape for Steps {
    fn tick(&mut self, now: &ShapeTime) -> Option<ShapeTick> {
        let users = match now.run_time.as_secs() {
            0..=1 => 4,
            2..=4 => 9,
            5..=7 => 2,
            _ => return None,
        };
        Some(ShapeTick::users(users).within(Duration::from_secs(1)))
    }
}

fn shaped() -> Scenario {
    Scenario::new("shaped")
        .description("Has a load shape of its own")
        .user_type::<Ant>()
        .shape(|| Steps)
}

struct Endless;

impl LoadShape for Endless {
    fn tick(&mut self, _now: &ShapeTime) -> Option<ShapeTick> {
        Some(ShapeTick::users(1).spawn_rate(1.0))
    }
}

fn endless() -> Scenario {
    Scenario::new("endless")
        .description("Has a load shape that never ends")
        .user_type::<Ant>()
        .shape(|| Endless)
}

fn eventful() -> Scenario {
    Scenario::new("eventful")
        .description("Says when something happens")
        .user_type::<Metronome>()
        .on_init(|run| async move { said("init", &run) })
        .on_test_start(|run| async move { said("test_start", &run) })
        .on_test_stop(|run| async move { said("test_stop", &run) })
        .on_worker_start(|run| async move { said("worker_start", &run) })
        .on_worker_stop(|run| async move { said("worker_stop", &run) })
        .on_spawning_complete(|run, _users| async move { said("spawning_complete", &run) })
        .on_quitting(|run| async move { said("quitting", &run) })
        .on_request(|event| event.rename("/renamed"))
}

fn said(event: &str, run: &Run) -> TaskResult {
    println!("EVENT {event} on worker {}", run.worker());
    Ok(())
}

#[derive(Deserialize)]
struct Account {
    name: String,
}

const ACCOUNTS: &str = "name\nann\nbob\ncay\ndan\neve\nfay\ngus\nhal\nian\njoy\n";
static UNIQUE: Rows<Account> = Rows::csv_text(ACCOUNTS).unique();
static ONCE: Rows<Account> = Rows::csv_text(ACCOUNTS).once();

#[derive(Default)]
struct Owner;

#[fast_http_user(wait_time = constant(0.1))]
impl Owner {
    #[task]
    async fn login(&mut self, client: &mut Client) -> TaskResult {
        let name = &UNIQUE.next(client)?.name;
        let path = format!("/login/{name}/{}", client.user().index);
        client.get(path).name("/login").send().await?;
        Ok(())
    }
}

fn unique_rows() -> Scenario {
    Scenario::new("unique-rows")
        .description("Each user has an account of its own")
        .user_type::<Owner>()
        .data(&UNIQUE)
}

#[derive(Default)]
struct Taker;

#[fast_http_user(wait_time = constant(0.1))]
impl Taker {
    #[task]
    async fn take(&mut self, client: &mut Client) -> TaskResult {
        let name = &ONCE.next(client)?.name;
        client
            .get(format!("/take/{name}"))
            .name("/take")
            .send()
            .await?;
        Ok(())
    }
}

fn rows_once() -> Scenario {
    Scenario::new("rows-once")
        .description("Each row is taken once")
        .user_type::<Taker>()
        .data(&ONCE)
}

static FROM_FILE: Rows<Account> = Rows::csv("data/accounts.csv");

#[derive(Default)]
struct Reader;

#[fast_http_user(wait_time = constant(0.1))]
impl Reader {
    #[task]
    async fn read(&mut self, client: &mut Client) -> TaskResult {
        let name = &FROM_FILE.next(client)?.name;
        let path = format!("/row/{name}");
        client.get(path).name("/row").send().await?;
        Ok(())
    }
}

fn rows_from_file() -> Scenario {
    Scenario::new("rows-from-file")
        .description("Rows are read from a file")
        .user_type::<Reader>()
        .data(&FROM_FILE)
}

#[derive(Default)]
struct Chooser;

#[fast_http_user(wait_time = constant(0.2))]
impl Chooser {
    #[task]
    async fn ask(&mut self, client: &mut Client) -> TaskResult {
        let options = client.run().options();
        let path = format!(
            "/option/{}/{}/{}",
            options.text("mode")?,
            options.integer("rows")?,
            options.flag("fast")?
        );
        let key = options.text("api-key")?.to_owned();
        client
            .get(path)
            .query(&[("key", key)])
            .name("/option")
            .send()
            .await?;
        Ok(())
    }
}

fn optional() -> Scenario {
    Scenario::new("optional")
        .description("Has options of its own")
        .user_type::<Chooser>()
        .option(
            CustomOption::text("mode")
                .choices(["read", "write"])
                .help("What users do."),
        )
        .option(
            CustomOption::integer("rows")
                .default(10)
                .help("How many rows."),
        )
        .option(CustomOption::flag("fast"))
        .option(CustomOption::text("api-key").default("none").secret())
}

#[derive(Default)]
struct Stopper;

#[fast_http_user(wait_time = constant(0.05))]
impl Stopper {
    #[task]
    async fn work(&mut self, client: &mut Client) -> TaskResult {
        client.get("/work").send().await?;
        if client.user().index < 2 {
            client.run().fail("sold more than there was");
        }
        if client.user().index == 3 {
            return stop_test("user 3 has seen enough");
        }
        Ok(())
    }
}

fn stopping() -> Scenario {
    Scenario::new("stopping")
        .description("Says that the test failed, and stops it by itself")
        .user_type::<Stopper>()
}

#[derive(Default)]
struct Finisher;

#[fast_http_user(wait_time = constant(0.05))]
impl Finisher {
    #[task]
    async fn work(&mut self, client: &mut Client) -> TaskResult {
        client.get("/work").send().await?;
        if client.user().index == 3 {
            return finish_test("all sold");
        }
        Ok(())
    }
}

fn finishing() -> Scenario {
    Scenario::new("finishing")
        .description("Has seen enough before the planned end")
        .user_type::<Finisher>()
}

#[derive(Default)]
struct Tagged;

#[fast_http_user(wait_time = constant(0.05))]
impl Tagged {
    #[task(tags("read"))]
    async fn read(&mut self, client: &mut Client) -> TaskResult {
        client.get("/read").send().await?;
        Ok(())
    }
    #[task(tags("write", "slow"))]
    async fn write(&mut self, client: &mut Client) -> TaskResult {
        client.post("/write").send().await?;
        Ok(())
    }
    #[task]
    async fn plain(&mut self, client: &mut Client) -> TaskResult {
        client.get("/plain").send().await?;
        Ok(())
    }
}

fn tagged() -> Scenario {
    Scenario::new("tagged")
        .description("Has tags")
        .user_type::<Tagged>()
}

/// Nothing listens at its host: only a test that names another reaches one.
#[derive(Default)]
struct Homebody;

#[fast_http_user(host = "http://127.0.0.1:9", wait_time = constant(0.1))]
impl Homebody {
    #[task]
    async fn knock(&mut self, client: &mut Client) -> TaskResult {
        client.get("/knock").send().await?;
        Ok(())
    }
}

fn own_host() -> Scenario {
    Scenario::new("own-host")
        .description("Users with a host of their own")
        .user_type::<Homebody>()
}

/// Needs half a second for each iteration.
#[derive(Default)]
struct Sloth;

#[fast_http_user]
impl Sloth {
    #[task]
    async fn think(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

fn slow() -> Scenario {
    Scenario::new("slow")
        .description("Half a second per iteration")
        .user_type::<Sloth>()
}

/// One user more than there are accounts.
struct Eleven;

impl LoadShape for Eleven {
    fn tick(&mut self, now: &ShapeTime) -> Option<ShapeTick> {
        (now.run_time.as_secs() < 2).then(|| ShapeTick::users(11))
    }
}

fn shaped_rows() -> Scenario {
    Scenario::new("shaped-rows")
        .description("Its load shape asks for more users than there are accounts")
        .user_type::<Owner>()
        .data(&UNIQUE)
        .shape(|| Eleven)
}

static SENT: Counter = Counter::new("sent").unit("bytes");
static TURN: Gauge = Gauge::new("turn");
static EVEN: Rate = Rate::new("even turns");
static SPEED: Histogram = Histogram::new("tokens per second").unit("tokens/s");

/// Counts something beside each request.
#[derive(Default)]
struct Meter {
    turn: u32,
}

#[fast_http_user(wait_time = constant_pacing(0.1))]
impl Meter {
    #[task]
    async fn count(&mut self, client: &mut Client) -> TaskResult {
        self.turn += 1;
        // What fails is counted, too.
        let path = if self.turn.is_multiple_of(5) {
            "/missing"
        } else {
            "/"
        };
        let _ = client.get(path).send().await;
        SENT.add(client, 0.1);
        TURN.set(client, self.turn);
        EVEN.add(client, self.turn.is_multiple_of(2));
        SPEED.add(client, self.turn % 100);
        SPEED.add(client, f64::NAN);
        Ok(())
    }
}

fn metering() -> Scenario {
    Scenario::new("metering")
        .description("Counts something beside each request")
        .user_type::<Meter>()
}
