//! What each place shows of the thresholds of a run, row by row, and whether that is what the API says.

use greylag_tests::summary::ThresholdResult;
use quick_junit::{Report, TestCaseStatus};

use crate::support::unescape;

/// A row of a place that says what was measured in one text.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) state: String,
    pub(super) condition: String,
    /// None where the place says it of failed ones only.
    pub(super) measured: Option<String>,
}

/// A row of the page's table, as it is written for people.
#[derive(Debug)]
struct PageRow {
    data_state: String,
    condition: String,
    explanation: String,
    actual: String,
    limit: String,
    state: String,
    since: String,
}

/// The table of the page.
fn of_page(html: &str) -> Vec<PageRow> {
    let table = between(html, "<table class=\"thresholds-table\">", "</table>");
    let rows = table.split("<tr data-state=\"").skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.split("<td>").collect();
        let [head, actual, limit, state, since] = cells[..] else {
            panic!("five cells: {row}");
        };
        PageRow {
            data_state: before(head, "\"").to_owned(),
            condition: text(between(head, "<span class=\"condition\">", "</span>")),
            explanation: text(
                between(head, "<span class=\"explanation\"", "</span>")
                    .split_once('>')
                    .expect("a tag ends")
                    .1,
            ),
            actual: text(before(actual, "</td>")),
            limit: text(before(limit, "</td>")),
            state: text(before(state, "</td>")),
            since: text(before(since, "</td>")),
        }
    })
    .collect()
}

/// The last lines of `run`, but for the verdict.
pub(super) fn of_terminal(stdout: &str) -> Vec<Row> {
    let (_, last) = stdout
        .rsplit_once("Thresholds\n")
        .expect("it lists thresholds");
    let lines = last.lines().take_while(|line| line.starts_with("  "));
    lines
        .map(|line| {
            let columns = line
                .split("  ")
                .map(str::trim)
                .filter(|column| !column.is_empty());
            let [state, condition, measured] = columns.collect::<Vec<_>>()[..] else {
                panic!("three columns: {line}");
            };
            row(state, condition, Some(measured))
        })
        .collect()
}

/// The cases of a JUnit file, but for the run's own.
pub(super) fn of_junit(file: &str) -> Vec<Row> {
    let report = Report::deserialize_from_str(file).expect("it is a JUnit file");
    let cases = report.test_suites[0].test_cases.iter().skip(1);
    cases
        .map(|case| match &case.status {
            TestCaseStatus::NonSuccess {
                ty: Some(ty),
                message,
                ..
            } => row(
                ty.as_str(),
                case.name.as_str(),
                message.as_ref().map(|message| message.as_str()),
            ),
            TestCaseStatus::Success { .. } => row("passed", case.name.as_str(), None),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The table of a Markdown summary.
pub(super) fn of_markdown(text: &str) -> Vec<Row> {
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| Threshold |"))
        .skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, condition, state, measured, _] = cells[..] else {
                panic!("three cells: {line}");
            };
            let (_, state) = state.split_once(' ').expect("a sign and a word");
            row(
                state,
                condition.trim_matches('`'),
                Some(measured.trim_matches('`')),
            )
        })
        .collect()
}

fn row(state: &str, condition: &str, measured: Option<&str>) -> Row {
    Row {
        state: state.to_owned(),
        condition: condition.to_owned(),
        measured: measured.map(str::to_owned),
    }
}

/// Compares the page's table with the API's results, and returns the rows that other places have to show.
pub(super) fn check_page(html: &str, results: &[ThresholdResult]) -> Vec<Row> {
    let shown = of_page(html);
    assert_eq!(shown.len(), results.len(), "{shown:?}");
    let rows = shown.iter().zip(results);
    rows.map(|(shown, result)| {
        assert_eq!(shown.condition, result.condition);
        let metric = result.condition.split(' ').next();
        assert_eq!(metric, Some(result.metric.as_str()), "{result:?}");
        assert_eq!(shown.data_state, result.state, "{shown:?}");
        assert_eq!(shown.state, result.state.replace('_', " "), "{shown:?}");
        assert_eq!(
            shown.explanation,
            result.explanation.clone().unwrap_or_default()
        );
        for (text, value) in [(&shown.actual, result.actual), (&shown.limit, result.limit)] {
            match value {
                Some(value) => assert!(says(text, &result.unit, value), "{value} of {shown:?}"),
                None => assert_eq!(text, "–", "{result:?}"),
            }
        }
        let since = result
            .breached_since_s
            .map(|second| match (second / 60, second % 60) {
                (0, seconds) => format!("{seconds}s"),
                (minutes, seconds) => format!("{minutes}:{seconds:02}"),
            });
        assert_eq!(shown.since, since.unwrap_or_default(), "{result:?}");

        let mut measured = match result.actual {
            Some(_) => shown.actual.clone(),
            None => "nothing measured".to_owned(),
        };
        measured += &format!(", limit {}", shown.limit);
        if let Some(second) = result.breached_since_s {
            measured += &format!(", breached since second {second}");
        }
        if !shown.explanation.is_empty() {
            measured += &format!(" ({})", shown.explanation);
        }
        row(&shown.state, &shown.condition, Some(&measured))
    })
    .collect()
}

/// Whether a text is this value, as far as its decimals go.
fn says(text: &str, unit: &str, value: f64) -> bool {
    let (number, in_text) = match text.split_once([' ', '/']) {
        Some((number, rest)) => (number, rest),
        None => (text, ""),
    };
    let value = match (unit, in_text) {
        ("share", "%") => value * 100.0,
        ("ms", "ms") | ("count", "") | ("per_second", "s") => value,
        ("ms", "s") => value / 1e3,
        other => panic!("{other:?} in {text}"),
    };
    let decimals = number
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let shown: f64 = number
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    (shown - value).abs() <= 0.5 * 0.1_f64.powi(decimals as i32) + 1e-9
}

fn between<'a>(all: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = all.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    before(rest, to)
}

fn before<'a>(all: &'a str, to: &str) -> &'a str {
    all.split_once(to)
        .unwrap_or_else(|| panic!("no {to} in {all:.200}"))
        .0
}

/// What is shown of HTML.
fn text(html: &str) -> String {
    let parts = html.split('<').enumerate();
    let parts = parts.map(|(at, part)| match part.split_once('>') {
        Some((_, text)) if at > 0 => text,
        _ => part,
    });
    unescape(&parts.collect::<String>())
}
