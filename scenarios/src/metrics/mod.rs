//! Custom metrics: what a scenario counts beside its requests.
//!
//! Each is a constant of the scenario that says its name, its unit and how its values add up; values are added wherever there is
//! a [`Run`]: by users, when the scenario is set up, and in handlers of events.

mod amount;
mod stream;

use crate::client::Client;
use crate::events::RequestEvent;
use crate::recorder::{MetricKind, MetricValue};
use crate::run::Run;

pub use amount::Amount;
pub use stream::{StreamMetrics, StreamTimes};

/// Whatever knows the run that values belong to: a user's client, the run itself, and the event of a request.
pub trait InRun {
    /// The run.
    fn in_run(&self) -> &Run;
}

impl InRun for Run {
    fn in_run(&self) -> &Run {
        self
    }
}

impl<T: InRun + ?Sized> InRun for std::sync::Arc<T> {
    fn in_run(&self) -> &Run {
        (**self).in_run()
    }
}

impl InRun for Client {
    fn in_run(&self) -> &Run {
        self.run()
    }
}

impl InRun for RequestEvent<'_> {
    fn in_run(&self) -> &Run {
        self.run()
    }
}

/// A total, and how much of it per second: k6's `Counter`. It only goes up.
///
/// ```
/// # use greylag_scenarios::prelude::*;
/// static MESSAGES: Counter = Counter::new("messages");
/// static RECEIVED: Counter = Counter::new("received").unit("bytes");
///
/// # async fn receive() -> String { String::new() }
/// async fn listen(client: &mut Client) -> TaskResult {
///     let message = receive().await;
///     MESSAGES.add(client, 1);
///     RECEIVED.add(client, message.len());
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    name: &'static str,
    unit: &'static str,
}

/// A value that goes up and down, such as the depth of a queue: k6's `Gauge`. Shown are the last one that any worker set, the least and
/// the greatest.
///
/// ```
/// # use greylag_scenarios::prelude::*;
/// static QUEUE: Gauge = Gauge::new("queue").unit("jobs");
///
/// async fn look(client: &mut Client) -> TaskResult {
///     let waiting: u64 = client.get("/queue").send().await?.pick("/waiting")?;
///     QUEUE.set(client, waiting);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    name: &'static str,
    unit: &'static str,
}

/// How often something is true, as a share: k6's `Rate`.
///
/// ```
/// # use greylag_scenarios::prelude::*;
/// static CACHED: Rate = Rate::new("served from the cache");
///
/// async fn page(client: &mut Client) -> TaskResult {
///     let page = client.get("/").send().await?;
///     CACHED.add(client, page.header("x-cache") == Some("HIT"));
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    name: &'static str,
}

/// The statistics of values: least, average, greatest and percentiles over all workers, exact within 0.1 %. k6's `Trend`.
///
/// ```
/// # use greylag_scenarios::prelude::*;
/// static SPEED: Histogram = Histogram::new("tokens per second").unit("tokens/s");
///
/// # async fn answer(client: &mut Client) -> TaskResult {
/// # let (tokens, seconds) = (53, 1.5);
/// SPEED.add(client, f64::from(tokens) / seconds);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Histogram {
    name: &'static str,
    unit: &'static str,
}

impl Counter {
    /// One with this name, by which it is known in the run. The first metric of a name counts; values of one of another kind or
    /// unit are left out, and the run says so.
    pub const fn new(name: &'static str) -> Self {
        Self { name, unit: "" }
    }

    /// The same with a unit, such as `bytes`.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Adds to the total: from 0 to 10^12, to a millionth. What is negative, infinite or not a number is left out, and the run says
    /// so.
    pub fn add(&self, run: &(impl InRun + ?Sized), amount: impl Amount) {
        record(run, self.name, MetricKind::Counter, self.unit, amount);
    }
}

impl Gauge {
    /// One with this name; see [`Counter::new`].
    pub const fn new(name: &'static str) -> Self {
        Self { name, unit: "" }
    }

    /// The same with a unit, such as `jobs`.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Says what it is now: up to 10^12 or down to -10^12, to a millionth. What is infinite or not a number is left out, and the
    /// run says so.
    pub fn set(&self, run: &(impl InRun + ?Sized), value: impl Amount) {
        record(run, self.name, MetricKind::Gauge, self.unit, value);
    }
}

impl Rate {
    /// One with this name; see [`Counter::new`].
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// Counts one more that is so or is not.
    pub fn add(&self, run: &(impl InRun + ?Sized), is_so: bool) {
        record(run, self.name, MetricKind::Rate, "", u8::from(is_so));
    }
}

impl Histogram {
    /// One with this name; see [`Counter::new`].
    pub const fn new(name: &'static str) -> Self {
        Self { name, unit: "" }
    }

    /// The same with a unit, such as `tokens/s`.
    #[must_use]
    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Adds a value: up to 10^12 or down to -10^12, to a millionth. What is infinite or not a number is left out, and the run says
    /// so.
    pub fn add(&self, run: &(impl InRun + ?Sized), value: impl Amount) {
        record(run, self.name, MetricKind::Histogram, self.unit, value);
    }
}

fn record(
    run: &(impl InRun + ?Sized),
    name: &str,
    kind: MetricKind,
    unit: &str,
    amount: impl Amount,
) {
    let recorder = run.in_run().recorder();
    recorder.metric(&MetricValue {
        name,
        kind,
        unit,
        millionths: amount.millionths(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientKind;
    use crate::testing;

    #[test]
    fn values_are_added_by_whatever_knows_the_run() {
        static BYTES: Counter = Counter::new("received").unit("bytes");
        static QUEUE: Gauge = Gauge::new("queue");
        static CACHED: Rate = Rate::new("cached");
        static SPEED: Histogram = Histogram::new("speed").unit("tokens/s");
        let host = "http://target.test".parse().unwrap();
        let (mut client, memory) = testing::client(ClientKind::Fast, &host);
        // As tasks have it.
        let client = &mut client;
        BYTES.add(client, 3_usize);
        QUEUE.set(client, -2.5);
        CACHED.add(client.run(), true);
        SPEED.add(&**client.run(), f64::NAN);
        let kept = memory.metrics();
        let kept: Vec<_> = kept.iter().map(String::as_str).collect();
        assert_eq!(
            kept,
            [
                "Counter received bytes Some(3000000)",
                "Gauge queue  Some(-2500000)",
                "Rate cached  Some(1000000)",
                "Histogram speed tokens/s None",
            ]
        );
    }
}
