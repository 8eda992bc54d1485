//! The server that knows the truth: it logs its own service time of each request.
//!
//! The service time begins when the operating system has said that the request is there (the return of `epoll_wait` after
//! which its last byte is read), and ends right before the first byte of the answer is handed to the operating system.
//! One thread spins on its core, so no wake-up and no timer's granularity is in between. What the log cannot see is how long a
//! request lies in the socket while the server is busy with others: that is why it looks again after few of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::delays::{Delay, Delays};

/// How many sockets are looked at, and answers given, before the next look.
const BATCH: usize = 4;
/// Largest request, in bytes.
const MAX_REQUEST: usize = 4_096;
/// What the listener is to `epoll`; connections are their position.
const LISTENER: Token = Token(usize::MAX);
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A running server.
pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: JoinHandle<Vec<Duration>>,
}

#[derive(Default)]
struct Shared {
    requests: AtomicU64,
    stop: AtomicBool,
}

impl Server {
    /// Starts it on a free port of 127.0.0.1.
    pub(super) fn start(delay: Delay) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(any_port).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has one");
        let shared = Arc::new(Shared::default());
        let serving = Serving::new(listener, Delays::of(delay), Arc::clone(&shared));
        let thread = std::thread::spawn(move || serving.run());
        Self {
            address,
            shared,
            thread,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came.
    pub(super) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Ends it and gives the service time of each request that was answered.
    pub(super) fn finish(self) -> Vec<Duration> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the server does not panic")
    }
}

/// A request that waits for its answer.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: Instant,
    arrived: Instant,
    connection: usize,
}

struct Connection {
    stream: TcpStream,
    /// What was read of a request.
    read: Vec<u8>,
}

struct Serving {
    listener: TcpListener,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    delays: Delays,
    shared: Arc<Shared>,
    answer: Vec<u8>,
    log: Vec<Duration>,
}

impl Serving {
    fn new(mut listener: TcpListener, delays: Delays, shared: Arc<Shared>) -> Self {
        let poll = Poll::new().expect("an epoll instance");
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)
            .expect("it can be watched");
        let body = "x".repeat(100);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n";
        Self {
            listener,
            poll,
            connections: Vec::new(),
            waiting: BinaryHeap::new(),
            delays,
            shared,
            answer: format!("{head}{body}").into_bytes(),
            log: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<Duration> {
        let mut events = Events::with_capacity(BATCH);
        while !self.shared.stop.load(Ordering::Relaxed) {
            self.poll
                .poll(&mut events, Some(Duration::ZERO))
                .expect("an epoll instance can be asked");
            let arrived = Instant::now();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    Token(connection) => self.read(connection, arrived),
                }
            }
            for _ in 0..BATCH {
                let now = Instant::now();
                if self
                    .waiting
                    .peek()
                    .is_none_or(|Reverse(next)| next.due > now)
                {
                    break;
                }
                self.answer_next();
            }
        }
        self.log
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            stream.set_nodelay(true).expect("a socket can be so");
            let token = Token(self.connections.len());
            self.poll
                .registry()
                .register(&mut stream, token, Interest::READABLE)
                .expect("it can be watched");
            let read = Vec::with_capacity(MAX_REQUEST);
            self.connections.push(Some(Connection { stream, read }));
        }
    }

    fn read(&mut self, position: usize, arrived: Instant) {
        let slot = &mut self.connections[position];
        let Some(connection) = slot else { return };
        let mut buffer = [0; MAX_REQUEST];
        match connection.stream.read(&mut buffer) {
            // Closing the socket takes it out of epoll.
            Ok(0) => *slot = None,
            Ok(count) => {
                connection.read.extend_from_slice(&buffer[..count]);
                if connection.read.ends_with(END_OF_HEAD) {
                    connection.read.clear();
                    self.shared.requests.fetch_add(1, Ordering::Relaxed);
                    let due = arrived + self.delays.next();
                    self.waiting.push(Reverse(Waiting {
                        due,
                        arrived,
                        connection: position,
                    }));
                } else {
                    assert!(connection.read.len() < MAX_REQUEST, "a request is small");
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => *slot = None,
        }
    }

    fn answer_next(&mut self) {
        let Some(Reverse(request)) = self.waiting.pop() else {
            return;
        };
        let Some(connection) = &mut self.connections[request.connection] else {
            return;
        };
        let took = request.arrived.elapsed();
        match connection.stream.write(&self.answer) {
            Ok(count) => {
                assert_eq!(count, self.answer.len(), "an answer fits into a socket");
                self.log.push(took);
            }
            Err(_) => self.connections[request.connection] = None,
        }
    }
}
