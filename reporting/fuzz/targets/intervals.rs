//! Histograms of intervals: any bytes are refused, or are the histogram of as many requests as they count, and then
//! what is written of the interval is read as the same.
#![no_main]

use greylag_infra::protocol::IntervalData;
use greylag_reporting::{Interval, IntervalError, check_wire};
use libfuzzer_sys::fuzz_target;
use serde_bytes::ByteBuf;

fuzz_target!(|bytes: &[u8]| {
    // Extremes and counts come first, so that those that fit are found.
    let Some((head, histogram)) = bytes.split_first_chunk::<16>() else {
        return;
    };
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes"));
    let (min_us, max_us) = (number(0), number(8));
    let mut data = IntervalData {
        requests: 1,
        min_us,
        max_us,
        sum_us: min_us.saturating_add(max_us),
        histogram: ByteBuf::from(histogram),
        ..IntervalData::default()
    };
    if let Err(IntervalError::CountMismatch { counted, .. }) = check_wire(&data) {
        data.requests = counted;
        data.sum_us = max_us.saturating_mul(counted);
    }
    if check_wire(&data).is_err() {
        assert!(Interval::from_wire(&data).is_err());
        return;
    }
    let interval = Interval::from_wire(&data).expect("it was checked");
    let written = interval.to_wire(data.second, data.endpoint);
    let again = Interval::from_wire(&written).expect("we wrote it");
    assert_eq!(again.to_wire(data.second, data.endpoint), written);
});
