//! Agents on machines with addresses of their own run what a crate of users has become, each time it is edited.

use std::collections::BTreeMap;

use greylag_tests::summary::Summary;
use greylag_tests::{
    AccessLog, Api, Ended, Greylag, Network, Nginx, Process, START_TIMEOUT, heavy,
};
use serde_json::Value;
use tempfile::TempDir;

use super::made_crate::MadeCrate;
use super::stock;
use crate::command_line::results::read_summary;
use crate::support::RUN_TIMEOUT;

const TOKEN: &str = "token-of-these-machines";
/// The machine that a person works on, and those that generate load.
const MACHINES: [&str; 6] = ["target", "coordinator", "desk", "east", "west", "north"];
const LATE: &str = "south";

/// A coordinator, and agents of a program that has none of the scenarios, each on a machine of its own.
struct Lab {
    agents: Vec<Process>,
    _coordinator: Process,
    url: String,
    directory: TempDir,
    network: Network,
}

impl Lab {
    async fn start(network: Network) -> Self {
        let directory = TempDir::new().expect("a directory");
        let url = format!("http://{}:8089", network.address("coordinator"));
        let listen = url.trim_start_matches("http://");
        let mut coordinator = Self::start_on(
            &network,
            &directory,
            "coordinator",
            &stock(),
            &["coordinator", "--accept-uploads", "--listen", listen],
        );
        coordinator
            .wait_for_output("its URL", START_TIMEOUT, |text| {
                text.contains(&url).then_some(())
            })
            .await;
        Self {
            agents: Vec::new(),
            _coordinator: coordinator,
            url,
            directory,
            network,
        }
    }

    /// Starts a command on a machine, which has a directory of its own.
    fn start_on(
        network: &Network,
        directory: &TempDir,
        machine: &str,
        program: &Greylag,
        arguments: &[&str],
    ) -> Process {
        let home = directory.path().join(machine);
        std::fs::create_dir_all(&home).expect("ours");
        let mut command = network.command(machine, program.path());
        command
            .args(arguments)
            .current_dir(&home)
            .env("HOME", &home)
            .env("GREYLAG_TOKEN", TOKEN);
        Process::start(format!("{} on {machine}", arguments[0]), &mut command)
    }

    fn start_agent(&mut self, machine: &str) {
        let to = ["agent", "--coordinator", &self.url, "--accept-uploads"];
        let arguments = [&to[..], &["--infrastructure", "lab", "--name", machine]].concat();
        let agent = Self::start_on(
            &self.network,
            &self.directory,
            machine,
            &stock(),
            &arguments,
        );
        self.agents.push(agent);
    }

    /// Runs a program from the desk on so many agents.
    async fn run(&self, program: &Greylag, host: &str, agents: &str) -> (Ended, Summary) {
        let to = ["run", "--coordinator", &self.url, "--infrastructure", "lab"];
        let test = ["--host", host, "-u", "8", "-t", "2s", "--ramp-up", "0s"];
        let rest = ["--agents", agents, "--workers", agents];
        let arguments = [&to[..], &test, &rest, &["--summary", "summary.json"]].concat();
        let (network, directory) = (&self.network, &self.directory);
        let mut run = Self::start_on(network, directory, "desk", program, &arguments);
        let ended = run.wait(RUN_TIMEOUT).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let (summary, _) = read_summary(&directory.path().join("desk").join("summary.json"));
        (ended, summary)
    }

    /// How many requests the agents of a run have counted, by the address of their machine.
    fn counted(&self, id: &str) -> BTreeMap<String, u64> {
        let api = Api::new(self.url.as_str()).with_token(TOKEN);
        self.network.on("desk", async move {
            let summary = api.summary(id).await;
            let mut counted = BTreeMap::new();
            for agent in &summary.run.builds[0].agents {
                let path = format!("/api/v1/runs/{id}/summary?agent={agent}");
                let of_agent: Value = api.get(&path).await.json();
                let requests = of_agent["totals"]["requests"].as_u64();
                counted.insert(self.network.address(agent), requests.expect("a number"));
            }
            counted
        })
    }
}

/// How many requests for a page came from which address.
fn logged(log: &AccessLog, page: &str) -> BTreeMap<String, u64> {
    let mut logged = BTreeMap::new();
    let path = |path: &str| path.split('?').next() == Some(page);
    for request in log.requests.iter().filter(|request| path(&request.path)) {
        *logged.entry(request.from.clone()).or_default() += 1;
    }
    logged
}

/// Skipped, with a reason in the output, where no network namespaces can be made.
#[tokio::test]
async fn three_machines_run_each_edit_of_a_made_crate_and_one_that_joins_late_the_next() {
    let Some(network) = Network::of(&[&MACHINES[..], &[LATE]].concat()) else {
        return;
    };
    let _turn = heavy().await;
    let nginx = Nginx::start_on(&network, "target").await;
    let mut lab = Lab::start(network).await;
    for machine in &MACHINES[3..] {
        lab.start_agent(machine);
    }
    let made = MadeCrate::make(lab.directory.path()).await;
    let mut runs = Vec::new();
    for (page, agents) in [("/first", "3"), ("/edited", "3"), ("/edited-again", "4")] {
        if agents == "4" {
            lab.start_agent(LATE);
        }
        made.edit(page);
        let program = made.compile();
        let (ended, summary) = lab.run(&program, &nginx.url(), agents).await;
        assert!(ended.stderr.contains("Uploading build"), "{}", ended.stderr);
        let build = &summary.run.builds[0];
        assert_eq!(build.agents.len().to_string(), agents, "{build:?}");
        runs.push((page, lab.counted(&summary.run.id), build.sha256.clone()));
    }
    for agent in &mut lab.agents {
        assert!(agent.is_running(), "it was not started again");
    }
    let log = nginx.finish().await;
    for (page, counted, _) in &runs {
        assert_eq!(
            logged(&log, page),
            *counted,
            "requests for {page} by address"
        );
        assert!(
            counted.values().all(|requests| *requests > 0),
            "{counted:?}"
        );
    }
    let all: u64 = runs
        .iter()
        .flat_map(|(_, counted, _)| counted.values())
        .sum();
    assert_eq!(log.totals().requests, all, "nothing else came");
    let [(.., first), (.., second), (.., third)] = &runs[..] else {
        panic!("there are three runs");
    };
    assert!(first != second && second != third && first != third);
}
