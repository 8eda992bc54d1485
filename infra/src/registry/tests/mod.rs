use super::*;
use crate::base::{
    AgentId, AgentSecret, MAX_NAME_BYTES as MAX_TEXT_BYTES, MAX_SCENARIO_PARTS, MAX_SCENARIOS,
};
use crate::load_test::{MAX_OPTIONS, OptionInfo, ScenarioInfo, UserTypeInfo};
use crate::protocol::PROTOCOL_VERSION;

/// The time so many µs after 1970.
fn at(micros: u64) -> WallTime {
    WallTime::from_micros(micros)
}

fn hello(id: &str, name: &str, infrastructure: &str) -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        secret: AgentSecret::new(id),
        name: name.into(),
        infrastructure: infrastructure.into(),
        build: BuildInfo::default(),
        version: "0".into(),
        worker_protocol: None,
        takes_data: false,
        cores: 2,
        once: false,
        scenarios: vec![],
        runs: vec![],
    }
}

fn id(secret: &str) -> AgentId {
    AgentSecret::new(secret).agent_id()
}

fn of_token(token: &str) -> Admission {
    Admission {
        token: Some(token.to_owned()),
        run: None,
    }
}

#[test]
fn an_infrastructure_is_pending_then_connected_then_disconnected() {
    let mut registry = Registry::default();
    registry.create("load").unwrap();
    assert_eq!(registry.view(at(9))[0].status, ConnectionStatus::Pending);
    registry.join(&hello("1", "a", "load"), at(5)).unwrap();
    assert_eq!(registry.view(at(9))[0].status, ConnectionStatus::Connected);
    registry.left(&id("1"));
    assert_eq!(
        registry.view(at(9))[0].status,
        ConnectionStatus::Disconnected
    );
    assert_eq!(registry.view(at(9))[0].agents[0].last_heard, at(5));
    registry.join(&hello("1", "a", "load"), at(9)).unwrap();
    assert_eq!(registry.view(at(9))[0].status, ConnectionStatus::Connected);
}

#[test]
fn an_agent_of_one_run_is_free_until_it_has_one() {
    let mut registry = Registry::default();
    let mut once = hello("1", "a", "load");
    once.once = true;
    registry.join(&once, at(0)).unwrap();
    registry.join(&hello("2", "b", "load"), at(0)).unwrap();
    let free = |registry: &Registry| {
        let agents = registry.free_agents("load", &"r".into()).unwrap();
        assert_eq!(agents.len(), registry.count_free("load", &"r".into()).count);
        agents.len()
    };
    assert_eq!(free(&registry), 2);
    registry.takes_part(&id("1"));
    registry.takes_part(&id("2"));
    assert_eq!(free(&registry), 1);
    // Its run was over before it heard of it: otherwise it would name it, or have ended.
    registry.left(&id("1"));
    registry.join(&once, at(1)).unwrap();
    assert_eq!(free(&registry), 2);
    registry.left(&id("2"));
    assert_eq!(free(&registry), 1);
}

#[test]
fn an_agent_that_was_asked_for_a_run_is_free_for_no_other() {
    let mut registry = Registry::default();
    let of_first = Admission {
        run: Some("first".into()),
        ..of_token("t")
    };
    let joined = registry.join_as(&hello("1", "a", "load"), of_first, |_| false, at(0));
    joined.unwrap();
    registry.join(&hello("2", "b", "load"), at(7)).unwrap();
    let free = |run: &str| {
        let agents = registry.free_agents("load", &run.into()).unwrap();
        let counted = registry.count_free("load", &run.into());
        assert_eq!((counted.count, counted.others), (agents.len(), 1));
        let names = agents.into_iter().map(|agent| agent.name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(free("first"), ["a", "b"]);
    assert_eq!(free("second"), ["b"]);
    let last_came = |registry: &Registry| registry.count_free("load", &"first".into()).last_came;
    registry.heard(&id("1"), at(9));
    assert_eq!(last_came(&registry), at(7), "being heard is not coming");
    registry.left(&id("2"));
    assert_eq!(last_came(&registry), at(0));
}

#[test]
fn a_connected_agent_that_is_not_heard_is_silent() {
    let mut registry = Registry::default();
    registry.join(&hello("1", "a", "load"), at(0)).unwrap();
    registry.join(&hello("2", "b", "load"), at(0)).unwrap();
    registry.heard(&id("2"), at(5));
    let statuses = |registry: &Registry, now| {
        let view = &registry.view(now)[0];
        let agents = view.agents.iter().map(|agent| agent.status);
        (view.status, agents.collect::<Vec<_>>())
    };
    use ConnectionStatus::{Connected, Disconnected, Silent};
    assert_eq!(
        statuses(&registry, at(0) + SILENT_AFTER - Duration::from_micros(1)),
        (Connected, vec![Connected, Connected])
    );
    assert_eq!(
        statuses(&registry, at(0) + SILENT_AFTER),
        (Connected, vec![Silent, Connected])
    );
    assert_eq!(
        statuses(&registry, at(5) + SILENT_AFTER),
        (Silent, vec![Silent, Silent])
    );
    registry.left(&id("1"));
    registry.heard(&id("2"), at(0) + SILENT_AFTER);
    assert_eq!(
        statuses(&registry, at(5) + SILENT_AFTER),
        (Connected, vec![Disconnected, Connected])
    );
}

#[test]
fn two_agents_of_one_name_are_told_apart() {
    let mut registry = Registry::default();
    assert_eq!(
        registry.join(&hello("1", "a", "load"), at(0)).unwrap().name,
        "a"
    );
    assert_eq!(
        registry.join(&hello("2", "a", "load"), at(0)).unwrap().name,
        "a-2"
    );
    assert_eq!(
        registry.join(&hello("2", "a", "load"), at(0)).unwrap().name,
        "a-2",
        "after a reconnect"
    );
    registry.left(&id("1"));
    assert_eq!(
        registry.join(&hello("3", "a", "load"), at(0)).unwrap(),
        Joined {
            name: "a".into(),
            replaced: Some(id("1"))
        },
        "the name is free again"
    );
    assert!(
        registry.agent(&id("1")).is_none(),
        "replaced by the new process"
    );
    assert_eq!(registry.connected_agents("load").unwrap().len(), 2);
}

#[test]
fn a_silent_agent_is_replaced_by_one_of_its_name() {
    let mut registry = Registry::default();
    registry.join(&hello("1", "a", "load"), at(0)).unwrap();
    registry.join(&hello("2", "a", "load"), at(0)).unwrap();
    registry.heard(&id("2"), at(0) + SILENT_AFTER);
    let joined = registry.join(&hello("3", "a", "load"), at(0) + SILENT_AFTER);
    let instead_of_1 = Joined {
        name: "a".into(),
        replaced: Some(id("1")),
    };
    assert_eq!(joined.unwrap(), instead_of_1);
    let joined = registry.join(&hello("1", "a", "load"), at(0) + SILENT_AFTER);
    assert_eq!(joined.unwrap().name, "a-3", "it was alive");
}

/// Taking its name ends what an agent takes part in, so not everyone may.
#[test]
fn an_agent_in_a_run_keeps_its_name_from_those_with_another_token() {
    let mut registry = Registry::default();
    let mut join = |agent: &str, token: &str, in_run: &str| {
        let (hello, in_run) = (hello(agent, "a", "load"), id(in_run));
        let joined = registry.join_as(&hello, of_token(token), |id| *id == in_run, at(0));
        registry.left(&id(agent));
        joined.unwrap()
    };
    assert_eq!(join("1", "x", "").name, "a");
    let beside = Joined {
        name: "a-2".into(),
        replaced: None,
    };
    assert_eq!(join("2", "y", "1"), beside);
    let instead_of_1 = Joined {
        name: "a".into(),
        replaced: Some(id("1")),
    };
    assert_eq!(join("3", "x", "1"), instead_of_1);
    let known = registry.agent(&id("3")).unwrap();
    assert_eq!(known.admission, of_token("x"));
}

#[test]
fn an_agent_that_names_another_infrastructure_is_in_that_one_only() {
    let mut registry = Registry::default();
    registry.join(&hello("1", "a", "load"), at(0)).unwrap();
    registry.join(&hello("1", "a", "other"), at(0)).unwrap();
    assert_eq!(registry.connected_agents("load").unwrap().len(), 0);
    registry.left(&id("1"));
    assert_eq!(registry.connected_agents("other").unwrap().len(), 0);
}

#[test]
fn what_is_kept_of_a_hello_is_bounded() {
    let long = "x".repeat(2_000);
    let option = OptionInfo {
        name: long.clone(),
        default: long.clone(),
        help: long.clone(),
        choices: vec![long.clone(); 2],
        ..OptionInfo::default()
    };
    let user_type = UserTypeInfo {
        name: long.clone(),
        weight: f64::NAN,
        host: Some(long.clone()),
        ..UserTypeInfo::default()
    };
    let scenario = ScenarioInfo {
        name: long.clone(),
        description: long.clone(),
        options: vec![
            option.clone(),
            OptionInfo {
                name: "secret".into(),
                secret: true,
                ..option
            },
        ],
        user_types: vec![user_type],
        tags: vec![long.clone()],
        has_shape: true,
    };
    let many = ScenarioInfo {
        options: vec![OptionInfo::default(); MAX_OPTIONS + 1],
        user_types: vec![UserTypeInfo::default(); MAX_SCENARIO_PARTS + 1],
        tags: vec![String::new(); MAX_SCENARIO_PARTS + 1],
        ..ScenarioInfo::default()
    };
    let greedy = Hello {
        version: long,
        scenarios: [many]
            .into_iter()
            .chain(vec![scenario; MAX_SCENARIOS])
            .collect(),
        ..hello("1", "a", "load")
    };
    let mut registry = Registry::default();
    registry.join(&greedy, at(0)).unwrap();
    let agent = registry.agent(&id("1")).unwrap();
    assert_eq!(agent.version.len(), MAX_NAME_BYTES);
    assert_eq!(agent.scenarios.len(), MAX_SCENARIOS);
    let many = &agent.scenarios[0];
    assert_eq!(
        (many.options.len(), many.user_types.len(), many.tags.len()),
        (MAX_OPTIONS, MAX_SCENARIO_PARTS, MAX_SCENARIO_PARTS)
    );
    let kept = &agent.scenarios[1];
    let (user_type, option) = (&kept.user_types[0], &kept.options[0]);
    for text in [
        &kept.name,
        &kept.description,
        &kept.tags[0],
        &user_type.name,
        user_type.host.as_ref().unwrap(),
        &option.name,
        &option.default,
        &option.help,
        &option.choices[1],
    ] {
        assert_eq!(text.len(), MAX_TEXT_BYTES);
    }
    assert_eq!(user_type.weight, 0.0, "NaN is not kept");
    assert_eq!(kept.options[1].default, "", "a secret is not kept");
    assert!(kept.has_shape);
}

#[test]
fn infrastructures_that_agents_only_named_are_forgotten() {
    let mut registry = Registry::default();
    registry.create("ours").unwrap();
    for name in ["ran", "idle", "busy"] {
        registry.join(&hello(name, name, name), at(0)).unwrap();
    }
    registry.keep("ran");
    registry.left(&id("ran"));
    registry.left(&id("idle"));
    let names = |registry: &Registry| -> Vec<String> {
        registry
            .view(at(0))
            .into_iter()
            .map(|known| known.name)
            .collect()
    };
    registry.forget_strangers(at(0) + STRANGER_KEPT - Duration::from_micros(1));
    assert_eq!(names(&registry).len(), 4);
    registry.forget_strangers(at(0) + STRANGER_KEPT);
    assert_eq!(names(&registry), ["busy", "ours", "ran"]);
}

#[test]
fn a_deserted_infrastructure_makes_room_for_another() {
    let mut registry = Registry::default();
    for number in 0..MAX_INFRASTRUCTURES {
        let name = format!("i{number}");
        registry.join(&hello(&name, "a", &name), at(5)).unwrap();
    }
    let one_more = hello("more", "a", "more");
    assert_eq!(
        registry.join(&one_more, at(6)),
        Err(InfrastructureError::TooMany)
    );
    registry.left(&id("i7"));
    assert!(registry.join(&one_more, at(6)).is_ok());
    assert_eq!(registry.connected_agents("i7"), None);
}

#[test]
fn bad_names_are_refused() {
    let mut registry = Registry::default();
    for name in ["", " ", "a/b", "<script>", &"x".repeat(101), "a\nb"] {
        assert!(registry.create(name).is_err(), "{name:?}");
        assert!(registry.join(&hello("1", "a", name), at(0)).is_err());
        assert!(registry.join(&hello("1", name, "load"), at(0)).is_err());
    }
    registry.create("load").ok();
    assert_eq!(
        registry.create("load"),
        Err(InfrastructureError::Exists("load".into()))
    );
    assert_eq!(registry.connected_agents("nowhere"), None);
}

/// An agent with a scenario whose option has a default, secret or not.
fn with_option(id: &str, secret: bool) -> Hello {
    Hello {
        scenarios: vec![ScenarioInfo {
            name: "shop".into(),
            options: vec![OptionInfo {
                name: "pin".into(),
                default: "1234".into(),
                choices: vec!["1234".into()],
                secret,
                ..OptionInfo::default()
            }],
            ..ScenarioInfo::default()
        }],
        ..hello(id, id, &format!("of {id}"))
    }
}

#[test]
fn an_option_that_was_secret_once_is_secret_for_ever() {
    let all_hidden = |registry: &Registry| {
        let shown: Vec<OptionInfo> = registry
            .view(at(0))
            .into_iter()
            .flat_map(|infrastructure| infrastructure.agents)
            .flat_map(|agent| agent.scenarios.to_vec())
            .flat_map(|scenario| scenario.options)
            .collect();
        assert!(!shown.is_empty());
        shown
            .iter()
            .all(|option| option.secret && option.default.is_empty() && option.choices.is_empty())
    };
    let mut registry = Registry::default();
    registry.join(&with_option("open", false), at(0)).unwrap();
    assert!(!all_hidden(&registry));
    assert_eq!(registry.take_new_secret_options(), []);
    // also of agents that came before
    registry.join(&with_option("closed", true), at(0)).unwrap();
    assert!(all_hidden(&registry));
    let secret = registry.take_new_secret_options();
    let pin = SecretOption {
        scenario: "shop".to_owned(),
        option: "pin".to_owned(),
        token: None,
    };
    assert_eq!(secret, [pin]);
    assert_eq!(registry.take_new_secret_options(), []);
    // saving them failed
    registry.give_back_secret_options(secret.clone());
    assert_eq!(registry.take_new_secret_options(), secret);
    registry.join(&with_option("late", false), at(0)).unwrap();
    assert!(all_hidden(&registry));
    // after a restart
    let mut registry = Registry::default().with_secret_options(secret);
    registry.join(&with_option("open", false), at(0)).unwrap();
    assert!(all_hidden(&registry));
    registry.join(&with_option("closed", true), at(0)).unwrap();
    assert_eq!(registry.take_new_secret_options(), []);
}

#[test]
fn no_single_hello_makes_all_options_secret() {
    let secret = OptionInfo {
        name: "o".into(),
        secret: true,
        ..OptionInfo::default()
    };
    let greedy = Hello {
        scenarios: (0..MAX_SCENARIOS)
            .map(|number| ScenarioInfo {
                name: number.to_string(),
                options: vec![secret.clone()],
                ..ScenarioInfo::default()
            })
            .collect(),
        ..hello("greedy", "greedy", "load")
    };
    let mut registry = Registry::default();
    registry.join(&greedy, at(0)).unwrap();
    assert_eq!(registry.take_new_secret_options().len(), MAX_OPTIONS);
    registry.join(&greedy, at(0)).unwrap();
    assert_eq!(registry.take_new_secret_options().len(), MAX_OPTIONS);
}

#[test]
fn a_hello_that_is_refused_makes_nothing_secret() {
    let mut registry = Registry::default();
    let refused = Hello {
        infrastructure: "/".into(),
        ..with_option("closed", true)
    };
    registry.join(&refused, at(0)).unwrap_err();
    assert_eq!(registry.take_new_secret_options(), []);
    registry.join(&with_option("open", false), at(0)).unwrap();
    registry.join(&with_option("closed", true), at(0)).unwrap();
    let open = registry.agent(&id("open")).unwrap();
    assert!(open.scenarios[0].options[0].secret, "hidden once it is new");
}

#[test]
fn agents_of_one_run_are_forgotten_when_they_are_gone_and_it_is_over() {
    let mut registry = Registry::default();
    for (agent, run) in [
        ("1", Some("over")),
        ("2", Some("live")),
        ("3", None),
        ("4", Some("over")),
    ] {
        let admission = Admission {
            token: None,
            run: run.map(RunId::from),
        };
        let hello = hello(agent, agent, "load");
        registry
            .join_as(&hello, admission, |_| false, at(0))
            .unwrap();
    }
    for gone in ["1", "2", "3"] {
        registry.left(&id(gone));
    }
    registry.forget_gone_of_runs(|run| run.as_str() == "over");
    let view = registry.view(at(0));
    let names = view[0].agents.iter().map(|agent| agent.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["2", "3", "4"]);
}

mod room;
