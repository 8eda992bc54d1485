//! Who is compared: how each is started, and what it must say at its end.

use std::path::Path;
use std::process::Command;

use greylag_tests::{Ended, clean_command};
use serde_json::Value;

use super::case::{Case, JSON};

use crate::install::Tools;
use crate::{GENERATOR_CORE, plain_goose};

/// Users, each with a connection of its own, that send the next request when the answer is read.
pub(super) const USERS: u32 = 50;
/// What Greylag writes its results to.
const SUMMARY: &str = "summary.json";

/// A program that generates load, and in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generator {
    Wrk,
    Oha,
    Goose,
    LocustFast,
    LocustHttp,
    /// `greylag run`: coordinator, agent and workers.
    Greylag(Users, u32),
}

/// Which users Greylag has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// A request of the test file.
    Declared,
    /// `FastHttpUser` in Rust.
    Fast,
    /// `HttpUser` in Rust.
    Http,
}

impl Generator {
    pub(super) const ALL: [Self; 11] = [
        Self::Wrk,
        Self::Oha,
        Self::Greylag(Users::Declared, 1),
        Self::Greylag(Users::Fast, 1),
        Self::Greylag(Users::Http, 1),
        Self::Greylag(Users::Declared, 2),
        Self::Greylag(Users::Fast, 2),
        Self::Greylag(Users::Http, 2),
        Self::Goose,
        Self::LocustFast,
        Self::LocustHttp,
    ];

    /// How it is named on the command line.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::Oha => "oha",
            Self::Goose => "goose",
            Self::LocustFast | Self::LocustHttp => "locust",
            Self::Greylag(_, 1) => "greylag",
            Self::Greylag(..) => "greylag-2",
        }
    }

    pub(super) fn title(self) -> String {
        match self {
            Self::Wrk => "wrk".to_owned(),
            Self::Oha => "oha".to_owned(),
            Self::Goose => "plain goose".to_owned(),
            Self::LocustFast => "Locust, FastHttpUser".to_owned(),
            Self::LocustHttp => "Locust, HttpUser".to_owned(),
            Self::Greylag(users, workers) => {
                let users = match users {
                    Users::Declared => "declared requests",
                    Users::Fast => "FastHttpUser",
                    Users::Http => "HttpUser",
                };
                let plural = if workers == 1 { "" } else { "s" };
                format!("Greylag, {users}, {workers} worker{plural}")
            }
        }
    }

    /// More workers than one are compared where a request costs least, so where they would cost most.
    pub(super) fn takes_part_in(self, case: Case) -> bool {
        !matches!(self, Self::Greylag(_, 2..)) || case == Case::Get100
    }

    /// The command, on the generators' core, to be run in this directory.
    pub(super) fn command(
        self,
        tools: &Tools,
        case: Case,
        host: &str,
        seconds: u64,
        directory: &Path,
    ) -> Command {
        let url = format!("{host}{}", case.path());
        let mut command = clean_command("taskset");
        command.args(["-c", GENERATOR_CORE]).current_dir(directory);
        match self {
            Self::Wrk => {
                command.arg(&tools.wrk);
                if case.is_post() {
                    let script = format!(
                        "wrk.method = 'POST'\nwrk.body = '{JSON}'\nwrk.headers['Content-Type'] = 'application/json'\n"
                    );
                    write(directory, "post.lua", &script);
                    command.args(["-s", "post.lua"]);
                }
                command.args(["-t1", &format!("-c{USERS}"), &format!("-d{seconds}s"), &url]);
            }
            Self::Oha => {
                command.arg(&tools.oha);
                command.args(["--no-tui", "--output-format", "json", "--insecure"]);
                command.args(["--http-version", "1.1", "-c", &USERS.to_string()]);
                command.args(["-z", &format!("{seconds}s")]);
                if case.is_post() {
                    command.args(["-m", "POST", "-T", "application/json", "-d", JSON]);
                }
                command.arg(&url);
            }
            Self::Goose => {
                command.arg(std::env::current_exe().expect("this program has a path"));
                let body = if case.is_post() { JSON } else { "" };
                let seconds = seconds.to_string();
                command.args([plain_goose::ARGUMENT, host, case.path(), body, &seconds]);
            }
            Self::LocustFast | Self::LocustHttp => {
                let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("benches/measure/peers/locustfile.py");
                command
                    .arg(&tools.python)
                    .args(["-m", "locust", "-f"])
                    .arg(file);
                command.args(["--headless", "--json", "--host", host]);
                command.args(["-u", &USERS.to_string(), "-r", &USERS.to_string()]);
                command.args(["-t", &format!("{seconds}s")]);
                command.arg(if self == Self::LocustFast {
                    "Fast"
                } else {
                    "Full"
                });
                command
                    .env("PEERS_METHOD", if case.is_post() { "POST" } else { "GET" })
                    .env("PEERS_PATH", case.path())
                    .env("PEERS_BODY", JSON)
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    // Of what the full client says about certificates that are not checked.
                    .env("PYTHONWARNINGS", "ignore");
            }
            Self::Greylag(users, workers) => {
                write(directory, "test.toml", &test_file(users, case));
                command.arg(&tools.greylag).args(["run", "test.toml"]);
                command.args(["--host", host, "--users", &USERS.to_string()]);
                command.args(["--workers", &workers.to_string(), "--ramp-up", "0s"]);
                command.args(["--duration", &format!("{seconds}s"), "--headless"]);
                command.args(["--only-summary", "--summary", SUMMARY]);
            }
        }
        command
    }

    /// How many requests it counted itself.
    ///
    /// # Panics
    /// Some failed, or it did not end well.
    pub(super) fn counted(self, ended: &Ended, directory: &Path) -> u64 {
        let text = &ended.stdout;
        let counted = (ended.code == Some(0))
            .then(|| match self {
                Self::Wrk => {
                    let (before, _) = text.split_once(" requests in ")?;
                    let all_well = !text.contains("Non-2xx") && !text.contains("Socket errors");
                    let count = before.rsplit(char::is_whitespace).next()?.parse().ok()?;
                    all_well.then_some(count)
                }
                Self::Oha => {
                    let result: Value = serde_json::from_str(text).ok()?;
                    let statuses = result["statusCodeDistribution"].as_object()?;
                    let all_well = statuses.keys().all(|status| status.starts_with('2'));
                    all_well.then(|| statuses.values().filter_map(Value::as_u64).sum())
                }
                Self::Goose => {
                    let (_, after) = text.rsplit_once(plain_goose::RESULT)?;
                    after.trim().parse().ok()
                }
                Self::LocustFast | Self::LocustHttp => {
                    let result: Value = serde_json::from_str(&text[text.find('[')?..]).ok()?;
                    result.as_array()?.first()?["num_requests"].as_u64()
                }
                Self::Greylag(..) => {
                    let text = std::fs::read_to_string(directory.join(SUMMARY)).ok()?;
                    let totals = &serde_json::from_str::<Value>(&text).ok()?["totals"];
                    (totals["failures"] == 0).then(|| totals["requests"].as_u64())?
                }
            })
            .flatten();
        counted.unwrap_or_else(|| panic!("{} did not go well: {ended:?}", self.title()))
    }
}

fn test_file(users: Users, case: Case) -> String {
    let client = "[client]\naccept_invalid_certs = true\n";
    let path = case.path();
    match users {
        Users::Declared if case.is_post() => format!(
            "{client}[[request]]\nmethod = \"POST\"\npath = \"{path}\"\nbody = '{JSON}'\n\
             headers = {{ content-type = \"application/json\" }}\n"
        ),
        Users::Declared => format!("{client}[[request]]\npath = \"{path}\"\n"),
        Users::Fast | Users::Http => {
            let scenario = if users == Users::Fast {
                "compared-fast"
            } else {
                "compared-full"
            };
            let body = if case.is_post() { JSON } else { "" };
            format!(
                "scenario = \"{scenario}\"\n{client}[options]\npath = \"{path}\"\nbody = '{body}'\n"
            )
        }
    }
}

fn write(directory: &Path, name: &str, contents: &str) {
    std::fs::write(directory.join(name), contents).expect("the directory was just made");
}
