//! The recipes of `infra/deploy/recipes/`: their configuration and their very scripts, with stand-ins of the programs that
//! they call, which start real agents.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use greylag_tests::{Api, Ended, Nginx, Process, heavy, start_coordinator};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, SOON, greylag, test};

/// Runs the command of a machine in a directory of its name. What it was given is kept.
const SSH: &str = r#"#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
if [ -e "$STANDINS/unreachable" ] && [ "$1" = "$(cat "$STANDINS/unreachable")" ]; then exit 255; fi
mkdir -p "$STANDINS/$1" && cd "$STANDINS/$1"
echo "$2" >> asked
exec sh -c "$2"
"#;

/// Starts an agent for each allocation of a job, with its environment.
const NOMAD: &str = r#"#!/bin/sh
cd "$STANDINS"
case "$1 $2" in
"job run")
  job=$(cat)
  name=$(printf '%s\n' "$job" | sed -n 's/^job "\(.*\)" {/\1/p')
  count=$(printf '%s\n' "$job" | sed -n 's/^ *count = //p')
  printf '%s\n' "$job" | sed -n 's/^ *\(GREYLAG_[A-Z_]*\) *= "\(.*\)"$/\1=\2/p' > env
  for number in $(seq "$count"); do
    env $(cat env) greylag agent --once --name "$name-$number" > "$name-$number.log" 2>&1 &
    echo $! >> "$name.pids"
  done ;;
"job stop")
  for name; do :; done
  if ! [ -e "$name.pids" ]; then echo "No job(s) with prefix or ID \"$name\" found" >&2; exit 1; fi
  for id in $(cat "$name.pids"); do kill $id 2> /dev/null; done
  rm "$name.pids" ;;
*) echo "unknown: $*" >&2; exit 1 ;;
esac
"#;

/// A parameter, and a group whose machines run its user data.
const AWS: &str = r#"#!/bin/sh
cd "$STANDINS"
value() { while [ "$1" != "$name" ]; do shift; done; echo "$2"; }
case "$1 $2" in
"ssm put-parameter") cat > parameter ;;
"ssm get-parameter") sed 's/.*"Value":"\(.*\)"}/\1/' parameter ;;
"ssm delete-parameter")
  if ! [ -e parameter ]; then echo "An error occurred (ParameterNotFound)" >&2; exit 254; fi
  rm parameter ;;
"autoscaling set-desired-capacity")
  name=--desired-capacity; wanted=$(value "$@")
  grep -q 'GREYLAG_ACCEPT_UPLOADS=true' parameter 2> /dev/null || [ "$wanted" = 0 ] || exit 1
  if [ "$wanted" = 0 ]; then
    for id in $(cat pids 2> /dev/null); do kill $id 2> /dev/null; done
    rm -f pids
  fi
  for number in $(seq "$wanted"); do
    sh "$RECIPE/user-data.sh" > "machine-$number.log" 2>&1 &
    echo $! >> pids
  done ;;
"autoscaling describe-auto-scaling-groups")
  if [ -e pids ]; then wc -l < pids; else echo 0; fi ;;
*) echo "unknown: $*" >&2; exit 1 ;;
esac
"#;

/// The coordinator's own, which none of the agents has.
const TOKEN: &str = "0123456789abcdef";

/// The blocks of a document in this language, without their marks.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let mark = format!("```{language}\n");
    let parts = document.split(&mark).skip(1);
    parts
        .map(|part| part.split("\n```").next().unwrap_or_default().to_owned() + "\n")
        .collect()
}

/// What a document says, in files in a directory, and a coordinator that was started with it.
struct Recipe {
    directory: TempDir,
    /// Keeps it running.
    _coordinator: Process,
    api: Api,
    infrastructure: String,
}

impl Recipe {
    async fn start(name: &str, program: &str, stand_in: &str, files: &[(&str, &str)]) -> Self {
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/deploy/recipes");
        let document = fs::read_to_string(recipes.join(name)).expect("the document");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        for script in blocks(&document, "sh") {
            let line = script.lines().nth(1).expect("two lines");
            let name = line
                .strip_prefix("# ")
                .and_then(|line| line.split_once(": "));
            let (name, _) = name.expect("the second line names the file");
            fs::write(at(name), &script).expect("a script");
        }
        let [config] = blocks(&document, "toml").try_into().expect("one block");
        fs::write(at("coordinator.toml"), &config).expect("a file");
        for (name, text) in files {
            fs::write(at(name), text).expect("a file");
        }
        for name in ["bin", "standins", "data"] {
            fs::create_dir(at(name)).expect("a directory");
        }
        let under_test = env!("CARGO_BIN_EXE_greylag_under_test");
        write_program(
            &at("bin/greylag"),
            &format!("#!/bin/sh\nexec {under_test} \"$@\"\n"),
        );
        write_program(&at("bin").join(program), stand_in);
        let path = format!(
            "{}:{}",
            at("bin").display(),
            std::env::var("PATH").expect("PATH")
        );
        let config_file = at("coordinator.toml").display().to_string();
        let options = [
            "--config",
            &config_file,
            "--token",
            TOKEN,
            "--accept-uploads",
        ];
        let options = options.map(str::to_owned);
        let (coordinator, api) = start_coordinator(
            &greylag(),
            &at("data"),
            "127.0.0.1:0",
            &options,
            |command| {
                command
                    .env("PATH", path)
                    .env("STANDINS", at("standins"))
                    .env("RECIPE", directory.path());
            },
        )
        .await;
        let table = config.lines().next().expect("a table");
        let infrastructure = table
            .trim_start_matches("[infrastructures.")
            .trim_end_matches(']');
        Self {
            infrastructure: infrastructure.to_owned(),
            _coordinator: coordinator,
            api: api.with_token(TOKEN),
            directory,
        }
    }

    fn standins(&self) -> PathBuf {
        self.directory.path().join("standins")
    }

    /// A run on two agents, and what its log says once its machines are given back.
    async fn run(&self) -> String {
        let nginx = Nginx::start_unlogged().await;
        let changes = json!({ "users": 4, "ramp_up": 0, "duration": 2, "share": false, "agents": 2, "workers": 2 });
        let id = self
            .api
            .start(&test(&nginx.url(), &self.infrastructure, changes))
            .await;
        self.api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
        self.until_given_back(&id).await
    }

    async fn until_given_back(&self, id: &str) -> String {
        let given_back = async {
            loop {
                let log = self.api.log(id).await;
                if log.contains("the machines have been given back") {
                    return log;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let log = tokio::time::timeout(SOON, given_back).await;
        log.expect("the machines are given back")
    }

    /// A run that is stopped before its `up` has anything to end: `down` succeeds all the same.
    async fn down_alone(&self) {
        let ended = self.script("down.sh", "nothing").await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Runs a script for a run.
    async fn script(&self, name: &str, run: &str) -> Ended {
        let mut command = greylag_tests::clean_command("sh");
        let path = format!(
            "{}:{}",
            self.directory.path().join("bin").display(),
            std::env::var("PATH").expect("PATH")
        );
        command
            .arg(self.directory.path().join(name))
            .arg("greylag-agents")
            .current_dir(self.directory.path())
            .env("PATH", path)
            .env("STANDINS", self.standins())
            .env("GREYLAG_RUN", run);
        Process::start(name, &mut command).wait(SOON).await
    }
}

pub(crate) fn write_program(path: &Path, text: &str) {
    fs::write(path, text).expect("a program");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).expect("a program");
}

#[tokio::test]
async fn ssh() {
    let _turn = heavy().await;
    let machines = [("machines.txt", "east\nwest\n\nspare\n")];
    let recipe = Recipe::start("ssh.md", "ssh", SSH, &machines).await;
    let log = recipe.run().await;
    for machine in ["east", "west"] {
        assert!(
            log.contains(&format!("up: started an agent on {machine}")),
            "{log}"
        );
        let asked = fs::read_to_string(recipe.standins().join(machine).join("asked"));
        let asked = asked.expect("it was asked");
        assert!(!asked.contains("greylag_"), "no token: {asked}");
        let flag = "GREYLAG_ACCEPT_UPLOADS='true'";
        assert!(asked.contains(flag), "{asked}");
        let left = fs::read_dir(recipe.standins().join(machine)).expect("a directory");
        assert_eq!(left.count(), 1, "only what was asked");
    }
    assert!(!recipe.standins().join("spare").exists());
    recipe.down_alone().await;

    // All others are reached, and it fails until this one is given up.
    let at = |name: &str| recipe.directory.path().join(name);
    fs::write(at("started-lost"), "east\nwest\n").expect("a file");
    fs::write(recipe.standins().join("unreachable"), "east").expect("a file");
    let ended = recipe.script("down.sh", "lost").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("not reached: east; "), "{ended:?}");
    let asked = fs::read_to_string(recipe.standins().join("west/asked"));
    assert!(asked.expect("it was asked").contains("greylag-lost.pid"));
    fs::write(at("started-lost"), "west\n").expect("a file");
    assert_eq!(recipe.script("down.sh", "lost").await.code, Some(0));
    assert!(!at("started-lost").exists());

    let changes = json!({ "agents": 4, "duration": 2 });
    let id = recipe
        .api
        .start(&test("http://127.0.0.1:9", "lab", changes))
        .await;
    let failed = recipe.api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    let reason = failed["failure_reason"].as_str().unwrap_or_default();
    let words = "4 machines were asked for, and machines.txt has 3";
    assert!(reason.contains(words), "{reason}");
    recipe.until_given_back(&id).await;
}

#[tokio::test]
async fn nomad() {
    let _turn = heavy().await;
    let recipe = Recipe::start("nomad.md", "nomad", NOMAD, &[]).await;
    recipe.run().await;
    let left = fs::read_dir(recipe.standins())
        .expect("a directory")
        .flatten();
    let jobs = left.filter(|entry| entry.file_name().to_string_lossy().ends_with(".pids"));
    assert_eq!(jobs.count(), 0, "the job is stopped");
    recipe.down_alone().await;
}

#[tokio::test]
async fn scaling_group() {
    let _turn = heavy().await;
    let recipe = Recipe::start("scaling-group.md", "aws", AWS, &[]).await;
    let log = recipe.run().await;
    assert!(
        log.contains("up: greylag-agents has a desired capacity of 2"),
        "{log}"
    );
    for name in ["pids", "parameter"] {
        assert!(!recipe.standins().join(name).exists(), "{name}");
    }
    recipe.down_alone().await;

    // A second run at the same time would take the first one's machines.
    let taken = recipe.directory.path().join("greylag-agents.run");
    assert!(!taken.exists());
    fs::write(&taken, "first").expect("a file");
    let ended = recipe.script("up.sh", "second").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("run first has greylag-agents"),
        "{ended:?}"
    );
    recipe.down_alone().await;
    assert!(taken.exists());
}
