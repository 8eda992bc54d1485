//! `greylag import`: a run that was exported as a bundle, into another coordinator.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::bundle_file::open_bundle;
use crate::cli::failure::Failure;
use crate::cli::options::CoordinatorAccess;
use crate::cli::print::print_line;

/// Options of `greylag import`.
#[derive(Debug, Args)]
pub(crate) struct ImportOptions {
    /// Bundle that `greylag export --format bundle` wrote. Where the coordinator deletes old runs (--keep), this one counts
    /// from its own end; pin it there to keep it.
    file: PathBuf,
    #[command(flatten)]
    access: CoordinatorAccess,
}

/// Uploads a bundle and says where its run is. Nothing has changed if that fails.
pub(crate) async fn import(options: ImportOptions) -> Result<ExitCode, Failure> {
    let ImportOptions { file, access } = options;
    let bundle = open_bundle(&file).await?;
    let api = access.patient_client()?;
    let imported = api.import(bundle, false).await;
    let run = imported.map_err(|error| {
        Failure::bad_input(format!("{} was not imported: {error}", file.display()))
    })?;
    print_line(format_args!(
        "Imported {} #{}: {}",
        run.test,
        run.number,
        api.page(&run.url)
    ));
    Ok(ExitCode::SUCCESS)
}
