//! The lines of a run's log that say where its ramps stand, in Locust's words and for the whole run: agents know only
//! their own users.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::protocol::LogLine;
use greylag_infra::{
    LoadProfile, RunPhase, RunRecord, RunTime, UserTypeSequence, UserTypeWeight, format_duration,
};

use super::Coordinator;
use crate::store::Scope;

/// What has been said of a run's ramps.
#[derive(Debug)]
pub(super) struct RampNews {
    /// The user types, where it is known which take part.
    user_types: Option<Vec<UserTypeWeight>>,
    /// What `ramps` was made from.
    profile: LoadProfile,
    ramps: Vec<Ramp>,
    /// The beginning of the last ramp that was announced.
    announced: Option<RunTime>,
    /// The beginning of the last ramp whose end was logged.
    end_logged: Option<RunTime>,
}

/// A step of the profile.
#[derive(Debug, Clone, Copy)]
struct Ramp {
    at: RunTime,
    over_us: u64,
    /// Users just before.
    before: u64,
    /// Users in the end.
    after: u64,
    /// Users that have been started by its end, since run time zero; those that were stopped meanwhile count.
    started: u64,
    /// Whether it comes to its end before the next one takes over.
    is_reached: bool,
}

impl RampNews {
    /// Of a run that begins.
    pub(super) fn new(user_types: Option<Vec<UserTypeWeight>>) -> Self {
        Self {
            user_types,
            profile: LoadProfile::default(),
            ramps: Vec::new(),
            announced: None,
            end_logged: None,
        }
    }

    /// Of a run that an earlier process began, which said what was to say until this run time.
    pub(super) fn since(run_time: Option<RunTime>) -> Self {
        Self {
            announced: run_time,
            end_logged: run_time,
            ..Self::new(None)
        }
    }

    fn follow(&mut self, profile: &LoadProfile) {
        if *profile == self.profile {
            return;
        }
        self.profile = profile.clone();
        let plan = profile.user_plan();
        let (mut started, mut before) = (0_u64, 0);
        self.ramps.clear();
        for (number, step) in profile.steps.iter().enumerate() {
            let next = profile.steps.get(number + 1).map(|next| next.at);
            let until = next.unwrap_or(RunTime::MAX).min(profile.ends_at);
            if until <= step.at {
                continue;
            }
            let after = self.most(plan.users_at(until.just_before()));
            started = started.saturating_add(after.saturating_sub(before));
            self.ramps.push(Ramp {
                at: step.at,
                over_us: step.over_us,
                before,
                after: self.most(step.users),
                started,
                is_reached: step.reached_at() <= until,
            });
            before = after;
        }
    }

    /// How many of so many users there really are: fixed counts may leave some without a user type.
    fn most(&self, users: u64) -> u64 {
        let Some(user_types) = &self.user_types else {
            return users;
        };
        if user_types
            .iter()
            .any(|user_type| user_type.fixed_count == 0 && user_type.gets_users())
        {
            return users;
        }
        let fixed = user_types.iter().map(|user_type| user_type.fixed_count);
        fixed.fold(0, u64::saturating_add).min(users)
    }

    /// What begins at this run time, if it has not been said.
    fn begun(&mut self, run: &RunRecord, run_time: RunTime) -> Vec<String> {
        self.follow(&run.profile);
        let mut news = Vec::new();
        for ramp in &self.ramps {
            if ramp.at > run_time || self.announced >= Some(ramp.at) {
                continue;
            }
            self.announced = Some(ramp.at);
            let direction = match ramp.after.cmp(&ramp.before) {
                std::cmp::Ordering::Greater => "up",
                std::cmp::Ordering::Less => "down",
                std::cmp::Ordering::Equal => continue,
            };
            news.push(format!(
                "Ramping {direction} to {} users in {}{}",
                there(run, ramp.after),
                processes(run),
                over(ramp.over_us)
            ));
        }
        news
    }

    /// The last ramp that is over by the clock, if its end has not been said.
    fn ended(&mut self, run: &RunRecord, run_time: RunTime) -> Option<Ramp> {
        self.follow(&run.profile);
        let ended = self.ramps.iter().rev().find(|ramp| {
            ramp.is_reached && ramp.at + Duration::from_micros(ramp.over_us) <= run_time
        })?;
        (self.end_logged < Some(ended.at)).then_some(*ended)
    }

    /// The same of a run that goes on without some of its workers, when so many users are active: those that are left may have
    /// come and gone in any order with those that were lost.
    fn spawned_without_lost(&mut self, run: &RunRecord, ramp: Ramp, active: u64) -> Option<String> {
        let after = there(run, ramp.after);
        if ramp.after > ramp.before && active < after {
            return None;
        }
        self.end_logged = Some(ramp.at);
        let is_news = after > 0 && ramp.after != ramp.before;
        is_news.then(|| format!("All users spawned ({after} total users)"))
    }

    /// Locust's message at the end of a ramp, once, when so many users have been started since run time zero.
    fn spawned(&mut self, ramp: Ramp, started: u64) -> Option<String> {
        if started < ramp.started {
            return None;
        }
        self.end_logged = Some(ramp.at);
        let users = ramp.after;
        (users > 0 && users != ramp.before).then(|| {
            let by_user_type = self.by_user_type(users);
            format!("All users spawned{by_user_type} ({users} total users)")
        })
    }

    fn by_user_type(&self, users: u64) -> String {
        let Some(user_types) = &self.user_types else {
            return String::new();
        };
        let mut users_of = BTreeMap::<&str, u64>::new();
        // As many as there are: the number came out of these user types.
        let users = usize::try_from(users).unwrap_or(usize::MAX);
        for user_type in UserTypeSequence::new(user_types).take(users) {
            *users_of.entry(&user_types[user_type].name).or_default() += 1;
        }
        let counts: Vec<String> = users_of
            .iter()
            .map(|(user_type, users)| format!("{user_type:?}: {users}"))
            .collect();
        format!(": {{{}}}", counts.join(", "))
    }
}

/// How many of so many users are there, where a run goes on without some of its workers.
fn there(run: &RunRecord, users: u64) -> u64 {
    if run.coverage().is_full() {
        return users;
    }
    users.saturating_sub(run.missing_of(users))
}

fn processes(run: &RunRecord) -> String {
    let plural = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    };
    let coverage = run.coverage();
    let agents: Vec<_> = run
        .agents
        .iter()
        .filter(|agent| coverage.is_full() || !coverage.has_lost_agent(&agent.name))
        .collect();
    let all: usize = run.agents.iter().map(|agent| agent.workers.len()).sum();
    let lost = coverage.lost_workers(&run.agents).len();
    let workers = plural(
        all.saturating_sub(lost),
        "worker process",
        "worker processes",
    );
    match agents.len() {
        0 | 1 => workers,
        agents => format!("{workers} on {agents} agents"),
    }
}

fn over(us: u64) -> String {
    match Duration::from_micros(us) {
        short if short < Duration::from_secs(1) => String::new(),
        long => format!(" over {}", format_duration(long)),
    }
}

/// Writes into the run's log what there is to say now.
pub(super) async fn announce(coordinator: &Coordinator, run: &RunRecord, news: &mut RampNews) {
    let now = run.ended_at.unwrap_or_else(|| coordinator.now());
    let Some(run_time) = run.started_at.and_then(|zero| now.checked_run_time(zero)) else {
        return;
    };
    let mut lines = Vec::new();
    if run.phase == RunPhase::Running {
        lines = news.begun(run, run_time);
    }
    if let Some(ramp) = news.ended(run, run_time) {
        let store = coordinator.store();
        let spawned = if run.coverage().is_full() {
            let started = store.users_started(&run.id).await;
            started.map(|started| news.spawned(ramp, started))
        } else {
            let active = store.users_active(&run.id, &Scope::default()).await;
            active.map(|active| news.spawned_without_lost(run, ramp, active))
        };
        match spawned {
            Ok(spawned) => lines.extend(spawned),
            Err(error) => tracing::error!(%error, run = %run.id, "cannot read the users"),
        }
    }
    if lines.is_empty() {
        return;
    }
    let lines = lines
        .into_iter()
        .map(|text| {
            tracing::info!(run = %run.id, "{text}");
            LogLine {
                at: coordinator.now(),
                source: "coordinator".to_owned(),
                text,
            }
        })
        .collect();
    if let Err(error) = coordinator.store().append_log(&run.id, lines).await {
        tracing::error!(%error, run = %run.id, "cannot save log lines");
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::{
        BuildInfo, Completeness, FailureReason, LoadTest, Loss, ProfileStep, RunAgent, WallTime,
    };

    use super::*;

    const S: u64 = 1_000_000;

    fn s(seconds: u64) -> RunTime {
        Duration::from_secs(seconds).into()
    }

    fn profile(steps: &[(u64, u64, u64)], ends_s: u64) -> LoadProfile {
        LoadProfile {
            steps: steps
                .iter()
                .map(|(at_s, users, over_s)| ProfileStep {
                    at: s(*at_s),
                    users: *users,
                    over_us: over_s * S,
                })
                .collect(),
            ends_at: s(ends_s),
            ..LoadProfile::default()
        }
    }

    fn run(agents: u32, profile: LoadProfile) -> RunRecord {
        RunRecord {
            id: "r".into(),
            number: 1,
            test: LoadTest::default(),
            phase: RunPhase::Running,
            created_at: WallTime::default(),
            started_at: Some(WallTime::default()),
            ended_at: None,
            agents: (0..agents)
                .map(|number| RunAgent {
                    id: number.to_string().into(),
                    name: number.to_string(),
                    build: BuildInfo::default(),
                    workers: vec![number * 2, number * 2 + 1],
                    last_seq: 0,
                    end: None,
                    saved_until: 0,
                })
                .collect(),
            profile,
            completeness: Completeness::default(),
        }
    }

    fn weighted() -> Option<Vec<UserTypeWeight>> {
        let weights = [("B", 1.0), ("A", 3.0)];
        Some(
            weights
                .map(|(name, weight)| UserTypeWeight::weighted(name, weight))
                .into(),
        )
    }

    fn spawned(news: &mut RampNews, run: &RunRecord, started: u64, at_s: u64) -> Option<String> {
        let ramp = news.ended(run, s(at_s))?;
        news.spawned(ramp, started)
    }

    #[test]
    fn says_once_what_the_whole_run_has() {
        let run = run(2, profile(&[(0, 8, 2)], 10));
        let mut news = RampNews::new(weighted());
        assert_eq!(
            news.begun(&run, s(0)),
            ["Ramping up to 8 users in 4 worker processes on 2 agents over 2s"]
        );
        assert!(news.begun(&run, s(1)).is_empty());
        assert_eq!(spawned(&mut news, &run, 8, 1), None, "the ramp is not over");
        assert_eq!(spawned(&mut news, &run, 7, 2), None, "one is missing");
        assert_eq!(
            spawned(&mut news, &run, 8, 3).unwrap(),
            "All users spawned: {\"A\": 6, \"B\": 2} (8 total users)"
        );
        assert_eq!(spawned(&mut news, &run, 8, 4), None);
    }

    #[test]
    fn every_ramp_is_announced_and_its_end_logged() {
        let run = run(1, profile(&[(0, 4, 2), (10, 2, 0), (20, 6, 0)], 30));
        let mut news = RampNews::new(None);
        assert_eq!(
            news.begun(&run, s(0)),
            ["Ramping up to 4 users in 2 worker processes over 2s"]
        );
        assert_eq!(
            spawned(&mut news, &run, 4, 2).unwrap(),
            "All users spawned (4 total users)"
        );
        assert_eq!(
            news.begun(&run, s(10)),
            ["Ramping down to 2 users in 2 worker processes"]
        );
        assert!(
            spawned(&mut news, &run, 4, 11)
                .unwrap()
                .contains("(2 total users)")
        );
        assert_eq!(news.begun(&run, s(20)).len(), 1);
        // Two of four are still there: four more make eight that have been started.
        assert_eq!(spawned(&mut news, &run, 7, 21), None);
        assert!(
            spawned(&mut news, &run, 8, 21)
                .unwrap()
                .contains("(6 total users)")
        );
    }

    #[test]
    fn a_change_while_running_is_a_ramp_too() {
        let mut run = run(1, profile(&[(0, 4, 10)], 30));
        let mut news = RampNews::new(weighted());
        news.begun(&run, s(0));
        // Taken over at half: the first ramp never ends, and two users have been started by then.
        run.profile = run.profile.with_change(s(5), 10, 0).unwrap();
        assert_eq!(
            news.begun(&run, s(5)),
            ["Ramping up to 10 users in 2 worker processes"]
        );
        assert_eq!(spawned(&mut news, &run, 9, 6), None);
        assert!(
            spawned(&mut news, &run, 10, 6)
                .unwrap()
                .contains("(10 total users)")
        );
        assert_eq!(spawned(&mut news, &run, 10, 20), None);
    }

    #[test]
    fn fixed_counts_may_be_fewer_than_the_users_asked_for() {
        let run = run(1, profile(&[(0, 40, 0)], 30));
        let fixed = UserTypeWeight {
            fixed_count: 3,
            ..UserTypeWeight::weighted("F", 1.0)
        };
        let mut news = RampNews::new(Some(vec![fixed]));
        assert_eq!(
            spawned(&mut news, &run, 3, 1).unwrap(),
            "All users spawned: {\"F\": 3} (3 total users)"
        );
    }

    #[test]
    fn users_of_what_was_lost_are_neither_promised_nor_waited_for() {
        let mut run = run(2, profile(&[(0, 8, 2), (10, 12, 0), (20, 4, 0)], 30));
        run.test.workers = 4;
        let reason = FailureReason::AgentShutDown { agent: "1".into() };
        let loss = Loss::of_agent("1", 5, reason);
        run.completeness.coverage.add(loss);
        let mut news = RampNews::new(weighted());
        assert_eq!(
            news.begun(&run, s(10)),
            [
                "Ramping up to 4 users in 2 worker processes over 2s",
                "Ramping up to 6 users in 2 worker processes"
            ]
        );
        let ramp = news.ended(&run, s(11)).unwrap();
        assert_eq!(news.spawned_without_lost(&run, ramp, 5), None);
        assert_eq!(
            news.spawned_without_lost(&run, ramp, 6).unwrap(),
            "All users spawned (6 total users)"
        );
        assert!(news.ended(&run, s(12)).is_none(), "once");
        let ramp = news.ended(&run, s(21)).unwrap();
        assert_eq!(
            news.spawned_without_lost(&run, ramp, 6).unwrap(),
            "All users spawned (2 total users)",
            "on the way down none is waited for"
        );
    }

    #[test]
    fn what_an_earlier_process_said_is_not_said_again() {
        let run = run(1, profile(&[(0, 4, 0), (10, 8, 0)], 30));
        let mut news = RampNews::since(Some(RunTime::of_second(5)));
        assert!(news.begun(&run, s(6)).is_empty());
        assert_eq!(spawned(&mut news, &run, 4, 6), None);
        assert_eq!(news.begun(&run, s(10)).len(), 1);
    }
}
