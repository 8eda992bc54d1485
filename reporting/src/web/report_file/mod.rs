//! A run's page as one file that needs no server: to be mailed, or kept with the results of a CI job.
//!
//! It is the run page itself: the same templates (`templates/run.html` with `file`), the same styles and the same scripts,
//! written into the page. What differs is where the scripts ask for data: `assets/js/source.js` is asked for everything, and in a file
//! `assets/js/file_source.js` answers in its place, with what the API would have answered.
//!
//! - The modules are joined into one script (`joined_script.rs`), because browsers load none from beside a file. Scripts and
//!   styles are allowed by their hashes (`shell.rs`); nothing else is, so that the file can make no request.
//! - Answers about the whole run are those of the API (`contents.rs`), compressed. Nothing of them is computed again.
//! - Of a part of the run (a window, an endpoint, an outcome) the numbers are added up in the browser from the results of parts of
//!   some seconds (`parts.rs`), which are as fine as 5 MB allow: intervals add up, so that the sums are the same numbers. A
//!   window begins and ends with a part, so that nothing that is shown is estimated.
//! - Without scripts the page has the numbers of the whole run, as any page of the server.
//! - What a file cannot do is left out by the templates: what changes the run, what is downloaded, links to other pages.
//!
//! Whatever had to be left out for the size of the file is said in the file.

mod contents;
mod joined_script;
mod packed;
mod parts;
mod places;
mod shell;

use greylag_infra::{RunId, RunRecord};

use self::contents::Contents;
use self::parts::packed_parts;
pub(in crate::web) use self::places::FilePlaces;
use self::shell::SHELL;
use crate::coordinator::Coordinator;
use crate::results::calendar::utc;
use crate::results::page_text::count;
use crate::store::Scope;
use crate::web::error::WebError;
use crate::web::live::run_feed::RunPart;
use crate::web::pages::RunPage;
use crate::web::state::find_run;

/// Most bytes of a file. Parts of a run take what the rest leaves.
const MAX_FILE_BYTES: usize = 5_000_000;
/// Of these for the links that a page has which shows parts, and for what it says of them.
const RESERVED_BYTES: usize = 50_000;
/// What a file says that has only the whole run.
const NO_PARTS: &str = "This file shows the whole run only, and no charts of custom metrics: the run has no results, or too many endpoints for a file.";

/// What takes the place of assets and of the server in a page that is a file.
#[derive(Debug)]
pub(in crate::web) struct FileParts {
    /// What the page may do, for its `Content-Security-Policy`.
    pub(in crate::web) policy: &'static str,
    /// The picture of the page as a `data:` address.
    pub(in crate::web) icon: &'static str,
    /// All styles.
    pub(in crate::web) styles: &'static str,
    /// The script that runs before the page is shown.
    pub(in crate::web) early_script: &'static str,
    /// All other scripts as one module.
    pub(in crate::web) script: &'static str,
    /// Whether the file can show parts of the run.
    pub(in crate::web) can_narrow: bool,
    /// What there is to know about the file, line by line.
    pub(in crate::web) notes: Vec<String>,
    /// The console tables of the whole run.
    pub(in crate::web) tables: String,
    /// What the scripts read.
    pub(in crate::web) data: Vec<DataBlock>,
}

/// Data in the page: compressed by gzip.
#[derive(Debug)]
pub(in crate::web) struct DataBlock {
    /// The element's id.
    pub(in crate::web) id: &'static str,
    /// The bytes.
    pub(in crate::web) base64: String,
}

/// The page of a run as a file: of one in progress, as it is when there is a place for making it. And the run as it was then. `trace_url`
/// is where its traces are shown, if that is known.
///
/// # Errors
/// The run is gone, too many files are asked for, or the store failed.
pub(in crate::web) async fn report_file(
    coordinator: &Coordinator,
    places: &FilePlaces,
    id: RunId,
    trace_url: String,
) -> Result<(String, RunRecord), WebError> {
    let coordinator = coordinator.clone();
    let work = async move {
        let run = find_run(&coordinator, &id).await?;
        Ok((make(&coordinator, &run, trace_url).await?, run))
    };
    places.make(work).await
}

async fn make(
    coordinator: &Coordinator,
    run: &RunRecord,
    trace_url: String,
) -> Result<String, WebError> {
    // Before anything else: parts of a run in progress have no seconds of which the rest knows nothing.
    let last_second = coordinator.store().last_second(&run.id).await?;
    let mut part = RunPart::of(coordinator, run, &Scope::default()).await?;
    // What is wrong right now is not when the file is looked at.
    part.view.notices.clear();
    let contents = Contents::read(coordinator, run, &part).await?;
    let (notes, tables) = (
        notes(coordinator, run, &contents),
        contents.tables().to_owned(),
    );
    let data = DataBlock {
        id: "file-data",
        base64: packed::document(&contents).await?,
    };
    drop(contents);
    let mut page = RunPage::as_file(
        part,
        FileParts {
            policy: &SHELL.policy,
            icon: &SHELL.icon,
            styles: &SHELL.styles,
            early_script: SHELL.early_script,
            script: &SHELL.script,
            can_narrow: false,
            notes,
            tables,
            data: vec![data],
        },
        trace_url,
    );
    let text = page.text()?;
    let room = MAX_FILE_BYTES.saturating_sub(text.len() + RESERVED_BYTES);
    let parts = match last_second {
        Some(last) => packed_parts(coordinator, run, last, room).await?,
        None => None,
    };
    let Some(file) = page.file_mut() else {
        return Ok(text);
    };
    match parts {
        Some(parts) => {
            file.can_narrow = true;
            file.notes.push(parts.note);
            file.data.push(DataBlock {
                id: "file-described",
                base64: parts.described,
            });
            file.data.push(DataBlock {
                id: "file-parts",
                base64: parts.parts,
            });
        }
        None => file.notes.push(NO_PARTS.to_owned()),
    }
    page.text()
}

fn notes(coordinator: &Coordinator, run: &RunRecord, contents: &Contents) -> Vec<String> {
    let version = env!("CARGO_PKG_VERSION");
    let now = utc(coordinator.now());
    let state = if run.phase.is_over() {
        ""
    } else {
        ", while the run was in progress"
    };
    let mut notes = vec![format!(
        "Saved by Greylag {version} on {now}{state}. The file needs no server and makes no requests."
    )];
    let left_out = contents.left_out();
    if left_out.log_lines > 0 {
        notes.push(format!(
            "{} lines in the middle of the log are not in this file.",
            count(left_out.log_lines)
        ));
    }
    if left_out.error_samples > 0 {
        let of_errors = match left_out.errors_without_samples {
            0 => "each error has its first ones".to_owned(),
            1 => "1 error has none here".to_owned(),
            errors => format!("{} errors have none here", count(errors)),
        };
        notes.push(format!(
            "{} samples of errors are not in this file; {of_errors}.",
            count(left_out.error_samples)
        ));
    }
    notes
}
