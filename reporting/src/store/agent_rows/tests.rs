use proptest::prelude::*;

use super::*;
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{NUMBERS, Sums};

fn numbers() -> impl Strategy<Value = [u64; NUMBERS]> {
    prop::array::uniform(prop_oneof![Just(0), 0..1_000_u64, any::<u64>()])
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
            .map(|(endpoint, numbers, response, intended)| RowInterval {
                endpoint: *endpoint,
                sums: Sums::from_numbers(*numbers),
                response,
                intended,
            })
            .collect();
        let mut writer = RowWriter::new(users, &errors);
        for interval in &intervals {
            writer.add(*interval);
        }
        let bytes = if compressed { writer.finish_compressed() } else { writer.finish() };
        let row = PackedRow::read(&bytes).unwrap();
        prop_assert_eq!(row.users(), users);
        prop_assert_eq!(row.errors(), errors);
        prop_assert_eq!(row.intervals().unwrap(), intervals);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(row) = PackedRow::read(&bytes) {
            let _ = row.intervals();
        }
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
