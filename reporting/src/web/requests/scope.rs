//! Which part of a run is asked for: `?from=&to=&endpoint=&agent=&outcome=&saturated=`.

use greylag_infra::RunRecord;
use greylag_infra::protocol::Endpoint;
use serde::Deserialize;
use utoipa::IntoParams;

use super::scope_error::{KnownAgents, ScopeError};
use crate::measure::interval::Outcome;
use crate::plain_text::plain_text;
use crate::results::comparison::Stretch;
use crate::results::views::scope_view::LEAVE_OUT;
use crate::store::{Scope, Store, UnknownAgentName, UnknownEndpoint, Window};
use crate::web::error::WebError;

/// Longest part of a value that an error repeats, in characters.
const MAX_SHOWN: usize = 100;
/// Most agents that an error lists.
const MAX_LISTED: usize = 20;

/// The part of a query that says which part of a run is meant. What is missing or empty narrows nothing.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ScopeQuery {
    /// First second of run time.
    #[param(value_type = Option<u32>, required = false)]
    from: String,
    /// End in seconds of run time, exclusive.
    #[param(value_type = Option<u32>, required = false)]
    to: String,
    /// Method and name as in `GET /path`.
    #[param(required = false)]
    endpoint: String,
    /// Name of an agent.
    #[param(required = false)]
    agent: String,
    /// Only requests that ended so.
    #[param(value_type = Option<Outcome>, required = false)]
    outcome: String,
    /// `leave-out`: without the seconds in which the load generator was saturated.
    #[param(required = false)]
    saturated: String,
}

impl ScopeQuery {
    /// The scope of a run.
    ///
    /// # Errors
    /// 422 when the window is not valid, 404 when the run does not have the endpoint or the agent.
    pub(in crate::web) async fn scope(
        &self,
        store: &Store,
        run: &RunRecord,
    ) -> Result<Scope, WebError> {
        Ok(Scope {
            window: self.window(store, run).await?,
            ..self.scope_at_all_times(store, run).await?
        })
    }

    /// The scope without its window.
    ///
    /// # Errors
    /// As [`Self::scope`].
    pub(in crate::web) async fn scope_at_all_times(
        &self,
        store: &Store,
        run: &RunRecord,
    ) -> Result<Scope, WebError> {
        Ok(Scope {
            window: None,
            endpoint: self.endpoint(store, run).await?,
            agent: self.agent(run)?,
            outcome: self.outcome()?,
            without_saturated: self.without_saturated()?,
        })
    }

    fn without_saturated(&self) -> Result<bool, ScopeError> {
        match self.saturated.as_str() {
            "" => Ok(false),
            LEAVE_OUT => Ok(true),
            other => Err(ScopeError::Saturated(shown(other))),
        }
    }

    /// `from` alone.
    ///
    /// # Errors
    /// It is not a second.
    pub(in crate::web) fn first_second(&self) -> Result<Option<u32>, ScopeError> {
        second("from", &self.from)
    }

    async fn window(&self, store: &Store, run: &RunRecord) -> Result<Option<Window>, WebError> {
        let from = self.first_second()?.unwrap_or(0);
        let to = second("to", &self.to)?;
        if from == 0 && to.is_none() {
            return Ok(None);
        }
        let window = Window::new(from, to.unwrap_or(u32::MAX)).map_err(ScopeError::from)?;
        match store.last_second(&run.id).await? {
            None if from > 0 => return Err(ScopeError::NoResults.into()),
            Some(last) if from > last => {
                return Err(ScopeError::BeyondTheEnd { from, last }.into());
            }
            _ => {}
        }
        Ok(Some(window))
    }

    async fn endpoint(&self, store: &Store, run: &RunRecord) -> Result<Option<Endpoint>, WebError> {
        if self.endpoint.is_empty() {
            return Ok(None);
        }
        let known = store.endpoints(&run.id).await?;
        let found = found(known, &self.endpoint, |endpoint| {
            format!("{} {}", endpoint.method, endpoint.name)
                .trim_start()
                .to_owned()
        });
        let unknown = || ScopeError::NoSuchEndpoint(UnknownEndpoint(shown(&self.endpoint))).into();
        found.map(Some).ok_or_else(unknown)
    }

    fn outcome(&self) -> Result<Option<Outcome>, ScopeError> {
        match self.outcome.as_str() {
            "" => Ok(None),
            "ok" => Ok(Some(Outcome::Ok)),
            "failed" => Ok(Some(Outcome::Failed)),
            other => Err(ScopeError::NotAnOutcome(shown(other))),
        }
    }

    fn agent(&self, run: &RunRecord) -> Result<Option<String>, ScopeError> {
        if self.agent.is_empty() {
            return Ok(None);
        }
        let known = || run.agents.iter().map(|agent| agent.name.clone());
        let found = found(known().collect(), &self.agent, Clone::clone);
        found.map(Some).ok_or_else(|| {
            let mut names: Vec<String> = known()
                .map(|name| plain_text(&name))
                .take(MAX_LISTED)
                .collect();
            if run.agents.len() > MAX_LISTED {
                names.push("…".to_owned());
            }
            ScopeError::NoSuchAgent(
                UnknownAgentName(shown(&self.agent)),
                KnownAgents::new(names),
            )
        })
    }
}

/// Which part of the runs of a comparison is meant: nothing is the steady state.
pub(in crate::web) fn stretch(from: &str, to: &str) -> Result<Stretch, ScopeError> {
    match (second("from", from)?, second("to", to)?) {
        (None, None) => Ok(Stretch::Steady),
        (Some(0), None) => Ok(Stretch::Whole),
        (from, to) => {
            let window = Window::new(from.unwrap_or(0), to.unwrap_or(u32::MAX))?;
            Ok(Stretch::Window(window))
        }
    }
}

/// What reads as was asked for: as it is stored, else as it is shown.
fn found<T>(known: Vec<T>, asked: &str, text: impl Fn(&T) -> String) -> Option<T> {
    let exactly = known.iter().position(|one| text(one) == asked);
    let at = exactly.or_else(|| known.iter().position(|one| plain_text(&text(one)) == asked));
    known.into_iter().nth(at?)
}

fn second(name: &'static str, text: &str) -> Result<Option<u32>, ScopeError> {
    if text.is_empty() {
        return Ok(None);
    }
    let second = text.trim().parse();
    second.map(Some).map_err(|_| ScopeError::NotASecond {
        name,
        got: shown(text),
    })
}

fn shown(text: &str) -> String {
    plain_text(text).chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use greylag_infra::{BuildInfo, Completeness, LoadTest, RunAgent, RunPhase, WallTime};

    use super::*;

    #[test]
    fn what_is_named_is_found_as_it_is_stored_else_as_it_is_shown() {
        let odd = "GET /a\u{202e}b";
        let shown = plain_text(odd);
        assert_ne!(shown, odd);
        let both = vec![odd.to_owned(), shown.clone()];
        let find = |known: Vec<String>| found(known, &shown, Clone::clone);
        assert_eq!(find(both.clone()).as_ref(), Some(&both[1]));
        assert_eq!(find(vec![odd.to_owned()]).as_deref(), Some(odd));
        assert_eq!(find(Vec::new()), None);
    }

    #[test]
    fn an_error_repeats_and_lists_no_more_than_can_be_read() {
        assert_eq!(shown(&"x".repeat(500)).len(), MAX_SHOWN);
        let agent = |number: usize| RunAgent {
            id: format!("id-{number}").as_str().into(),
            name: format!("agent-{number}"),
            build: BuildInfo::default(),
            workers: Vec::new(),
            last_seq: 0,
            saved_until: 0,
            end: None,
        };
        let query = ScopeQuery {
            agent: "unknown".to_owned(),
            ..ScopeQuery::default()
        };
        let message = |agents: usize| {
            let test = LoadTest::default();
            let run = RunRecord {
                id: "r".into(),
                number: 1,
                profile: test.profile(),
                test,
                phase: RunPhase::Running,
                created_at: WallTime::from_micros(1),
                started_at: None,
                ended_at: None,
                agents: (0..agents).map(agent).collect(),
                completeness: Completeness::default(),
            };
            query.agent(&run).expect_err("it is unknown").to_string()
        };
        assert!(!message(MAX_LISTED).contains('…'));
        let of_many = message(MAX_LISTED + 1);
        assert!(
            of_many.contains("agent-19") && of_many.contains('…'),
            "{of_many}"
        );
        assert!(!of_many.contains("agent-20"), "{of_many}");
    }

    #[test]
    fn a_comparison_is_of_the_steady_state_of_all_or_of_a_window() {
        assert!(matches!(stretch("", ""), Ok(Stretch::Steady)));
        assert!(matches!(stretch("0", ""), Ok(Stretch::Whole)));
        for (from, to, expected) in [
            ("0", "9", (0, 9)),
            ("", "9", (0, 9)),
            ("5", "", (5, u32::MAX)),
        ] {
            let Ok(Stretch::Window(window)) = stretch(from, to) else {
                panic!("{from} to {to} is a window");
            };
            assert_eq!((window.from(), window.to()), expected);
        }
        assert!(stretch("5", "5").is_err());
    }
}
