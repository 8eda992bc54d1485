//! The panel About This Test: what a run was asked to do, in words, without its secrets.

use std::time::Duration;

use greylag_infra::{
    ConnectionStatus, InfrastructureView, RunPhase, RunRecord, Stage, format_duration,
};

use crate::known_scenarios;
use crate::page_text;
use crate::plain_text::plain_text;
use crate::shown_host::shown_host;
use crate::summary::ramp_up_s;
use crate::view::{AboutView, SettingRow};

/// Stages that are told one by one.
const MAX_STAGES_TOLD: usize = 12;
/// What stands for a secret, whatever its length.
const HIDDEN: &str = "•••••• (hidden)";

/// The panel as it is now.
pub(crate) fn about_view(
    run: &RunRecord,
    infrastructures: &[InfrastructureView],
    now_us: u64,
) -> AboutView {
    let infrastructure_status = infrastructures
        .iter()
        .find(|infrastructure| infrastructure.name == run.test.infrastructure)
        .map_or(ConnectionStatus::Pending, |infrastructure| {
            infrastructure.status
        });
    let is_shaped = run.test.stages.is_empty()
        && known_scenarios::has_shape(
            infrastructures,
            &run.test.infrastructure,
            &run.test.scenario,
        );
    AboutView {
        id: run.id.clone(),
        number: run.number,
        test_name: run.test.name.clone(),
        infrastructure: run.test.infrastructure.clone(),
        infrastructure_status: infrastructure_status.word().to_owned(),
        r#type: "Locust",
        host: shown_host(&run.test),
        scenario: run.test.scenario.clone(),
        users: peak_users(run),
        users_wanted: users_wanted(run, now_us),
        profile: run.profile.clone(),
        duration_s: run.test.duration_s,
        ramp_up_s: if is_shaped || !run.test.stages.is_empty() {
            0
        } else {
            ramp_up_s(&run.test)
        },
        worker_count: run.test.workers,
        run_started_us: run.started_at_us,
        time_elapsed_s: run.elapsed_s(now_us),
        status: run.phase.status().word(),
        failure_reason: run.phase.failure_reason().map(str::to_owned),
        can_stop: can_stop(run),
        can_change_users: run.phase == RunPhase::Running,
        settings: settings(run, infrastructures, is_shaped),
        now_us,
    }
}

/// The most users that are planned at any time, with the changes made while the run went on.
pub(crate) fn peak_users(run: &RunRecord) -> u64 {
    let steps = run.profile.steps.iter().map(|step| step.users);
    steps.max().unwrap_or(0).max(run.test.users)
}

/// What the change of the profile that is in force now leads to.
fn users_wanted(run: &RunRecord, now_us: u64) -> u64 {
    let elapsed_us = (run.elapsed_s(now_us) * 1e6) as u64;
    run.profile
        .steps
        .iter()
        .rev()
        .find(|step| step.at_us <= elapsed_us)
        .map_or(run.test.users, |step| step.users)
}

/// Whether stopping would change anything.
pub(crate) fn can_stop(run: &RunRecord) -> bool {
    matches!(run.phase, RunPhase::Preparing | RunPhase::Running)
}

fn settings(
    run: &RunRecord,
    infrastructures: &[InfrastructureView],
    is_shaped: bool,
) -> Vec<SettingRow> {
    let test = &run.test;
    let mut rows = Vec::new();
    let mut tell = |label: &str, value: String| {
        rows.push(SettingRow {
            label: label.to_owned(),
            value,
        });
    };
    if is_shaped {
        tell("Load Shape", "defined by the scenario".to_owned());
    } else if !test.stages.is_empty() {
        tell("Stages", stages_text(&test.stages));
    } else if let Some(rate) = test.spawn_rate {
        tell(
            "Spawn Rate",
            format!("{} users per second", page_text::rate(rate)),
        );
    }
    if let Some(rate) = test.arrival_rate {
        tell(
            "Arrival Rate",
            format!("{} iterations per second", page_text::rate(rate)),
        );
    }
    let selection = &test.selection;
    for (label, names) in [
        ("User Types", &selection.user_types),
        ("Tags", &selection.tags),
        ("Excluded Tags", &selection.exclude_tags),
    ] {
        if !names.is_empty() {
            tell(label, names.join(", "));
        }
    }
    if selection.equal_weights {
        tell("Weights", "all equal".to_owned());
    }
    for (label, value) in test.client.shown() {
        tell(label, value);
    }
    for warning in test_warnings(run, is_shaped) {
        tell("Warning", warning);
    }
    let builds = run.builds();
    let lines: Vec<String> = match &builds[..] {
        [(build, _)] => vec![build.to_string()],
        _ => builds
            .iter()
            .map(|(build, agents)| format!("{build}: {}", agents.join(", ")))
            .collect(),
    };
    if !lines.is_empty() {
        tell("Build", plain_lines(&lines));
    }
    for (name, value) in &test.options {
        let may_be_shown =
            known_scenarios::is_public(infrastructures, &test.infrastructure, &test.scenario, name);
        let shown = if may_be_shown { value } else { HIDDEN };
        tell(&format!("Option {name}"), shown.to_owned());
    }
    rows
}

/// What the definition was warned about, unless a load shape took its place.
fn test_warnings(run: &RunRecord, is_shaped: bool) -> Vec<String> {
    if is_shaped {
        return Vec::new();
    }
    run.test.warnings()
}

/// Lines without control characters but their ends.
fn plain_lines(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| plain_text(line)).collect();
    lines.join("\n")
}

/// One line for each stage.
fn stages_text(stages: &[Stage]) -> String {
    let time = |seconds: u64| format_duration(Duration::from_secs(seconds));
    let mut lines: Vec<String> = stages
        .iter()
        .take(MAX_STAGES_TOLD)
        .map(|stage| {
            let mut what = Vec::new();
            if let Some(users) = stage.users {
                what.push(format!("{} users", page_text::count(users)));
            }
            if let Some(rate) = stage.arrival_rate {
                what.push(format!("{} iterations per second", page_text::rate(rate)));
            }
            if what.is_empty() {
                what.push("as before".to_owned());
            }
            let ramp = match stage.spawn_rate {
                Some(rate) => format!(", {} users per second", page_text::rate(rate)),
                None if stage.ramp_s == 0 => String::new(),
                None => format!(", ramp {}", time(stage.ramp_s)),
            };
            format!("{} for {}{ramp}", what.join(", "), time(stage.duration_s))
        })
        .collect();
    if stages.len() > MAX_STAGES_TOLD {
        lines.push(format!("and {} more", stages.len() - MAX_STAGES_TOLD));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_read_as_a_list() {
        let stage = |users, arrival_rate, ramp_s, duration_s| Stage {
            users,
            arrival_rate,
            ramp_s,
            duration_s,
            ..Stage::default()
        };
        assert_eq!(
            stages_text(&[
                stage(Some(1_000), None, 30, 90),
                stage(None, Some(2.5), 0, 60),
                stage(None, None, 0, 3_600),
            ]),
            "1,000 users for 1m 30s, ramp 30s\n2.50 iterations per second for 1m\nas before for 1h"
        );
        let many = stages_text(&[stage(Some(1), None, 0, 1); 20]);
        assert_eq!(many.lines().count(), MAX_STAGES_TOLD + 1);
        assert!(many.ends_with("and 8 more"));
    }
}
