//! How the load goes: stages, rates, and what must not stand beside what.

use super::TestDraft;
use super::section::Section;
use crate::base::MAX_STAGES;
use crate::load_test::{LoadTestError, Stage};

const STAGE_KEYS: [&str; 5] = ["users", "arrival_rate", "ramp", "spawn_rate", "duration"];

pub(super) fn stages(section: &Section<'_>) -> Vec<Stage> {
    let sections = section.sections("stage", "a stage", MAX_STAGES);
    let numbered = (1..).zip(&sections);
    numbered
        .map(|(number, section)| stage(section, number))
        .collect()
}

fn stage(section: &Section<'_>, number: usize) -> Stage {
    section.refuse_other_keys(&STAGE_KEYS);
    if section.lacks("duration", &STAGE_KEYS) {
        section.wrong(
            "duration",
            "this stage has no `duration`; set how long it lasts, including its ramp, such as duration = \"2m\"",
        );
    }
    let stage = Stage {
        users: section.whole("users"),
        arrival_rate: section.number("arrival_rate"),
        ramp_s: section.seconds("ramp").unwrap_or(0),
        spawn_rate: section.number("spawn_rate"),
        // What is missing or wrong was named above.
        duration_s: section.seconds("duration").unwrap_or(1),
    };
    for (key, mistake) in stage.mistakes() {
        let error = LoadTestError::Stage {
            number,
            key,
            mistake,
        };
        section.wrong("", error.to_string());
    }
    stage
}

/// What values that are valid for themselves must not say together.
pub(super) fn refuse_contradictions(section: &Section<'_>, draft: &TestDraft) {
    if section.has("ramp_up") && section.has("spawn_rate") {
        section.wrong(
            "spawn_rate",
            "`ramp_up` and `spawn_rate` are both given; keep one of the two",
        );
    }
    if draft.stages.is_empty() {
        return;
    }
    // The most users that may be busy at once, which no stage of an arrival rate says.
    let users_belong = draft
        .stages
        .iter()
        .any(|stage| stage.arrival_rate.is_some());
    for key in ["users", "ramp_up", "duration", "spawn_rate", "arrival_rate"] {
        if !section.has(key) || (key == "users" && users_belong) {
            continue;
        }
        let message = format!(
            "stages and `{key}` are both given; stages define the load, so leave `{key}` out"
        );
        section.wrong(key, message);
    }
}
