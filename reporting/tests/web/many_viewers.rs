//! Many pages follow one run: it is computed once for all of them, and late and slow ones see the same.

use std::collections::{BTreeMap, BTreeSet};

use greylag_infra::WallTime;
use greylag_infra::protocol::{LogLine, Snapshot};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::events::{DEADLINE, Events, Run};
use crate::site::{AGENT, Site, load_test, snapshot};

const ID: &str = "abcdefabcdef";

/// What a page shows, but for the text of its log.
#[derive(Debug, Clone, Default, PartialEq)]
struct Page {
    view: Value,
    points: BTreeMap<u64, Value>,
    /// By number: when, how long, endpoint, look.
    dots: BTreeMap<i64, (i64, u64, Value, Value)>,
    endpoints: Vec<Value>,
    lines: BTreeSet<u64>,
}

impl Page {
    fn apply(&mut self, run: &Run) {
        self.view.clone_from(&run.view);
        let delta = &run.delta;
        if delta["reset"] == json!(true) {
            self.points.clear();
        }
        for point in array(&delta["series"]) {
            let second = point["second"].as_u64().expect("a second");
            self.points.insert(second, point.clone());
        }
        self.apply_dots(&delta["dots"]);
        for row in array(&delta["log"]) {
            self.lines.insert(row["seq"].as_u64().expect("a number"));
        }
    }

    fn apply_dots(&mut self, dots: &Value) {
        if dots["forget"] == json!(true) {
            self.dots.clear();
            self.endpoints.clear();
        }
        for number in integers(&dots["gone"]) {
            self.dots.remove(&number);
        }
        self.endpoints.extend_from_slice(array(&dots["endpoints"]));
        let at_ms = integers(&dots["at_ms"]);
        let numbers = integers(&dots["numbers"]);
        let next = dots["next"].as_i64().unwrap_or_default();
        let (mut number, mut at) = (0, 0);
        for (index, after) in at_ms.iter().enumerate() {
            at += after;
            number = match numbers.get(index) {
                Some(after) => number + after,
                None => next - at_ms.len() as i64 + index as i64,
            };
            let endpoint = dots["endpoint"][index].as_u64().expect("a number") as usize;
            let dot = (
                at,
                dots["response_us"][index].as_u64().expect("a time"),
                self.endpoints[endpoint].clone(),
                dots["kind"][index].clone(),
            );
            self.dots.insert(number, dot);
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn integers(value: &Value) -> Vec<i64> {
    let integers = array(value).iter().map(Value::as_i64);
    integers
        .map(|integer| integer.expect("an integer"))
        .collect()
}

/// A page with its stream.
struct Viewer {
    events: Events,
    page: Page,
    /// Each computation that it was sent, by its time.
    computations: BTreeSet<u64>,
}

impl Viewer {
    async fn come(site: &Site) -> Self {
        let mut viewer = Self {
            events: Events::open(site, &format!("/api/v1/runs/{ID}/events")).await,
            page: Page::default(),
            computations: BTreeSet::new(),
        };
        viewer.read().await;
        viewer
    }

    async fn read(&mut self) {
        let run = self.events.run().await;
        self.page.apply(&run);
        let now = run.view["about"]["now_us"].as_u64();
        self.computations.insert(now.expect("a time"));
    }

    async fn read_until(&mut self, is_there: impl Fn(&Page) -> bool) {
        let reading = async {
            while !is_there(&self.page) {
                self.read().await;
            }
        };
        timeout(DEADLINE, reading).await.expect("in time");
    }
}

/// Saves results; streams look when the coordinator says that something changed.
async fn save(site: &Site, results: Snapshot) {
    let change = format!("after-{}", results.seq);
    let store = site.coordinator.store();
    let (run, agent) = (ID.into(), AGENT.into());
    let saved = store.save_snapshot(&run, &agent, results);
    saved.await.expect("saved");
    let changed = site.coordinator.create_infrastructure(&change).await;
    changed.expect("created");
}

/// Results of some seconds: five requests in each, and one dot.
fn results(seq: u64, seconds: std::ops::Range<u32>) -> Snapshot {
    let mut results = snapshot(ID, "/cart", "500");
    let interval = results.intervals[0].clone();
    let sample = results.samples[0];
    results.seq = seq;
    results.end = None;
    results.user_changes.clear();
    results.intervals.clear();
    results.samples.clear();
    for second in seconds {
        let mut interval = interval.clone();
        interval.second = second;
        results.intervals.push(interval);
        let mut sample = sample;
        sample.at_us = u64::from(second) * 1_000_000 + 500_000;
        results.samples.push(sample);
    }
    results
}

fn lines(seq: u64, count: usize, bytes: usize) -> Snapshot {
    let line = LogLine {
        at: WallTime::from_micros(1_795_413_906_000_000),
        source: AGENT.to_owned(),
        text: "x".repeat(bytes),
    };
    Snapshot {
        run_id: ID.into(),
        seq,
        log: vec![line; count],
        ..Snapshot::default()
    }
}

fn has_requests(requests: u64) -> impl Fn(&Page) -> bool {
    move |page| page.view["cards"]["requests"] == json!(requests)
}

#[tokio::test]
async fn ten_viewers_of_a_run_are_sent_what_was_computed_once() {
    let site = Site::start(None).await;
    site.running_run(ID, load_test("checkout"), results(1, 0..3))
        .await;
    let mut viewers = Vec::new();
    for _ in 0..10 {
        viewers.push(Viewer::come(&site).await);
    }
    for (seq, requests) in [(2, 20), (3, 25)] {
        let second = seq as u32 + 1;
        save(&site, results(seq, second..second + 1)).await;
        for viewer in &mut viewers {
            viewer.read_until(has_requests(requests)).await;
        }
    }
    let [first, others @ ..] = viewers.as_slice() else {
        panic!("there are ten");
    };
    for other in others {
        assert_eq!(other.page, first.page);
        assert!(
            other.computations.is_subset(&first.computations),
            "{:?} and {:?}",
            other.computations,
            first.computations
        );
    }
}

#[tokio::test]
async fn late_and_slow_viewers_see_what_a_new_one_sees() {
    let site = Site::start(None).await;
    site.running_run(ID, load_test("checkout"), results(1, 0..3))
        .await;
    let mut steady = Viewer::come(&site).await;
    let mut slow = Viewer::come(&site).await;
    // Seconds after the last one, and one that comes so late that all dots are sent anew.
    save(&site, results(2, 3..60)).await;
    steady.read_until(has_requests(300)).await;
    let mut late = Viewer::come(&site).await;
    save(&site, results(3, 10..11)).await;
    steady.read_until(has_requests(305)).await;
    late.read_until(has_requests(305)).await;
    // More than is kept for those that are slow: they are sent everything anew.
    for seq in 4..6 {
        save(&site, lines(seq, 900, 400)).await;
        steady
            .read_until(|page| page.lines.len() as u64 > (seq - 3) * 900)
            .await;
    }
    // The points of the series become wider, and it is sent anew.
    save(&site, results(6, 1_500..1_501)).await;
    steady.read_until(has_requests(310)).await;

    let new = Viewer::come(&site).await;
    save(&site, results(7, 1_501..1_502)).await;
    slow.read_until(has_requests(315)).await;
    // After this one there is no more reason to compute anything.
    let last = slow.page.clone();
    for mut viewer in [steady, late, new] {
        viewer.read_until(|page| page.view == last.view).await;
        assert_eq!(viewer.page.points, last.points);
        assert_eq!(viewer.page.dots, last.dots);
        assert_eq!(viewer.page.endpoints, last.endpoints);
        // One that was slow has a line in place of the earlier ones.
        let newest = |page: &Page| page.lines.clone().split_off(&1_000);
        assert_eq!(newest(&viewer.page), newest(&last));
    }
    assert!(slow.computations.len() <= 3, "it missed most of them");
    let seconds: Vec<u64> = last.points.keys().copied().collect();
    assert!(seconds[1] > 1, "the points are wider: {seconds:?}");
}

#[tokio::test]
async fn a_deleted_run_is_gone_for_all_who_follow_it() {
    let site = Site::start(None).await;
    let mut run = site
        .running_run(ID, load_test("checkout"), results(1, 0..3))
        .await;
    let mut viewers = [Viewer::come(&site).await, Viewer::come(&site).await];
    // It takes late results, so that its pages follow it although it is over.
    run.phase = greylag_infra::RunPhase::Finished;
    run.ended_at = Some(site.coordinator.now());
    run.completeness
        .wait_for_late_results(site.coordinator.now());
    let store = site.coordinator.store();
    store.update_run(&run).await.expect("the run is updated");
    assert_eq!(site.delete(&format!("/api/v1/runs/{ID}")).await.status, 204);
    for viewer in &mut viewers {
        let event = viewer.events.next_but_beats().await;
        assert_eq!(event, Some(("gone".to_owned(), json!({ "id": ID }))));
        assert_eq!(viewer.events.next().await, None);
    }
    // One that comes now is not informed of a run that there was.
    assert_eq!(
        site.get(&format!("/api/v1/runs/{ID}/events")).await.status,
        404
    );
}
