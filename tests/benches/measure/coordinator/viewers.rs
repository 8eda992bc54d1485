//! Browsers that have the page of a run open: they follow its events.

use std::time::{Duration, Instant};

use greylag_tests::{Acknowledged, Api};
use tokio::task::JoinSet;

use crate::events::{Events, total_of};

/// What one viewer saw: when an event came that changed the total of requests, and that total.
type Seen = Vec<(Instant, u64)>;

pub(super) struct Viewers(JoinSet<Seen>);

impl Viewers {
    /// So many viewers of a run, for at most this long.
    pub(super) fn open(api: &Api, id: &str, count: usize, within: Duration) -> Self {
        let mut viewers = JoinSet::new();
        for _ in 0..count {
            let (api, id) = (api.clone(), id.to_owned());
            viewers.spawn(async move {
                let mut events = Events::of_run(&api, &id, within).await;
                let mut seen = Vec::new();
                while let Some(event) = events.next().await {
                    let now = Instant::now();
                    seen.extend(total_of(&event).map(|total| (now, total as u64)));
                }
                seen
            });
        }
        Self(viewers)
    }

    /// What all saw until the run was over.
    pub(super) async fn close(self) -> Vec<Seen> {
        self.0.join_all().await
    }
}

/// How long after its sending each snapshot was in an event of each viewer. Snapshots are saved in the order in which they are
/// acknowledged, so that the total of an event says which it contains.
pub(super) fn delays(
    acknowledged: &[Acknowledged],
    seen: &[Seen],
) -> impl Iterator<Item = Duration> {
    seen.iter().flat_map(move |seen| {
        let mut sum = 0;
        let mut events = seen.iter();
        let mut event = events.next();
        acknowledged.iter().map_while(move |snapshot| {
            sum += snapshot.requests;
            while event.is_some_and(|(_, total)| *total < sum) {
                event = events.next();
            }
            event.map(|(at, _)| at.saturating_duration_since(snapshot.sent_at))
        })
    })
}
