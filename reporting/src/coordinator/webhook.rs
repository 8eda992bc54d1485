//! Announces each run that is over to a webhook. One task beside everything else: no run waits for it, and what a receiver does not take
//! is tried again, also by the next coordinator.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use greylag_infra::{RunRecord, WallTime};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Coordinator;
use crate::results::announcement::{Announcement, RUN_ENDED};
use crate::results::summary::Summary;
use crate::results::urls::run_url;
use crate::store::{DueAnnouncement, Scope, Series, StoreError};
use crate::tokens::Token;

/// How long it is waited at least and at most before it is looked again what is due.
const LOOK_AFTER: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause after the first attempt, which doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// So many requests are on their way at the same time.
const REQUESTS_TOGETHER: usize = 8;
/// With this status a receiver says that it no longer exists. Any other is tried again, also one that says that the request is wrong: what is
/// wrong is mostly an address, a password or a proxy, which are mended within the day, and nothing else brings the run back. Others who
/// send webhooks do the same.
const GONE: u16 = 410;
/// So long after its end a run is still announced.
const TRIED_FOR: Duration = Duration::from_secs(24 * 3600);

/// A request to the webhook: a POST with a JSON body and these headers.
#[derive(Debug, Clone)]
pub struct WebhookRequest {
    /// JSON.
    pub body: Vec<u8>,
    /// Names and values, beside the content type.
    pub headers: Vec<(&'static str, String)>,
}

/// What became of it: the status of the answer, or why there was none.
pub type WebhookAnswer = Pin<Box<dyn Future<Output = Result<u16, String>> + Send>>;

/// Where runs that are over are announced.
#[derive(Clone)]
pub struct Webhook {
    /// Sends a request. It ends in time by itself.
    pub send: Arc<dyn Fn(WebhookRequest) -> WebhookAnswer + Send + Sync>,
    /// With what requests are signed, so that a receiver knows whose they are.
    pub secret: Option<Token>,
    /// The coordinator's address for browsers, without a slash at the end.
    pub public_url: Option<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its address may hold a secret.
        formatter.write_str("Webhook(…)")
    }
}

impl Coordinator {
    /// Announces each run that is started from here on when it is over, and those that an earlier coordinator was asked to announce.
    pub fn announce_to(&self, webhook: Webhook) {
        self.store().announce_runs();
        let shared = Arc::downgrade(&self.shared);
        let mut changes = self.changes();
        tokio::spawn(async move {
            while let Some(shared) = shared.upgrade() {
                let coordinator = Self { shared };
                match coordinator.announce_due(&webhook).await {
                    Ok(()) => {}
                    Err(StoreError::Closed) => return,
                    Err(error) => tracing::warn!(%error, "cannot announce runs now"),
                }
                drop(coordinator);
                tokio::time::sleep(LOOK_AFTER).await;
                let changed = tokio::time::timeout(LOOK_EVERY, changes.changed()).await;
                if matches!(changed, Ok(Err(_))) {
                    return;
                }
            }
        });
    }

    async fn announce_due(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let due = self.store().due_announcements(self.now()).await?;
        // A receiver that hangs must not make the others wait for each of its answers.
        stream::iter(due)
            .map(|due| self.announce(webhook, due))
            .buffer_unordered(REQUESTS_TOGETHER)
            .try_collect()
            .await
    }

    async fn announce(&self, webhook: &Webhook, due: DueAnnouncement) -> Result<(), StoreError> {
        let DueAnnouncement { run, attempts } = due;
        if is_too_late(&run, self.now()) {
            tracing::warn!(run = %run.id, "the end of the run is not announced to the webhook: it is more than a day ago");
            return self.store().end_announcement(&run.id).await;
        }
        let reason = match self.request_for(webhook, &run).await {
            Ok(request) => match (webhook.send)(request).await {
                Ok(200..=299) => {
                    tracing::info!(run = %run.id, "announced to the webhook");
                    return self.store().end_announcement(&run.id).await;
                }
                Ok(GONE) => {
                    tracing::error!(run = %run.id, "the webhook did not accept the result of the run; giving up, because it answered with status {GONE}");
                    return self.store().end_announcement(&run.id).await;
                }
                Ok(status) => format!("it answered with status {status}"),
                Err(reason) => reason,
            },
            // It was deleted meanwhile.
            Err(error) if error.is_unknown_run() => return Ok(()),
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            // The others are announced all the same.
            Err(error) => error.to_string(),
        };
        let attempts = attempts.saturating_add(1);
        match next_attempt(&run, attempts, self.now()) {
            Some(at) => {
                tracing::warn!(run = %run.id, attempts, "the webhook did not accept the result of the run, trying again: {reason}");
                self.store().announce_again(&run.id, attempts, at).await
            }
            None => {
                tracing::error!(run = %run.id, attempts, "the webhook did not accept the result of the run, giving up: {reason}");
                self.store().end_announcement(&run.id).await
            }
        }
    }

    async fn request_for(
        &self,
        webhook: &Webhook,
        run: &RunRecord,
    ) -> Result<WebhookRequest, StoreError> {
        let series = Series::default();
        let whole = Scope::default();
        let summary = Summary::read_with(self.store(), run, &whole, &series, self.now()).await?;
        let page = webhook.public_url.as_ref();
        let page = page.map(|public| format!("{public}{}", run_url(&run.id)));
        let body = serde_json::to_vec(&Announcement::of(&summary, page.as_deref()))
            .expect("a summary has string keys");
        let mut headers = vec![
            ("x-greylag-event", RUN_ENDED.to_owned()),
            // The same for each attempt: whoever has had it already knows.
            ("x-greylag-delivery", run.id.to_string()),
        ];
        if let Some(secret) = &webhook.secret {
            headers.push(("x-greylag-signature", signature(secret, &body)));
        }
        Ok(WebhookRequest { body, headers })
    }
}

/// When a run is announced again after so many attempts; never again when it ended too long ago.
fn next_attempt(run: &RunRecord, attempts: u32, now: WallTime) -> Option<WallTime> {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    let at = now + FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    (!is_too_late(run, at)).then_some(at)
}

/// Whether a run ended too long ago to be news.
fn is_too_late(run: &RunRecord, now: WallTime) -> bool {
    let ended_at = run.ended_at.unwrap_or(run.created_at);
    now > ended_at + TRIED_FOR
}

/// HMAC-SHA256 of the body, as GitHub and others write it: `sha256=` and hexadecimal digits.
fn signature(secret: &Token, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(body);
    let digits = mac.finalize().into_bytes();
    let digits = digits.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use greylag_infra::{Completeness, LoadProfile, LoadTest, RunPhase};

    use super::*;
    use crate::coordinator::{CoordinatorConfig, Provisioning};

    fn record(id: &str, phase: RunPhase) -> RunRecord {
        let at = WallTime::of_system();
        RunRecord {
            id: id.into(),
            number: 0,
            test: LoadTest {
                name: "checkout".to_owned(),
                thresholds: vec!["requests >= 1".parse().unwrap()],
                ..LoadTest::default()
            },
            ended_at: phase.is_over().then_some(at),
            phase,
            created_at: at,
            started_at: Some(at),
            agents: Vec::new(),
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        }
    }

    async fn coordinator(dir: &Path) -> Coordinator {
        let config = CoordinatorConfig {
            data_dir: dir.to_owned(),
            lease: Duration::from_secs(30),
            provisioning: Provisioning::default(),
        };
        Coordinator::start(config).await.unwrap()
    }

    /// A webhook that answers with these statuses in turn, then with 200, and what it got.
    fn webhook(statuses: &[Result<u16, &str>]) -> (Webhook, Arc<Mutex<Vec<WebhookRequest>>>) {
        let got: Arc<Mutex<Vec<WebhookRequest>>> = Arc::default();
        let statuses: Vec<_> = statuses
            .iter()
            .map(|status| status.map_err(str::to_owned))
            .collect();
        let (statuses, keep) = (Mutex::new(statuses.into_iter()), Arc::clone(&got));
        let send = move |request| -> WebhookAnswer {
            keep.lock().unwrap().push(request);
            let status = statuses.lock().unwrap().next().unwrap_or(Ok(200));
            Box::pin(async { status })
        };
        let webhook = Webhook {
            send: Arc::new(send),
            secret: Some("geheim".parse().unwrap()),
            public_url: Some("https://load.example".to_owned()),
        };
        (webhook, got)
    }

    #[tokio::test]
    async fn a_run_is_announced_once_it_is_over_also_by_the_next_coordinator() {
        let dir = tempfile::tempdir().unwrap();
        let first = coordinator(dir.path()).await;
        // Before anyone asked for it.
        first
            .store()
            .create_run(record("before", RunPhase::Finished))
            .await
            .unwrap();
        let (receiver, got) = webhook(&[Err("it is away"), Ok(503)]);
        first.store().announce_runs();
        let mut run = first
            .store()
            .create_run(record("run1", RunPhase::Running))
            .await
            .unwrap();
        first.announce_due(&receiver).await.unwrap();
        assert!(got.lock().unwrap().is_empty(), "it goes on");
        run.phase = RunPhase::Finished;
        run.ended_at = Some(first.now());
        first.store().update_run(&run).await.unwrap();
        first.announce_due(&receiver).await.unwrap();
        first.announce_due(&receiver).await.unwrap();
        assert_eq!(
            got.lock().unwrap().len(),
            1,
            "the next attempt is due later"
        );
        first.shutdown().await;
        drop(first);

        let second = coordinator(dir.path()).await;
        let due = second.now() + FIRST_PAUSE;
        let due = second.store().due_announcements(due).await.unwrap();
        assert_eq!((due.len(), due[0].attempts), (1, 1));
        let at = second.now();
        second.store().announce_again(&run.id, 1, at).await.unwrap();
        second.announce_due(&receiver).await.unwrap();
        second.store().announce_again(&run.id, 2, at).await.unwrap();
        second.announce_due(&receiver).await.unwrap();
        second.announce_due(&receiver).await.unwrap();
        let got = std::mem::take(&mut *got.lock().unwrap());
        assert_eq!(got.len(), 3);
        assert!(
            second
                .store()
                .due_announcements(WallTime::MAX)
                .await
                .unwrap()
                .is_empty()
        );

        let whole = Scope::default();
        let summary = Summary::read(second.store(), &run.id, &whole, second.now());
        let summary = serde_json::to_value(summary.await.unwrap()).unwrap();
        for request in got {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            for field in ["run", "verdict", "thresholds", "complete", "totals"] {
                assert_eq!(body[field], summary[field], "{field}");
            }
            assert_eq!(body["verdict"], "failed", "it had no requests");
            assert_eq!(
                (&body["event"], &body["page"]),
                (
                    &"run.ended".into(),
                    &"https://load.example/runs/run1".into()
                )
            );
            let secret = "geheim".parse().unwrap();
            let signed = signature(&secret, &request.body);
            let header = |name: &str| {
                let mut headers = request.headers.iter();
                headers.find(|(known, _)| *known == name).unwrap().1.clone()
            };
            assert_eq!(header("x-greylag-signature"), signed);
            assert_eq!(header("x-greylag-delivery"), "run1");
        }
    }

    /// Each request is answered when those of all runs have come.
    #[tokio::test]
    async fn a_receiver_that_hangs_with_one_run_gets_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let coordinator = coordinator(dir.path()).await;
        let store = coordinator.store();
        store.announce_runs();
        for number in 0..REQUESTS_TOGETHER {
            let id = format!("run{number}");
            let run = store.create_run(record(&id, RunPhase::Running));
            let mut run = run.await.unwrap();
            run.phase = RunPhase::Finished;
            run.ended_at = Some(coordinator.now());
            store.update_run(&run).await.unwrap();
        }
        let all = Arc::new(tokio::sync::Barrier::new(REQUESTS_TOGETHER));
        let send = move |_| -> WebhookAnswer {
            let all = Arc::clone(&all);
            Box::pin(async move {
                all.wait().await;
                Ok(200)
            })
        };
        let webhook = Webhook {
            send: Arc::new(send),
            secret: None,
            public_url: None,
        };
        let announced = coordinator.announce_due(&webhook);
        let announced = tokio::time::timeout(Duration::from_secs(60), announced).await;
        announced.expect("none waits for another").unwrap();
        let due = store.due_announcements(WallTime::MAX).await.unwrap();
        assert!(due.is_empty());
    }

    #[tokio::test]
    async fn a_run_that_is_deleted_is_not_announced() {
        let dir = tempfile::tempdir().unwrap();
        let first = coordinator(dir.path()).await;
        first.store().announce_runs();
        let run = record("run1", RunPhase::Finished);
        first.store().create_run(run.clone()).await.unwrap();
        first.delete_run(&run.id).await.unwrap();
        first.shutdown().await;
        drop(first);
        // Nor is a later one of the same id, such as one that is imported.
        let second = coordinator(dir.path()).await;
        second.store().create_run(run).await.unwrap();
        let (receiver, got) = webhook(&[]);
        second.announce_due(&receiver).await.unwrap();
        assert!(got.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_receiver_that_is_gone_is_asked_once_and_one_that_refuses_again() {
        let dir = tempfile::tempdir().unwrap();
        let coordinator = coordinator(dir.path()).await;
        let (receiver, got) = webhook(&[Ok(404), Ok(301), Ok(410)]);
        coordinator.store().announce_runs();
        let run = record("run1", RunPhase::Finished);
        coordinator.store().create_run(run.clone()).await.unwrap();
        for attempts in 0..3 {
            let at = coordinator.now();
            let store = coordinator.store();
            store.announce_again(&run.id, attempts, at).await.unwrap();
            coordinator.announce_due(&receiver).await.unwrap();
        }
        assert_eq!(got.lock().unwrap().len(), 3);
        let due = coordinator.store().due_announcements(WallTime::MAX);
        assert!(due.await.unwrap().is_empty());
    }

    #[test]
    fn pauses_double_and_end_a_day_after_the_run() {
        let run = record("r", RunPhase::Finished);
        let ended = run.ended_at.unwrap();
        let pause = |attempts, now: WallTime| next_attempt(&run, attempts, now).map(|at| at - now);
        assert_eq!(pause(1, ended), Some(FIRST_PAUSE));
        assert_eq!(pause(4, ended), Some(8 * FIRST_PAUSE));
        assert_eq!(pause(u32::MAX, ended), Some(LONGEST_PAUSE));
        assert_eq!(pause(9, ended + TRIED_FOR), None);
    }

    /// Computed with `openssl dgst -sha256 -hmac geheim`.
    #[test]
    fn signatures_are_those_of_others() {
        let signed = signature(&"geheim".parse().unwrap(), b"{\"event\":\"run.ended\"}");
        assert_eq!(
            signed,
            "sha256=496a1de70264579a19297c95c733fd529dfba6f0377048d937eeb0eba6b4f5f7"
        );
    }
}
