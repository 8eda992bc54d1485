//! The seconds in which a worker was saturated: a bit each, by agent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use crate::measure::seconds::Seconds;
use crate::store::error::{StoreError, StoreResult};
use crate::store::integers::small_from_sql;

/// Seconds in a row, a multiple of 8.
///
/// Never changed: rows are named by their first second.
const WIDTH: u32 = 512;

/// Notes the agents whose workers were saturated in some seconds.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    seconds: impl Iterator<Item = (u32, BTreeSet<i64>)>,
) -> StoreResult<()> {
    let mut places: BTreeMap<(u32, i64), Vec<u32>> = BTreeMap::new();
    for (second, agents) in seconds {
        for agent in agents {
            let place = (second - second % WIDTH, agent);
            places.entry(place).or_default().push(second % WIDTH);
        }
    }
    for ((bucket, agent), seconds) in places {
        let known: Option<Vec<u8>> = connection
            .prepare_cached(
                "SELECT seconds FROM saturated WHERE run = ?1 AND bucket = ?2 AND agent = ?3",
            )?
            .query_row(params![run, bucket, agent], |row| row.get(0))
            .optional()?;
        let mut bits = known.unwrap_or_default();
        for second in seconds {
            let at = (second / 8) as usize;
            if bits.len() <= at {
                bits.resize(at + 1, 0);
            }
            bits[at] |= 1 << (second % 8);
        }
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO saturated (run, bucket, agent, seconds) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![run, bucket, agent, bits])?;
    }
    Ok(())
}

/// The saturated seconds of these agents (of all for none) within some seconds.
pub(in crate::store) fn read(
    connection: &Connection,
    run: i64,
    agents: &[i64],
    within: Range<u32>,
) -> StoreResult<Seconds> {
    let mut statement = connection.prepare_cached(
        "SELECT bucket, agent, seconds FROM saturated WHERE run = ?1 AND bucket >= ?2 AND bucket < ?3 ORDER BY bucket",
    )?;
    let from = within.start - within.start % WIDTH;
    let mut rows = statement.query(params![run, from, within.end])?;
    let mut by_bucket: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let agent: i64 = row.get(1)?;
        if !agents.is_empty() && !agents.contains(&agent) {
            continue;
        }
        let bits = row.get_ref(2)?.as_blob();
        let bits = bits.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let all = by_bucket.entry(small_from_sql(row.get(0)?)).or_default();
        all.resize(all.len().max(bits.len()), 0);
        for (all, bits) in all.iter_mut().zip(bits) {
            *all |= bits;
        }
    }
    let seconds = by_bucket.iter().flat_map(|(bucket, bits)| {
        (0_u32..).zip(bits).flat_map(move |(at, byte)| {
            let set = (0..8_u32).filter(move |bit| byte >> bit & 1 == 1);
            set.map(move |bit| bucket.saturating_add(at * 8 + bit))
        })
    });
    Ok(Seconds::ascending(
        seconds.filter(|second| within.contains(second)),
    ))
}
