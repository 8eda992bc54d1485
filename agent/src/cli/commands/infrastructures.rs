//! `greylag infrastructures`: what a coordinator has to generate load with.

use std::process::ExitCode;

use clap::Args;
use greylag_reporting::plain_text;

use crate::cli::api_client::KnownInfrastructure;
use crate::cli::failure::Failure;
use crate::cli::options::CoordinatorAccess;
use crate::cli::print::print_line;

/// Options of `greylag infrastructures`.
#[derive(Debug, Args)]
pub(crate) struct InfrastructuresOptions {
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// Lists infrastructures by name, each with what becomes of machines that were asked for.
pub(crate) async fn infrastructures(options: InfrastructuresOptions) -> Result<ExitCode, Failure> {
    let api = options.access.client()?;
    let known = api.infrastructures().await.map_err(Failure::bad_input)?;
    if known.is_empty() {
        print_line("No infrastructures.");
    }
    for infrastructure in &known {
        for line in lines_of(infrastructure) {
            print_line(plain_text(&line));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn lines_of(known: &KnownInfrastructure) -> Vec<String> {
    let connected = known.connected_agents();
    let agents = if connected == 1 { "agent" } else { "agents" };
    let KnownInfrastructure {
        name, status, kind, ..
    } = known;
    let mut lines = vec![format!("{name}  {kind}  {status}  {connected} {agents}")];
    lines.extend(known.activity.as_ref().map(|text| format!("  {text}")));
    let error = known.last_error.as_ref();
    lines.extend(error.map(|text| format!("  last error: {text}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_machines_is_said_and_old_coordinators_say_nothing_of_it() {
        let read = |text| serde_json::from_str::<KnownInfrastructure>(text).unwrap();
        let known = read(
            r#"{"name": "cloud", "status": "Pending", "kind": "command", "activity": "2 machines starting",
                "last_error": "up ended with exit code 3", "machines": [], "agents": []}"#,
        );
        let lines = [
            "cloud  command  Pending  0 agents",
            "  2 machines starting",
            "  last error: up ended with exit code 3",
        ];
        assert_eq!(lines_of(&known), lines);
        let old = read(
            r#"{"name": "lab", "status": "Connected", "agents": [
                {"name": "a", "status": "Silent"}, {"name": "b", "status": "Disconnected"}]}"#,
        );
        assert_eq!(lines_of(&old), ["lab  machines  Connected  1 agent"]);
    }
}
