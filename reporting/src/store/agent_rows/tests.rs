use proptest::prelude::*;

use super::*;
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{Measure, NUMBERS, PerMeasure, Sums};
use crate::store::schema;

fn numbers() -> impl Strategy<Value = [u64; NUMBERS]> {
    prop::array::uniform(prop_oneof![Just(0), 0..1_000_u64, any::<u64>()])
}

/// Whether bytes can be read as a row.
fn read_all(bytes: &[u8]) -> bool {
    PackedRow::read(bytes).is_ok_and(|row| row.intervals().all(|interval| interval.is_ok()))
}

/// A row that is long enough to be compressed.
fn some_row(compressed: bool) -> Vec<u8> {
    let counts: Vec<u8> = (0..200).map(|at| at % 7 * 2).collect();
    let mut writer = RowWriter::new(UserSums::default(), &[(1, 2), (3, 400)]);
    for endpoint in 0..4 {
        writer.add(interval(endpoint, &counts));
    }
    let bytes = if compressed {
        writer.finish_compressed()
    } else {
        writer.finish()
    };
    bytes.unwrap()
}

fn interval(endpoint: i64, response: &[u8]) -> RowInterval<'_> {
    let mut numbers = [0; NUMBERS];
    numbers[0] = 1;
    RowInterval {
        endpoint,
        sums: Sums::from_numbers(numbers),
        counts: counts(response, &[]),
    }
}

fn counts<'a>(response: &'a [u8], other: &'a [u8]) -> PerMeasure<&'a [u8]> {
    PerMeasure::from_fn(|measure| match measure {
        Measure::Response => response,
        _ => other,
    })
}

/// A count of 1 at position 0, then zeros.
fn padded(bytes: usize) -> Vec<u8> {
    let mut counts = vec![0; bytes];
    counts[0] = 2;
    counts
}

fn rows<'a>(connection: &'a Connection, sum: &'a mut IntervalSum) -> AgentRows<'a> {
    AgentRows {
        connection,
        run: 1,
        grain: Grain::Full,
        rolled_by: None,
        sum,
        coarse: Vec::new(),
    }
}

/// The intervals of an agent's rows of a level in its first seconds.
fn intervals_of(connection: &Connection, agent: i64, level: usize) -> Vec<(i64, Vec<u8>)> {
    let mut found = Vec::new();
    visit_level(
        connection,
        (1, agent),
        level,
        0..8,
        RowPart::All,
        |_, row| {
            let intervals = row.intervals().collect::<StoreResult<Vec<_>>>()?;
            found.extend(
                intervals
                    .iter()
                    .map(|i| (i.endpoint, i.counts[Measure::Response].to_vec())),
            );
            Ok(())
        },
    )
    .unwrap();
    found
}

#[test]
fn a_row_that_would_be_too_long_is_kept_coarsely() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(dir.path()).unwrap();
    let mut sum = IntervalSum::default();
    let (long, users) = (padded(33 << 20), UserSums::default());
    let intervals = [interval(0, &long), interval(1, &long)];
    let mut rows = rows(&connection, &mut sum);
    rows.add(0, 7, users, &[], &intervals).unwrap();
    assert_eq!(rows.coarse, [(0, 7..8)]);
    assert_eq!(
        intervals_of(&connection, 0, 0),
        [(0, vec![2]), (1, vec![2])]
    );
}

/// How many rows there are of each level of the first seconds of the agent 0, and the requests in them.
fn rows_and_requests(connection: &Connection) -> Vec<(usize, u64)> {
    let of_level = |level| {
        let (mut rows, mut requests) = (0, 0);
        visit_level(connection, (1, 0), level, 0..1, RowPart::All, |_, row| {
            rows += 1;
            let counts = row.intervals().collect::<StoreResult<Vec<_>>>()?;
            requests += counts
                .iter()
                .map(|i| u64::from(i.counts[Measure::Response][0]) / 2)
                .sum::<u64>();
            Ok(())
        })
        .unwrap();
        (rows, requests)
    };
    (1..LEVELS).map(of_level).collect()
}

#[test]
fn late_seconds_of_a_stretch_are_one_row_and_those_of_many_snapshots_few() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(dir.path()).unwrap();
    let mut sum = IntervalSum::default();
    let mut rows = rows(&connection, &mut sum);
    rows.rolled_by = Some(86_400);
    let users = UserSums::default();
    let mut save = |seconds: Range<u32>| {
        let late = seconds.map(|second| {
            let row = rows.add(0, second, users, &[], &[interval(0, &[2])]);
            row.unwrap().unwrap()
        });
        let late: Vec<_> = late.collect();
        rows.add_late(0, &late).unwrap();
    };
    save(0..8);
    assert_eq!(rows_and_requests(&connection), [(1, 8); LEVELS - 1]);
    for snapshot in 1..40 {
        save(0..1);
        for (rows, requests) in rows_and_requests(&connection) {
            assert!(rows <= MAX_ROWS_OF_PLACE, "{rows}");
            assert_eq!(requests, 8 + snapshot);
        }
    }
}

#[test]
fn late_seconds_that_cannot_be_added_up_do_not_fill_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(dir.path()).unwrap();
    let mut sum = IntervalSum::default();
    let mut rows = rows(&connection, &mut sum);
    rows.rolled_by = Some(86_400);
    let (users, damaged) = (UserSums::default(), [2, 0x80]);
    let mut save = |counts: &[u8]| {
        let row = rows.add(0, 0, users, &[], &[interval(0, counts)]);
        rows.add_late(0, &[row.unwrap().unwrap()]).unwrap();
    };
    for _ in 0..3 * MAX_ROWS_OF_PLACE {
        save(&damaged);
        save(&[2]);
        for level in 1..LEVELS {
            assert!(intervals_of(&connection, 0, level).len() <= MAX_ROWS_OF_PLACE);
        }
    }
    for level in 1..LEVELS {
        let mut counts = intervals_of(&connection, 0, level);
        counts.retain(|(_, counts)| *counts != damaged);
        let requests = counts.iter().map(|(_, counts)| usize::from(counts[0]) / 2);
        assert_eq!(requests.sum::<usize>(), 3 * MAX_ROWS_OF_PLACE);
    }
}

#[test]
fn an_agent_whose_rows_cannot_be_added_up_harms_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(dir.path()).unwrap();
    let mut sum = IntervalSum::default();
    let mut rows = rows(&connection, &mut sum);
    let users = UserSums::default();
    let damaged = [2, 0x80];
    for second in 0..2 {
        rows.add(0, second, users, &[], &[interval(0, &damaged)])
            .unwrap();
        rows.add(2, second, users, &[], &[interval(0, &[2])])
            .unwrap();
    }
    rows.insert(1, 0, 3, &[0, 0x80]).unwrap();
    rows.roll(0..3, 100).unwrap();
    assert_eq!(intervals_of(&connection, 0, 1), []);
    assert_eq!(intervals_of(&connection, 1, 1), []);
    assert_eq!(intervals_of(&connection, 2, 1), [(0, vec![4])]);
}

#[test]
fn empty_stretches_of_a_run_and_of_an_agent_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(dir.path()).unwrap();
    let mut sum = IntervalSum::default();
    let mut rows = rows(&connection, &mut sum);
    let users = UserSums::default();
    for (agent, second) in [(0, 0), (1, 1_000), (0, 2_000_000_000)] {
        rows.add(agent, second, users, &[], &[interval(0, &[2])])
            .unwrap();
    }
    rows.roll(0..2, 2_000_001_000).unwrap();
    let mut found = Vec::new();
    let mut statement = connection
        .prepare("SELECT agent, bucket FROM agent_intervals WHERE level = 1 ORDER BY bucket")
        .unwrap();
    let mut places = statement.query([]).unwrap();
    while let Some(row) = places.next().unwrap() {
        found.push((row.get(0).unwrap(), row.get(1).unwrap()));
    }
    assert_eq!(found, [(0, 0), (1, 1_000), (0, 2_000_000_000_i64)]);
}

#[test]
fn up_to_32_agents_are_kept_exactly() {
    assert_eq!(Grain::of(1), Grain::None);
    assert_eq!(Grain::of(2), Grain::Full);
    assert_eq!(Grain::of(32), Grain::Full);
    assert_eq!(Grain::of(33), Grain::Coarse);
}

/// What a row has: users, errors, and of intervals the endpoint, the numbers and the counts of response times and of others.
type Content = (
    [u64; 5],
    Vec<(i64, u64)>,
    Vec<(i64, [u64; NUMBERS], Vec<u8>, Vec<u8>)>,
);

fn content() -> impl Strategy<Value = Content> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    (
        prop::array::uniform5(any::<u64>()),
        prop::collection::vec((0..1_000_i64, any::<u64>()), 0..5),
        prop::collection::vec((0..9_i64, numbers(), bytes(300), bytes(9)), 0..9),
    )
}

fn users_of([started, stopped, begun, late, skipped]: [u64; 5]) -> UserSums {
    UserSums {
        started,
        stopped,
        arrivals: Arrivals {
            started: begun,
            late,
            skipped,
        },
    }
}

fn intervals(content: &Content) -> Vec<RowInterval<'_>> {
    let intervals = content.2.iter();
    intervals
        .map(|(endpoint, numbers, response, other)| RowInterval {
            endpoint: *endpoint,
            sums: Sums::from_numbers(*numbers).measured(!other.is_empty()),
            counts: counts(response, other),
        })
        .collect()
}

/// A row as the version before wrote it.
fn old_row(content: &Content) -> Vec<u8> {
    fn put(bytes: &mut Vec<u8>, mut number: u64) {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    }
    let (users, errors, _) = content;
    let mut row = vec![2];
    users.iter().for_each(|number| put(&mut row, *number));
    put(&mut row, errors.len() as u64);
    for (error, occurrences) in errors {
        put(&mut row, error.cast_unsigned());
        put(&mut row, *occurrences);
    }
    for interval in intervals(content) {
        put(&mut row, interval.endpoint.cast_unsigned());
        let numbers = interval.sums.numbers();
        let used = (0..).zip(numbers).filter(|(_, number)| *number > 0);
        put(&mut row, used.fold(0, |bits, (at, _)| bits | 1 << at));
        let used = numbers.into_iter().filter(|number| *number > 0);
        used.for_each(|number| put(&mut row, number));
        let used: Vec<_> = interval
            .counts
            .iter()
            .filter(|(_, counts)| !counts.is_empty())
            .collect();
        put(
            &mut row,
            used.iter()
                .fold(0, |bits, (measure, _)| bits | 1 << *measure as u64),
        );
        for (_, counts) in used {
            put(&mut row, counts.len() as u64);
            row.extend(*counts);
        }
    }
    row
}

/// The same inside DEFLATE.
fn deflated(row: &[u8]) -> Vec<u8> {
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write;
    let mut encoder = ZlibEncoder::new(vec![3], Compression::fast());
    encoder.write_all(&row[1..]).unwrap();
    encoder.finish().unwrap()
}

/// Checks that a row which is saved like this is read as what it was made of, whole and in parts.
fn check_read_as(bytes: &[u8], content: &Content) {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(dir.path()).unwrap();
    let mut sum = IntervalSum::default();
    rows(&connection, &mut sum).insert(3, 0, 5, bytes).unwrap();
    let written = intervals(content);
    let visit = |part, visit: &mut dyn FnMut(&PackedRow<'_>)| {
        let mut visited = 0;
        visit_level(&connection, (1, 3), 0, 4..7, part, |second, row| {
            assert_eq!(second, 5);
            visited += 1;
            visit(row);
            Ok(())
        })
        .unwrap();
        assert_eq!(visited, 1);
    };
    for part in [RowPart::Head, RowPart::Endpoint(1), RowPart::All] {
        visit(part, &mut |row| {
            assert_eq!(row.users(), users_of(content.0));
            assert_eq!(row.errors(), content.1);
            let counts = row.counts().map(|counts| {
                let counts = counts.unwrap();
                (counts.endpoint, counts.requests, counts.failures)
            });
            let of = |one: &RowInterval<'_>| (one.endpoint, one.sums.requests(), one.sums.failures);
            assert!(counts.eq(written.iter().map(of)));
            let wanted = |one: &RowInterval<'_>| match part {
                RowPart::Head => false,
                RowPart::Endpoint(only) => one.endpoint == only,
                RowPart::All => true,
            };
            if part != RowPart::Head {
                // There may be more of a row that had to be read whole.
                let read = row.intervals().collect::<StoreResult<Vec<_>>>().unwrap();
                let read = read.into_iter().filter(wanted);
                assert!(read.eq(written.iter().copied().filter(wanted)));
            }
        });
    }
}

#[test]
fn a_head_and_an_endpoint_are_read_without_the_rest_of_the_row() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(dir.path()).unwrap();
    let mut sum = IntervalSum::default();
    let mut writer = RowWriter::new(UserSums::default(), &[]);
    // The head is longer than what is read at first.
    for endpoint in 0..1_000 {
        writer.add(interval(endpoint, &[2]));
    }
    let mut bytes = writer.finish().unwrap();
    let end = packed_row::end_of_head(&bytes).unwrap();
    assert!(end > 2_048, "{end}");
    // Each body: no other number, one measure, a byte of counts.
    let second = end + (bytes.len() - end) / 1_000;
    bytes[second..].fill(0xff);
    rows(&connection, &mut sum).insert(0, 0, 0, &bytes).unwrap();
    let read = |part| {
        let mut found = Vec::new();
        visit_level(&connection, (1, 0), 0, 0..1, part, |_, row| {
            assert_eq!(row.counts().count(), 1_000);
            for interval in row.intervals() {
                let interval = interval?;
                found.push((
                    interval.endpoint,
                    interval.counts[Measure::Response].to_vec(),
                ));
            }
            Ok(())
        })
        .map(|()| found)
    };
    assert_eq!(read(RowPart::Endpoint(0)).unwrap(), [(0, vec![2])]);
    assert!(read(RowPart::Endpoint(1)).is_err(), "it is damaged");
    assert!(read(RowPart::All).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_is_read_as_it_was_written(content in content(), compressed in any::<bool>()) {
        let mut writer = RowWriter::new(users_of(content.0), &content.1);
        for interval in intervals(&content) {
            writer.add(interval);
        }
        let bytes = if compressed { writer.finish_compressed() } else { writer.finish() };
        check_read_as(&bytes.unwrap(), &content);
    }

    #[test]
    fn a_row_of_the_version_before_is_read_as_it_was_written(content in content(), compressed in any::<bool>()) {
        let row = old_row(&content);
        let row = if compressed { deflated(&row) } else { row };
        check_read_as(&row, &content);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 1..200), form in 0..7_u8) {
        bytes[0] = form;
        read_all(&bytes);
    }

    #[test]
    fn no_damaged_row_makes_it_panic(
        compressed in any::<bool>(),
        cut in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = some_row(compressed);
        prop_assert_eq!(bytes[0], 4 + u8::from(compressed));
        prop_assert!(read_all(&bytes));
        for (at, to) in changes {
            let at = at.index(bytes.len() - 1) + 1;
            bytes[at] = to;
        }
        read_all(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        read_all(&bytes);
    }

    #[test]
    fn rows_of_longer_stretches_are_there_in_whole_stretches_and_stay(agent in 0..10_000_i64, last in 0..200_000_u32, later in 0..1_000_u32) {
        let (before, after) = (rolled(agent, Some(last)), rolled(agent, Some(last + later)));
        for level in 1..LEVELS {
            prop_assert_eq!(before[level] % width(level), 0);
            prop_assert!(before[level] <= before[level - 1]);
            prop_assert!(before[level] <= after[level]);
            prop_assert!(before[level] <= last);
            // No more than some stretches of a level are read one by one.
            prop_assert!(u64::from(last) < u64::from(before[level]) + 3 * u64::from(width(level)) + 64);
        }
    }
}
