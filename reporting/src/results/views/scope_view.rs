//! The bar of the run page that says which part of the run is shown, and the addresses of other parts.
//!
//! `assets/js/scope.js` says the same in the browser.

use std::ops::Range;

use greylag_infra::{RunRecord, RunTime, WallTime};
use serde::Serialize;
use utoipa::ToSchema;

use crate::measure::interval::Outcome;
use crate::measure::seconds::Seconds;
use crate::plain_text::plain_text;
use crate::results::page_text::clock;
use crate::results::urls::query_of;
use crate::store::{Scope, Window};

/// A phase of a run, as a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct PhaseWindow {
    /// `ramp-up`, `steady` or `ramp-down`.
    pub name: &'static str,
    /// First second of run time.
    pub from: u32,
    /// End, exclusive; null for the phase that an active run is in.
    pub to: Option<u32>,
}

impl PhaseWindow {
    /// What its button changes of a scope, as a query.
    pub(crate) fn change(&self) -> String {
        let text = |second: Option<u32>| second.map_or_else(String::new, |at| at.to_string());
        format!("from={}&to={}", text(Some(self.from)), text(self.to))
    }

    /// What its button says.
    pub(crate) fn label(&self) -> &'static str {
        match self.name {
            "ramp-up" => "Ramp-up",
            "steady" => "Steady",
            _ => "Ramp-down",
        }
    }
}

/// The phases that a run has been in so far, in order.
pub(crate) fn phase_windows(run: &RunRecord, now: WallTime) -> Vec<PhaseWindow> {
    // Of a run that was kept before profiles were.
    if run.profile.ends_at == RunTime::ZERO {
        return Vec::new();
    }
    let is_over = run.phase.is_over();
    let elapsed = run.run_time(now);
    // The second that an active run is in is not over.
    let elapsed_s = elapsed.second();
    let phases = if is_over {
        run.profile.phases(elapsed)
    } else {
        run.profile.phases(RunTime::of_second(elapsed_s))
    };
    // What only ends after the load did is not a ramp.
    let ends_s = run.profile.ends_at.second();
    let ramp_down = phases.ramp_down.filter(|seconds| seconds.start < ends_s);
    let window = |name, seconds: Option<Range<u32>>| {
        let Range { start, end } = seconds?;
        let goes_on = !is_over && end >= elapsed_s;
        Some(PhaseWindow {
            name,
            from: start,
            to: (!goes_on).then_some(end),
        })
    };
    [
        window("ramp-up", phases.ramp_up),
        window("steady", phases.steady),
        window("ramp-down", ramp_down),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A part of a run as its page and its addresses name it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopeView {
    /// Address of the run's page.
    page: String,
    scope: Scope,
    /// How long the run has been going, in whole seconds.
    elapsed_s: u32,
}

/// A member of a scope that is not its window.
#[derive(Debug)]
pub(crate) struct ScopeChip {
    /// Its name in addresses.
    pub(crate) key: &'static str,
    /// What it is.
    pub(crate) kind: &'static str,
    /// Which one, as addresses have it.
    pub(crate) value: String,
    /// Address of the part without it.
    pub(crate) without: String,
}

impl ScopeView {
    /// Of a run with this page that has been going for so long.
    pub(crate) fn new(page: String, scope: Scope, elapsed_s: f64) -> Self {
        Self {
            page,
            scope,
            elapsed_s: elapsed_s.round() as u32,
        }
    }

    /// Address of the whole run.
    pub(crate) fn page(&self) -> &str {
        &self.page
    }

    /// Whether it is the whole run.
    pub(crate) fn is_whole(&self) -> bool {
        self.scope.is_whole()
    }

    /// Whether only some seconds are shown.
    pub(crate) fn has_window(&self) -> bool {
        self.scope.window.is_some()
    }

    /// How long the part is, of a run that has been going for so many seconds, with those that are left out of it.
    pub(crate) fn seconds(&self, elapsed_s: &f64) -> f64 {
        self.scope.elapsed_s(*elapsed_s, &Seconds::default())
    }

    /// `1:05 to 1:40 of 5:00`, or `the whole run, 5:00`.
    pub(crate) fn window_text(&self) -> String {
        let whole = clock(self.elapsed_s);
        match self.scope.window {
            None if self.elapsed_s == 0 => "the whole run".to_owned(),
            None => format!("the whole run, {whole}"),
            Some(window) => {
                let to = end_of(window).map_or_else(|| "the end".to_owned(), clock);
                format!("{} to {to} of {whole}", clock(window.from()))
            }
        }
    }

    /// First second as the value of a field; empty for the beginning of the run.
    pub(crate) fn from(&self) -> String {
        let from = self.scope.window.map_or(0, Window::from);
        if from == 0 {
            String::new()
        } else {
            from.to_string()
        }
    }

    /// End as the value of a field; empty for the end of the run.
    pub(crate) fn to(&self) -> String {
        let to = self.scope.window.and_then(end_of);
        to.map_or_else(String::new, |to| to.to_string())
    }

    /// Everything but the window.
    pub(crate) fn chips(&self) -> Vec<ScopeChip> {
        let mut chips = Vec::new();
        for (key, kind) in [
            ("endpoint", ""),
            ("agent", "agent"),
            ("outcome", "only"),
            (SATURATED, "saturated seconds:"),
        ] {
            let members = self.members();
            let Some((_, value)) = members.iter().find(|(name, _)| *name == key) else {
                continue;
            };
            chips.push(ScopeChip {
                key,
                kind,
                value: value.clone(),
                without: self.with(key, None),
            });
        }
        chips
    }

    /// The query of this part, from `?` on; empty for the whole run.
    pub(crate) fn query(&self) -> String {
        query_of(&self.members())
    }

    /// Address of this part of only one endpoint.
    pub(crate) fn of_endpoint(&self, method: &str, name: &str) -> String {
        self.with("endpoint", Some(endpoint_text(method, name)))
    }

    /// Address of this part of only one agent.
    pub(crate) fn of_agent(&self, agent: &str) -> String {
        self.with("agent", Some(agent.to_owned()))
    }

    /// Each choice of an outcome: what changes, its address, what it says, and whether it is the one that is shown.
    pub(crate) fn outcomes(&self) -> [(&'static str, String, &'static str, bool); 3] {
        let choice = |outcome: Option<Outcome>, label| {
            let text = outcome.map(outcome_text);
            let address = self.with("outcome", text.map(str::to_owned));
            (
                text.unwrap_or(""),
                address,
                label,
                self.scope.outcome == outcome,
            )
        };
        [
            choice(None, "All requests"),
            choice(Some(Outcome::Ok), "OK"),
            choice(Some(Outcome::Failed), "Failed"),
        ]
    }

    /// Address of this part without the seconds in which the generator was saturated.
    pub(crate) fn without_saturated(&self) -> String {
        self.with(SATURATED, Some(LEAVE_OUT.to_owned()))
    }

    /// Address of this part in a phase's seconds.
    pub(crate) fn of_phase(&self, phase: &PhaseWindow) -> String {
        let mut members = self.members();
        members.retain(|(name, _)| !matches!(*name, "from" | "to"));
        let mut seconds = window_members(phase.from, phase.to);
        seconds.append(&mut members);
        self.address(&seconds)
    }

    /// Address of this part at all times.
    pub(crate) fn at_all_times(&self) -> String {
        let mut members = self.members();
        members.retain(|(name, _)| !matches!(*name, "from" | "to"));
        self.address(&members)
    }

    /// Whether a phase's seconds are those that are shown.
    pub(crate) fn is_phase(&self, phase: &PhaseWindow) -> bool {
        let shown = self.scope.window;
        shown.is_some_and(|window| (window.from(), end_of(window)) == (phase.from, phase.to))
    }

    fn with(&self, key: &'static str, value: Option<String>) -> String {
        let mut members = self.members();
        members.retain(|(name, _)| *name != key);
        members.extend(value.map(|value| (key, value)));
        members.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name));
        self.address(&members)
    }

    fn address(&self, members: &[(&'static str, String)]) -> String {
        format!("{}{}", self.page, query_of(members))
    }

    fn members(&self) -> Vec<(&'static str, String)> {
        let Scope {
            window,
            endpoint,
            agent,
            outcome,
            without_saturated,
        } = &self.scope;
        let mut members = window.map_or_else(Vec::new, |window| {
            window_members(window.from(), end_of(window))
        });
        if let Some(endpoint) = endpoint {
            let text = endpoint_text(&plain_text(&endpoint.method), &plain_text(&endpoint.name));
            members.push(("endpoint", text));
        }
        if let Some(agent) = agent {
            members.push(("agent", plain_text(agent)));
        }
        if let Some(outcome) = outcome {
            members.push(("outcome", outcome_text(*outcome).to_owned()));
        }
        if *without_saturated {
            members.push((SATURATED, LEAVE_OUT.to_owned()));
        }
        members
    }
}

/// The order in which addresses have the members of a scope.
const ORDER: [&str; 6] = ["from", "to", "endpoint", "agent", "outcome", SATURATED];
/// The member of addresses that leaves saturated seconds out, and its one value.
pub(crate) const SATURATED: &str = "saturated";
/// See [`SATURATED`].
pub(crate) const LEAVE_OUT: &str = "leave-out";

/// Where a window ends, if it does before the run.
pub(crate) fn end_of(window: Window) -> Option<u32> {
    (window.to() != u32::MAX).then_some(window.to())
}

fn window_members(from: u32, to: Option<u32>) -> Vec<(&'static str, String)> {
    let from = (from > 0).then(|| ("from", from.to_string()));
    let to = to.map(|to| ("to", to.to_string()));
    from.into_iter().chain(to).collect()
}

fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Failed => "failed",
    }
}

/// An endpoint as addresses name it.
pub(crate) fn endpoint_text(method: &str, name: &str) -> String {
    format!("{method} {name}").trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greylag_infra::protocol::Endpoint;
    use greylag_infra::{Completeness, LoadTest, RunPhase};

    use super::*;

    fn view(window: Option<(u32, u32)>, endpoint: Option<&str>) -> ScopeView {
        let window = window.map(|(from, to)| Window::new(from, to).unwrap());
        let endpoint = endpoint.map(|name| Endpoint {
            method: "GET".into(),
            name: name.into(),
        });
        let scope = Scope {
            window,
            endpoint,
            ..Scope::default()
        };
        ScopeView::new("/runs/x".to_owned(), scope, 300.2)
    }

    /// The phases of a run of a minute with a ramp-up of 5 s, after so many seconds.
    fn phases(after_s: u64, is_over: bool) -> Vec<(&'static str, u32, Option<u32>)> {
        let test = LoadTest {
            users: 10,
            ramp_up_s: 5,
            duration_s: 60,
            ..LoadTest::default()
        };
        let started = WallTime::from_micros(1_000_000);
        let now = started + Duration::from_secs(after_s);
        let run = RunRecord {
            id: "r".into(),
            number: 1,
            profile: test.profile(),
            test,
            phase: if is_over {
                RunPhase::Finished
            } else {
                RunPhase::Running
            },
            created_at: started,
            started_at: Some(started),
            ended_at: is_over.then_some(now),
            agents: Vec::new(),
            completeness: Completeness::default(),
        };
        let phases = phase_windows(&run, now).into_iter();
        phases
            .map(|phase| (phase.name, phase.from, phase.to))
            .collect()
    }

    #[test]
    fn the_phase_that_an_active_run_is_in_goes_on_and_what_ends_late_is_no_ramp() {
        assert_eq!(phases(3, false), [("ramp-up", 0, None)]);
        assert_eq!(
            phases(20, false),
            [("ramp-up", 0, Some(5)), ("steady", 5, None)]
        );
        let over = [("ramp-up", 0, Some(5)), ("steady", 5, Some(60))];
        assert_eq!(phases(60, true), over);
        assert_eq!(phases(64, true), over);
    }

    #[test]
    fn the_bar_says_which_part_is_shown() {
        assert_eq!(view(None, None).window_text(), "the whole run, 5:00");
        let part = view(Some((65, 100)), None);
        assert_eq!(part.window_text(), "1:05 to 1:40 of 5:00");
        let part = view(Some((65, u32::MAX)), None);
        assert_eq!(part.window_text(), "1:05 to the end of 5:00");
        assert_eq!((part.from(), part.to()), ("65".into(), String::new()));
    }

    #[test]
    fn each_address_changes_one_thing() {
        let part = view(Some((0, 100)), Some("/a b"));
        assert_eq!(part.query(), "?to=100&endpoint=GET%20/a%20b");
        assert_eq!(part.of_endpoint("", "x"), "/runs/x?to=100&endpoint=x");
        assert_eq!(part.chips()[0].without, "/runs/x?to=100");
        assert_eq!(
            part.of_agent("eu"),
            "/runs/x?to=100&endpoint=GET%20/a%20b&agent=eu"
        );
        let steady = PhaseWindow {
            name: "steady",
            from: 30,
            to: None,
        };
        assert_eq!(
            part.of_phase(&steady),
            "/runs/x?from=30&endpoint=GET%20/a%20b"
        );
        assert_eq!(part.at_all_times(), "/runs/x?endpoint=GET%20/a%20b");
        assert!(view(Some((30, u32::MAX)), None).is_phase(&steady));
        assert_eq!(view(None, None).query(), "");
        let mut failed = view(Some((0, 100)), None);
        failed.scope.outcome = Some(Outcome::Failed);
        assert_eq!(failed.query(), "?to=100&outcome=failed");
        assert_eq!(
            failed.of_agent("eu"),
            "/runs/x?to=100&agent=eu&outcome=failed"
        );
        assert_eq!(part.seconds(&300.2), 100.0);
        let mut rest = view(None, None);
        assert_eq!(rest.without_saturated(), "/runs/x?saturated=leave-out");
        rest.scope.without_saturated = true;
        assert_eq!(rest.query(), "?saturated=leave-out");
        assert_eq!(rest.chips()[0].without, "/runs/x");
        let addresses = failed.outcomes().map(|(_, address, ..)| address);
        assert_eq!(
            addresses,
            [
                "/runs/x?to=100",
                "/runs/x?to=100&outcome=ok",
                "/runs/x?to=100&outcome=failed"
            ]
        );
    }
}
