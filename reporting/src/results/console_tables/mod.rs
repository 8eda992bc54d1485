//! The three tables Locust prints at the end of a run, in its layout.
//!
//! Widths and titles are those of Locust 2.47's `locust/stats.py` (`print_stats`, `print_percentile_stats`,
//! `print_error_report`); a golden test compares with what Locust printed. Two things differ on purpose:
//! names that are too long are cut so that the columns stay, and every time is rounded to whole
//! milliseconds the same way, so that 100% and Max agree. What Locust does not measure comes after its tables, and
//! only where there is something to tell.

mod beyond_locust;

use std::fmt::Write;

use crate::measure::interval::{Interval, ms};
use crate::measure::stats::{FRACTIONS, MEDIAN, PERCENTILE_TITLES, PERCENTILES, Stats, whole_ms};
use crate::plain_text::plain_text;
use crate::results::summary::{
    AGGREGATED, SummaryCompleteness, SummaryMetric, SummaryWarning, per_second,
};
use crate::store::RunTotals;

const STATS_NAME_WIDTH: usize = 76;
const PERCENTILES_NAME_WIDTH: usize = 80;
const ERROR_WIDTH: usize = 100;

/// One line of the first two tables.
struct Row {
    method: String,
    name: String,
    stats: Stats,
    requests_per_s: f64,
    failures_per_s: f64,
    /// In whole ms.
    percentiles: [u64; PERCENTILES],
}

/// The request table, the percentiles and, if there are errors, the error report of a whole run that has
/// been going for `elapsed_s`. Each is followed by an empty line; nothing in them is a control character but
/// the ends of lines.
pub fn console_tables(
    totals: &RunTotals,
    completeness: &SummaryCompleteness,
    warnings: &[SummaryWarning],
    metrics: &[SummaryMetric],
    elapsed_s: f64,
) -> String {
    let rows: Vec<Row> = totals
        .requested()
        .map(|(endpoint, interval)| row(&endpoint.method, &endpoint.name, interval, elapsed_s))
        .collect();
    let aggregated = row("", AGGREGATED, &totals.aggregated(), elapsed_s);
    let errors: Vec<(u64, String)> = totals
        .errors()
        .into_iter()
        .map(|(endpoint, error, occurrences)| {
            let text = format!("{} {}: {error}", endpoint.method, endpoint.name);
            (occurrences, plain_text(&text))
        })
        .collect();
    let mut text = String::new();
    write_tables(&mut text, &rows, &aggregated, &errors).expect("writing to memory cannot fail");
    let arrivals = totals.arrivals;
    beyond_locust::write(
        &mut text,
        &rows,
        &aggregated,
        arrivals,
        metrics,
        completeness,
        warnings,
    )
    .expect("writing to memory cannot fail");
    text
}

fn row(method: &str, name: &str, interval: &Interval, elapsed_s: f64) -> Row {
    let stats = Stats::of(interval);
    let percentiles_us = interval.percentiles_us(FRACTIONS).unwrap_or_default();
    Row {
        method: plain_text(method),
        name: plain_text(name),
        stats,
        requests_per_s: per_second(stats.requests, elapsed_s),
        failures_per_s: per_second(stats.failures, elapsed_s),
        percentiles: percentiles_us.map(|us| whole_ms(ms(us))),
    }
}

fn write_tables(
    out: &mut String,
    rows: &[Row],
    aggregated: &Row,
    errors: &[(u64, String)],
) -> std::fmt::Result {
    let separator = format!(
        "--------|{}|-------|-------------|-------|-------|-------|-------|--------|-----------",
        "-".repeat(STATS_NAME_WIDTH)
    );
    writeln!(
        out,
        "{:<8} {:<STATS_NAME_WIDTH$} {:>7} {:>12} |{:>7} {:>7} {:>7}{:>7} | {:>7} {:>11}",
        "Type", "Name", "# reqs", "# fails", "Avg", "Min", "Max", "Med", "req/s", "failures/s"
    )?;
    write_rows(out, &separator, rows, Some(aggregated), write_stats)?;

    writeln!(out, "\nResponse time percentiles (approximated)")?;
    write!(
        out,
        "{:<8} {:<PERCENTILES_NAME_WIDTH$} {:>8}",
        "Type", "Name", PERCENTILE_TITLES[0]
    )?;
    for title in &PERCENTILE_TITLES[1..] {
        write!(out, " {title:>6}")?;
    }
    writeln!(out, " {:>6}", "# reqs")?;
    let separator = format!(
        "--------|{}|--------{}",
        "-".repeat(PERCENTILES_NAME_WIDTH),
        "|------".repeat(PERCENTILES)
    );
    // Locust has no percentiles of no requests.
    let aggregated = Some(aggregated).filter(|row| row.stats.requests > 0);
    write_rows(out, &separator, rows, aggregated, write_percentiles)?;
    writeln!(out)?;

    if !errors.is_empty() {
        let separator = format!("{}|{}", "-".repeat(18), "-".repeat(141));
        writeln!(
            out,
            "Error report\n{:<18} {:<ERROR_WIDTH$}",
            "# occurrences", "Error"
        )?;
        writeln!(out, "{separator}")?;
        for (occurrences, error) in errors {
            writeln!(out, "{occurrences:<18} {error:<ERROR_WIDTH$}")?;
        }
        writeln!(out, "{separator}\n")?;
    }
    Ok(())
}

fn write_rows(
    out: &mut String,
    separator: &str,
    rows: &[Row],
    aggregated: Option<&Row>,
    write: fn(&mut String, &Row) -> std::fmt::Result,
) -> std::fmt::Result {
    writeln!(out, "{separator}")?;
    rows.iter().try_for_each(|row| write(out, row))?;
    writeln!(out, "{separator}")?;
    aggregated.map_or(Ok(()), |row| write(out, row))
}

fn write_stats(out: &mut String, row: &Row) -> std::fmt::Result {
    let stats = &row.stats;
    writeln!(
        out,
        "{:<8} {:<STATS_NAME_WIDTH$} {:>7} {:>12} |{:>7} {:>7} {:>7}{:>7} | {:>7.2} {:>11.2}",
        method_column(&row.method),
        shortened(&row.name, STATS_NAME_WIDTH),
        stats.requests,
        format!("{}({:.2}%)", stats.failures, 100.0 * stats.error_rate),
        whole_ms(stats.response.avg_ms),
        whole_ms(stats.response.min_ms),
        whole_ms(stats.response.max_ms),
        row.percentiles[MEDIAN],
        row.requests_per_s,
        row.failures_per_s
    )
}

fn write_percentiles(out: &mut String, row: &Row) -> std::fmt::Result {
    write!(
        out,
        "{:<8} {:<PERCENTILES_NAME_WIDTH$} {:>8}",
        method_column(&row.method),
        shortened(&row.name, PERCENTILES_NAME_WIDTH),
        row.percentiles[0]
    )?;
    for percentile in &row.percentiles[1..] {
        write!(out, " {percentile:>6}")?;
    }
    writeln!(out, " {:>6}", row.stats.requests)
}

fn method_column(method: &str) -> String {
    shortened(method, 8)
}

/// At most `width` characters, the last one `…` if some are missing.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::arrivals::Arrivals;
    use crate::measure::stats::TimeStats;
    use greylag_infra::protocol::Endpoint;
    use std::time::Duration;

    /// What Locust 2.47 printed at the end of a run, from its first table on.
    const LOCUST: &str = include_str!("../../../tests/golden/locust_tables.txt");

    fn locust_row(
        method: &str,
        name: &str,
        [requests, failures, avg, min, max]: [u64; 5],
        [requests_per_s, failures_per_s]: [f64; 2],
        percentiles: [u64; 11],
    ) -> Row {
        Row {
            method: method.into(),
            name: name.into(),
            stats: Stats {
                requests,
                failures,
                error_rate: failures as f64 / requests as f64,
                response: TimeStats {
                    avg_ms: avg as f64,
                    min_ms: min as f64,
                    max_ms: max as f64,
                    ..TimeStats::default()
                },
                ..Stats::default()
            },
            requests_per_s,
            failures_per_s,
            percentiles,
        }
    }

    #[test]
    fn the_layout_is_that_of_locust() {
        // Locust's own table of percentiles rounds to two digits where its first table does not (121 and
        // 120): the golden file has the median of /slow as the second table has it.
        let rows = [
            locust_row(
                "GET",
                "/",
                [31, 0, 3, 1, 63],
                [8.55, 0.0],
                [1, 2, 2, 2, 4, 6, 64, 64, 64, 64, 64],
            ),
            locust_row(
                "GET",
                "/api/order",
                [6, 6, 13, 1, 73],
                [1.66, 1.66],
                [1, 1, 2, 2, 73, 73, 73, 73, 73, 73, 73],
            ),
            locust_row(
                "GET",
                "/redir",
                [8, 0, 3, 1, 7],
                [2.21, 0.0],
                [2, 3, 7, 7, 7, 7, 7, 7, 7, 7, 7],
            ),
            locust_row(
                "GET",
                "/slow?id=[id]",
                [14, 0, 132, 121, 185],
                [3.86, 0.0],
                [120, 120, 130, 130, 180, 190, 190, 190, 190, 190, 190],
            ),
            locust_row(
                "GET",
                "/validated",
                [5, 5, 1, 1, 2],
                [1.38, 1.38],
                [1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2],
            ),
        ];
        let aggregated = locust_row(
            "",
            "Aggregated",
            [64, 11, 32, 1, 185],
            [17.65, 3.03],
            [2, 4, 64, 120, 120, 130, 180, 190, 190, 190, 190],
        );
        let errors = [
            (6, "GET /api/order: HTTPError('405 Client Error: Method Not Allowed for url: /api/order')".to_owned()),
            (5, "GET /validated: Got wrong response".to_owned()),
        ];
        let mut text = String::new();
        write_tables(&mut text, &rows, &aggregated, &errors).unwrap();
        let golden = LOCUST.replacen("185    121 |", "185    120 |", 1);
        for (line, (ours, locusts)) in text.lines().zip(golden.lines()).enumerate() {
            assert_eq!(ours, locusts, "line {}", line + 1);
        }
        assert_eq!(text, golden);
    }

    #[test]
    fn hostile_names_keep_the_columns_and_the_terminal() {
        let mut interval = Interval::default();
        interval.record(
            Duration::from_millis(5),
            None,
            1,
            Some("\u{1b}[2Jgone\r\nforged line"),
        );
        let endpoint = Endpoint {
            method: "PROPFINDALL".into(),
            name: format!("/\u{1b}]0;title\u{7}{}", "é".repeat(200)),
        };
        let totals = RunTotals {
            endpoints: vec![(endpoint, interval)],
            ..RunTotals::default()
        };
        let text = console_tables(&totals, &SummaryCompleteness::default(), &[], &[], 0.0);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        assert!(text.contains("goneforged line"));
        let row = text.lines().nth(2).unwrap();
        assert!(row.starts_with("PROPFIN… /ééé"), "{row}");
        assert_eq!(
            row.chars().count(),
            text.lines().next().unwrap().chars().count()
        );
    }

    #[test]
    fn what_locust_does_not_measure_comes_after_its_tables() {
        let mut paced = Interval::default();
        for ms in [1, 2, 300] {
            paced.record(Duration::from_millis(ms), None, 1, None);
            paced.record_intended(Duration::from_millis(ms * 10));
        }
        let mut goose = Interval::default();
        goose.record(Duration::from_millis(4), None, 1, None);
        goose.count_first_byte_only();
        let endpoint = |name: &str| Endpoint {
            method: "GET".into(),
            name: name.into(),
        };
        let totals = RunTotals {
            endpoints: vec![(endpoint("/goose"), goose), (endpoint("/paced"), paced)],
            arrivals: Arrivals {
                started: 10,
                late: 3,
                skipped: 2,
            },
            ..RunTotals::default()
        };
        let text = console_tables(&totals, &SummaryCompleteness::default(), &[], &[], 1.0);
        let (_, more) = text
            .split_once("Response time from the intended start\n")
            .unwrap();
        let cells: Vec<Vec<&str>> = more
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            cells[2],
            [
                "GET", "/paced", "1010", "20", "3000", "3000", "3000", "3000", "3"
            ]
        );
        assert_eq!(cells[4][0], "Aggregated");
        assert!(more.contains("\nTimed to the first byte only: GET /goose\n"));
        assert!(more.ends_with(
            "Arrivals: 10 started, 3 of them late, 2 skipped because all users were busy\n\n"
        ));
    }

    #[test]
    fn a_run_without_requests_has_empty_tables() {
        let text = console_tables(
            &RunTotals::default(),
            &SummaryCompleteness::default(),
            &[],
            &[],
            0.0,
        );
        assert!(text.contains("Aggregated"));
        assert!(text.contains(" 0     0(0.00%) |"));
        assert!(!text.contains("Error report"));
    }
}
