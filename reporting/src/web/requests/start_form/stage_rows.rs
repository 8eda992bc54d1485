//! The rows for stages: users, ramp and duration of each, as a test file's `[[stage]]` says them. A rate is written as
//! `20/s`: of iterations in place of users, of users started per second in place of a ramp.

use std::collections::BTreeSet;

use greylag_infra::{DraftError, DraftErrors, Stage};

use super::StartForm;
use super::prefill::duration_text;
use crate::web::requests::values::{ValueError, decimal, whole_number, whole_seconds};

/// Empty rows below those that are filled in, for a browser without scripts.
const EMPTY_ROWS: u32 = 3;
const PREFIX: &str = "stage:";
/// What is written behind a rate.
const PER_SECOND: &str = "/s";

/// Name of a field of a stage's row; rows are numbered from 1.
pub(super) fn stage_field(row: u32, column: &str) -> String {
    format!("{PREFIX}{row}:{column}")
}

pub(super) fn is_stage_field(name: &str) -> bool {
    row_of(name).is_some()
}

fn row_of(name: &str) -> Option<u32> {
    let (row, _) = name.strip_prefix(PREFIX)?.split_once(':')?;
    row.parse().ok()
}

/// Column of a key of a stage.
pub(super) fn column_of(key: &str) -> &'static str {
    match key {
        "ramp" | "spawn_rate" => "ramp",
        "duration" => "duration",
        _ => "users",
    }
}

/// One row, with the names of its fields.
pub(crate) struct StageRow {
    /// For people, from 1.
    pub(crate) number: u32,
    pub(crate) users: String,
    pub(crate) ramp: String,
    pub(crate) duration: String,
}

impl StartForm {
    /// Numbers of the rows that have something in them.
    pub(super) fn stage_numbers(&self) -> Vec<u32> {
        let filled = self
            .texts
            .iter()
            .filter(|(_, text)| !text.trim().is_empty());
        let rows: BTreeSet<u32> = filled.filter_map(|(name, _)| row_of(name)).collect();
        rows.into_iter().collect()
    }

    /// The rows to show: those that are filled in, and some empty ones.
    pub(crate) fn stage_rows(&self) -> Vec<StageRow> {
        let mut rows = self.stage_numbers();
        let next = rows.last().map_or(1, |last| last.saturating_add(1));
        rows.extend(next..next.saturating_add(EMPTY_ROWS));
        (1..)
            .zip(rows)
            .map(|(number, row)| StageRow {
                number,
                users: stage_field(row, "users"),
                ramp: stage_field(row, "ramp"),
                duration: stage_field(row, "duration"),
            })
            .collect()
    }

    /// The stages that were typed. Of a field that cannot be read there is an error.
    pub(super) fn read_stages(&self, errors: &mut DraftErrors) -> Vec<Stage> {
        let rows = self.stage_numbers();
        let numbered = rows.into_iter().enumerate();
        numbered
            .map(|(index, row)| self.read_stage(index, row, errors))
            .collect()
    }

    fn read_stage(&self, index: usize, row: u32, errors: &mut DraftErrors) -> Stage {
        let mut stage = Stage::default();
        let text = |column| self.text(&stage_field(row, column));
        let mut or_error = |key: &str, read: Result<(), ValueError>| {
            if let Err(error) = read {
                let path = format!("stages[{index}].{key}");
                errors.add(DraftError::new(path, error.to_string()));
            }
        };
        or_error("users", read_users(text("users"), &mut stage));
        or_error("ramp", read_ramp(text("ramp"), &mut stage));
        let duration = read_duration(text("duration"), index + 1);
        stage.duration_s = *duration.as_ref().unwrap_or(&1);
        or_error("duration", duration.map(|_| ()));
        stage
    }

    /// Writes stages into rows.
    pub(super) fn fill_stages(&mut self, stages: &[Stage]) {
        for (row, stage) in (1..).zip(stages) {
            let rate = |rate: f64| format!("{rate}{PER_SECOND}");
            let users = match (stage.users, stage.arrival_rate) {
                (Some(users), _) => users.to_string(),
                (None, per_second) => per_second.map_or_else(String::new, rate),
            };
            let ramp = match stage.spawn_rate {
                Some(per_second) => rate(per_second),
                None if stage.ramp_s == 0 => String::new(),
                None => duration_text(stage.ramp_s),
            };
            let duration = duration_text(stage.duration_s);
            for (column, text) in [("users", users), ("ramp", ramp), ("duration", duration)] {
                if !text.is_empty() {
                    self.texts.insert(stage_field(row, column), text);
                }
            }
        }
    }
}

fn read_users(text: &str, stage: &mut Stage) -> Result<(), ValueError> {
    match text.trim().strip_suffix(PER_SECOND) {
        Some(rate) => stage.arrival_rate = decimal(rate, "Arrival rate")?,
        None => stage.users = whole_number(text, "Users")?,
    }
    Ok(())
}

fn read_ramp(text: &str, stage: &mut Stage) -> Result<(), ValueError> {
    match text.trim().strip_suffix(PER_SECOND) {
        Some(rate) => stage.spawn_rate = decimal(rate, "Spawn rate")?,
        None => stage.ramp_s = whole_seconds(text)?.unwrap_or(0),
    }
    Ok(())
}

fn read_duration(text: &str, number: usize) -> Result<u64, ValueError> {
    whole_seconds(text)?.ok_or(ValueError::NoStageDuration { number })
}
