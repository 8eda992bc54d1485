//! How processes fared, packed into bytes: for each which agent and worker, which numbers are not 0, and these, as LEB128.
//!
//! ```text
//! form | agent, worker + 1 (0: the agent itself), bits, numbers | …      form: 0, or 1 for all that follows inside DEFLATE
//! ```
//!
//! The most of a number is written as how much it is above the mean, so that a single second needs no room for it.

use std::borrow::Cow;
use std::io::{Read, Write};

use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};

use crate::measure::health::{HEALTH_NUMBERS, HealthSums};
use crate::store::error::{StoreError, StoreResult};

const PLAIN: u8 = 0;
const COMPRESSED: u8 = 1;
/// Shorter ones gain next to nothing from compression.
const COMPRESSED_ABOVE_BYTES: usize = 512;
/// Longest that a row may be when it is inflated: several times that of as many workers as a run can have.
const MAX_BYTES: u64 = 64 << 20;

/// A process of a run: number of the agent, and the worker's index; none for the agent itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct ProcessKey {
    pub(in crate::store) agent: i64,
    pub(in crate::store) worker: Option<u32>,
}

/// Packs a row.
pub(super) fn pack<'a>(
    processes: impl Iterator<Item = (&'a ProcessKey, &'a HealthSums)>,
) -> Vec<u8> {
    let mut bytes = vec![PLAIN];
    for (key, sums) in processes {
        put(&mut bytes, key.agent.cast_unsigned());
        put(
            &mut bytes,
            key.worker.map_or(0, |worker| u64::from(worker) + 1),
        );
        let numbers = shifted(sums, |most, mean| most.saturating_sub(mean)).numbers();
        let used = (0..).zip(numbers).filter(|(_, number)| *number > 0);
        put(&mut bytes, used.fold(0, |bits, (at, _)| bits | 1 << at));
        for number in numbers.into_iter().filter(|number| *number > 0) {
            put(&mut bytes, number);
        }
    }
    if bytes.len() <= COMPRESSED_ABOVE_BYTES {
        return bytes;
    }
    let mut encoder = ZlibEncoder::new(vec![COMPRESSED], Compression::fast());
    encoder
        .write_all(&bytes[1..])
        .expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

/// Gives `visit` each process of a row.
pub(super) fn read(bytes: &[u8], mut visit: impl FnMut(ProcessKey, HealthSums)) -> StoreResult<()> {
    let bytes: Cow<'_, [u8]> = match bytes.split_first() {
        Some((&PLAIN, rest)) => rest.into(),
        Some((&COMPRESSED, rest)) => {
            let mut plain = Vec::with_capacity(rest.len() * 3);
            ZlibDecoder::new(rest)
                .take(MAX_BYTES)
                .read_to_end(&mut plain)
                .map_err(|error| StoreError::Unreadable(error.to_string()))?;
            plain.into()
        }
        _ => return Err(unreadable()),
    };
    let mut left = &bytes[..];
    while !left.is_empty() {
        let agent = take(&mut left)?.cast_signed();
        let worker = match take(&mut left)? {
            0 => None,
            worker => Some(u32::try_from(worker - 1).map_err(|_| unreadable())?),
        };
        let bits = take(&mut left)?;
        if bits >> HEALTH_NUMBERS != 0 {
            return Err(unreadable());
        }
        let mut numbers = [0; HEALTH_NUMBERS];
        for (at, number) in numbers.iter_mut().enumerate() {
            if bits >> at & 1 == 1 {
                *number = take(&mut left)?;
            }
        }
        let sums = HealthSums::from_numbers(numbers);
        visit(
            ProcessKey { agent, worker },
            shifted(&sums, u64::saturating_add),
        );
    }
    Ok(())
}

/// The numbers that are the most of one second, changed by the mean of the same: rounded up, so that it is not above them.
fn shifted(sums: &HealthSums, change: impl Fn(u64, u64) -> u64) -> HealthSums {
    let by = |most: u64, sum: u64, seconds: u64| match seconds {
        0 => most,
        seconds => change(most, sum.div_ceil(seconds)),
    };
    let HealthSums {
        core_seconds,
        process_seconds,
        late_seconds,
        machine_seconds,
        ..
    } = *sums;
    HealthSums {
        core_max_pm: by(sums.core_max_pm, sums.core_pm, core_seconds),
        wait_max_pm: by(sums.wait_max_pm, sums.wait_pm, core_seconds),
        wanted_max_pm: by(
            sums.wanted_max_pm,
            sums.core_pm.saturating_add(sums.wait_pm),
            core_seconds,
        ),
        process_max_pm: by(sums.process_max_pm, sums.process_pm, process_seconds),
        late_p99_max_us: by(sums.late_p99_max_us, sums.late_p99_us, late_seconds),
        late_max_us: by(sums.late_max_us, sums.late_p99_us, late_seconds),
        machine_max_pm: by(sums.machine_max_pm, sums.machine_pm, machine_seconds),
        ..*sums
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(left: &mut &[u8]) -> StoreResult<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = left.split_first().ok_or_else(unreadable)?;
        *left = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(unreadable())
}

fn unreadable() -> StoreError {
    StoreError::Unreadable("a row of how workers fared is not whole".to_owned())
}

#[cfg(test)]
mod tests {
    use greylag_infra::{ProcessHealth, TimerLateness};
    use proptest::prelude::*;

    use super::*;

    fn health() -> impl Strategy<Value = (u32, ProcessHealth)> {
        let known = || prop::option::of(0..1_001_u32);
        (
            0..40_u32,
            known(),
            known(),
            prop::option::of(0..1_u64 << 40),
            prop::option::of((0..90_000_u32, 0..90_000_u32)),
            0..9_u64,
        )
            .prop_map(|(worker, core_pm, wait_pm, memory_bytes, late, users)| {
                let health = ProcessHealth {
                    worker: worker.checked_sub(1),
                    core_pm,
                    wait_pm: core_pm.and(wait_pm),
                    process_pm: core_pm,
                    memory_bytes,
                    late: late.map(|(p99_us, more)| TimerLateness {
                        p50_us: p99_us / 2,
                        p99_us,
                        max_us: p99_us + more,
                    }),
                    users,
                    ..ProcessHealth::default()
                };
                (worker, health)
            })
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_were_written(parts in prop::collection::vec(health(), 0..100)) {
            let mut rows = std::collections::BTreeMap::<ProcessKey, HealthSums>::new();
            for (agent, health) in parts {
                let key = ProcessKey { agent: i64::from(agent % 3), worker: health.worker };
                rows.entry(key).or_default().merge(&HealthSums::of(&health));
            }
            let mut back = std::collections::BTreeMap::new();
            read(&pack(rows.iter()), |key, sums| { back.insert(key, sums); }).unwrap();
            prop_assert_eq!(back, rows);
        }

        #[test]
        fn whatever_is_stored_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, |_, _| {});
        }
    }

    #[test]
    fn a_second_of_a_worker_takes_few_bytes() {
        let health = ProcessHealth {
            second: 4_000,
            worker: Some(7),
            users: 50,
            requests: 4_000,
            core_pm: Some(431),
            wait_pm: Some(12),
            process_pm: Some(480),
            memory_bytes: Some(40 << 20),
            open_files: Some(80),
            late: Some(TimerLateness {
                p50_us: 1_100,
                p99_us: 2_300,
                max_us: 3_900,
            }),
            machine: None,
        };
        let key = ProcessKey {
            agent: 3,
            worker: Some(7),
        };
        let bytes = pack([(&key, &HealthSums::of(&health))].into_iter());
        assert!(bytes.len() <= 32, "{} bytes", bytes.len());
    }
}
