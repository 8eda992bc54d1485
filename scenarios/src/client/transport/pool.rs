//! The connections of one user, shared by its forks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::http1::Http1;
use super::http2::Http2;
use super::stream::Stream;
use crate::client::target::Origin;

/// Connections kept per user, its forks included; the one unused longest makes room.
pub(in crate::client) const KEPT_CONNECTIONS: usize = 32;

/// A connection and where it goes to.
pub(in crate::client) struct Connection {
    pub(in crate::client) origin: Origin,
    pub(in crate::client) protocol: Protocol,
}

/// What is spoken on a connection.
pub(in crate::client) enum Protocol {
    /// Serves one request at a time, whoever holds it.
    Http1(Box<Http1<Stream>>),
    /// Serves all at once; the pool keeps a handle while others use theirs.
    Http2(Http2),
}

/// Connections that wait for a request, the one unused longest first.
#[derive(Default)]
pub(in crate::client) struct Pool(Mutex<Vec<Connection>>);

impl Pool {
    /// A connection to `origin` that is still open, the one used last.
    pub(in crate::client) async fn take(&self, origin: &Origin) -> Option<Connection> {
        while let Some(mut connection) = self.take_any(origin) {
            if let Protocol::Http1(http1) = &mut connection.protocol
                && !http1.is_idle().await
            {
                continue;
            }
            return Some(connection);
        }
        None
    }

    fn take_any(&self, origin: &Origin) -> Option<Connection> {
        let mut kept = self.lock();
        let index = kept.iter().rposition(|kept| kept.origin == *origin)?;
        if let Protocol::Http2(http2) = &kept[index].protocol
            && !http2.is_closed()
        {
            return Some(Connection {
                origin: origin.clone(),
                protocol: Protocol::Http2(http2.clone()),
            });
        }
        Some(kept.remove(index))
    }

    /// Takes a connection back that serves again.
    pub(in crate::client) fn give_back(&self, connection: Connection) {
        let mut kept = self.lock();
        if kept.len() == KEPT_CONNECTIONS {
            kept.remove(0);
        }
        kept.push(connection);
    }

    /// Gives back the memory that connections need only while they serve.
    pub(in crate::client) fn release_memory(&self) {
        for kept in self.lock().iter_mut() {
            if let Protocol::Http1(http1) = &mut kept.protocol {
                http1.release_memory();
            }
        }
    }

    /// Shares a connection of HTTP/2 immediately. Where another one was quicker, that one is used.
    pub(in crate::client) fn share(&self, connection: Connection) -> Connection {
        let Protocol::Http2(own) = &connection.protocol else {
            return connection;
        };
        let mut kept = self.lock();
        for other in kept
            .iter()
            .filter(|other| other.origin == connection.origin)
        {
            if let Protocol::Http2(http2) = &other.protocol
                && !http2.is_closed()
            {
                return Connection {
                    origin: connection.origin.clone(),
                    protocol: Protocol::Http2(http2.clone()),
                };
            }
        }
        if kept.len() == KEPT_CONNECTIONS {
            kept.remove(0);
        }
        kept.push(Connection {
            origin: connection.origin.clone(),
            protocol: Protocol::Http2(own.clone()),
        });
        connection
    }

    /// Keeps no connection to `origin` that requests share.
    pub(in crate::client) fn forget_shared(&self, origin: &Origin) {
        self.lock()
            .retain(|kept| kept.origin != *origin || !matches!(kept.protocol, Protocol::Http2(_)));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Nothing panics while it is held; and a connection more or less does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
