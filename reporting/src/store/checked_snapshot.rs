//! What is checked of a snapshot before the database is asked.

use greylag_infra::GeneratorNotice;
use greylag_infra::protocol::{
    AgentEnd, Endpoint, ErrorCount, LogLine, MAX_NAME_BYTES, SampleData, Snapshot, UserChange,
    WorkerState, cut,
};

use super::error::{StoreError, StoreResult};
use super::piece::Piece;

/// A snapshot whose histograms and references have been checked, which needs no database.
#[derive(Debug)]
pub(super) struct CheckedSnapshot {
    pub(super) seq: u64,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) pieces: Vec<CheckedPiece>,
    pub(super) user_changes: Vec<UserChange>,
    pub(super) samples: Vec<SampleData>,
    pub(super) log: Vec<LogLine>,
    pub(super) log_lines_dropped: u64,
    pub(super) workers: Vec<WorkerState>,
    pub(super) notices: Vec<GeneratorNotice>,
    pub(super) end: Option<AgentEnd>,
    /// With it, all of the agent's results of the seconds before this one are there.
    pub(super) saved_until: u32,
}

/// One interval of a snapshot.
#[derive(Debug)]
pub(super) struct CheckedPiece {
    pub(super) second: u32,
    /// Position in the snapshot's endpoints.
    pub(super) endpoint: usize,
    pub(super) piece: Piece,
    pub(super) errors: Vec<ErrorCount>,
}

/// Most users that start or stop in one second, and most iterations of an arrival rate.
const MAX_USER_CHANGES: u64 = 1 << 32;

impl CheckedSnapshot {
    /// Checks a snapshot.
    pub(super) fn new(snapshot: Snapshot) -> StoreResult<Self> {
        let saved_until = snapshot.last_second().unwrap_or_default();
        let endpoints: Vec<Endpoint> = snapshot
            .endpoints
            .iter()
            .map(|endpoint| Endpoint {
                method: cut(&endpoint.method, MAX_NAME_BYTES).into_owned(),
                name: cut(&endpoint.name, MAX_NAME_BYTES).into_owned(),
            })
            .collect();
        let known = |position: u32| {
            let at = position as usize;
            (at < endpoints.len()).then_some(at).ok_or_else(|| {
                StoreError::InvalidSnapshot(format!(
                    "it speaks of endpoint {position} and lists {}",
                    endpoints.len()
                ))
            })
        };
        let pieces = snapshot
            .intervals
            .into_iter()
            .map(|mut data| {
                let (second, endpoint) = (data.second, known(data.endpoint)?);
                let errors = std::mem::take(&mut data.errors);
                let occurrences = errors
                    .iter()
                    .fold(0_u64, |sum, error| sum.saturating_add(error.occurrences));
                let piece = Piece::from_wire(data)
                    .map_err(|error| StoreError::InvalidSnapshot(error.to_string()))?;
                if occurrences > crate::interval::MAX_COUNT {
                    return Err(StoreError::InvalidSnapshot(
                        "an interval has more errors than a second can have".to_owned(),
                    ));
                }
                Ok(CheckedPiece {
                    second,
                    endpoint,
                    piece,
                    errors,
                })
            })
            .collect::<StoreResult<Vec<_>>>()?;
        for sample in &snapshot.samples {
            known(sample.endpoint)?;
        }
        for change in &snapshot.user_changes {
            check_change(change)?;
        }
        for notice in &snapshot.notices {
            check_notice(notice)?;
        }
        Ok(Self {
            seq: snapshot.seq,
            endpoints,
            pieces,
            user_changes: snapshot.user_changes,
            samples: snapshot.samples,
            log: snapshot.log,
            log_lines_dropped: snapshot.log_lines_dropped,
            workers: snapshot.workers,
            notices: snapshot.notices,
            end: snapshot.end,
            saved_until,
        })
    }

    /// Every second it speaks of.
    pub(super) fn seconds(&self) -> impl Iterator<Item = u32> + '_ {
        self.pieces
            .iter()
            .map(|piece| piece.second)
            .chain(self.user_changes.iter().map(|change| change.second))
            .chain(
                self.samples
                    .iter()
                    .map(|sample| u32::try_from(sample.at_us / 1_000_000).unwrap_or(u32::MAX)),
            )
    }
}

fn check_notice(notice: &GeneratorNotice) -> StoreResult<()> {
    if notice.first_second > notice.last_second {
        return Err(StoreError::InvalidSnapshot(
            "a notice ends before it begins".to_owned(),
        ));
    }
    if notice.count.max(notice.worst) > crate::interval::MAX_COUNT {
        return Err(StoreError::InvalidSnapshot(
            "a notice counts more than there can be".to_owned(),
        ));
    }
    Ok(())
}

fn check_change(change: &UserChange) -> StoreResult<()> {
    let refuse = |what: &str| {
        Err(StoreError::InvalidSnapshot(format!(
            "{what} in second {} than there can be",
            change.second
        )))
    };
    if change.started.max(change.stopped) > MAX_USER_CHANGES {
        return refuse("more users start or stop");
    }
    if change.arrivals.max(change.skipped_arrivals) > MAX_USER_CHANGES {
        return refuse("more iterations begin or are skipped");
    }
    if change.late_arrivals > change.arrivals {
        return refuse("more iterations begin late");
    }
    Ok(())
}
