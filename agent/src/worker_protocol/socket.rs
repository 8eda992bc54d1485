//! The worker's end of the socket to its agent.
//!
//! It is the process's standard input: a pair of sockets without a name has no file to clean up, no path
//! that is too long, and nobody else can connect to it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentSocketError {
    /// Somebody else started this process.
    #[error("`worker` is started by an agent, not by hand; use `greylag agent` or `greylag run`")]
    NotFromAgent,
    /// The system refused.
    #[error("the socket to the agent cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// Takes the socket off standard input, which is empty from then on, so that a scenario that reads it gets
/// nothing of ours.
pub(crate) fn take_agent_socket() -> Result<UnixStream, AgentSocketError> {
    let standard_input = io::stdin();
    let socket = UnixStream::from(standard_input.as_fd().try_clone_to_owned()?);
    if socket.peer_addr().is_err() {
        return Err(AgentSocketError::NotFromAgent);
    }
    let nothing = OpenOptions::new().read(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing).map_err(io::Error::from)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
