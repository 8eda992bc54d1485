use greylag_infra::protocol::{MAX_METRIC_COUNT, MAX_METRIC_VALUE, METRIC_ONE, MetricKind};
use proptest::prelude::*;

use super::*;

fn sums_of(values: &[(i64, u64)]) -> MetricSums {
    let mut sums = MetricSums::default();
    for (value, at_us) in values {
        sums.record(*value, *at_us, true);
    }
    sums
}

fn values() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let value = prop_oneof![
        -2_000..2_000_i64,
        -5_000_000..50_000_000_i64,
        -MAX_METRIC_VALUE..=MAX_METRIC_VALUE,
    ];
    prop::collection::vec((value, 0..1_000_u64), 1..80)
}

proptest! {
    #[test]
    fn sums_are_exact_in_any_order_and_on_any_way(
        values in values(), parts in 1..6_usize, q in 0.0..=1.0_f64,
    ) {
        let whole = sums_of(&values);
        // Over workers, the wire and stored rows, the last first.
        let mut merged = MetricSums::default();
        for part in values.chunks(values.len().div_ceil(parts)).rev() {
            let sums = sums_of(part);
            let checked = check_metric(MetricKind::Histogram, &sums.to_wire(3, 4)).unwrap();
            let mut stored = MetricSums::default();
            stored.add(&checked);
            prop_assert_eq!(&stored, &sums);
            merged.add(&unpack(&pack(&stored)).unwrap());
        }
        prop_assert_eq!(&merged, &whole);
        let sum: i128 = values.iter().map(|(value, _)| i128::from(*value)).sum();
        prop_assert_eq!(merged.numbers.sum, sum);
        let last = values.iter().map(|(value, at)| (*at, *value)).max().unwrap();
        prop_assert_eq!((merged.numbers.last_at_us, merged.numbers.last), last);
        let mut sorted: Vec<i64> = values.iter().map(|(value, _)| *value).collect();
        sorted.sort_unstable();
        let exact = i128::from(sorted[((sorted.len() as f64 * q) as usize).min(sorted.len() - 1)]);
        let percentile = i128::from(merged.percentile(q).unwrap());
        prop_assert!((percentile - exact).abs() <= exact.abs() / 1_000, "{} for {}", percentile, exact);
        // What is taken away again leaves the rest.
        let (gone, kept) = values.split_at(values.len() / 2);
        merged.take_away(&sums_of(gone));
        let kept = sums_of(kept);
        prop_assert_eq!((merged.numbers.count, merged.numbers.sum), (kept.numbers.count, kept.numbers.sum));
        prop_assert_eq!(&merged.counts, &kept.counts);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), position in 0..6_usize) {
        if let Some(packed) = unpack(&bytes) {
            let mut sums = MetricSums::default();
            sums.add(&packed);
            sums.add(&packed);
            let _ = sums.percentiles([0.5, 0.99]);
            let _ = pack(&sums);
        }
        let mut data = sums_of(&[(1, 1)]).to_wire(0, 0);
        data.counts = bytes.into();
        let _ = check_metric(MetricKind::ALL[position % 4], &data);
    }
}

#[test]
fn what_no_worker_can_have_counted_is_refused() {
    let good = sums_of(&[(5, 1), (-7 * METRIC_ONE, 2)]).to_wire(0, 0);
    let check = check_metric;
    assert!(check(MetricKind::Histogram, &good).is_ok());
    let changed = |change: fn(&mut greylag_infra::protocol::MetricData)| {
        let mut data = good.clone();
        change(&mut data);
        check(MetricKind::Histogram, &data).unwrap_err()
    };
    let most = MAX_METRIC_COUNT;
    let beyond = |count| MetricError::Count { count, most };
    assert_eq!(changed(|data| data.count = 0), beyond(0));
    assert_eq!(
        changed(|data| data.count = MAX_METRIC_COUNT + 1),
        beyond(most + 1)
    );
    let mismatch = MetricError::CountMismatch {
        counted: 2,
        count: 3,
    };
    assert_eq!(changed(|data| data.count = 3), mismatch);
    assert_eq!(changed(|data| data.max = i64::MAX), MetricError::TooLarge);
    assert_eq!(
        changed(|data| data.max = 10 * METRIC_ONE),
        MetricError::Numbers
    );
    assert_eq!(changed(|data| data.last = 6), MetricError::Numbers);
    assert_eq!(changed(|data| data.sum_high = 1), MetricError::Numbers);
    assert!(matches!(
        changed(|data| data.counts = vec![0xff].into()),
        MetricError::Counts(_)
    ));
    for kind in [MetricKind::Counter, MetricKind::Gauge, MetricKind::Rate] {
        assert_eq!(check(kind, &good), Err(MetricError::Kind { kind }));
    }
    let mut half = MetricSums::default();
    half.record(METRIC_ONE / 2, 0, false);
    let kind = MetricKind::Rate;
    assert_eq!(
        check(kind, &half.to_wire(0, 0)),
        Err(MetricError::Kind { kind })
    );
    assert!(check(MetricKind::Gauge, &half.to_wire(0, 0)).is_ok());
}

#[test]
fn what_no_row_can_have_is_refused() {
    let good = unpack(&pack(&sums_of(&[(5, 1), (-7 * METRIC_ONE, 2)]))).unwrap();
    assert_eq!(check_stored(MetricKind::Histogram, &good), Ok(()));
    type Change = fn(&mut PackedMetric);
    let changes: [Change; 8] = [
        |row| *row = PackedMetric::default(),
        |row| row.numbers.count = 0,
        |row| row.numbers.count = (1 << 53) + 1,
        |row| row.numbers.last = 6,
        |row| row.numbers.last_at_us = u64::MAX,
        |row| row.numbers.sum = i128::MAX,
        |row| row.numbers.max = 10 * METRIC_ONE,
        |row| row.counts = Box::default(),
    ];
    for change in changes {
        let mut row = good.clone();
        change(&mut row);
        assert!(
            check_stored(MetricKind::Histogram, &row).is_err(),
            "{row:?}"
        );
    }
    // More than one agent can have counted in a second.
    let mut sums = MetricSums::default();
    sums.record(METRIC_ONE, 1, false);
    let mut row = unpack(&pack(&sums)).unwrap();
    row.numbers.count = 2 * MAX_METRIC_COUNT;
    row.numbers.sum = i128::from(row.numbers.count) * i128::from(METRIC_ONE);
    for kind in [MetricKind::Counter, MetricKind::Gauge, MetricKind::Rate] {
        assert_eq!(check_stored(kind, &row), Ok(()));
        assert!(check_stored(kind, &good).is_err());
    }
}

/// The nearest number, as it is read from decimal digits.
fn units(millionths: i128) -> f64 {
    let one = u128::from(METRIC_ONE.unsigned_abs());
    let sign = if millionths < 0 { "-" } else { "" };
    let size = millionths.unsigned_abs();
    format!("{sign}{}.{:06}", size / one, size % one)
        .parse()
        .unwrap()
}

#[test]
fn whole_totals_stay_whole() {
    for total in [1, 7, 849_613_012_717, 9_007_199_254_740_991_i64] {
        for total in [total, -total] {
            let millionths = i128::from(total) * i128::from(METRIC_ONE);
            assert_eq!(in_units(millionths), total as f64);
        }
    }
}

proptest! {
    #[test]
    fn millionths_become_the_nearest_number(millionths in any::<i128>(), shift in 54..127_u32) {
        let millionths = millionths >> shift;
        let most = i128::from(METRIC_ONE) << f64::MANTISSA_DIGITS;
        prop_assume!(millionths.abs() <= most);
        prop_assert_eq!(in_units(millionths), units(millionths));
    }
}
