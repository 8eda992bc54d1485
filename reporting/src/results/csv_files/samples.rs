//! `samples.csv`: every request that is kept for the scatter plot, with all that is known of it.

use greylag_infra::protocol::SampleKind;
use greylag_infra::{RunTime, WallTime};

use super::{file, float, put, written};
use crate::results::calendar::rfc3339;
use crate::store::{KeptSecond, SampleRow};

/// Named as in the answer of `GET /api/v1/runs/{id}/samples`. The two shares are those of the request's second: each request
/// that was drawn stands for 1 / `drawn_share` requests of it.
const COLUMNS: [&str; 16] = [
    "at_s",
    "at",
    "method",
    "name",
    "response_ms",
    "first_byte_ms",
    "failed",
    "status",
    "error",
    "agent",
    "worker",
    "user",
    "trace_id",
    "kind",
    "drawn_share",
    "failed_share",
];

/// The line of column names.
pub(crate) fn header() -> Vec<u8> {
    let mut file = file(Vec::new());
    put(&mut file, &COLUMNS);
    written(file)
}

/// The rows of these seconds of a run, by time; the moment `at` is there if run time zero is known.
pub(crate) fn rows(seconds: Vec<KeptSecond>, started_at: Option<WallTime>) -> Vec<u8> {
    let mut file = file(Vec::new());
    for KeptSecond { samples, complete } in seconds {
        let shares = [complete.drawn_share(), complete.failed_share()].map(float);
        for sample in samples {
            let [drawn, failed] = shares.clone();
            put(&mut file, &row(sample, started_at, drawn, failed));
        }
    }
    written(file)
}

/// What was not recorded is empty.
fn row(
    sample: SampleRow,
    started_at: Option<WallTime>,
    drawn_share: String,
    failed_share: String,
) -> [String; COLUMNS.len()] {
    let ms = |us: u64| float(us as f64 / 1e3);
    let number = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
    let at = started_at.map(|started| rfc3339(started + RunTime::from_micros(sample.at_us)));
    let kind = match sample.kind {
        SampleKind::Drawn => "drawn",
        SampleKind::Failed => "failed",
        SampleKind::Slow => "slow",
    };
    [
        float(sample.at_us as f64 / 1e6),
        at.unwrap_or_default(),
        sample.method,
        sample.name,
        ms(sample.response_us),
        sample
            .first_byte_us
            .map_or_else(String::new, |us| ms(us.into())),
        sample.failed.to_string(),
        number(sample.status.map(u32::from)),
        sample.error.unwrap_or_default(),
        sample.agent.unwrap_or_default(),
        number(sample.worker),
        number(sample.user),
        sample
            .trace_id
            .map_or_else(String::new, |id| id.to_string()),
        kind.to_owned(),
        drawn_share,
        failed_share,
    ]
}
