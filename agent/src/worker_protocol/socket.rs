//! The worker's end of the socket to its agent.
//!
//! It is the process's standard input: a pair of unnamed sockets leaves no file to clean up, has no path that may be too
//! long, and no other process can connect to it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentSocketError {
    /// This process was not started by an agent.
    #[error("`worker` is started by an agent, not by hand; use `greylag agent` or `greylag run`")]
    NotFromAgent,
    /// The system refused.
    #[error("the socket to the agent cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// Takes the socket off standard input, which is empty from then on, so that a scenario that reads it cannot disturb the
/// protocol.
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
