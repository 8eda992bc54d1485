//! Set-up data: what a scenario makes once per test, on one worker, and every worker's users read.

use std::any::{Any, type_name};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::place::panic_message;
use crate::run::Run;
use crate::task::TaskError;

/// Most bytes of a test's set-up data, as it is sent to the workers (MessagePack).
pub const MAX_SET_UP_BYTES: usize = 1024 * 1024;
/// Longest time that making the set-up data may take.
pub const SET_UP_TIME: Duration = Duration::from_secs(60);

type Made = Arc<dyn Any + Send + Sync>;
type Make = dyn Fn(Arc<Run>) -> BoxFuture<'static, Result<Vec<u8>, TaskError>> + Send + Sync;

/// How a scenario makes its set-up data, and how it is read on the other workers.
#[derive(Clone)]
pub(crate) struct SetUp {
    make: Arc<Make>,
    read: fn(&[u8]) -> Result<Made, rmp_serde::decode::Error>,
    type_name: &'static str,
}

/// Why there is no set-up data for a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpError {
    /// The scenario's code returned an error.
    #[error("set_up failed: {}", .0.with_place())]
    Failed(TaskError),
    /// It panicked, with this message.
    #[error("set_up failed: panicked: {0}")]
    Panicked(String),
    /// It took too long.
    #[error("set_up failed: it took longer than {} s", SET_UP_TIME.as_secs())]
    TooLong,
    /// It made too much.
    #[error(
        "set_up failed: its data has {bytes} bytes, the maximum is {MAX_SET_UP_BYTES}; return what users need to find the rest, or use a data file"
    )]
    TooLarge {
        /// How much it made.
        bytes: usize,
    },
    /// It cannot be read again.
    #[error("the set-up data cannot be read as `{type_name}`: {error}")]
    NotReadable {
        /// The type that it should be.
        type_name: &'static str,
        /// What is wrong with it.
        error: rmp_serde::decode::Error,
    },
    /// It was made on worker 0 and did not come.
    #[error(
        "the set-up data did not arrive; run the same version of Greylag on the coordinator and on all agents"
    )]
    Missing,
}

/// Why there is no set-up data to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpDataError {
    /// The scenario does not make any, or not yet.
    #[error(
        "there is no set-up data here: either the scenario has no `.set_up(…)`, or it is read too early. It is available once users start, but not in `on_init` or `on_worker_start`"
    )]
    Missing,
    /// The scenario makes data of another type.
    #[error("the set-up data is a `{made}`, not a `{asked}`; ask for the type that set_up returns")]
    OtherType {
        /// The type that `set_up` returns.
        made: &'static str,
        /// The type that was asked for.
        asked: &'static str,
    },
}

/// The set-up data of one run in one process: empty until it is there.
#[derive(Default)]
pub(crate) struct SetUpData(OnceLock<(Made, &'static str)>);

impl SetUpData {
    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, SetUpDataError> {
        let (made, type_name_of_made) = self.0.get().ok_or(SetUpDataError::Missing)?;
        Arc::clone(made)
            .downcast()
            .map_err(|_| SetUpDataError::OtherType {
                made: type_name_of_made,
                asked: type_name::<T>(),
            })
    }
}

impl SetUp {
    pub(crate) fn new<T, F, R>(make: F) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        F: Fn(Arc<Run>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, TaskError>> + Send + 'static,
    {
        Self {
            make: Arc::new(move |run| {
                let making = make(run);
                Box::pin(async move {
                    let made = making.await?;
                    rmp_serde::to_vec_named(&made)
                        .map_err(|error| TaskError::new(format!("it cannot be sent: {error}")))
                })
            }),
            read: |bytes| rmp_serde::from_slice::<T>(bytes).map(|made| Arc::new(made) as Made),
            type_name: type_name::<T>(),
        }
    }

    /// Makes the data, puts it into the run, and returns it as it is sent to the other workers.
    ///
    /// # Errors
    /// The scenario's code failed, panicked or took too long, or the data is too large or not
    /// readable again.
    pub(crate) async fn make(&self, run: &Arc<Run>) -> Result<Vec<u8>, SetUpError> {
        let making = std::panic::catch_unwind(AssertUnwindSafe(|| (self.make)(Arc::clone(run))));
        let made = async { AssertUnwindSafe(making?).catch_unwind().await };
        let made = match tokio::time::timeout(SET_UP_TIME, made).await {
            Ok(made) => made,
            Err(_) => return Err(SetUpError::TooLong),
        };
        let bytes = match made {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(SetUpError::Failed(error)),
            Err(panic) => return Err(SetUpError::Panicked(panic_message(&*panic))),
        };
        if bytes.len() > MAX_SET_UP_BYTES {
            return Err(SetUpError::TooLarge { bytes: bytes.len() });
        }
        self.take(run, &bytes)?;
        Ok(bytes)
    }

    /// Reads data that was made on another worker into the run; data that it already has stays.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn take(&self, run: &Run, bytes: &[u8]) -> Result<(), SetUpError> {
        let made = (self.read)(bytes).map_err(|error| SetUpError::NotReadable {
            type_name: self.type_name,
            error,
        })?;
        // Sent again it is the same.
        let _ = run.set_up.0.set((made, self.type_name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;
    use crate::scenario::Scenario;
    use crate::testing::Memory;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tenants {
        names: Vec<String>,
        quota: HashMap<u32, f64>,
    }

    fn tenants() -> Tenants {
        Tenants {
            names: vec!["ada".into(), "grace".into()],
            quota: [(7, 0.5)].into(),
        }
    }

    fn run_of(scenario: &Scenario) -> Arc<Run> {
        scenario.run(crate::RunSettings::default(), Arc::new(Memory::default()))
    }

    #[tokio::test]
    async fn what_one_worker_makes_every_other_reads() {
        let scenario = Scenario::new("s").set_up(|_| async { Ok(tenants()) });
        let (first, second) = (run_of(&scenario), run_of(&scenario));
        assert_eq!(
            second.set_up_data::<Tenants>().unwrap_err(),
            SetUpDataError::Missing
        );
        let bytes = scenario.make_set_up_data(&first).await.unwrap().unwrap();
        scenario.take_set_up_data(&second, Some(&bytes)).unwrap();
        // Sent again.
        scenario.take_set_up_data(&second, Some(&bytes)).unwrap();
        for run in [first, second] {
            assert_eq!(*run.set_up_data::<Tenants>().unwrap(), tenants());
            let error = run.set_up_data::<String>().unwrap_err().to_string();
            assert!(
                error.contains("Tenants`, not a `alloc::string::String`"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn what_cannot_be_made_or_read_says_why() {
        let reason = async |scenario: Scenario| {
            let run = run_of(&scenario);
            let error = scenario.make_set_up_data(&run).await.unwrap_err();
            error.to_string()
        };
        let failing = Scenario::new("s")
            .set_up(|_| async { Err::<Tenants, _>(TaskError::new("no database")) });
        let text = reason(failing).await;
        assert!(text.starts_with("set_up failed: no database"), "{text}");
        let panicking = Scenario::new("s").set_up(|run: Arc<Run>| async move {
            assert!(run.users() > 1_000, "too few");
            Ok(1)
        });
        let text = reason(panicking).await;
        assert!(
            text.starts_with("set_up failed: panicked: too few"),
            "{text}"
        );
        let large = Scenario::new("s").set_up(|_| async { Ok("x".repeat(MAX_SET_UP_BYTES)) });
        let text = reason(large).await;
        assert!(text.contains("the maximum is 1048576"), "{text}");

        let scenario = Scenario::new("s").set_up(|_| async { Ok(7_u64) });
        let run = run_of(&scenario);
        let refused = scenario.take_set_up_data(&run, Some(b"\xc1"));
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("cannot be read as `u64`"), "{text}");
        let text = scenario.take_set_up_data(&run, None);
        let text = text.unwrap_err().to_string();
        assert!(text.contains("did not arrive"), "{text}");
        assert!(Scenario::new("s").take_set_up_data(&run, None).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn making_takes_a_bounded_time() {
        let scenario =
            Scenario::new("s").set_up(|_| std::future::pending::<Result<u8, TaskError>>());
        let run = run_of(&scenario);
        let text = scenario.make_set_up_data(&run).await.unwrap_err();
        assert_eq!(text.to_string(), "set_up failed: it took longer than 60 s");
    }
}
