//! Whose reported response times are compared with the truth: how each is started, and where its percentiles are.

use std::path::Path;
use std::process::Command;

use greylag_infra::RunId;
use greylag_reporting::{Scope, Store};
use greylag_tests::{Ended, clean_command};
use serde_json::Value;

use super::percentiles::Percentiles;
use super::raw_client;
use crate::GENERATOR_CORE;
use crate::install::Tools;

/// What Greylag writes its results to, and keeps them in.
const SUMMARY: &str = "summary.json";
const DATA: &str = "data";
/// Makes wrk print p99.9 and µs.
const WRK_SCRIPT: &str = r#"done = function(summary, latency, requests)
  print("percentiles: " .. latency:percentile(50) .. " " .. latency:percentile(99) .. " " .. latency:percentile(99.9))
end
"#;

/// A client that measures response times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Greylag,
    Wrk,
    Oha,
    /// One connection, whatever the load.
    Raw,
}

impl Client {
    /// Those that generate load.
    pub(super) const GENERATORS: [Self; 3] = [Self::Greylag, Self::Wrk, Self::Oha];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Greylag => "Greylag",
            Self::Wrk => "wrk",
            Self::Oha => "oha",
            Self::Raw => "raw socket, 1 connection",
        }
    }

    /// The command, on the generators' core, to be run in this directory.
    pub(super) fn command(
        self,
        tools: &Tools,
        url: &str,
        connections: u32,
        seconds: u64,
        directory: &Path,
    ) -> Command {
        let write = |name: &str, contents: &str| {
            std::fs::write(directory.join(name), contents).expect("the directory was just made");
        };
        let mut command = clean_command("taskset");
        command.args(["-c", GENERATOR_CORE]).current_dir(directory);
        match self {
            Self::Greylag => {
                write("test.toml", "[[request]]\npath = \"/\"\n");
                command.arg(&tools.greylag).args(["run", "test.toml"]);
                command.args(["--host", url, "--users", &connections.to_string()]);
                command.args(["--workers", "1", "--ramp-up", "0s"]);
                command.args(["--duration", &format!("{seconds}s"), "--headless"]);
                command.args(["--only-summary", "--summary", SUMMARY, "--data", DATA]);
            }
            Self::Wrk => {
                write("percentiles.lua", WRK_SCRIPT);
                command.arg(&tools.wrk);
                command.args(["-s", "percentiles.lua", "-t1", &format!("-c{connections}")]);
                command.args([&format!("-d{seconds}s"), url]);
            }
            Self::Oha => {
                command.arg(&tools.oha);
                command.args([
                    "--no-tui",
                    "--output-format",
                    "json",
                    "--http-version",
                    "1.1",
                ]);
                command.args([
                    "-c",
                    &connections.to_string(),
                    "-z",
                    &format!("{seconds}s"),
                    url,
                ]);
            }
            Self::Raw => {
                command.arg(std::env::current_exe().expect("this program has a path"));
                let address = url.trim_start_matches("http://");
                command.args([raw_client::ARGUMENT, address, &seconds.to_string()]);
            }
        }
        command
    }

    /// What it says about the response times, whatever was requested.
    ///
    /// # Panics
    /// It says nothing, or did not end well.
    pub(super) async fn reported(self, ended: &Ended, directory: &Path) -> Percentiles {
        let reported = match self {
            _ if ended.code != Some(0) => None,
            Self::Greylag => of_run(directory).await,
            Self::Wrk | Self::Raw => Percentiles::read(&ended.stdout),
            Self::Oha => of_oha(&ended.stdout),
        };
        reported.unwrap_or_else(|| panic!("{} did not go well: {ended:?}", self.title()))
    }
}

/// oha's are in seconds.
fn of_oha(output: &str) -> Option<Percentiles> {
    let result: Value = serde_json::from_str(output).ok()?;
    let of = |name: &str| Some(result["latencyPercentiles"][name].as_f64()? * 1e6);
    Some(Percentiles {
        p50: of("p50")?,
        p99: of("p99")?,
        p999: of("p99.9")?,
    })
}

/// From the kept histograms, from which page, tables and files take theirs: the summary has no p99.9, and CSV whole ms.
async fn of_run(directory: &Path) -> Option<Percentiles> {
    let text = std::fs::read_to_string(directory.join(SUMMARY)).ok()?;
    let summary: Value = serde_json::from_str(&text).ok()?;
    assert_eq!(summary["totals"]["failures"], 0, "{summary}");
    let id: RunId = summary["run"]["id"].as_str()?.into();
    let store = Store::open(&directory.join(DATA)).ok()?;
    let totals = store.totals(&id, &Scope::default()).await.ok()?;
    store.close().await;
    let all = totals.aggregated();
    let of = |q: f64| Some(all.percentile_us(q)? as f64);
    Some(Percentiles {
        p50: of(0.5)?,
        p99: of(0.99)?,
        p999: of(0.999)?,
    })
}
