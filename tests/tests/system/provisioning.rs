//! Infrastructures whose agents are started for each run, by commands of the coordinator's configuration file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use greylag_tests::{Cluster, Nginx, heavy};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, SOON, greylag, test};

/// Starts agents in the background and leaves; what a file says decides the rest.
const UP: &str = r#"
echo "up $GREYLAG_RUN" >> calls
echo "starting $GREYLAG_AGENTS agents of $GREYLAG_INFRASTRUCTURE with $GREYLAG_TOKEN"
if test -e up-fails; then echo "no machines left" >&2; exit 3; fi
until ! test -e up-hangs; do sleep 0.05; done
for number in $(seq "$GREYLAG_AGENTS"); do
  (until ! test -e agents-wait; do sleep 0.05; done
   exec "$AGENT" agent --once --name "agent-$number") > "agent-$GREYLAG_RUN-$number.log" 2>&1 &
  echo $! >> "agents-$GREYLAG_RUN"
done
"#;

/// Ends them, as often as it is run.
const DOWN: &str = r#"
echo "down $GREYLAG_RUN" >> calls
until ! test -e down-hangs; do sleep 0.05; done
if test -e down-fails; then
  failures=$(cat down-fails)
  if test "$failures" -gt 0; then echo $((failures - 1)) > down-fails; echo "try later"; exit 1; fi
fi
if test -e agents-stay; then exit 0; fi
if test -e "agents-$GREYLAG_RUN"; then
  for id in $(cat "agents-$GREYLAG_RUN"); do kill "$id" 2>/dev/null || true; done
fi
"#;

/// A coordinator whose infrastructure `lab` is made by these scripts, which run in a directory of their own.
struct Lab {
    cluster: Cluster,
    nginx: Nginx,
    directory: TempDir,
}

impl Lab {
    async fn start(settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("up.sh"), UP).expect("a script");
        fs::write(at("down.sh"), DOWN).expect("a script");
        let config = format!(
            "lease = \"29s\"\n[infrastructures.lab]\nkind = \"command\"\n\
             up = [\"env\", \"AGENT={}\", \"sh\", \"./up.sh\"]\ndown = [\"sh\", \"./down.sh\"]\n{settings}",
            env!("CARGO_BIN_EXE_greylag_under_test"),
        );
        fs::write(at("coordinator.toml"), config).expect("a file");
        let config = at("coordinator.toml");
        let config = config.to_str().expect("a path in UTF-8");
        Self {
            cluster: Cluster::start_with(&greylag(), &["--config", config]).await,
            nginx: Nginx::start().await,
            directory,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn say(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).expect("the directory is ours");
    }

    fn unsay(&self, name: &str) {
        fs::remove_file(self.at(name)).expect("it was said");
    }

    /// Which commands were run for which run.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.at("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    async fn wait_for_calls(&self, expected: &[String]) {
        wait_until("the commands", || self.calls() == expected).await;
    }

    /// Asks for a run that lasts two seconds.
    async fn ask(&self, changes: Value) -> String {
        let mut all =
            json!({ "users": 4, "ramp_up": 0, "duration": 2, "share": false, "workers": 1 });
        let keys = changes.as_object().expect("an object").clone();
        all.as_object_mut().expect("an object").extend(keys);
        let load = test(&self.nginx.url(), "lab", all);
        self.cluster.api().start(&load).await
    }

    /// Waits until the run waits for this.
    async fn wait_for_reason(&self, id: &str, words: &str) {
        let says = |progress: &Value| {
            let waiting = progress["waiting"].as_str().unwrap_or_default();
            progress["phase"] == json!("Provisioning") && waiting.contains(words)
        };
        self.cluster.api().wait_for(id, words, SOON, says).await;
    }

    /// Waits until the run's log has this.
    async fn wait_for_log(&self, id: &str, words: &str) -> String {
        let api = self.cluster.api();
        let mut log = String::new();
        let logged = async {
            loop {
                log = api.log(id).await;
                if log.contains(words) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(SOON, logged).await.is_err() {
            panic!("`{words}` is not in the log: {log}");
        }
        log
    }

    async fn lab(&self) -> Value {
        let all = self.cluster.api().infrastructures().await;
        let list = all.as_array().expect("a list").clone();
        let found = list.into_iter().find(|known| known["name"] == json!("lab"));
        found.expect("the infrastructure of the file")
    }

    /// Nothing of a run is left: all agents are gone, and no directory says that there are any.
    async fn wait_until_nothing_is_left(&self) {
        let commands = self.cluster.data().join("commands");
        let left = || fs::read_dir(&commands).map_or(0, Iterator::count);
        wait_until("the files of commands to be removed", || left() == 0).await;
        let path = self.directory.path().to_owned();
        wait_until("agents to end", || running_in(&path).is_empty()).await;
    }
}

/// A test that fails leaves no agents behind either.
impl Drop for Lab {
    fn drop(&mut self) {
        for id in running_in(self.directory.path()) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(SOON, waiting).await.is_err() {
        panic!("waited in vain for {what}");
    }
}

/// The processes whose working directory this is.
fn running_in(directory: &Path) -> Vec<rustix::process::Pid> {
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    let of_directory = processes.filter(|process| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|of| of == directory)
    });
    of_directory
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter_map(rustix::process::Pid::from_raw)
        .collect()
}

fn calls_of(ids: &[&str]) -> Vec<String> {
    let calls = ids.iter();
    calls
        .flat_map(|id| [format!("up {id}"), format!("down {id}")])
        .collect()
}

#[tokio::test]
async fn agents_are_started_for_a_run_and_ended_after_it() {
    let _turn = heavy().await;
    let lab = Lab::start("").await;
    let known = lab.lab().await;
    assert_eq!(known["kind"], json!("command"));
    assert_eq!(known["status"], json!("Pending"));
    let front = lab.cluster.api().get("/").await.body;
    assert!(
        front.contains("Agents are started for each run."),
        "{front}"
    );

    let id = lab.ask(json!({ "agents": 2, "workers": 2 })).await;
    let progress = lab
        .cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    assert!(progress["requests"].as_u64() > Some(0), "{progress}");
    lab.wait_for_calls(&calls_of(&[&id])).await;
    let log = lab
        .wait_for_log(&id, "the machines have been given back")
        .await;
    for words in [
        "asking infrastructure lab for 2 machines",
        "up: starting 2 agents of lab with greylag_",
        "up: succeeded",
        "down: succeeded",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let shown = log.split("with greylag_").nth(1).unwrap_or_default();
    let (_, secret) = shown.split_once('_').expect("an id and a secret");
    assert!(secret.starts_with('…'), "a token in clear");
    lab.wait_until_nothing_is_left().await;
    // Nothing of the run is left here either.
    let forgotten = async {
        while lab.lab().await["agents"].as_array().map(Vec::len) != Some(0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let forgotten = tokio::time::timeout(SOON, forgotten).await;
    forgotten.expect("the agents of the run are forgotten");
    // Without a number it is one.
    let id = lab.ask(json!({})).await;
    lab.cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    let log = lab
        .wait_for_log(&id, "the machines have been given back")
        .await;
    assert!(log.contains("up: starting 1 agents"), "{log}");
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_it_waits_gives_back_what_was_begun() {
    let _turn = heavy().await;
    let lab = Lab::start("").await;
    lab.say("up-hangs", "");
    let id = lab.ask(json!({})).await;
    lab.wait_for_reason(
        &id,
        "waiting for 1 of 1 agent: up starting: starting 1 agents",
    )
    .await;
    let activity = lab.lab().await["activity"].as_str().map(str::to_owned);
    assert!(activity.is_some_and(|text| text.starts_with("up starting")));
    lab.cluster.api().stop(&id).await;
    lab.wait_for_calls(&calls_of(&[&id])).await;
    lab.wait_until_nothing_is_left().await;
    let run = lab
        .cluster
        .api()
        .get(&format!("/api/v1/runs/{id}"))
        .await
        .json();
    assert_eq!(run["about"]["failure_code"], json!("stopped_by_user"));

    // The same when its agents are there and prepare: they are asked to end, and `down` is sure of it.
    lab.unsay("up-hangs");
    let long = lab.ask(json!({ "duration": 600 })).await;
    lab.cluster
        .api()
        .wait_for_requests(&long, 1, RUN_TIMEOUT)
        .await;
    lab.cluster.api().stop(&long).await;
    lab.wait_for_calls(&calls_of(&[&id, &long])).await;
    lab.wait_until_nothing_is_left().await;
}

#[tokio::test]
async fn up_that_fails_fails_its_run_and_down_is_run() {
    let _turn = heavy().await;
    let lab = Lab::start("").await;
    lab.say("up-fails", "");
    let fails = lab.ask(json!({})).await;
    let failed = lab
        .cluster
        .api()
        .wait_for_status(&fails, "Failed", RUN_TIMEOUT)
        .await;
    assert_eq!(failed["failure_code"], json!("machines_refused"));
    let reason =
        "infrastructure lab did not make the machines: up ended with exit code 3: no machines left";
    assert_eq!(failed["failure_reason"], json!(reason));
    lab.wait_for_calls(&calls_of(&[&fails])).await;
    let error = lab.lab().await["last_error"].clone();
    assert_eq!(error, json!("up ended with exit code 3: no machines left"));
    lab.wait_until_nothing_is_left().await;
}

#[tokio::test]
async fn up_that_hangs_fails_its_run_and_down_is_run() {
    let _turn = heavy().await;
    let lab = Lab::start("up_timeout = \"4s\"\n").await;
    lab.say("up-hangs", "");
    let hangs = lab.ask(json!({})).await;
    let failed = lab
        .cluster
        .api()
        .wait_for_status(&hangs, "Failed", RUN_TIMEOUT)
        .await;
    let reason = failed["failure_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("up did not end within 4s"), "{reason}");
    lab.wait_for_calls(&calls_of(&[&hangs])).await;
    lab.wait_until_nothing_is_left().await;
}

#[tokio::test]
async fn down_is_run_until_it_succeeds_and_only_then_the_next_up() {
    let _turn = heavy().await;
    let lab = Lab::start("").await;
    lab.say("down-fails", "2");
    // Until it is seen that the second run waits.
    lab.say("down-hangs", "");
    let first = lab.ask(json!({ "name": "first" })).await;
    let second = lab.ask(json!({ "name": "second" })).await;
    lab.wait_for_reason(&second, "the machines of #1 of first are given back first")
        .await;
    lab.unsay("down-hangs");
    lab.cluster
        .api()
        .wait_for_status(&second, "Finished", RUN_TIMEOUT)
        .await;
    let log = lab
        .wait_for_log(&first, "the machines have been given back")
        .await;
    let refused = "the machines cannot be given back: down ended with exit code 1: try later; trying again in 1 s";
    assert!(log.contains(refused), "{log}");
    let down = format!("down {first}");
    let mut expected = vec![format!("up {first}"), down.clone(), down.clone(), down];
    expected.extend(calls_of(&[&second]));
    lab.wait_for_calls(&expected).await;
    lab.wait_until_nothing_is_left().await;
}

/// One of two is enough for each, so that one is always left.
#[tokio::test]
async fn runs_that_wait_for_each_other_have_agents_of_their_own() {
    let _turn = heavy().await;
    let lab = Lab::start("").await;
    // Agents that outlive their run do not begin the next one.
    lab.say("agents-stay", "");
    let mut ids = Vec::new();
    for name in ["first", "second", "third"] {
        ids.push(lab.ask(json!({ "name": name, "agents": "1..2" })).await);
    }
    for id in &ids {
        lab.cluster
            .api()
            .wait_for_status(id, "Finished", RUN_TIMEOUT)
            .await;
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    lab.wait_for_calls(&calls_of(&ids)).await;
    lab.unsay("agents-stay");
    lab.wait_until_nothing_is_left().await;
}

/// Killed after `up` and before the agents come, while `up` runs, and while `down` runs.
#[tokio::test]
async fn machines_are_given_back_over_kill_9_of_the_coordinator() {
    let _turn = heavy().await;
    let mut lab = Lab::start("").await;
    lab.say("agents-wait", "");
    let first = lab.ask(json!({})).await;
    lab.wait_for_log(&first, "up: succeeded").await;
    lab.cluster.kill_coordinator().await;
    lab.cluster.restart_coordinator().await;
    lab.unsay("agents-wait");
    lab.cluster
        .api()
        .wait_for_status(&first, "Finished", RUN_TIMEOUT)
        .await;
    let mut expected = calls_of(&[&first]);
    lab.wait_for_calls(&expected).await;

    lab.say("up-hangs", "");
    let second = lab.ask(json!({})).await;
    lab.wait_for_reason(&second, "up starting").await;
    lab.cluster.kill_coordinator().await;
    lab.cluster.restart_coordinator().await;
    let again = [
        format!("up {second}"),
        format!("down {second}"),
        format!("up {second}"),
    ];
    expected.extend(again);
    lab.wait_for_calls(&expected).await;
    lab.say("down-hangs", "");
    lab.unsay("up-hangs");
    lab.cluster
        .api()
        .wait_for_status(&second, "Finished", RUN_TIMEOUT)
        .await;

    expected.push(format!("down {second}"));
    lab.wait_for_calls(&expected).await;
    lab.cluster.kill_coordinator().await;
    lab.unsay("down-hangs");
    lab.cluster.restart_coordinator().await;
    expected.push(format!("down {second}"));
    lab.wait_for_calls(&expected).await;
    lab.wait_until_nothing_is_left().await;
    // Nothing is left to do for the next one but its own.
    lab.cluster.kill_coordinator().await;
    lab.cluster.restart_coordinator().await;
    let third = lab.ask(json!({})).await;
    expected.extend(calls_of(&[&third]));
    lab.wait_for_calls(&expected).await;
}
