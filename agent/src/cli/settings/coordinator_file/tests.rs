use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Resolved, Unresolved, resolve};
use super::*;
use crate::cli::command;

/// `greylag coordinator` with the file `c.toml` in `directory`.
fn resolved(directory: &Path, line: &str, variables: &[(&str, &str)]) -> Result<Resolved, String> {
    let words = ["greylag", "coordinator", "--config", "c.toml"];
    let words = words.into_iter().chain(line.split_whitespace());
    let variables = variables.iter();
    let surroundings = Surroundings {
        variables: variables
            .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
            .collect::<BTreeMap<_, _>>(),
        directory: directory.to_owned(),
        home: None,
    };
    let words = words.map(OsString::from).collect();
    resolve(&command(&[]), words, &[], &surroundings).map_err(|unresolved| match unresolved {
        Unresolved::Shown(error) => error.to_string(),
        Unresolved::Refused(failure) => failure.to_string(),
    })
}

fn with_file(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("c.toml"), text).unwrap();
    directory
}

fn lease(resolved: &Resolved) -> u64 {
    let (_, matches) = resolved.matches.subcommand().unwrap();
    *matches.get_one("lease").unwrap()
}

#[test]
fn options_of_the_file_give_way_to_variables_and_flags() {
    let directory = with_file(
        "lease = \"40s\"\naccept_uploads = true\nlog-level = \"debug\"\ntls_cert = \"cert.pem\"\n",
    );
    let in_it =
        |line, variables: &[(&str, &str)]| resolved(directory.path(), line, variables).unwrap();
    let from_file = in_it("", &[]);
    assert_eq!(lease(&from_file), 40);
    let (_, matches) = from_file.matches.subcommand().unwrap();
    assert!(matches.get_flag("accept_uploads"));
    assert_eq!(matches.get_one::<String>("log_level").unwrap(), "debug");
    let certificate = matches.get_one::<PathBuf>("tls_cert");
    assert_eq!(certificate, Some(&PathBuf::from("cert.pem")));
    let variables = [("GREYLAG_LEASE", "50s")];
    assert_eq!(lease(&in_it("", &variables)), 50);
    assert_eq!(lease(&in_it("--lease 60s", &variables)), 60);
}

/// The variables of OpenTelemetry may be there for another program.
#[test]
fn variables_of_opentelemetry_count_only_with_a_collector() {
    let directory = with_file("");
    let in_it = |line, variables: &[(&str, &str)]| resolved(directory.path(), line, variables);
    let of_others = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "x"),
    ];
    in_it("", &of_others).expect("the coordinator starts");
    let problems = in_it("--otlp http://c:4317", &of_others).expect_err("they are wrong");
    assert!(
        problems.contains("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"),
        "{problems}"
    );
    in_it("--otlp http://c:4317 --otlp-timeout 0", &[]).expect_err("too short");
    let timeout = |variables: &[(&str, &str)]| {
        let resolved = in_it("--otlp http://c:4317", variables).expect("it starts");
        let (_, matches) = resolved.matches.subcommand().unwrap();
        *matches.get_one::<u64>("otlp_timeout").unwrap()
    };
    let directory = with_file("otlp = \"https://mine:4317\"\n");
    let named = |variables: &[(&str, &str)]| {
        let resolved = resolved(directory.path(), "", variables).expect("it starts");
        resolved.sources.name("otlp").unwrap().to_owned()
    };
    let of_others = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://node-agent:4317");
    assert_eq!(named(&[of_others]), "`otlp` in line 1 of c.toml");
    let ours = ("GREYLAG_OTLP", "http://ours:4317");
    assert_eq!(named(&[of_others, ours]), "GREYLAG_OTLP");

    let general = ("OTEL_EXPORTER_OTLP_TIMEOUT", "1");
    let of_metrics = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2");
    let ours = ("GREYLAG_OTLP_TIMEOUT", "3");
    assert_eq!(timeout(&[general]), 1);
    assert_eq!(timeout(&[general, of_metrics]), 2);
    assert_eq!(timeout(&[general, of_metrics, ours]), 3);
}

#[test]
fn everything_that_is_wrong_with_the_file_is_said_with_its_line() {
    let text = "lease = \"soon\"\nlisten = \"127.0.0.1:1\"\ntoken = \"x\"\nconfig = \"d.toml\"\nworkers = 3\nlisten-on = 4\n\
        keep_runs = 1\nkeep-runs = 2\naccept_uploads = \"perhaps\"\n";
    let directory = with_file(text);
    insta::assert_snapshot!(resolved(directory.path(), "", &[]).unwrap_err());
    let directory = with_file("[infrastructures.lab]\nkind = \"mainframe\"\n");
    let error = resolved(directory.path(), "", &[]).unwrap_err();
    assert_eq!(
        error,
        "c.toml: line 2: `mainframe` is not a valid kind of infrastructure; available kinds: machines, command, kubernetes"
    );
    let empty = tempfile::tempdir().unwrap();
    let error = resolved(empty.path(), "", &[]).unwrap_err();
    assert!(
        error.starts_with("c.toml: the file cannot be read: "),
        "{error}"
    );
}
