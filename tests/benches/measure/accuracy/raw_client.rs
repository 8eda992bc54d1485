//! The least that any client can measure: one connection, blocking, with nothing around it. What it sees above the
//! server's own service time is the operating system's part.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::percentiles::{Percentiles, of_sorted};

/// First argument that makes this program be that client.
pub(crate) const ARGUMENT: &str = "raw-client";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Requests from an address for some seconds and prints the percentiles.
pub(crate) fn request(address: &str, seconds: &str) {
    let seconds = seconds.parse().expect("a number of seconds");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a socket can be so");
    let mut buffer = [0; 4_096];
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        let sent = Instant::now();
        stream.write_all(REQUEST).expect("the server reads");
        let mut read = 0;
        // The answer's length is known: a head without a body's end would not be it.
        while !(buffer[..read].ends_with(b"x") && read > 100) {
            let count = stream
                .read(&mut buffer[read..])
                .expect("the server answers");
            assert!(count > 0, "the server closed the connection");
            read += count;
        }
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    let Percentiles { p50, p99, p999 } = of_sorted(&times);
    println!("percentiles: {p50} {p99} {p999}");
}
