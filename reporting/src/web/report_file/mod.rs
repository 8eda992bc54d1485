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
//!   some seconds (`parts.rs`): intervals add up, so that the sums are the same numbers. A
//!   window begins and ends with a part, so that nothing that is shown is estimated.
//! - Without scripts the page has the numbers of the whole run, as any page of the server.
//! - What a file cannot do is left out by the templates: what changes the run, what is downloaded, links to other pages.
//!
//! A file has at most 5 MB. Whatever may be large has a room of its own: what there is of the whole run (`contents.rs`), rows for readers
//! without scripts (here), single requests and lines of the log (`singles.rs`, `fitted.rs`). What does not fit there is left out, the least important first. Parts of
//! the run take all that is left, as fine as that allows. Totals and verdict are always there, and whatever was left out is said in the file.

mod contents;
mod fitted;
mod joined_script;
mod packed;
mod parts;
mod places;
mod shell;
mod singles;

use greylag_infra::{RunId, RunRecord};

use self::contents::Contents;
use self::parts::{NoParts, packed_parts};
pub(in crate::web) use self::places::FilePlaces;
use self::shell::SHELL;
use self::singles::Singles;
use crate::coordinator::Coordinator;
use crate::results::calendar::utc;
use crate::results::page_text::{ENDPOINT_ROWS, last};
use crate::store::Scope;
use crate::web::error::WebError;
use crate::web::live::run_feed::RunPart;
use crate::web::pages::RunPage;
use crate::web::state::find_run;

/// Most bytes of a file. Parts of a run take what the rest leaves.
const MAX_FILE_BYTES: usize = 5_000_000;
/// Of these for what a page says of its parts.
const RESERVED_BYTES: usize = 5_000;
/// Most bytes of a page without scripts, styles and data. With longer names it has fewer rows for readers without scripts; one that is longer without any
/// leaves less for parts.
const MAX_PAGE_BYTES: usize = 600_000;
/// What readers without scripts have, from the most: rows of each table, and whether they have the console's tables.
const PLAIN_ROWS: [(usize, bool); 4] = [
    (ENDPOINT_ROWS, true),
    (ENDPOINT_ROWS, false),
    (ENDPOINT_ROWS / 5, false),
    (0, false),
];
/// What a file says that has only the whole run.
const WHOLE_RUN_ONLY: &str = "This file shows the whole run only, and no charts of custom metrics:";
/// Elements that have the parts: how they are to be read, and they themselves.
const PART_BLOCKS: [&str; 2] = ["file-described", "file-parts"];

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
    /// Whether these may be about an endpoint.
    pub(in crate::web) narrows_endpoints: bool,
    /// Most rows of each table for readers without scripts.
    pub(in crate::web) plain_rows: usize,
    /// What there is to know about the file, line by line.
    pub(in crate::web) notes: Vec<String>,
    /// The console tables of the whole run.
    pub(in crate::web) tables: String,
    /// What the scripts read.
    pub(in crate::web) data: Vec<DataBlock>,
}

impl FileParts {
    /// Shows the whole run only, and says why.
    fn has_no_parts(&mut self, why: &str) {
        self.can_narrow = false;
        self.narrows_endpoints = false;
        self.notes.push(format!("{WHOLE_RUN_ONLY} {why}"));
    }

    fn without_rows(&mut self) {
        self.plain_rows = 0;
        self.tables = String::new();
    }

    fn without_parts(&mut self) {
        if self.can_narrow {
            // What it says of them.
            self.notes.pop();
            self.data.retain(|block| !PART_BLOCKS.contains(&block.id));
            self.has_no_parts(NoParts::TooLarge.why());
        }
    }
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
    let store = coordinator.store();
    // Before anything else: parts of a run in progress have no seconds of which the rest knows nothing.
    let last_second = store.last_second(&run.id).await?;
    let mut part = RunPart::of(coordinator, run, &Scope::default()).await?;
    // What is wrong right now is not when the file is looked at.
    part.view.notices.clear();
    // The scripts have the log from its own block.
    let log = std::mem::take(&mut part.delta.log);
    let mut contents = Contents::read(coordinator, run, part)
        .await?
        .packed()
        .await?;
    contents.part.delta.log = last(&log, ENDPOINT_ROWS).to_vec();
    drop(log);
    let has_dots = !contents.part.delta.dots.kind.is_empty();
    let singles = Singles::read(store, run, has_dots).await?;
    let mut notes = vec![about_file(coordinator, run)];
    notes.extend(contents.notes);
    notes.extend(singles.notes);
    let mut page = RunPage::as_file(
        contents.part,
        FileParts {
            policy: &SHELL.policy,
            icon: &SHELL.icon,
            styles: &SHELL.styles,
            early_script: SHELL.early_script,
            script: &SHELL.script,
            // With everything that a page has which shows parts, so that it becomes no longer when these are there.
            can_narrow: true,
            narrows_endpoints: true,
            plain_rows: 0,
            notes,
            tables: String::new(),
            data: Vec::new(),
        },
        trace_url,
    );
    let page_bytes = fill_page(&mut page, contents.tables)?;
    let mut data = vec![DataBlock {
        id: "file-data",
        base64: contents.base64,
    }];
    data.extend(singles.blocks);
    let data_bytes: usize = data.iter().map(|block| block.base64.len()).sum();
    let room = MAX_FILE_BYTES.saturating_sub(page_bytes + data_bytes + RESERVED_BYTES);
    let parts = match last_second {
        None => Err(NoParts::NoResults),
        Some(_) if !contents.has_endpoints => Err(NoParts::TooManyEndpoints),
        Some(last) => packed_parts(coordinator, run, last, contents.errors, room).await?,
    };
    if let Some(file) = page.file_mut() {
        file.data = data;
        match parts {
            Ok(parts) => {
                file.narrows_endpoints = parts.by_endpoint;
                file.notes.push(parts.note);
                let blocks = PART_BLOCKS.into_iter().zip([parts.described, parts.parts]);
                file.data
                    .extend(blocks.map(|(id, base64)| DataBlock { id, base64 }));
            }
            Err(none) => file.has_no_parts(none.why()),
        }
    }
    small_enough(&mut page)
}

/// The text of a page. One that is too long has first no rows for readers without scripts, then no parts.
fn small_enough(page: &mut RunPage) -> Result<String, WebError> {
    let mut text = page.text()?;
    for shorten in [FileParts::without_rows, FileParts::without_parts] {
        let Some(file) = page.file_mut().filter(|_| text.len() > MAX_FILE_BYTES) else {
            break;
        };
        tracing::warn!(
            bytes = text.len(),
            "a run's page is too long for a file: it has less of the run then"
        );
        shorten(file);
        text = page.text()?;
    }
    if text.len() > MAX_FILE_BYTES {
        return Err(WebError::FileTooLarge {
            bytes: text.len(),
            maximum: MAX_FILE_BYTES,
        });
    }
    Ok(text)
}

/// Gives the page as much for readers without scripts as there is room for. Gives how many bytes it has without data.
fn fill_page(page: &mut RunPage, tables: String) -> Result<usize, WebError> {
    let mut tables = Some(tables);
    let mut bytes = 0;
    for (rows, has_tables) in PLAIN_ROWS {
        let Some(file) = page.file_mut() else {
            break;
        };
        file.plain_rows = rows;
        // Only the first try has them.
        file.tables = tables.take().filter(|_| has_tables).unwrap_or_default();
        bytes = page.text()?.len();
        if bytes <= SHELL.bytes() + MAX_PAGE_BYTES {
            break;
        }
    }
    Ok(bytes)
}

/// What the file is.
fn about_file(coordinator: &Coordinator, run: &RunRecord) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let now = utc(coordinator.now());
    let state = if run.phase.is_over() {
        ""
    } else {
        ", while the run was in progress"
    };
    format!(
        "Saved by Greylag {version} on {now}{state}. The file needs no server and makes no requests."
    )
}
