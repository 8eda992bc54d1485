//! The panel About This Test: what a run was asked to do, in words, without its secrets.

use std::time::Duration;

use greylag_infra::{
    ConnectionStatus, DataFile, FIELDS, FailureReason, InfrastructureView, LoadProfile, RunPhase,
    RunRecord, ShippedBuild, Stage, WallTime, format_duration,
};

use crate::plain_text::plain_text;
use crate::results::calendar::rfc3339;
use crate::results::page_text;
use crate::results::summary::ramp_up_s;
use crate::results::views::known_scenarios;
use crate::results::views::run_view::{AboutView, SettingRow};

/// Stages that are listed one by one.
const MAX_STAGES_LISTED: usize = 12;
/// What stands for a secret, whatever its length.
const HIDDEN: &str = "•••••• (hidden)";

/// The panel as it is now.
pub(crate) fn about_view(
    run: &RunRecord,
    infrastructures: &[InfrastructureView],
    now: WallTime,
) -> AboutView {
    let infrastructure_status = infrastructures
        .iter()
        .find(|infrastructure| infrastructure.name == run.test.infrastructure)
        .map_or(ConnectionStatus::Pending, |infrastructure| {
            infrastructure.status
        });
    let has_shape = match &run.test.build {
        Some(shipped) => shipped.scenario.info.has_shape,
        None => known_scenarios::has_shape(
            infrastructures,
            &run.test.infrastructure,
            &run.test.scenario,
        ),
    } && run.test.declared.is_none();
    let is_shaped = run.test.follows_shape(has_shape);
    AboutView {
        id: run.id.clone(),
        number: run.number,
        test_name: run.test.name.clone(),
        infrastructure: run.test.infrastructure.clone(),
        infrastructure_status: infrastructure_status.word().to_owned(),
        r#type: "Locust",
        host: run.test.shown_host(),
        scenario: run.test.scenario.clone(),
        users: peak_users(run),
        users_wanted: users_wanted(run, now),
        profile: run.profile.clone(),
        duration_s: run.duration_s(),
        ramp_up_s: ramp_up_s(run),
        awaits_shape: is_shaped && has_not_started(run),
        worker_count: run.test.workers,
        run_started: run.started_at,
        time_elapsed_s: run.elapsed_s(now),
        status: run.phase.status().word(),
        phase: run.phase.word(),
        waiting: run.phase.wait_reason(),
        failure_reason: run.phase.failure_reason().map(ToString::to_string),
        failure_code: run.phase.failure_reason().map(FailureReason::code),
        can_stop: can_stop(run),
        can_change_users: run.phase == RunPhase::Running,
        settings: settings(run, infrastructures, has_shape),
        now,
    }
}

/// The most users that are planned at any time, with the changes made while the run went on.
pub(crate) fn peak_users(run: &RunRecord) -> u64 {
    let steps = run.profile.steps.iter().map(|step| step.users);
    steps.max().unwrap_or(0).max(run.test.users)
}

/// What the change of the profile that is in force now leads to.
fn users_wanted(run: &RunRecord, now: WallTime) -> u64 {
    let elapsed = run.run_time(now);
    run.profile
        .steps
        .iter()
        .rev()
        .find(|step| step.at <= elapsed)
        .map_or(run.test.users, |step| step.users)
}

/// Whether a load shape may still say how its load goes.
fn has_not_started(run: &RunRecord) -> bool {
    run.phase == RunPhase::Preparing || run.phase.waiting().is_some()
}

/// Whether stopping would change anything.
pub(crate) fn can_stop(run: &RunRecord) -> bool {
    !run.phase.is_over() && !matches!(run.phase, RunPhase::Failing(_))
}

fn settings(
    run: &RunRecord,
    infrastructures: &[InfrastructureView],
    has_shape: bool,
) -> Vec<SettingRow> {
    let test = &run.test;
    let mut rows = load_settings(run, has_shape);
    let mut tell = |label: &str, value: String| {
        rows.push(SettingRow {
            label: label.to_owned(),
            value,
        });
    };
    for field in FIELDS {
        if let Some(text) = field.about_text(test) {
            tell(field.about, plain_lines(text.lines()));
        }
    }
    for (label, value) in test.client.shown() {
        tell(label, value);
    }
    for warning in test_warnings(run, has_shape) {
        tell("Warning", warning);
    }
    let builds = run.builds();
    let mut lines: Vec<String> = match &builds[..] {
        [(build, _)] => vec![build.to_string()],
        _ => builds
            .iter()
            .map(|(build, agents)| format!("{build}: {}", agents.join(", ")))
            .collect(),
    };
    if let Some(shipped) = &test.build {
        lines.push(origin_of(shipped));
    }
    if !lines.is_empty() {
        tell("Build", plain_lines(lines.iter().map(String::as_str)));
    }
    let data = test.build.iter().flat_map(|shipped| &shipped.data);
    let data: Vec<String> = data.map(described).collect();
    if !data.is_empty() {
        tell("Data Files", plain_lines(data.iter().map(String::as_str)));
    }
    for (name, value) in &test.options {
        let may_be_shown = match &test.build {
            Some(shipped) => {
                let mut options = shipped.scenario.info.options.iter();
                options.any(|option| option.name == *name && !option.secret)
            }
            None => known_scenarios::is_public(
                infrastructures,
                &test.infrastructure,
                &test.scenario,
                name,
            ),
        };
        let shown = if may_be_shown { value } else { HIDDEN };
        tell(&format!("Option {name}"), shown.to_owned());
    }
    rows
}

/// A data file: `accounts.csv (0123456789ab, 1.5 kB)`.
fn described(file: &DataFile) -> String {
    let kilobytes = file.size as f64 / 1e3;
    format!("{} ({}, {kilobytes:.1} kB)", file.path, file.sha256.short())
}

/// Where a build comes from that was shipped: `uploaded 2026-11-26T12:00:00Z by ada@laptop, commit 0123456789ab`.
fn origin_of(shipped: &ShippedBuild) -> String {
    let mut text = format!("uploaded {}", rfc3339(shipped.uploaded_at));
    if !shipped.uploaded_by.is_empty() {
        text += &format!(" by {}", shipped.uploaded_by);
    }
    if let Some(commit) = &shipped.commit {
        text += &format!(", {commit}");
    }
    text
}

/// How the load goes, where the number of users and the ramp-up do not say it.
fn load_settings(run: &RunRecord, has_shape: bool) -> Vec<SettingRow> {
    let test = &run.test;
    let mut rows = Vec::new();
    let mut tell = |label: &str, value: String| {
        rows.push(SettingRow {
            label: label.to_owned(),
            value,
        });
    };
    if !test.stages.is_empty() {
        tell("Stages", stages_text(&test.stages));
    }
    if let Some(rate) = test.arrival_rate {
        let rate = format!("{} iterations per second", page_text::rate(rate));
        let ramp = over_text(test.ramp_up());
        tell("Arrival Rate", format!("{rate}{ramp}"));
    } else if let Some(rate) = test.spawn_rate {
        tell(
            "Spawn Rate",
            format!("{} users per second", page_text::rate(rate)),
        );
    }
    if has_shape {
        let shape = if !test.follows_shape(has_shape) {
            let instead = match test.arrival_rate {
                Some(_) => "arrival rate takes",
                None => "stages take",
            };
            format!("not used: the {instead} its place")
        } else if has_not_started(run) || run.profile.steps.is_empty() {
            "defined by the scenario".to_owned()
        } else {
            format!("defined by the scenario\n{}", profile_text(&run.profile))
        };
        tell("Load Shape", shape);
    }
    if let Some(early) = &run.profile.finished_early {
        let planned = format_duration(early.planned_end.since_zero());
        tell(
            "Finished Early",
            format!("{}\nplanned for {planned}", plain_text(&early.reason)),
        );
    }
    rows
}

/// What the definition was warned about, unless a load shape took its place.
fn test_warnings(run: &RunRecord, has_shape: bool) -> Vec<String> {
    if run.test.follows_shape(has_shape) {
        return Vec::new();
    }
    run.test.warnings()
}

/// Lines without control characters but their ends.
fn plain_lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(plain_text).collect::<Vec<_>>().join("\n")
}

/// One line for each stage.
fn stages_text(stages: &[Stage]) -> String {
    let time = |seconds: u64| format_duration(Duration::from_secs(seconds));
    let mut lines: Vec<String> = stages
        .iter()
        .take(MAX_STAGES_LISTED)
        .map(|stage| {
            let mut what = Vec::new();
            if let Some(users) = stage.users {
                what.push(number_of_users(users));
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
    tell_of_more(&mut lines, stages.len());
    lines.join("\n")
}

fn number_of_users(users: u64) -> String {
    let unit = if users == 1 { "user" } else { "users" };
    format!("{} {unit}", page_text::count(users))
}

/// One line for each change of the load, in order of time.
fn profile_text(profile: &LoadProfile) -> String {
    let users = profile
        .steps
        .iter()
        .map(|step| (step.at, number_of_users(step.users), step.over_us));
    let rates = profile.rates.iter().map(|step| {
        let what = format!("{} iterations per second", page_text::rate(step.per_second));
        (step.at, what, step.over_us)
    });
    let mut changes: Vec<_> = users.chain(rates).collect();
    changes.sort_by_key(|(at, ..)| *at);
    changes.dedup_by(|later, earlier| later.1 == earlier.1);
    let mut lines: Vec<String> = changes
        .iter()
        .take(MAX_STAGES_LISTED)
        .map(|(at, what, over_us)| {
            let at = format_duration(at.since_zero());
            let over = over_text(Duration::from_micros(*over_us));
            format!("from {at}: {what}{over}")
        })
        .collect();
    tell_of_more(&mut lines, changes.len());
    lines.join("\n")
}

fn over_text(ramp: Duration) -> String {
    if ramp.is_zero() {
        return String::new();
    }
    format!(", ramp {}", format_duration(ramp))
}

/// Says how many there are beyond those that have a line.
fn tell_of_more(lines: &mut Vec<String>, all: usize) {
    if all > MAX_STAGES_LISTED {
        lines.push(format!("and {} more", all - MAX_STAGES_LISTED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greylag_infra::ProfileStep;

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
        assert_eq!(many.lines().count(), MAX_STAGES_LISTED + 1);
        assert!(many.starts_with("1 user for 1s\n"), "{many}");
        assert!(many.ends_with("and 8 more"));
    }

    #[test]
    fn a_shape_reads_as_a_list_of_changes() {
        let step = |at_s: u64, users, over_s: u64| ProfileStep {
            at: Duration::from_secs(at_s).into(),
            users,
            over_us: over_s * 1_000_000,
        };
        let profile = LoadProfile {
            steps: vec![step(0, 10, 5), step(30, 10, 0), step(90, 2_000, 0)],
            ..LoadProfile::default()
        };
        assert_eq!(
            profile_text(&profile),
            "from 0s: 10 users, ramp 5s\nfrom 1m 30s: 2,000 users"
        );
        let many = LoadProfile {
            steps: (0..20).map(|second| step(second, second, 0)).collect(),
            ..LoadProfile::default()
        };
        assert!(profile_text(&many).ends_with("\nand 8 more"));
    }
}
