//! What a scenario counts beside its requests.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

use axum::http::StatusCode;
use greylag_infra::protocol::MetricKind::{Counter, Gauge, Histogram, Rate};
use greylag_infra::{RunPhase, RunTime};
use greylag_reporting::plain_text;
use serde_json::{Value, json};

use crate::site::Site;
use crate::support::{self, Counted};

const RUN: &str = "abcdefabcdef";
const RUN_S: u32 = 200;
const ONE: i64 = 1_000_000;
/// What two agents count, in an order that looks random.
const NAMES: [&str; 4] = ["sent", "queue depth", "cache hit", "tokens\u{202e}/s"];

/// The values of an agent in some seconds. Nothing is counted in every seventh second.
fn counted(agent: u32, seconds: std::ops::Range<u32>) -> Vec<Counted<'static>> {
    let mut values = Vec::new();
    for second in seconds.filter(|second| second % 7 != 0) {
        let turn = i64::from((second * 37 + agent * 11) % 50);
        values.push((NAMES[0], Counter, "bytes", second, turn * ONE / 8));
        values.push((NAMES[1], Gauge, "", second, (turn - 20) * ONE));
        values.push((NAMES[2], Rate, "", second, i64::from(turn % 3 == 0) * ONE));
        for value in [turn, turn * turn] {
            values.push((NAMES[3], Histogram, "tokens/s", second, value * ONE / 4));
        }
    }
    values
}

/// A run that is over, whose results came in three parts of each agent.
pub(crate) async fn counting_run(site: &Site) {
    run_with(site, RUN, counted).await;
}

/// The same with other values.
async fn run_with(
    site: &Site,
    id: &str,
    counted: impl Fn(u32, std::ops::Range<u32>) -> Vec<Counted<'static>>,
) {
    let store = site.coordinator.store();
    let mut record = support::run(id, "counting", &["a", "b"]);
    record.test.duration_s = u64::from(RUN_S);
    record.test.thresholds = [
        "metric \"queue depth\" max < 90",
        "metric sent total > 1",
        // Counters have none.
        "metric sent p95 < 7",
    ]
    .map(|threshold| threshold.parse().unwrap())
    .to_vec();
    record.profile = record.test.profile();
    let mut record = store.create_run(record).await.unwrap();
    for (part, seconds) in (1..).zip([0..70, 70..140, 140..RUN_S]) {
        for (number, agent) in ["a", "b"].into_iter().enumerate() {
            let endpoint = support::endpoint("GET", "/");
            let requests: Vec<_> = seconds
                .clone()
                .map(|second| (second, &endpoint, 1_000, None))
                .collect();
            let mut snapshot = support::snapshot(id, part, &requests);
            support::count(&mut snapshot, &counted(number as u32, seconds.clone()));
            store
                .save_snapshot(&id.into(), &agent.into(), snapshot)
                .await
                .unwrap();
        }
    }
    record.phase = RunPhase::Finished;
    record.ended_at = Some(support::START + RunTime::of_second(RUN_S));
    store.update_run(&record).await.unwrap();
}

/// What a chart of steps of some seconds must show of a metric.
fn naive(name: &str, from: u32, to: u32, step: u32) -> Vec<Vec<Option<f64>>> {
    let mut all: Vec<_> = [0, 1]
        .iter()
        .flat_map(|agent| counted(*agent, from..to))
        .collect();
    all.retain(|(known, ..)| *known == name);
    all.sort_by_key(|(.., second, _)| *second);
    let steps = (from - from % step..to).step_by(step as usize);
    let of_step = steps.map(|first| {
        let in_step = all
            .iter()
            .filter(|(.., second, _)| (first..first + step).contains(second));
        let values: Vec<f64> = in_step
            .clone()
            .map(|(.., value)| *value as f64 / 1e6)
            .collect();
        let sum: f64 = values.iter().sum();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (sorted.first().copied(), sorted.last().copied());
        let at = |fraction: f64| {
            let index = (sorted.len() as f64 * fraction) as usize;
            sorted
                .get(index.min(sorted.len().saturating_sub(1)))
                .copied()
        };
        let mean = (!values.is_empty()).then(|| sum / values.len() as f64);
        match name {
            "sent" => vec![Some(sum)],
            "cache hit" => vec![mean],
            // Of both agents in the same moment the greater one.
            "queue depth" => {
                let last = in_step
                    .clone()
                    .map(|(.., second, value)| (second, value))
                    .max();
                vec![last.map(|(_, value)| *value as f64 / 1e6), least, greatest]
            }
            _ => vec![mean, at(0.5), at(0.95)],
        }
    });
    let of_step: Vec<_> = of_step.collect();
    (0..of_step[0].len())
        .map(|line| of_step.iter().map(|values| values[line]).collect())
        .collect()
}

#[tokio::test]
async fn charts_have_each_metric_over_run_time() {
    let site = Site::start(None).await;
    counting_run(&site).await;
    let chart = async |query: &str| {
        let path = format!("/api/v1/runs/{RUN}/charts/custom-metric{query}");
        let answer = site.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    };
    let lines: [(&str, &[&str]); 4] = [
        ("sent", &["total"]),
        ("queue%20depth", &["last", "min", "max"]),
        ("cache%20hit", &["rate"]),
        ("tokens%E2%80%AE/s", &["avg", "p50", "p95"]),
    ];
    for ((asked, known), name) in lines.into_iter().zip(NAMES) {
        for (from, to, step) in [(0, RUN_S, 1), (0, RUN_S, 8), (13, 99, 8), (50, 60, 64)] {
            let query = format!("?metric={asked}&from={from}&to={to}&step={step}&outcome=failed");
            let shown = chart(&query).await;
            let names: Vec<&str> = shown["lines"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, known);
            for (line, expected) in naive(name, from, to, step).iter().enumerate() {
                let values = shown["lines"][line]["values"].as_array().unwrap();
                assert_eq!(values.len(), expected.len(), "{query}");
                for (value, expected) in values.iter().zip(expected) {
                    let (value, expected) = (value.as_f64(), *expected);
                    let is_near = match (value, expected) {
                        (Some(value), Some(expected)) => {
                            (value - expected).abs() <= 0.001 * expected.abs() + 1e-12
                        }
                        (value, expected) => value == expected,
                    };
                    assert!(is_near, "{query}: {value:?} instead of {expected:?}");
                }
            }
        }
    }
    // As it reads, too: that is what a page knows.
    let view = site.get(&format!("/api/v1/runs/{RUN}")).await.json();
    let shown = view["custom_metrics"]["rows"][3]["name"].as_str().unwrap();
    assert_ne!(shown, NAMES[3]);
    let asked: String = shown.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let same = chart(&format!("?metric={asked}&step=8")).await;
    assert_eq!(same, chart("?metric=tokens%E2%80%AE/s&step=8").await);

    for (query, status, message) in [
        (
            "",
            StatusCode::UNPROCESSABLE_ENTITY,
            "metric is missing: the name of a custom metric, as in the summary",
        ),
        (
            "?metric=Sent",
            StatusCode::NOT_FOUND,
            "the run has no custom metric `Sent`; use a name as the summary has it among `custom_metrics`",
        ),
    ] {
        let refused = site
            .get(&format!("/api/v1/runs/{RUN}/charts/custom-metric{query}"))
            .await;
        let said = (refused.status, refused.error_message());
        assert_eq!(said, (status, message.to_owned()));
    }
}

#[tokio::test]
async fn limits_are_lines_in_the_chart_of_their_metric() {
    let site = Site::start(None).await;
    counting_run(&site).await;
    for scope in ["", "?endpoint=GET%20/&outcome=ok"] {
        let view = site.get(&format!("/api/v1/runs/{RUN}{scope}")).await.json();
        let lines = &view["thresholds"]["lines"];
        // A total grows from step to step, and the chart shows what is added in each.
        let expected = json!([{
            "chart": "custom-metric", "metric": "queue depth", "of": Value::Null, "at": 90.0,
            "label": "metric \"queue depth\" max < 90",
        }]);
        assert_eq!(*lines, expected, "{scope}");
    }
}

#[tokio::test]
async fn a_comparison_has_the_metrics_of_its_runs() {
    let site = Site::start(None).await;
    counting_run(&site).await;
    // Twice as much of all but rates, and of one metric nothing.
    run_with(&site, "bbbbbbbbbbbb", |agent, seconds| {
        let mut values = counted(agent, seconds);
        values.retain(|(name, ..)| *name != "queue depth");
        for (_, kind, _, _, value) in &mut values {
            *value *= if *kind == Rate { 1 } else { 2 };
        }
        values
    })
    .await;
    let query = format!("runs={RUN},bbbbbbbbbbbb&from=20&to=120&endpoint=GET%20/");
    let compared = site.get(&format!("/api/v1/compare?{query}")).await.json();
    let metrics = compared["runs"][0]["custom_metrics"].as_array().unwrap();
    for (place, run) in [("reference", RUN), ("value", "bbbbbbbbbbbb")] {
        let path = format!("/api/v1/runs/{run}/summary?from=20&to=120");
        let summary = site.get(&path).await.json();
        for metric in summary["custom_metrics"].as_array().unwrap() {
            let name = plain_text(metric["name"].as_str().unwrap());
            let same = |known: &&Value| known["name"] == name;
            let shown = metrics.iter().find(same).expect("all metrics are compared");
            for one in shown["statistics"].as_array().unwrap() {
                assert_eq!(one[place], metric[one["statistic"].as_str().unwrap()]);
            }
        }
    }
    let change = |metric: usize, key: &str| {
        let all = metrics[metric]["statistics"].as_array().unwrap();
        let one = all.iter().find(|one| one["statistic"] == key).unwrap();
        (
            one["change"].as_f64(),
            one["change_text"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(change(0, "total"), (Some(1.0), "+100.0%".to_owned()));
    assert_eq!(change(1, "max"), (None, String::new()));
    assert_eq!(change(2, "rate"), (Some(0.0), "+0.00 pp".to_owned()));
    let keys: Vec<_> = metrics[3]["statistics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["statistic"])
        .collect();
    assert_eq!(keys, ["avg", "min", "max", "p50", "p95", "p99"]);

    let page = site.get(&format!("/compare?{query}")).await.body;
    let (_, section) = page.split_once("id=\"custom-metrics\"").expect("a table");
    let (table, _) = section.split_once("</section>").unwrap();
    let text = |metric: usize, of: &str| metrics[metric]["statistics"][0][of].as_str().unwrap();
    for cells in [
        [text(0, "reference_text"), text(0, "value_text"), "+100.0%"],
        [text(1, "reference_text"), "–", "–"],
        [text(2, "reference_text"), text(2, "value_text"), "+0.00 pp"],
    ] {
        let row = cells.map(|cell| format!("<td>{cell}</td>").replace("<td>-", "<td>−"));
        assert!(table.contains(&row.concat()), "{row:?} in {table}");
    }
}

#[tokio::test]
async fn the_file_of_rows_has_what_the_summary_has() {
    let site = Site::start(None).await;
    counting_run(&site).await;
    let path = format!("/api/v1/runs/{RUN}");
    let summary = site.get(&format!("{path}/summary")).await.json();
    let file = site.get(&format!("{path}/csv/custom_metrics")).await.body;
    let mut rows = file.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let columns = rows.next().unwrap();
    let metrics = summary["custom_metrics"].as_array().unwrap();
    assert_eq!(metrics.len(), NAMES.len());
    for (metric, row) in metrics.iter().zip(rows.by_ref()) {
        assert_eq!(row.len(), columns.len(), "{row:?}");
        assert_eq!(metric["name"], *row[0]);
        assert_eq!(metric["kind"], *row[1]);
        assert_eq!(metric["unit"], *row[2]);
        for (column, key) in [
            ("Count", "count"),
            ("Per Second", "per_second"),
            ("Rate", "rate"),
            ("Last", "last"),
            ("Average", "avg"),
            ("Min", "min"),
            ("Max", "max"),
            ("50%", "p50"),
            ("99%", "p99"),
        ] {
            let at = columns.iter().position(|known| *known == column).unwrap();
            match metric[key].as_f64() {
                None => assert_eq!(row[at], "", "{column} of {row:?}"),
                Some(value) => {
                    let shown: f64 = row[at].parse().unwrap();
                    assert!(
                        (shown - value).abs() <= value.abs() * 1e-9,
                        "{column} of {row:?}"
                    );
                }
            }
        }
    }
    assert_eq!(rows.next(), None);
    let total = columns.iter().position(|known| *known == "Total").unwrap();
    let sent = file.lines().nth(1).unwrap().split(',').nth(total).unwrap();
    let exact: i64 = [0, 1]
        .iter()
        .flat_map(|agent| counted(*agent, 0..RUN_S))
        .filter(|(name, ..)| *name == NAMES[0])
        .map(|(.., value)| value)
        .sum();
    assert!((sent.parse::<f64>().unwrap() - exact as f64 / 1e6).abs() < 1e-6);
}
