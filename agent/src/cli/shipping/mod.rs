//! `run --coordinator` ships this program to the coordinator's agents, where they do not run it themselves, with the data files
//! of its scenario.

mod commit;
mod manifest;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use greylag_infra::{BuildInfo, BuildManifest, DataFile, FileHash};
use greylag_reporting::{BuildAnnounced, BuildAnnouncement};
use greylag_scenarios::Scenario;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

pub(crate) use commit::set_crate_dir;

use super::api_client::{ApiClient, ApiError};
use super::data_files::{LocalData, read_all};
use super::failure::Failure;
use crate::own_build::open_executable;

/// How much of a file is a request of its own: packed it must fit into the largest body that a coordinator takes.
const PIECE_BYTES: usize = 960 * 1024;
/// How often uploading is begun again where it broke off without any piece having come through.
const TRIES: u32 = 5;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whether a run is to be of this program as it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shipping {
    /// The agents run it themselves, or there are none.
    NotNeeded,
    /// The agents run others, and the coordinator does not accept uploads.
    Refused,
    /// It is on the coordinator under this name, with these data files.
    Shipped {
        build: FileHash,
        data: Vec<DataFile>,
    },
}

/// Uploads this program, with the data files of the scenario that is to run, if the agents of an infrastructure need it, or may need
/// it: those that come while the run waits for `least_agents` may be of any build.
///
/// # Errors
/// The agents cannot run it, it or a data file cannot be stored or read, or the coordinator cannot be reached.
pub(super) async fn ship(
    api: &ApiClient,
    infrastructure: &str,
    least_agents: u32,
    own: &BuildInfo,
    scenarios: &[Scenario],
    ours: &Scenario,
    silent: bool,
) -> Result<Shipping, Failure> {
    let agents = api.agents_of(infrastructure).await;
    let agents = agents.map_err(Failure::bad_input)?;
    let Ok(hash) = own.sha256.parse::<FileHash>() else {
        // The log says why it is not known; the agents' builds cannot be compared with it either.
        return Ok(Shipping::NotNeeded);
    };
    let names = ours.data_files();
    let are_ours = agents.iter().all(|agent| agent.build.sha256 == own.sha256);
    // Agents that do not run uploads have their data files in directories of their own.
    let take_data = !agents.is_empty() && agents.iter().all(|agent| agent.takes_data);
    let is_there = are_ours && (names.is_empty() || !take_data);
    if is_there && agents.len() >= least_agents as usize {
        return Ok(Shipping::NotNeeded);
    }
    let known = api.builds().await.map_err(Failure::bad_input)?;
    let Some(known) = known.filter(|known| known.accept_uploads) else {
        return Ok(match are_ours {
            true => Shipping::NotNeeded,
            false => Shipping::Refused,
        });
    };
    if !names.is_empty() && !known.takes_data {
        return Err(Failure::bad_input(
            "the coordinator is of a version of Greylag that takes no data files; update it",
        ));
    }
    let data = read_all(names).await.map_err(Failure::bad_input)?;
    let files: Vec<DataFile> = data.iter().map(|data| data.file.clone()).collect();
    let program = open_executable().map_err(cannot_read)?;
    let size = program.metadata().map_err(cannot_read)?.len();
    let manifest = manifest::manifest(own, hash.clone(), size, scenarios, files.clone());
    let upload = Upload {
        api,
        announcement: BuildAnnouncement {
            manifest: manifest.await,
            infrastructure: infrastructure.to_owned(),
        },
        program: Arc::new(program),
        data,
        silent,
    };
    upload.finish().await?;
    Ok(Shipping::Shipped {
        build: hash,
        data: files,
    })
}

fn cannot_read(error: io::Error) -> Failure {
    Failure::failed(format!("this program's file cannot be read: {error}"))
}

/// What is uploaded of a program and its data files.
struct Upload<'a> {
    api: &'a ApiClient,
    announcement: BuildAnnouncement,
    program: Arc<File>,
    data: Vec<LocalData>,
    silent: bool,
}

/// Why something was not uploaded.
enum NotUploaded {
    /// The coordinator did not take it.
    Api(ApiError),
    /// It cannot be read here.
    Here(Failure),
}

impl Upload<'_> {
    /// Uploads what the coordinator does not have.
    async fn finish(&self) -> Result<(), Failure> {
        // It is there: what fails from now on may pass.
        let mut was_announced = false;
        let mut tries = 0;
        loop {
            let broken = match self.api.announce_build(&self.announcement).await {
                Ok(stored) => {
                    was_announced = true;
                    match self.upload_missing(stored, &mut tries).await {
                        Ok(()) => return Ok(()),
                        Err(NotUploaded::Here(failure)) => return Err(failure),
                        Err(NotUploaded::Api(error)) => error,
                    }
                }
                Err(error) => error,
            };
            // What has come is kept: the coordinator may have been restarted, or someone else uploads the same.
            tries += 1;
            if tries >= TRIES || !was_announced || !broken.may_pass() {
                return Err(Failure::bad_input(broken));
            }
            tracing::debug!("uploading continues after: {broken}");
            sleep(RETRY_AFTER).await;
        }
    }

    async fn upload_missing(
        &self,
        stored: BuildAnnounced,
        tries: &mut u32,
    ) -> Result<(), NotUploaded> {
        let BuildManifest { sha256, size, .. } = &self.announcement.manifest;
        if !stored.is_whole {
            let what = format!("build {}", sha256.short());
            let file = (&self.program, sha256, *size);
            self.upload_file(&what, file, stored.received_bytes, tries)
                .await?;
        }
        for missing in stored.missing_data {
            let is_it = |data: &&LocalData| data.file.sha256 == missing.sha256;
            let Some(data) = self.data.iter().find(is_it) else {
                continue;
            };
            let what = format!("data file {}", data.file.path);
            let file = (&data.content, &data.file.sha256, data.file.size);
            self.upload_file(&what, file, missing.received_bytes, tries)
                .await?;
        }
        Ok(())
    }

    /// Uploads a file from a byte on.
    async fn upload_file(
        &self,
        what: &str,
        (file, sha256, size): (&Arc<File>, &FileHash, u64),
        mut at: u64,
        tries: &mut u32,
    ) -> Result<(), NotUploaded> {
        let bar = match self.silent {
            true => ProgressBar::hidden(),
            false => bar_of(what, size),
        };
        loop {
            bar.set_position(at);
            let file = Arc::clone(file);
            let piece = spawn_blocking(move || packed_piece(&file, at)).await;
            let piece = piece.map_err(|panic| NotUploaded::Here(Failure::failed(panic)))?;
            let piece = piece.map_err(|error| {
                NotUploaded::Here(Failure::failed(format!("{what} cannot be read: {error}")))
            })?;
            let stored = self.api.upload_piece(sha256, at, piece).await;
            let stored = stored.map_err(NotUploaded::Api)?;
            *tries = 0;
            if stored.is_whole {
                bar.finish_and_clear();
                return Ok(());
            }
            if stored.received_bytes <= at {
                let problem =
                    format!("{what} became smaller while it was uploaded; start the run again");
                return Err(NotUploaded::Here(Failure::failed(problem)));
            }
            at = stored.received_bytes;
        }
    }
}

/// The piece of a file that begins at this byte, packed.
fn packed_piece(program: &File, at: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut length = 0;
    while length < piece.len() {
        match program.read_at(&mut piece[length..], at + length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&piece[..length])?;
    Ok(packed.finish()?.into())
}

/// A bar on a terminal, else a line.
fn bar_of(what: &str, size: u64) -> ProgressBar {
    let what = format!("Uploading {what} ({:.1} MB)", size as f64 / 1e6);
    if !io::stderr().is_terminal() {
        eprintln!("{what}");
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_do_not_compress_fit_into_a_request() {
        const MAX_BODY_BYTES: usize = 1024 * 1024;
        let mut program = tempfile::tempfile().unwrap();
        let noise: Vec<u8> = std::iter::repeat_with(rand::random)
            .take(PIECE_BYTES + 10)
            .collect();
        program.write_all(&noise).unwrap();
        assert!(packed_piece(&program, 0).unwrap().len() <= MAX_BODY_BYTES);
        let last = packed_piece(&program, PIECE_BYTES as u64).unwrap();
        let mut unpacked = Vec::new();
        let mut reader = flate2::read::GzDecoder::new(&*last);
        io::Read::read_to_end(&mut reader, &mut unpacked).unwrap();
        assert_eq!(unpacked, noise[PIECE_BYTES..]);
    }
}
