//! Requests of tasks with a tag that thresholds of a run are about: one row for each second and tag, all agents together and
//! however the requests ended, which grows by what comes later.
//!
//! The same requests are in the rows of their endpoints, from which all other numbers come. Thresholds are judged second by
//! second, so rows of longer stretches are not made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use rusqlite::{Connection, params};

use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, small_from_sql, to_sql};
use super::scope_rows::{Numbers, Part, Requests};
use super::stored_interval::{self, INTERVAL_COLUMNS, PLACES};
use crate::measure::interval::{IntervalSum, PackedInterval};

/// What is added to a run, by second and position of the tag among those that the run counts.
pub(super) type AddedTags<'a> = BTreeMap<(u32, usize), Vec<&'a PackedInterval>>;

/// As which endpoint the requests of a tag are read.
pub(super) const ENDPOINT: i64 = 0;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let columns = &*INTERVAL_COLUMNS;
    let places = &*PLACES;
    format!(
        "INSERT OR REPLACE INTO tag_intervals (run, tag, bucket, {columns}) VALUES (?, ?, ?, {places})"
    )
});

/// Adds requests to a run that counts these tags.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    tags: &[String],
    added: &AddedTags<'_>,
    sum: &mut IntervalSum,
) -> StoreResult<()> {
    let mut stored = connection.prepare_cached(&format!(
        "SELECT {} FROM tag_intervals WHERE run = ?1 AND tag = ?2 AND bucket = ?3",
        *INTERVAL_COLUMNS
    ))?;
    let mut insert = connection.prepare_cached(&INSERT)?;
    let mut requests = 0_u64;
    for ((second, tag), parts) in added {
        let Some(tag) = tags.get(*tag) else { continue };
        let mut rows = stored.query(params![run, tag, second])?;
        if let Some(row) = rows.next()? {
            stored_interval::add(sum, row, 0)?;
        }
        drop(rows);
        for part in parts {
            requests = requests.saturating_add(part.sums.requests());
            sum.add(part)?;
        }
        insert.raw_bind_parameter(1, run)?;
        insert.raw_bind_parameter(2, tag)?;
        insert.raw_bind_parameter(3, second)?;
        stored_interval::bind(&mut insert, 4, &sum.take(), true)?;
        insert.raw_execute()?;
    }
    if requests > 0 {
        connection
            .prepare_cached("UPDATE runs SET tag_requests = tag_requests + ?2 WHERE run = ?1")?
            .execute(params![run, to_sql(requests)])?;
    }
    Ok(())
}

/// Requests of all tags of a run in all seconds, without reading their rows.
pub(super) fn all_requests(connection: &Connection, run: i64) -> StoreResult<u64> {
    let requests = connection
        .prepare_cached("SELECT tag_requests FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    Ok(from_sql(requests))
}

/// Adds up again what [`all_requests`] gives: rows of a bundle may come without it, or with another.
pub(super) fn add_up(connection: &Connection, run: i64) -> StoreResult<()> {
    // As a number with a point, of which no sum of rows is too large; exact up to 2^53 requests.
    connection.execute(
        "UPDATE runs SET tag_requests =
             (SELECT CAST(total(requests) AS INTEGER) FROM tag_intervals WHERE run = ?1)
         WHERE run = ?1",
        [run],
    )?;
    Ok(())
}

/// Gives `visit` each second of these that has requests of a tag, as requests to the endpoint [`ENDPOINT`].
pub(super) fn visit(
    connection: &Connection,
    run: i64,
    tag: &str,
    seconds: Range<u32>,
    requests: Requests,
    visit: &mut impl FnMut(u32, Part<'_>) -> StoreResult<()>,
) -> StoreResult<()> {
    let columns = match requests {
        Requests::Nothing => return Ok(()),
        Requests::Counts | Requests::CountsByEndpoint => "requests, failures".to_owned(),
        Requests::Intervals(measures) => stored_interval::columns(measures),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT bucket, {columns} FROM tag_intervals
         WHERE run = ?1 AND tag = ?2 AND bucket >= ?3 AND bucket < ?4 ORDER BY bucket"
    ))?;
    let mut rows = statement.query(params![run, tag, seconds.start, seconds.end])?;
    while let Some(row) = rows.next()? {
        let counts = || StoreResult::Ok((from_sql(row.get(1)?), from_sql(row.get(2)?)));
        let part = match requests {
            Requests::Nothing => continue,
            Requests::Counts => {
                let (requests, failures) = counts()?;
                Part::Counts { requests, failures }
            }
            Requests::CountsByEndpoint => {
                let (requests, failures) = counts()?;
                Part::OfEndpoint {
                    endpoint: ENDPOINT,
                    requests,
                    failures,
                }
            }
            Requests::Intervals(_) => Part::Interval {
                endpoint: ENDPOINT,
                numbers: Numbers::Together(row, 1),
            },
        };
        visit(small_from_sql(row.get(0)?), part)?;
    }
    Ok(())
}

/// Requests of these tags in some seconds; one with several of them counts for each.
pub(super) fn requests(
    connection: &Connection,
    run: i64,
    tags: &BTreeSet<String>,
    seconds: Range<u32>,
) -> StoreResult<u64> {
    let mut sum = 0_u64;
    for tag in tags {
        let mut add = |_: u32, part: Part<'_>| {
            if let Part::Counts { requests, .. } = part {
                sum = sum.saturating_add(requests);
            }
            Ok(())
        };
        visit(
            connection,
            run,
            tag,
            seconds.clone(),
            Requests::Counts,
            &mut add,
        )?;
    }
    Ok(sum)
}

/// Whether all rows can be read, and their tags are among those that the run counts.
pub(super) fn check(connection: &Connection, counted: &[String]) -> StoreResult<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT tag, {} FROM tag_intervals",
        *INTERVAL_COLUMNS
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !counted.contains(&row.get(0)?) {
            let reason = "a row is of a tag that no threshold of the run is about";
            return Err(StoreError::Unreadable(reason.to_owned()));
        }
        stored_interval::read(row, 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::interval::{Interval, SparseInterval};
    use crate::store::schema::open_writer;

    fn requests_of(responses_ms: &[u64], failures: usize) -> PackedInterval {
        let mut interval = Interval::default();
        for (at, ms) in responses_ms.iter().enumerate() {
            let time = Duration::from_millis(*ms);
            interval.record(time, Some(time / 2), 10, None);
            if at < failures {
                interval.count_failure();
            }
        }
        PackedInterval::from(&SparseInterval::from(&interval))
    }

    #[test]
    fn what_comes_in_several_transactions_is_one_row() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(dir.path()).unwrap();
        let tags = ["api", "slow"].map(str::to_owned);
        let run =
            "INSERT INTO runs (run, id, test, number, definition, phase, is_over, created_at_us)
                   VALUES (7, 'r', 't', 1, '', '', 0, 0)";
        connection.execute(run, []).unwrap();
        let mut sum = IntervalSum::default();
        let parts = [
            requests_of(&[10, 20], 1),
            requests_of(&[30], 0),
            requests_of(&[40], 1),
        ];
        let [first, second, third] = &parts;
        for added in [
            AddedTags::from([((5, 0), vec![first, second]), ((6, 1), vec![first])]),
            AddedTags::from([((5, 0), vec![third]), ((7, 0), vec![second])]),
        ] {
            add(&connection, 7, &tags, &added, &mut sum).unwrap();
        }
        let columns = &*INTERVAL_COLUMNS;
        let query = format!("SELECT {columns} FROM tag_intervals WHERE tag = 'api' AND bucket = 5");
        let read = connection.query_row(&query, [], |row| Ok(stored_interval::read(row, 0)));
        let expected = requests_of(&[10, 40, 20, 30], 2);
        assert_eq!(read.unwrap().unwrap(), expected);

        let counted = |tags: &[&str], seconds: Range<u32>| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            requests(&connection, 7, &tags, seconds).unwrap()
        };
        assert_eq!(counted(&["api"], 0..9), 5);
        assert_eq!(counted(&["api", "slow"], 6..9), 3);
        assert_eq!(counted(&["never"], 0..9), 0);
        assert_eq!(all_requests(&connection, 7).unwrap(), 7);
        let forget = "UPDATE runs SET tag_requests = 1";
        connection.execute(forget, []).unwrap();
        add_up(&connection, 7).unwrap();
        assert_eq!(all_requests(&connection, 7).unwrap(), 7);
        check(&connection, &tags).unwrap();
        assert!(check(&connection, &tags[1..]).is_err());
    }

    /// A number that is added to the intervals of endpoints is one of tags, too.
    #[test]
    fn they_have_the_columns_of_intervals() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(dir.path()).unwrap();
        let columns = |table: &str| -> BTreeSet<(String, String)> {
            let query = "SELECT name, type FROM pragma_table_info(?1)";
            let mut statement = connection.prepare(query).unwrap();
            let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
            rows.unwrap().collect::<Result<_, _>>().unwrap()
        };
        let mut of_tags = columns("tag_intervals");
        let key = ["tag", "level", "endpoint", "agent"];
        of_tags.retain(|(name, _)| !key.contains(&name.as_str()));
        let mut of_endpoints = columns("intervals");
        of_endpoints.retain(|(name, _)| !key.contains(&name.as_str()));
        assert_eq!(of_tags, of_endpoints);
    }
}
