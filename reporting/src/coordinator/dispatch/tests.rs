use super::*;
use greylag_infra::protocol::{Hello, PROTOCOL_VERSION};
use greylag_infra::{
    AgentSecret, DeclaredRequest, DeclaredScenario, WallTime, WorkerCount, worker_count,
};

fn registry(agents: &[&str]) -> Registry {
    let shop = ScenarioInfo {
        name: "shop".into(),
        ..ScenarioInfo::default()
    };
    let with_shop: Vec<_> = agents.iter().map(|name| (*name, shop.clone())).collect();
    registry_of(&with_shop)
}

fn registry_of(agents: &[(&str, ScenarioInfo)]) -> Registry {
    let mut registry = Registry::default();
    registry.create("empty").unwrap();
    for (name, scenario) in agents {
        let hello = hello_of(name, scenario.clone());
        registry.join(&hello, WallTime::default()).unwrap();
    }
    registry
}

fn hello_of(name: &str, scenario: ScenarioInfo) -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        secret: AgentSecret::new(name),
        name: name.into(),
        infrastructure: "lab".into(),
        version: "0".into(),
        build: BuildInfo::default(),
        worker_protocol: None,
        takes_data: false,
        cores: 2,
        once: false,
        scenarios: vec![scenario],
        runs: vec![],
    }
}

fn choose(test: &LoadTest, registry: &Registry) -> Result<Chosen, StartRefused> {
    choose_agents(&"r".into(), test, registry, &StartTerms::default())
}

fn test(infrastructure: &str, scenario: &str, workers: u32) -> LoadTest {
    LoadTest {
        name: "t".into(),
        host: "http://127.0.0.1".into(),
        users: 10,
        ramp_up_s: 0,
        duration_s: 10,
        workers,
        infrastructure: infrastructure.into(),
        scenario: scenario.into(),
        stop_timeout_s: 10,
        declared: None,
        ..LoadTest::default()
    }
}

#[test]
fn workers_are_distributed_over_the_agents() {
    let chosen = choose(&test("lab", "shop", 3), &registry(&["b", "a"])).unwrap();
    let distributed: Vec<_> = chosen
        .agents
        .iter()
        .map(|a| (a.name.as_str(), a.workers.clone()))
        .collect();
    assert_eq!(distributed, [("a", vec![0, 2]), ("b", vec![1])]);
    let chosen = choose(&test("lab", "shop", 1), &registry(&["b", "a"])).unwrap();
    assert_eq!(
        chosen.agents.len(),
        1,
        "an agent without a worker takes no part"
    );
    assert_eq!(
        chosen.warnings,
        ["only 1 of 2 agents take part: workers is 1; `auto`, or at least 2, uses all of them"]
    );
}

#[test]
fn one_worker_per_core_is_distributed_by_the_agents_cores() {
    let shop = ScenarioInfo {
        name: "shop".into(),
        ..ScenarioInfo::default()
    };
    let mut registry = Registry::default();
    for (name, cores) in [("a", 1), ("b", 4), ("c", 2)] {
        let hello = Hello {
            cores,
            ..hello_of(name, shop.clone())
        };
        registry.join(&hello, WallTime::default()).unwrap();
    }
    let auto = |users| LoadTest {
        users,
        ..test("lab", "shop", 1).with_workers(WorkerCount::Auto)
    };
    let counts = |test: &LoadTest| -> Vec<usize> {
        let agents = choose(test, &registry).unwrap().agents;
        agents.iter().map(|agent| agent.workers.len()).collect()
    };
    assert_eq!(counts(&auto(100)), [1, 4, 2]);
    assert_eq!(counts(&auto(5)), [1, 2, 2], "at most one for each user");
    assert_eq!(counts(&auto(2)), [1, 1]);
    assert_eq!(
        choose(&auto(2), &registry).unwrap().warnings,
        ["only 2 of 3 agents take part: there is at most one worker per user"]
    );
    assert!(choose(&auto(5), &registry).unwrap().warnings.is_empty());
    assert_eq!(counts(&test("lab", "shop", 6)), [2, 2, 2], "in turn");
    assert_eq!(
        worker_count(&choose(&auto(100), &registry).unwrap().agents),
        7
    );
}

#[test]
fn each_refusal_says_what_to_do() {
    let registry = registry(&["a"]);
    for (test, words) in [
        (
            test("nowhere", "shop", 1),
            "available infrastructures: empty, lab",
        ),
        (
            test("empty", "shop", 1),
            "greylag agent --coordinator URL --infrastructure empty",
        ),
        (test("lab", "nothing", 1), "available scenarios: shop"),
        (
            test("lab", "shop", 0),
            "workers must be between 1 and 20000, got 0",
        ),
    ] {
        let message = choose(&test, &registry).unwrap_err().to_string();
        assert!(
            message.contains(words),
            "{message:?} should contain {words:?}"
        );
    }
}

#[test]
fn a_scenario_with_a_load_shape_needs_neither_users_nor_duration() {
    let shaped = ScenarioInfo {
        name: "shop".into(),
        has_shape: true,
        ..ScenarioInfo::default()
    };
    let without = LoadTest {
        users: 0,
        duration_s: 0,
        ..test("lab", "shop", 2)
    };
    assert!(choose(&without, &registry(&["a"])).is_err());
    let registry = registry_of(&[("a", shaped)]);
    assert!(choose(&without, &registry).is_ok());
}

#[test]
fn a_load_shape_that_is_not_followed_leaves_the_warnings() {
    let shaped = ScenarioInfo {
        name: "shop".into(),
        has_shape: true,
        ..ScenarioInfo::default()
    };
    let registry = registry_of(&[("a", shaped)]);
    let follows = LoadTest {
        ramp_up_s: 20,
        ..test("lab", "shop", 1)
    };
    assert!(choose(&follows, &registry).unwrap().warnings.is_empty());
    let rate = LoadTest {
        arrival_rate: Some(40.0),
        ..follows
    };
    let warnings = choose(&rate, &registry).unwrap().warnings;
    assert!(warnings[0].contains("20.0 iterations"), "{warnings:?}");
}

#[test]
fn what_does_not_fit_the_scenario_is_refused_and_different_ones_are_named() {
    let tagged = |tags: &[&str]| ScenarioInfo {
        name: "shop".into(),
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
        ..ScenarioInfo::default()
    };
    let registry = registry_of(&[("a", tagged(&["api", "old"])), ("b", tagged(&["api"]))]);
    let mut test = test("lab", "shop", 2);
    let warnings = choose(&test, &registry).unwrap().warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("agents a and b have different versions"),
        "{warnings:?}"
    );
    test.selection.tags = vec!["api".into()];
    assert!(choose(&test, &registry).is_ok());
    test.selection.tags = vec!["old".into()];
    let message = choose(&test, &registry).unwrap_err().to_string();
    assert!(message.contains("no task with tag `old`"), "{message}");
}

/// A registry of agents that have scenario `shop`, with these builds: name, digit of the hash, version.
fn built(agents: &[(&str, &str, &str)]) -> Registry {
    let mut registry = Registry::default();
    for (name, digit, version) in agents {
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            secret: AgentSecret::new(*name),
            name: (*name).into(),
            infrastructure: "lab".into(),
            version: (*version).into(),
            build: build(digit, version),
            worker_protocol: None,
            takes_data: false,
            cores: 2,
            once: false,
            scenarios: vec![ScenarioInfo {
                name: "shop".into(),
                ..ScenarioInfo::default()
            }],
            runs: vec![],
        };
        registry.join(&hello, WallTime::default()).unwrap();
    }
    registry
}

fn build(digit: &str, version: &str) -> BuildInfo {
    BuildInfo {
        sha256: digit.repeat(64),
        version: version.into(),
        platform: "p".into(),
    }
}

fn allowed() -> StartTerms {
    StartTerms {
        allow_mixed_builds: true,
        client_build: None,
    }
}

#[test]
fn different_builds_are_refused_unless_allowed() {
    let registry = built(&[("a", "1", "0"), ("b", "2", "0"), ("c", "1", "0")]);
    let of_three = test("lab", "shop", 3);
    let message = choose(&of_three, &registry).unwrap_err().to_string();
    for words in [
        "agents a and c run build 111111111111 (Greylag 0), agent b runs build 222222222222",
        "--allow-mixed-builds",
    ] {
        assert!(message.contains(words), "{message}");
    }
    let mixed = choose_agents(&"r".into(), &of_three, &registry, &allowed()).unwrap();
    assert_eq!(mixed.warnings.len(), 1, "{:?}", mixed.warnings);
    assert_eq!(mixed.agents[1].build, build("2", "0"));
    // An agent without a worker may be what it likes.
    assert!(choose(&test("lab", "shop", 1), &registry).is_ok());
    // One that does not say its build is not known to be the same.
    let unsaid = built(&[("a", "1", "0"), ("b", "", "0")]);
    let message = choose(&test("lab", "shop", 2), &unsaid)
        .unwrap_err()
        .to_string();
    assert!(message.contains("agent b runs build unknown"), "{message}");
}

#[test]
fn declared_requests_need_one_version_and_not_one_build() {
    let declared = LoadTest {
        declared: Some(DeclaredScenario {
            requests: vec![DeclaredRequest {
                method: "GET".into(),
                path: "/".into(),
                weight: 1,
                name: None,
                headers: Vec::new(),
                body: None,
                expect_status: None,
                expect_body: None,
            }],
            wait_time: None,
        }),
        ..test("lab", "declared", 2)
    };
    let same = built(&[("a", "1", "0.1.0"), ("b", "2", "0.1.0")]);
    assert!(choose(&declared, &same).unwrap().warnings.is_empty());
    let other = built(&[("a", "1", "0.1.0"), ("b", "2", "0.2.0")]);
    let message = choose(&declared, &other).unwrap_err().to_string();
    assert!(
        message.contains("different versions of Greylag"),
        "{message}"
    );
    assert!(choose_agents(&"r".into(), &declared, &other, &allowed()).is_ok());
}

#[test]
fn agents_run_the_build_that_asks_for_it() {
    let registry = built(&[("a", "1", "0")]);
    let asked = |build: BuildInfo, allow_mixed_builds| {
        let terms = StartTerms {
            allow_mixed_builds,
            client_build: Some(build),
        };
        choose_agents(&"r".into(), &test("lab", "shop", 1), &registry, &terms)
    };
    assert!(asked(build("1", "0"), false).unwrap().warnings.is_empty());
    let message = asked(build("2", "0"), false).unwrap_err().to_string();
    for words in [
        "this command line is build 222222222222 (Greylag 0), but agent a runs build 111111111111",
        "scenario `shop`",
        "--allow-mixed-builds",
    ] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(asked(build("2", "0"), true).unwrap().warnings.len(), 1);
    // A laptop of another kind cannot have the same file.
    let elsewhere = BuildInfo {
        platform: "other".into(),
        ..build("2", "0")
    };
    let warnings = asked(elsewhere, false).unwrap().warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("the agents' version of scenario `shop`"),
        "{warnings:?}"
    );
}
