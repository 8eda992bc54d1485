//! Waiting for a condition, never for a time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// Looks again and again until `probe` gives a value.
///
/// # Panics
/// After `within`, with what was awaited and what `probe` saw last.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(seen) if Instant::now() >= deadline => {
                panic!("waited {within:?} for {what}; last seen: {seen}")
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Looks again and again until `condition` holds.
///
/// # Panics
/// After `within`, with what was awaited.
pub async fn until_true(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    until(what, within, async || {
        if condition() {
            Ok(())
        } else {
            Err("it does not hold".to_owned())
        }
    })
    .await;
}
