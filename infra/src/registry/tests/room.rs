//! What all agents share: it is bounded, no token takes it all, and agents of active runs are never forgotten.

use super::*;

#[test]
fn connected_agents_are_bounded_and_those_gone_make_room() {
    let mut registry = Registry::default();
    for number in 0..MAX_AGENTS {
        registry.join(&numbered("a")(number), at(0)).unwrap();
    }
    let one_more = hello("more", "more", "load0");
    assert!(registry.join(&one_more, at(0)).is_err());
    registry.left(&id("a7"));
    assert_eq!(registry.join(&one_more, at(1)).unwrap().name, "more");
    assert!(registry.agent(&id("a7")).is_none());
    let connected = registry
        .names()
        .filter_map(|name| registry.connected_agents(name));
    assert_eq!(
        connected.map(|agents| agents.len()).sum::<usize>(),
        MAX_AGENTS
    );
}

#[test]
fn agents_of_one_build_share_their_scenarios_and_distinct_ones_are_bounded() {
    let naming = |number: usize, scenario: usize| Hello {
        scenarios: (0..400)
            .map(|part| ScenarioInfo {
                name: format!("{scenario}-{part}"),
                description: "x".repeat(500),
                ..ScenarioInfo::default()
            })
            .collect(),
        ..hello(&number.to_string(), &format!("a{number}"), "load")
    };
    let mut registry = Registry::default();
    for number in 0..500 {
        registry.join(&naming(number, 0), at(0)).unwrap();
    }
    let (first, last) = (registry.agent(&id("0")), registry.agent(&id("499")));
    assert!(
        first
            .unwrap()
            .scenarios
            .is_shared_with(&last.unwrap().scenarios)
    );
    let joined = (1..500)
        .take_while(|&list| registry.join(&naming(500 + list, list), at(1)).is_ok())
        .count();
    assert!((100..400).contains(&joined), "{joined}");
    registry.left(&id("501"));
    assert!(registry.join(&naming(2_000, 1_000), at(2)).is_ok());
    assert!(registry.agent(&id("501")).is_none(), "it made room");
}

fn join(
    registry: &mut Registry,
    hello: &Hello,
    token: &str,
) -> Result<Joined, InfrastructureError> {
    registry.join_as(hello, of_token(token), |_| false, at(0))
}

/// Joins agents with this token until one is refused.
fn flood(
    registry: &mut Registry,
    token: &str,
    hello: impl Fn(usize) -> Hello,
) -> (usize, InfrastructureError) {
    for number in 0.. {
        if let Err(refused) = join(registry, &hello(number), token) {
            return (number, refused);
        }
    }
    unreachable!("numbers do not end")
}

fn numbered(token: &str) -> impl Fn(usize) -> Hello {
    move |number| {
        let name = format!("{token}{number}");
        // Not in one infrastructure, where each name would be compared with all others.
        hello(&name, &name, &format!("load{}", number / 200))
    }
}

#[test]
fn one_tokens_agents_leave_room_for_others() {
    let mut registry = Registry::default();
    let (joined, refused) = flood(&mut registry, "greedy", numbered("greedy"));
    assert_eq!(joined, MAX_AGENTS / 2);
    let share = InfrastructureError::TokenShare(SharedBudget::Agents);
    assert_eq!(refused, share);
    assert!(refused.to_string().contains("2500 agents"), "{refused}");
    let (joined, refused) = flood(&mut registry, "other", numbered("other"));
    assert_eq!((joined, refused), (MAX_AGENTS / 4, share.clone()));
    // Those that it knows may come back, and its agents that are gone make room for each other only.
    let back = numbered("greedy")(7);
    assert!(join(&mut registry, &back, "greedy").is_ok());
    registry.left(&id("other7"));
    let more = numbered("greedy")(9_999);
    assert_eq!(join(&mut registry, &more, "greedy"), Err(share));
    registry.left(&id("greedy7"));
    assert!(join(&mut registry, &more, "greedy").is_ok());
    assert!(registry.agent(&id("greedy7")).is_none() && registry.agent(&id("other7")).is_some());
    // The coordinator's own token has no share.
    for number in 0..MAX_AGENTS / 4 {
        registry.join(&numbered("own")(number), at(0)).unwrap();
    }
}

#[test]
fn one_tokens_scenarios_leave_room_for_others() {
    let naming = |token: &'static str| {
        move |number: usize| Hello {
            scenarios: (0..400)
                .map(|part| ScenarioInfo {
                    name: format!("{token} {number} {part}"),
                    description: "x".repeat(500),
                    ..ScenarioInfo::default()
                })
                .collect(),
            ..numbered(token)(number)
        }
    };
    let mut registry = Registry::default();
    let (greedy, refused) = flood(&mut registry, "greedy", naming("greedy"));
    let share = InfrastructureError::TokenShare(SharedBudget::ScenarioBytes);
    assert_eq!(refused, share);
    let (other, refused) = flood(&mut registry, "other", naming("other"));
    assert_eq!(refused, share);
    assert!(
        other > 20 && greedy.abs_diff(2 * other) < 3,
        "{greedy} {other}"
    );
    // A list that is here takes no memory.
    let same = Hello {
        scenarios: naming("other")(3).scenarios,
        ..numbered("greedy")(9_999)
    };
    assert!(join(&mut registry, &same, "greedy").is_ok());
}

#[test]
fn one_tokens_infrastructures_leave_room_for_others() {
    let naming = |token: &'static str| {
        move |number: usize| {
            let name = format!("{token}{number}");
            hello(&name, "a", &name)
        }
    };
    let mut registry = Registry::default();
    registry.create("load").unwrap();
    let share = InfrastructureError::TokenShare(SharedBudget::Infrastructures);
    let (joined, refused) = flood(&mut registry, "greedy", naming("greedy"));
    assert_eq!(
        (joined, refused),
        (MAX_INFRASTRUCTURES / 2 - 1, share.clone())
    );
    let (joined, refused) = flood(&mut registry, "other", naming("other"));
    assert_eq!((joined, refused), (MAX_INFRASTRUCTURES / 4, share));
    assert!(join(&mut registry, &hello("1", "a", "load"), "greedy").is_ok());
}

#[test]
fn one_token_does_not_make_all_options_secret() {
    let declaring = |number: usize| {
        let options = (0..MAX_OPTIONS).map(|option| OptionInfo {
            name: format!("o{number}-{option}"),
            secret: true,
            ..OptionInfo::default()
        });
        Hello {
            scenarios: vec![ScenarioInfo {
                name: "shop".into(),
                options: options.collect(),
                ..ScenarioInfo::default()
            }],
            ..hello("1", "a", "load")
        }
    };
    let mut registry = Registry::default();
    let (first, refused) = flood(&mut registry, "greedy", declaring);
    let share = InfrastructureError::TokenShare(SharedBudget::SecretOptions);
    assert_eq!(refused, share);
    let saved = registry.take_new_secret_options();
    assert_eq!(saved.len(), first * MAX_OPTIONS);
    assert_eq!(saved.len(), SharedBudget::SecretOptions.whole() / 2);
    assert!(
        join(&mut registry, &declaring(0), "greedy").is_ok(),
        "they are known"
    );
    assert!(join(&mut registry, &declaring(9_999), "other").is_ok());
    assert_eq!(registry.take_new_secret_options().len(), MAX_OPTIONS);
    // After a restart it is the same token's.
    let mut registry = Registry::default().with_secret_options(saved);
    assert_eq!(join(&mut registry, &declaring(1_000), "greedy"), Err(share));
    let open = registry.join(&with_option("open", false), at(0));
    assert!(open.is_ok());
    let open = registry.agent(&id("open")).unwrap();
    assert!(!open.scenarios[0].options[0].secret);
}

#[test]
fn agents_of_active_runs_are_never_forgotten() {
    let mut registry = Registry::default();
    for number in 0..MAX_AGENTS {
        registry
            .join(&numbered("a")(number), at(number as u64))
            .unwrap();
    }
    for gone in ["a3", "a4", "a5"] {
        registry.left(&id(gone));
    }
    let in_run = [id("a3"), id("a5")];
    let is_in_run = |agent: &AgentId| in_run.contains(agent);
    let newcomer = |number| numbered("b")(number);
    let mut join = |number| {
        let admission = Admission::default();
        registry.join_as(&newcomer(number), admission, is_in_run, at(99_999))
    };
    assert!(join(0).is_ok());
    assert_eq!(join(1), Err(InfrastructureError::TooManyAgents));
    assert!(registry.agent(&id("a4")).is_none());
    assert!(in_run.iter().all(|id| registry.agent(id).is_some()));
    // Also not by more agents of the same token.
    let mut registry = Registry::default();
    flood(&mut registry, "t", numbered("t"));
    for gone in ["t3", "t4"] {
        registry.left(&id(gone));
    }
    let in_run = id("t3");
    let mut join =
        |number| registry.join_as(&newcomer(number), of_token("t"), |id| *id == in_run, at(1));
    assert!(join(0).is_ok());
    let share = InfrastructureError::TokenShare(SharedBudget::Agents);
    assert_eq!(join(1), Err(share));
    assert!(registry.agent(&in_run).is_some());
}
