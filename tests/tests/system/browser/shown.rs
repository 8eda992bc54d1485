//! What a finished run's page must show: everything the seed names, with the numbers of the summary.

use greylag_tests::Browser;
use greylag_tests::summary::Summary;
use serde_json::json;

use super::looking::{eval, field, labelled};

/// Everything in the page that must be as the summary says.
pub(super) async fn assert_shows(browser: &Browser, summary: &Summary) {
    let run = &summary.run;
    let about: [(&str, &str, Option<String>, &str); 10] = [
        ("Test Name", "test-name", Some(run.test.clone()), &run.test),
        (
            "Load Test Infrastructure",
            "infrastructure",
            Some(run.infrastructure.clone()),
            &run.infrastructure,
        ),
        ("Type", "type", Some("Locust".to_owned()), "Locust"),
        (
            "Users",
            "users",
            Some(run.users.to_string()),
            &run.users.to_string(),
        ),
        (
            "Duration",
            "duration",
            Some(run.duration_s.to_string()),
            &format!("{}s", run.duration_s),
        ),
        (
            "Ramp Up Duration",
            "ramp-up-duration",
            Some(run.ramp_up_s.to_string()),
            &format!("{}s", run.ramp_up_s),
        ),
        (
            "Worker Count",
            "worker-count",
            Some(run.workers.to_string()),
            &run.workers.to_string(),
        ),
        ("Run Started", "run-started", None, ":"),
        (
            "Time Elapsed",
            "time-elapsed",
            None,
            &format!("{}s", run.elapsed_s.trunc()),
        ),
        ("Status", "status", Some("Finished".to_owned()), "Finished"),
    ];
    assert!(
        !eval(browser, "return named('About This Test');", vec![])
            .await
            .is_null(),
        "About This Test"
    );
    for (label, name, value, text) in about {
        let (shown_value, shown_text) = labelled(browser, label, name).await;
        if let Some(value) = value {
            assert_eq!(shown_value, value, "{label}");
        }
        assert!(
            shown_text.contains(text),
            "{label} reads {shown_text:?}, not {text:?}"
        );
    }
    let (elapsed, _) = field(browser, "time-elapsed").await;
    assert_same(&elapsed, run.elapsed_s, "Time Elapsed");
    let (status, _) = field(browser, "infrastructure-status").await;
    assert_eq!(
        status, "Connected",
        "the infrastructure's connection status"
    );

    let totals = &summary.totals;
    for (label, name, value) in [
        ("Total Requests", "total-requests", totals.requests as f64),
        ("Request Per Second", "requests-per-second", totals.rps),
        ("Error Rate", "error-rate", totals.error_rate),
        ("Avg Response Time", "avg-response-time", totals.avg_ms),
    ] {
        let (shown, text) = labelled(browser, label, name).await;
        assert_same(&shown, value, label);
        assert!(
            text.chars().any(|c| c.is_ascii_digit()),
            "{label} reads {text:?}"
        );
    }
    for (name, value) in [
        ("p50", totals.p50_ms),
        ("p90", totals.p90_ms),
        ("p95", totals.p95_ms),
        ("p99", totals.p99_ms),
    ] {
        let (shown, _) = field(browser, name).await;
        assert_same(&shown, value, name);
    }
    let (_, text) = field(browser, "total-requests").await;
    assert_eq!(
        text.replace([',', '\u{202f}', ' '], ""),
        totals.requests.to_string()
    );
    let (_, text) = field(browser, "error-rate").await;
    assert!(text.ends_with('%'), "{text}");

    assert_charts(browser, summary).await;
    assert_endpoints(browser, summary).await;
}

/// Whether a number of the page is that of the summary. Reading JSON may be off by the last bit of a float.
fn assert_same(shown: &str, value: f64, what: &str) {
    let number: f64 = shown
        .parse()
        .unwrap_or_else(|_| panic!("{what}: {shown:?} is not a number"));
    let off = (number - value).abs();
    assert!(
        off <= value.abs() * 1e-12,
        "{what}: the page shows {shown}, the summary has {value}"
    );
}

async fn assert_charts(browser: &Browser, summary: &Summary) {
    for (label, name) in [
        ("Active Users", "active-users"),
        ("Total Requests Per Second", "total-requests-per-second"),
        ("Response Time Distribution", "response-time-distribution"),
    ] {
        let script = "const figure = document.querySelector(`figure[data-chart=\"${arguments[0]}\"]`);
            const picture = figure.querySelector('canvas, svg');
            return [named(arguments[1], figure) !== null, Number(figure.dataset.points), picture?.getBoundingClientRect().width ?? 0];";
        let chart = eval(browser, script, vec![json!(name), json!(label)]).await;
        assert_eq!(chart[0], true, "the chart {label} has its name");
        assert!(
            chart[1].as_f64() > Some(1.0),
            "the chart {label} has points: {chart}"
        );
        assert!(
            chart[2].as_f64() > Some(100.0),
            "the chart {label} is drawn: {chart}"
        );
    }
    // The data tables hold what the charts draw.
    let rows = async |name: &str| -> Vec<Vec<String>> {
        let script = "const details = document.querySelector(`figure[data-chart=\"${arguments[0]}\"] .data-table`);
            details.open = true;
            details.dispatchEvent(new Event('toggle'));
            return [...details.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent));";
        serde_json::from_value(eval(browser, script, vec![json!(name)]).await)
            .expect("rows of cells")
    };
    let of = |text: &str| {
        text.replace(',', "")
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{text:?} is not a number"))
    };
    let users = rows("active-users").await;
    let peak = users.iter().map(|row| of(&row[1])).fold(0.0, f64::max);
    assert_eq!(peak, summary.run.users as f64, "the peak of Active Users");
    let throughput = rows("total-requests-per-second").await;
    let sum = |column: usize| throughput.iter().map(|row| of(&row[column])).sum::<f64>();
    assert_eq!(
        sum(1),
        summary.totals.requests as f64,
        "the sum of Request Per Second over the seconds"
    );
    assert_eq!(
        sum(2),
        summary.totals.failures as f64,
        "the sum of Errors/sec over the seconds"
    );
    let responses = rows("response-time-distribution").await;
    for outcome in ["Success", "Failure"] {
        assert!(
            responses
                .iter()
                .any(|row| row.iter().any(|cell| cell == outcome)),
            "no {outcome} in the scatter plot"
        );
    }
    let script =
        "for (const details of document.querySelectorAll('figure details')) details.open = false;";
    browser.eval(script).await;
}

async fn assert_endpoints(browser: &Browser, summary: &Summary) {
    let section = eval(browser, "return named('Endpoint Statistics');", vec![]).await;
    assert!(!section.is_null(), "Endpoint Statistics");
    let script = "const table = document.querySelector('[data-role=\"endpoints\"]');
        return arguments[0].filter((name) => !named(name, table.tHead));";
    let columns = json!([
        "Endpoint",
        "Requests",
        "Fails",
        "Latency (ms)",
        "Avg (ms)",
        "Current RPS"
    ]);
    assert_eq!(
        eval(browser, script, vec![columns]).await,
        json!([]),
        "columns that are missing"
    );
    let script = "return [...document.querySelectorAll('tr[data-endpoint-name]')].filter(isVisible).map((row) => {
            const value = (name) => row.querySelector(`[data-field=\"${name}\"]`).dataset.value;
            const mark = (name) => clean(row.querySelector(`.latency-numbers .${name}`).textContent);
            return [row.dataset.endpointMethod, row.dataset.endpointName, value('requests'), value('fails'), value('latency'),
                value('avg'), value('current-rps'), mark('p50')[0] + mark('p95').slice(0, 2) + mark('p99').slice(0, 2)];
        });";
    let rows: Vec<Vec<String>> =
        serde_json::from_value(eval(browser, script, vec![]).await).expect("rows of texts");
    let totals = &summary.totals;
    let mut expected: Vec<_> = summary
        .endpoints
        .iter()
        .map(|row| {
            (
                row.method.as_str(),
                row.name.as_str(),
                row.requests,
                row.failures,
                [row.p50_ms, row.p95_ms, row.p99_ms],
                row.avg_ms,
            )
        })
        .collect();
    expected.push((
        "",
        "Aggregated",
        totals.requests,
        totals.failures,
        [totals.p50_ms, totals.p95_ms, totals.p99_ms],
        totals.avg_ms,
    ));
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (method, name, requests, failures, latency, average) in expected {
        let row = rows
            .iter()
            .find(|row| row[0] == method && row[1] == name)
            .unwrap_or_else(|| panic!("no row {method} {name}: {rows:?}"));
        assert_eq!(
            row[2..4],
            [requests.to_string(), failures.to_string()],
            "{method} {name}"
        );
        let shown: Vec<&str> = row[4].split(' ').collect();
        assert_eq!(
            shown.len(),
            latency.len(),
            "latency of {method} {name}: {shown:?}"
        );
        for (shown, value) in shown.into_iter().zip(latency) {
            assert_same(shown, value, name);
        }
        assert_same(&row[5], average, name);
        assert_eq!(row[7], "M9599", "the latency bar marks M, 95 and 99");
    }
    assert_eq!(
        rows.last().expect("rows")[1],
        "Aggregated",
        "the Aggregated row is the last"
    );
}
