//! `greylag builds`: the programs that were uploaded to a coordinator.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use greylag_reporting::{ListedBuild, plain_text, rfc3339};

use crate::cli::api_client::ApiClient;
use crate::cli::failure::Failure;
use crate::cli::options::CoordinatorAccess;
use crate::cli::print::print_line;

/// Options of `greylag builds`.
#[derive(Debug, Args)]
pub(crate) struct BuildsOptions {
    /// `delete` deletes builds; runs keep their results, and which build they were of [default: list all builds].
    #[arg(
        value_name = "ACTION",
        value_enum,
        requires = "builds",
        hide_possible_values = true
    )]
    action: Option<Action>,
    /// The builds to delete, by the first digits of their SHA-256.
    #[arg(value_name = "BUILD")]
    builds: Vec<String>,
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// What is done with builds, beside listing them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Action {
    Delete,
}

/// Lists or deletes builds.
pub(crate) async fn builds(options: BuildsOptions) -> Result<ExitCode, Failure> {
    let api = options.access.client()?;
    match options.action {
        None => list(&api).await,
        Some(Action::Delete) => delete(&api, &options.builds).await,
    }
}

async fn known(api: &ApiClient) -> Result<Vec<ListedBuild>, Failure> {
    let known = api.builds().await.map_err(Failure::bad_input)?;
    let known = known.ok_or_else(|| {
        Failure::bad_input("this coordinator is of a version that has no builds; update it")
    })?;
    if !known.accept_uploads {
        eprintln!("This coordinator does not accept uploads; it does with --accept-uploads.");
    }
    Ok(known.builds)
}

async fn list(api: &ApiClient) -> Result<ExitCode, Failure> {
    let builds = known(api).await?;
    if builds.is_empty() {
        print_line("No builds.");
    }
    for build in builds {
        let commit = build.commit.map(|commit| format!(", {commit}"));
        print_line(plain_text(&format!(
            "{}  {:>6.1} MB  {}  {}  {}{}  {}",
            build.sha256.short(),
            build.size as f64 / 1e6,
            build.platform,
            rfc3339(build.uploaded_at),
            build.uploaded_by,
            commit.unwrap_or_default(),
            build.scenarios.join(", "),
        )));
    }
    Ok(ExitCode::SUCCESS)
}

async fn delete(api: &ApiClient, asked: &[String]) -> Result<ExitCode, Failure> {
    let known = known(api).await?;
    let mut chosen = Vec::new();
    let mut problems = Vec::new();
    // All are found before any is deleted.
    for digits in asked {
        let fits = |build: &&ListedBuild| build.sha256.as_str().starts_with(digits.as_str());
        let mut fitting = known.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(build), None) => chosen.push(&build.sha256),
            (None, _) => problems.push(format!("build `{digits}` does not exist")),
            (Some(_), Some(_)) => problems.push(format!(
                "there are several builds that begin with `{digits}`; write more digits"
            )),
        }
    }
    if let Some(failure) = Failure::of_problems(&problems) {
        return Err(failure);
    }
    for hash in chosen {
        api.delete_build(hash).await.map_err(Failure::bad_input)?;
        print_line(format_args!("Deleted build {}.", hash.short()));
    }
    Ok(ExitCode::SUCCESS)
}
