//! The stages.

use super::section::Section;
use crate::base::MAX_STAGES;
use crate::load_test::{LoadTestError, Stage};

pub(super) const STAGE_KEYS: [&str; 5] =
    ["users", "arrival_rate", "ramp", "spawn_rate", "duration"];

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
    for (key, problem) in stage.problems() {
        let error = LoadTestError::Stage {
            number,
            key,
            problem,
        };
        section.wrong("", error.to_string());
    }
    stage
}
