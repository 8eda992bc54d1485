use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::Token;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Commands in a directory of their own; scripts append to the file `calls` there.
struct Lab {
    directory: TempDir,
}

impl Lab {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A process of the coordinator with these two scripts and further settings.
    fn commands(&self, up: &str, down: &str, settings: &str) -> Commands {
        let text =
            format!("up = [\"sh\", \"-c\", {up:?}]\ndown = [\"sh\", \"-c\", {down:?}]\n{settings}");
        let config = toml::from_str(&text).unwrap();
        let directory = self.directory.path();
        Commands::new("lab", config, directory, &directory.join("state"))
    }

    fn calls(&self) -> Vec<String> {
        let path = self.directory.path().join("calls");
        let calls = fs::read_to_string(path).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

/// Each test has a run of its own, wherever else the tests run, because processes of the machine are found by it.
fn run(name: &str) -> RunId {
    format!("{name}-{}", std::process::id()).into()
}

fn order(name: &str) -> Order {
    Order {
        run: run(name),
        test: "checkout".to_owned(),
        number: 3,
        infrastructure: "lab".to_owned(),
        agents: 2,
        coordinator_url: "http://10.0.0.1:8089".to_owned(),
        token: Some(Token::new("secret").unwrap()),
        accept_uploads: true,
        agents_timeout: Duration::from_secs(300),
    }
}

/// What is said until a line begins with this.
async fn said_until(commands: &Commands, name: &str, last: &str) -> Vec<String> {
    let (sender, mut news) = mpsc::channel(8);
    let run = run(name);
    let mut following = commands.follow(&run, sender);
    let mut lines = Vec::new();
    loop {
        let news = tokio::select! {
            () = &mut following => panic!("it ended"),
            news = news.recv() => news.unwrap(),
        };
        let ProviderNews::Machine(news) = news else {
            continue;
        };
        let Some(reason) = news.reason else { continue };
        let line = format!("{}: {reason}", news.machine);
        let is_last = line.starts_with(last);
        lines.push(line);
        if is_last {
            return lines;
        }
    }
}

#[tokio::test]
async fn commands_know_the_run_and_what_they_print_is_said() {
    let lab = Lab::new();
    let up = "env | grep ^GREYLAG_ | sort; echo careful >&2";
    let down = "env | grep ^GREYLAG_ | sort";
    let commands = lab.commands(up, down, "");
    commands.request(&order("r1")).await.unwrap();
    let mut lines = said_until(&commands, "r1", "up: succeeded").await;
    lines.sort();
    assert_eq!(
        lines,
        [
            "up: GREYLAG_ACCEPT_UPLOADS=true",
            "up: GREYLAG_AGENTS=2",
            "up: GREYLAG_COORDINATOR=http://10.0.0.1:8089",
            "up: GREYLAG_INFRASTRUCTURE=lab",
            &format!("up: GREYLAG_RUN={}", run("r1")),
            "up: GREYLAG_TOKEN=secret",
            "up: careful",
            "up: succeeded",
        ]
    );
    assert_eq!(commands.held().await.unwrap(), [run("r1")]);
    commands.release(&run("r1")).await.unwrap();
    assert!(commands.held().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_that_has_begun_nothing_has_nothing_to_end() {
    let lab = Lab::new();
    let commands = lab.commands("true", "echo down >> calls", "");
    commands.release(&run("r2")).await.unwrap();
    assert!(lab.calls().is_empty());
}

#[tokio::test]
async fn asking_again_runs_nothing_again_also_in_another_process() {
    let lab = Lab::new();
    let commands = || lab.commands("echo up >> calls", "echo down >> calls", "");
    let first = commands();
    for _ in 0..2 {
        first.request(&order("r3")).await.unwrap();
    }
    let second = commands();
    second.request(&order("r3")).await.unwrap();
    assert_eq!(second.held().await.unwrap(), [run("r3")]);
    second.release(&run("r3")).await.unwrap();
    second.release(&run("r3")).await.unwrap();
    assert_eq!(lab.calls(), ["up", "down"]);
}

#[tokio::test]
async fn what_fails_is_said_with_its_last_line() {
    let lab = Lab::new();
    let commands = lab.commands(
        "echo starting; echo no quota left >&2; exit 3",
        "echo again; exit 4",
        "",
    );
    let refused = commands.request(&order("r4")).await.unwrap_err();
    assert!(refused.is_final());
    let expected = "up ended with exit code 3: no quota left";
    assert_eq!(refused.to_string(), expected);
    let lines = said_until(&commands, "r4", "up: up ended").await;
    assert_eq!(lines.last().unwrap(), &format!("up: {expected}"));
    let failed = commands.release(&run("r4")).await.unwrap_err();
    assert!(!failed.is_final(), "it is tried again");
    assert_eq!(failed.to_string(), "down ended with exit code 4: again");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let lab = Lab::new();
    let config = toml::from_str("up = [\"./no-such\"]\ndown = [\"true\"]").unwrap();
    let directory = lab.directory.path();
    let commands = Commands::new("lab", config, directory, &directory.join("state"));
    let refused = commands.request(&order("r5")).await.unwrap_err();
    assert!(refused.is_final());
    let text = refused.to_string();
    assert!(
        text.starts_with("up cannot be started: ./no-such: "),
        "{text}"
    );
    commands.release(&run("r5")).await.unwrap();
}

/// The name of a process of the group, so that it can be looked for.
fn marked_sleep() -> String {
    format!("sleep {}.{}", 100_000, rand::random::<u32>())
}

fn is_running(command: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let wanted = format!("{}\0", command.replace(' ', "\0"));
    lines.into_iter().any(|line| line == wanted.as_bytes())
}

async fn until_running(command: &str, is: bool) {
    let reached = async {
        while is_running(command) != is {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_all_it_started() {
    let lab = Lab::new();
    let sleep = marked_sleep();
    let up = format!("{sleep} & wait");
    let commands = lab.commands(&up, "true", "up_timeout = \"200ms\"");
    let refused = commands.request(&order("r6")).await.unwrap_err();
    assert!(refused.is_final());
    let text = refused.to_string();
    assert!(text.starts_with("up did not end within "), "{text}");
    until_running(&sleep, false).await;
}

#[tokio::test]
async fn what_up_has_left_running_goes_on_and_is_heard() {
    let lab = Lab::new();
    let up = "(until test -e go; do sleep 0.01; done; echo from the agent) & echo started";
    let commands = lab.commands(up, "touch ended", "");
    commands.request(&order("r7")).await.unwrap();
    said_until(&commands, "r7", "up: succeeded").await;
    fs::write(lab.directory.path().join("go"), "").unwrap();
    let (sender, mut news) = mpsc::channel(8);
    let run = run("r7");
    let from_the_agent = tokio::select! {
        () = commands.follow(&run, sender) => panic!("it ended"),
        news = news.recv() => news.unwrap(),
    };
    let expected = said(UP, MachineState::Running, "from the agent");
    assert_eq!(from_the_agent, expected.into(), "it does not start again");
}

#[tokio::test]
async fn a_run_that_is_over_while_up_runs_ends_it_before_down() {
    let lab = Lab::new();
    let sleep = marked_sleep();
    let up = format!("echo up >> calls; trap 'echo ended >> calls; exit 1' TERM; {sleep} & wait");
    let commands = lab.commands(&up, "echo down >> calls", "");
    {
        let order = order("r8");
        let request = commands.request(&order);
        tokio::select! {
            _ = request => panic!("it ended"),
            () = until_running(&sleep, true) => {}
        }
    }
    commands.release(&run("r8")).await.unwrap();
    assert_eq!(lab.calls(), ["up", "ended", "down"]);
    until_running(&sleep, false).await;
}

/// As if the coordinator had been killed, before or after it was written which process it is: what it had started goes on
/// without it.
#[tokio::test]
async fn what_an_earlier_process_left_of_up_is_ended_before_it_begins_anew() {
    for is_written in [true, false] {
        let lab = Lab::new();
        let sleep = marked_sleep();
        let first = lab.commands(&format!("{sleep} & wait"), "true", "");
        let order = order("r9");
        let run = &order.run;
        tokio::select! {
            _ = first.request(&order) => panic!("it ended"),
            () = until_running(&sleep, true) => {}
        }
        let state = &first.inner.state;
        let kept = loop {
            let kept = state.read(run).await.unwrap().unwrap();
            if kept.process.is_some() {
                break kept;
            }
        };
        assert!(!kept.is_up);
        let written = Begun {
            process: kept.process.filter(|_| is_written),
            ..kept
        };
        state.write(run, &written).await.unwrap();

        let second = lab.commands("echo up >> calls", "echo down >> calls", "");
        assert!(second.clear(run).await.unwrap());
        assert!(!is_running(&sleep));
        assert_eq!(lab.calls(), ["down"]);
        assert!(!second.clear(run).await.unwrap());
        second.request(&order).await.unwrap();
        assert_eq!(lab.calls(), ["down", "up"]);
        second.release(run).await.unwrap();
        assert_eq!(lab.calls(), ["down", "up", "down"]);
    }
}

#[tokio::test]
async fn a_command_that_fails_leaves_nothing_running_and_its_reason_is_said() {
    let lab = Lab::new();
    let sleep = marked_sleep();
    let up = format!("{sleep} & echo no quota left >&2; exit 3");
    // What has left the group keeps the output open.
    let down = "setsid sleep 5 & echo again; exit 4";
    let commands = lab.commands(&up, down, "");
    let refused = commands.request(&order("r10")).await.unwrap_err();
    assert!(!is_running(&sleep));
    let text = refused.to_string();
    assert_eq!(text, "up ended with exit code 3: no quota left");
    let failed = commands.release(&run("r10")).await.unwrap_err();
    assert_eq!(failed.to_string(), "down ended with exit code 4: again");
}

/// The shell ends at once when it is asked to; what it has started takes its time.
#[tokio::test]
async fn what_a_command_has_started_has_time_to_end() {
    let lab = Lab::new();
    let child = "trap 'sleep 0.3; echo ended >> calls; exit 0' TERM; echo up >> calls; while :; do sleep 0.01; done";
    let up = format!("sh -c {child:?} & wait");
    let commands = lab.commands(&up, "echo down >> calls", "");
    {
        let order = order("r11");
        let is_up = async {
            while lab.calls() != ["up"] {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = commands.request(&order) => panic!("it ended"),
            () = is_up => {}
        }
    }
    commands.release(&run("r11")).await.unwrap();
    assert_eq!(lab.calls(), ["up", "ended", "down"]);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let lab = Lab::new();
    let commands = lab.commands("echo up >> calls", "echo down >> calls", "");
    // In the place of the directory of the files.
    let state = lab.directory.path().join("state");
    fs::write(&state, "").unwrap();
    let failed = commands.request(&order("r12")).await.unwrap_err();
    assert!(!failed.is_final(), "{failed}");
    fs::remove_file(&state).unwrap();
    commands.request(&order("r12")).await.unwrap();
    assert_eq!(lab.calls(), ["up"]);
}

#[tokio::test]
async fn an_up_that_has_succeeded_is_only_written_down_again() {
    let lab = Lab::new();
    // Once it is written which process it is.
    let up = "echo up >> calls; until grep -q started state/*.json; do sleep 0.01; done; rm -r state; touch state";
    let commands = lab.commands(up, "true", "");
    let failed = commands.request(&order("r13")).await.unwrap_err();
    assert!(!failed.is_final(), "{failed}");
    fs::remove_file(lab.directory.path().join("state")).unwrap();
    commands.request(&order("r13")).await.unwrap();
    assert_eq!(lab.calls(), ["up"]);
    assert_eq!(commands.held().await.unwrap(), [run("r13")]);
}

#[tokio::test]
async fn a_request_that_is_dropped_at_once_leaves_nothing_behind() {
    let lab = Lab::new();
    let commands = lab.commands("echo up >> calls", "true", "");
    for _ in 0..20 {
        let order = order("r14");
        let mut request = commands.request(&order);
        // Until it writes what it begins.
        let begins = async {
            while commands.run(&order.run).up.is_none() {
                assert!(futures_util::poll!(request.as_mut()).is_pending());
                tokio::task::yield_now().await;
            }
        };
        begins.await;
        drop(request);
        commands.release(&run("r14")).await.unwrap();
        assert!(commands.held().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn down_goes_on_when_nothing_waits_for_it_and_is_not_run_beside_itself() {
    let lab = Lab::new();
    let down = "echo down >> calls; until test -e go; do sleep 0.01; done; echo ended >> calls";
    let commands = lab.commands("true", down, "");
    commands.request(&order("r15")).await.unwrap();
    {
        let run = run("r15");
        let begun = async {
            while lab.calls().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = commands.release(&run) => panic!("it ended"),
            () = begun => {}
        }
    }
    fs::write(lab.directory.path().join("go"), "").unwrap();
    commands.release(&run("r15")).await.unwrap();
    assert_eq!(lab.calls(), ["down", "ended"]);
}

/// As if the coordinator had been killed while `down` was running, before or after it was written down.
#[tokio::test]
async fn what_an_earlier_process_left_of_down_is_ended_first() {
    for is_written in [true, false] {
        let lab = Lab::new();
        let (sleep, agent) = (marked_sleep(), marked_sleep());
        let first = lab.commands(&format!("{agent} & true"), &format!("{sleep} & wait"), "");
        first.request(&order("r16")).await.unwrap();
        until_running(&agent, true).await;
        {
            let run = run("r16");
            tokio::select! {
                _ = first.release(&run) => panic!("it ended"),
                () = until_running(&sleep, true) => {}
            }
        }
        let kept = loop {
            let kept = first.inner.state.read(&run("r16")).await.unwrap().unwrap();
            if kept.ends.is_some() {
                break kept;
            }
        };
        let written = Begun {
            ends: kept.ends.filter(|_| is_written),
            ..kept
        };
        first
            .inner
            .state
            .write(&run("r16"), &written)
            .await
            .unwrap();
        let second = lab.commands("false", "echo down >> calls", "");
        second.release(&run("r16")).await.unwrap();
        assert!(!is_running(&sleep), "{is_written}");
        assert!(is_running(&agent), "what `up` has left is for `down`");
        for group in Group::left_of_run(&run("r16"), Which::All, Vec::new()).await {
            assert!(group.end().await);
        }
    }
}

/// A run may begin with the first agents that have come, while `up` waits for others.
#[tokio::test]
async fn what_up_has_started_is_not_ended_once_the_run_has_begun() {
    for (rest, settings, words) in [
        (
            "wait",
            "up_timeout = \"100ms\"",
            "up: warning: it did not end within ",
        ),
        ("exit 3", "", "up: up ended with exit code 3"),
    ] {
        let lab = Lab::new();
        let agent = marked_sleep();
        let commands = lab.commands(&format!("{agent} & {rest}"), "true", settings);
        let order = order("r17");
        commands.begins(&order.run);
        let asking = async {
            commands.request(&order).await.unwrap_err();
        };
        let using = async {
            said_until(&commands, "r17", words).await;
            // The shell may not have become it yet.
            until_running(&agent, true).await;
            commands.release(&order.run).await.unwrap();
        };
        tokio::join!(asking, using);
        // What has left `up` in order or not is for `down`.
        assert_eq!(is_running(&agent), rest != "wait");
        for group in Group::left_of_run(&order.run, Which::All, Vec::new()).await {
            assert!(group.end().await);
        }
    }
}

/// As if the coordinator had been killed, and then what led the group; nothing says which run the rest is of.
#[tokio::test]
async fn what_up_has_left_is_recognised_without_its_environment() {
    let lab = Lab::new();
    let sleep = marked_sleep();
    let until_written = "until grep -q started state/*.json; do sleep 0.01; done";
    let up = format!("env -i {sleep} & {until_written}; kill -9 $$");
    let first = lab.commands(&up, "true", "");
    let order = order("r18");
    // So that it ends nothing.
    first.begins(&order.run);
    let ended = first.request(&order).await.unwrap_err().to_string();
    assert!(ended.starts_with("up ended with signal 9"), "{ended}");
    until_running(&sleep, true).await;
    let second = lab.commands("true", "echo down >> calls", "");
    assert!(second.clear(&order.run).await.unwrap());
    assert!(!is_running(&sleep));
    assert_eq!(lab.calls(), ["down"]);
}

#[test]
fn what_is_wrong_with_the_settings_is_said() {
    let error = |text: &str| {
        let read = toml::from_str::<CommandConfig>(text);
        read.unwrap_err().message().to_owned()
    };
    for (text, message) in [
        (
            "up = \"./up.sh lab\"\ndown = [\"x\"]",
            "a command is a list of a program and its arguments; for a shell write [\"sh\", \"-c\", \"./up.sh lab\"]",
        ),
        ("up = []\ndown = [\"x\"]", "a command begins with a program"),
        ("up = [\"x\"]", "missing field `down`"),
        (
            "up = [\"x\"]\ndown = [\"x\"]\nup_timeout = 0",
            "a timeout must be above 0 and at most 24h",
        ),
        (
            "up = [\"x\"]\ndown = [\"x\"]\nimage = 1",
            "unknown field `image`, expected one of `up`, `down`, `up_timeout`, `down_timeout`",
        ),
    ] {
        assert_eq!(error(text), message);
    }
    assert!(error("up = 3\ndown = [\"x\"]").contains("expected a list of a program"));
}
