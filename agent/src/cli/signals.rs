//! Ctrl-C, SIGTERM and SIGHUP: what asks a command to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;

/// What SIGHUP asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hangup {
    /// To end, like the others.
    End,
    /// To read something again.
    #[cfg(feature = "coordinator")]
    Reload,
}

/// The signals that ask a command to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where whoever started us wants it ignored, as `nohup` does.
    hangup: Option<Signal>,
}

impl Signals {
    /// Takes over the signals from now on.
    pub(super) fn take() -> Result<Self, Failure> {
        Self::take_with(Hangup::End)
    }

    /// The same, saying what SIGHUP asks for.
    pub(super) fn take_with(asks: Hangup) -> Result<Self, Failure> {
        let take = |kind| {
            signal(kind)
                .map_err(|error| Failure::failed(format!("signals cannot be received: {error}")))
        };
        let hangup = if asks != Hangup::End || hangup_is_ignored() {
            None
        } else {
            Some(take(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Waits for what cannot be ended in order, which the next signal therefore ends immediately.
    ///
    /// # Errors
    /// Its own, or that it was `interrupted`.
    pub(super) async fn or_leave<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
        interrupted: impl FnOnce() -> String,
    ) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.next() => Err(Failure::failed(interrupted())),
        }
    }
}

/// From now on a second signal ends this process, whatever it is busy with: the signals are listened to on a
/// thread that does nothing else.
#[cfg(feature = "coordinator")]
pub(super) fn exit_at_second_signal(asks: Hangup) -> Result<(), Failure> {
    let cannot = |error| Failure::failed(format!("signals cannot be received: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(cannot)?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::take_with(asks)?
    };
    let listen = async move {
        signals.next().await;
        tracing::info!("shutting down cleanly (repeat to exit immediately)");
        signals.next().await;
        eprintln!("error: interrupted again before shutdown finished");
        std::process::exit(1);
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))
        .map_err(cannot)?;
    Ok(())
}

/// Does this at each SIGHUP from now on.
///
/// # Errors
/// The signal cannot be received.
#[cfg(feature = "coordinator")]
pub(super) fn at_hangup(work: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| Failure::failed(format!("signals cannot be received: {error}")))?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            work();
        }
    });
    Ok(())
}

/// Whether SIGHUP is ignored, which Linux says; elsewhere it is taken not to be.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangup(&status)
}

/// Whether the mask of ignored signals in a process's status has SIGHUP, its lowest bit.
fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_ends_what_would_continue() {
        let mut signals = Signals::take().unwrap();
        let own = std::process::id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &own])
            .status();
        assert!(sent.unwrap().success());
        let endless = std::future::pending::<Result<(), Failure>>();
        let left = signals.or_leave(endless, || "interrupted".to_owned()).await;
        assert_eq!(left.unwrap_err().to_string(), "interrupted");
        let quick = signals.or_leave(async { Ok(1) }, String::new).await;
        assert_eq!(quick.unwrap(), 1);
    }

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup("SigIgn: nothing"));
        assert!(!ignores_hangup(""));
    }
}
