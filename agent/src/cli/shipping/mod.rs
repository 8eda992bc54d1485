//! `run --coordinator` ships this program to the coordinator's agents, where they do not run it themselves.

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
use greylag_infra::{BuildInfo, BuildManifest, FileHash};
use greylag_reporting::BuildAnnouncement;
use greylag_scenarios::Scenario;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

pub(crate) use commit::set_crate_dir;

use super::api_client::ApiClient;
use super::failure::Failure;
use crate::own_build::open_executable;

/// How much of the program is a request of its own: packed it must fit into the largest body that a coordinator takes.
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
    /// It is on the coordinator under this name.
    Shipped(FileHash),
}

/// Uploads this program if the agents of an infrastructure need it, or may need it: those that come while the run waits for
/// `least_agents` may be of any build.
///
/// # Errors
/// The agents cannot run it, it cannot be stored, or the coordinator cannot be reached.
pub(super) async fn ship(
    api: &ApiClient,
    infrastructure: &str,
    least_agents: u32,
    own: &BuildInfo,
    scenarios: &[Scenario],
    silent: bool,
) -> Result<Shipping, Failure> {
    let builds = api.builds_of_agents(infrastructure).await;
    let builds = builds.map_err(Failure::bad_input)?;
    let Ok(hash) = own.sha256.parse::<FileHash>() else {
        // The log says why it is not known; the agents' builds cannot be compared with it either.
        return Ok(Shipping::NotNeeded);
    };
    let are_ours = builds.iter().all(|build| *build == own.sha256);
    if are_ours && builds.len() >= least_agents as usize {
        return Ok(Shipping::NotNeeded);
    }
    let known = api.builds().await.map_err(Failure::bad_input)?;
    if !known.is_some_and(|known| known.accept_uploads) {
        return Ok(match are_ours {
            true => Shipping::NotNeeded,
            false => Shipping::Refused,
        });
    }
    let program = open_executable().map_err(cannot_read)?;
    let size = program.metadata().map_err(cannot_read)?.len();
    let announcement = BuildAnnouncement {
        manifest: manifest::manifest(own, hash.clone(), size, scenarios).await,
        infrastructure: infrastructure.to_owned(),
    };
    upload(api, &announcement, Arc::new(program), silent).await?;
    Ok(Shipping::Shipped(hash))
}

fn cannot_read(error: io::Error) -> Failure {
    Failure::failed(format!("this program's file cannot be read: {error}"))
}

/// Uploads what the coordinator does not have of the program.
async fn upload(
    api: &ApiClient,
    announcement: &BuildAnnouncement,
    program: Arc<File>,
    silent: bool,
) -> Result<(), Failure> {
    let BuildManifest { sha256, size, .. } = &announcement.manifest;
    let mut bar: Option<ProgressBar> = None;
    // It is there: what fails from now on may pass.
    let mut was_announced = false;
    let mut tries = 0;
    loop {
        let broken = match api.announce_build(announcement).await {
            Ok(mut stored) => {
                was_announced = true;
                if !stored.is_whole && !silent {
                    bar.get_or_insert_with(|| bar_of(sha256, *size));
                }
                loop {
                    if stored.is_whole {
                        if let Some(bar) = bar {
                            bar.finish_and_clear();
                        }
                        return Ok(());
                    }
                    let at = stored.received_bytes;
                    if let Some(bar) = &bar {
                        bar.set_position(at);
                    }
                    let program = Arc::clone(&program);
                    let piece = spawn_blocking(move || packed_piece(&program, at)).await;
                    let piece = piece.map_err(Failure::failed)?.map_err(cannot_read)?;
                    match api.upload_piece(sha256, at, piece).await {
                        Ok(next) => {
                            tries = 0;
                            stored = next;
                        }
                        Err(error) => break error,
                    }
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

/// The piece of the program that begins at this byte, packed.
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
fn bar_of(hash: &FileHash, size: u64) -> ProgressBar {
    let what = format!(
        "Uploading build {} ({:.1} MB)",
        hash.short(),
        size as f64 / 1e6
    );
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
