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
    visit_level(connection, 1, agent, level, 0..8, |_, row| {
        let intervals = row.intervals().collect::<StoreResult<Vec<_>>>()?;
        found.extend(
            intervals
                .iter()
                .map(|i| (i.endpoint, i.counts[Measure::Response].to_vec())),
        );
        Ok(())
    })
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
        visit_level(connection, 1, 0, level, 0..1, |_, row| {
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

proptest! {
    #[test]
    fn a_row_is_read_as_it_was_written(
        users in prop::array::uniform5(any::<u64>()),
        errors in prop::collection::vec((0..1_000_i64, any::<u64>()), 0..5),
        intervals in prop::collection::vec(
            (0..1_000_i64, numbers(), prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u8>(), 0..9)),
            0..5,
        ),
        compressed in any::<bool>(),
    ) {
        let users = UserSums {
            started: users[0],
            stopped: users[1],
            arrivals: Arrivals { started: users[2], late: users[3], skipped: users[4] },
        };
        let intervals: Vec<_> = intervals
            .iter()
            .map(|(endpoint, numbers, response, other)| RowInterval {
                endpoint: *endpoint,
                sums: Sums::from_numbers(*numbers).measured(!other.is_empty()),
                counts: counts(response, other),
            })
            .collect();
        let mut writer = RowWriter::new(users, &errors);
        for interval in &intervals {
            writer.add(*interval);
        }
        let bytes = if compressed { writer.finish_compressed() } else { writer.finish() };
        let bytes = bytes.unwrap();
        let row = PackedRow::read(&bytes).unwrap();
        prop_assert_eq!(row.users(), users);
        prop_assert_eq!(row.errors(), errors);
        prop_assert_eq!(row.intervals().collect::<StoreResult<Vec<_>>>().unwrap(), intervals);
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 1..200), form in 0..5_u8) {
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
        prop_assert_eq!(bytes[0], 2 + u8::from(compressed));
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
