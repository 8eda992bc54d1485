//! Places for connections: a bounded number in all and per sender, of which those that prove nothing make room.
//!
//! A connection never waits for a place. When all are taken, the connection makes room that has been open for longest
//! without having proved anything (of the sender that has most of them), then one that proved something and is idle. A connection
//! that has shown the token or a session and is being answered is never closed for another.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use super::auth::Peer;

/// Most connections at once, agents' sockets not counted.
const MAX_CONNECTIONS: usize = 2_000;
/// Most connections of one sender: a proxy brings many people, a browser has six.
const MAX_PER_SENDER: usize = 1_000;

/// The connections that there are.
#[derive(Debug, Default)]
pub(in crate::web) struct Places(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    next_number: u64,
    connections: BTreeMap<u64, Connection>,
    per_sender: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Connection {
    sender: IpAddr,
    conduct: Arc<Conduct>,
}

/// What is known of a connection, as an extension of its requests.
#[derive(Debug, Default)]
pub(in crate::web) struct Conduct {
    has_proved: AtomicBool,
    answering: AtomicUsize,
    displaced: CancellationToken,
}

/// A place that a connection has until this is dropped.
#[derive(Debug)]
pub(in crate::web) struct Place {
    all: Arc<Places>,
    number: u64,
    pub(in crate::web) conduct: Arc<Conduct>,
}

impl Places {
    /// A place for a connection, unless all belong to connections that are being answered.
    pub(in crate::web) fn enter(self: &Arc<Self>, peer: Peer) -> Option<Place> {
        let sender = peer.network();
        let mut open = self.lock();
        if open.per_sender.get(&sender).copied().unwrap_or(0) >= MAX_PER_SENDER {
            open.displace_one_of(Some(sender))?;
        } else if open.connections.len() >= MAX_CONNECTIONS {
            open.displace_one()?;
        }
        let number = open.next_number;
        open.next_number += 1;
        let conduct = Arc::<Conduct>::default();
        let connection = Connection {
            sender,
            conduct: Arc::clone(&conduct),
        };
        open.connections.insert(number, connection);
        *open.per_sender.entry(sender).or_default() += 1;
        Some(Place {
            all: Arc::clone(self),
            number,
            conduct,
        })
    }

    /// Closes a connection because the system has no room for another one.
    pub(in crate::web) fn make_room(&self) {
        self.lock().displace_one();
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn displace_one(&mut self) -> Option<()> {
        let greediest = self.per_sender.iter().max_by_key(|(_, count)| **count);
        let greediest = greediest.map(|(sender, _)| *sender);
        self.displace_one_of(greediest)
            .or_else(|| self.displace_one_of(None))
    }

    /// The oldest connection (of this sender) that has proved nothing, or else that is idle, loses its place.
    fn displace_one_of(&mut self, sender: Option<IpAddr>) -> Option<()> {
        let mut candidates: Vec<(bool, u64)> = self
            .connections
            .iter()
            .filter(|(_, connection)| sender.is_none_or(|sender| sender == connection.sender))
            .filter(|(_, connection)| !connection.conduct.is_needed())
            .map(|(number, connection)| (connection.conduct.has_proved(), *number))
            .collect();
        candidates.sort_unstable();
        let (_, number) = candidates.first()?;
        let connection = self.remove(*number)?;
        connection.conduct.displaced.cancel();
        Some(())
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        if let Some(count) = self.per_sender.get_mut(&connection.sender) {
            *count -= 1;
            if *count == 0 {
                self.per_sender.remove(&connection.sender);
            }
        }
        Some(connection)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.lock().remove(self.number);
    }
}

impl Conduct {
    /// The connection has shown the token or a session.
    pub(in crate::web) fn prove(&self) {
        self.has_proved.store(true, Ordering::Relaxed);
    }

    /// Waits until the connection has lost its place.
    pub(in crate::web) async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// A request begins; it ends when this is dropped.
    pub(in crate::web) fn begin_answer(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    fn has_proved(&self) -> bool {
        self.has_proved.load(Ordering::Relaxed)
    }

    fn is_needed(&self) -> bool {
        self.has_proved() && self.answering.load(Ordering::Relaxed) > 0
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(in crate::web) struct Answering(Arc<Conduct>);

impl Answering {
    /// The body of its answer, which ends it.
    pub(in crate::web) fn until_sent(self, body: Body) -> Body {
        Body::new(AnswerBody {
            body,
            _answering: self,
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Peer {
        Peer([192, 0, 2, last].into())
    }

    fn fill(places: &Arc<Places>, sender: u8, count: usize) -> Vec<Place> {
        (0..count)
            .map(|_| places.enter(peer(sender)).expect("there is room"))
            .collect()
    }

    fn displaced(places: &[Place]) -> Vec<usize> {
        let all = places.iter().enumerate();
        all.filter(|(_, place)| place.conduct.displaced.is_cancelled())
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn the_greediest_senders_oldest_connection_makes_room() {
        let places = Arc::<Places>::default();
        let few = fill(&places, 1, 10);
        let many = fill(&places, 2, MAX_PER_SENDER);
        let others = fill(&places, 3, MAX_CONNECTIONS - 10 - MAX_PER_SENDER);
        let _newcomer = places.enter(peer(4)).expect("room is made");
        assert_eq!(displaced(&many), [0]);
        let _more = fill(&places, 2, 2);
        assert_eq!(displaced(&many), [0, 1, 2]);
        assert!(displaced(&few).is_empty() && displaced(&others).is_empty());
    }

    #[test]
    fn what_is_proved_and_in_use_stays() {
        let places = Arc::<Places>::default();
        let held = fill(&places, 1, MAX_PER_SENDER);
        let mut answers = Vec::new();
        for (at, place) in held.iter().enumerate() {
            if at != 3 {
                place.conduct.prove();
            }
            if at != 7 {
                answers.push(place.conduct.begin_answer());
            }
        }
        let mut more = Vec::new();
        for expected in [&[3][..], &[3, 7]] {
            let newcomer = places.enter(peer(1)).expect("room is made");
            assert_eq!(displaced(&held), expected, "unproved first, then idle");
            newcomer.conduct.prove();
            answers.push(newcomer.conduct.begin_answer());
            more.push(newcomer);
        }
        assert!(places.enter(peer(1)).is_none(), "all are in use");
        assert!(places.enter(peer(2)).is_some());
        drop((held, more));
        assert!(places.lock().connections.is_empty() && places.lock().per_sender.is_empty());
    }
}
