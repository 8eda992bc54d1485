//! Where a body ends: by length, by chunks, or with the connection.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr;

use super::head::LONGEST_HEAD;
use super::take_front;
use crate::client::failure::{CLOSED_EARLY, Failure};

/// Longest line that says how long a chunk is, in bytes; extensions make it long.
const LONGEST_CHUNK_LINE: usize = 16 << 10;

/// How the head says where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// Takes a body out of what was read.
#[derive(Debug)]
pub(super) struct BodyReader(State);

#[derive(Debug)]
enum State {
    Length(u64),
    /// The line with the size of the next chunk.
    ChunkSize,
    ChunkData(u64),
    /// The end of the line after a chunk's data.
    ChunkEnd,
    /// Trailers, of which this many bytes have been read.
    Trailers(usize),
    UntilClose,
    Ended,
}

/// What comes next of a body.
#[derive(Debug)]
pub(super) enum Step {
    Chunk(Bytes),
    /// More must be read first.
    More,
    End,
}

impl BodyReader {
    pub(super) fn ended() -> Self {
        Self(State::Ended)
    }

    pub(super) fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Length(0) => State::Ended,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        })
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.0, State::Ended)
    }

    /// Whether the body ends with its connection.
    pub(super) fn is_until_close(&self) -> bool {
        matches!(self.0, State::UntilClose)
    }

    /// Whether all of it is among these bytes, as far as its length is known.
    pub(super) fn is_within(&self, read: &[u8]) -> bool {
        match self.0 {
            State::Ended => true,
            State::Length(left) => left <= read.len() as u64,
            _ => false,
        }
    }

    /// How many bytes are certainly still to come.
    pub(super) fn expected(&self) -> u64 {
        match self.0 {
            State::Length(left) | State::ChunkData(left) => left,
            _ => 0,
        }
    }

    /// The next piece out of what was read; `is_end` says that nothing more will be.
    pub(super) fn step(&mut self, read: &mut BytesMut, is_end: bool) -> Result<Step, Failure> {
        let early = Failure::new(CLOSED_EARLY);
        loop {
            match &mut self.0 {
                State::Ended => return Ok(Step::End),
                State::UntilClose => {
                    if !read.is_empty() {
                        return Ok(Step::Chunk(take_front(read, read.len())));
                    }
                    if is_end {
                        self.0 = State::Ended;
                        return Ok(Step::End);
                    }
                    return Ok(Step::More);
                }
                State::Length(left) | State::ChunkData(left) => {
                    if read.is_empty() {
                        return if is_end { Err(early) } else { Ok(Step::More) };
                    }
                    let here =
                        usize::try_from(*left).map_or(read.len(), |left| left.min(read.len()));
                    let chunk = take_front(read, here);
                    *left -= here as u64;
                    if *left == 0 {
                        self.0 = match self.0 {
                            State::ChunkData(_) => State::ChunkEnd,
                            _ => State::Ended,
                        };
                    }
                    return Ok(Step::Chunk(chunk));
                }
                State::ChunkSize => {
                    let Some(end) = memchr(b'\n', read) else {
                        if read.len() > LONGEST_CHUNK_LINE {
                            return Err(bad_size(read));
                        }
                        return if is_end { Err(early) } else { Ok(Step::More) };
                    };
                    let size = parse_size(&read[..end]).ok_or_else(|| bad_size(&read[..end]))?;
                    read.advance(end + 1);
                    self.0 = match size {
                        0 => State::Trailers(0),
                        size => State::ChunkData(size),
                    };
                }
                State::ChunkEnd => {
                    let skip = match read.as_ref() {
                        [b'\n', ..] => 1,
                        [b'\r', b'\n', ..] => 2,
                        [] | [b'\r'] => {
                            return if is_end { Err(early) } else { Ok(Step::More) };
                        }
                        _ => {
                            let line = &read[..memchr(b'\n', read).unwrap_or(read.len())];
                            return Err(Failure::malformed(
                                "a chunk is longer than its size says; it continues with",
                                line,
                            ));
                        }
                    };
                    read.advance(skip);
                    self.0 = State::ChunkSize;
                }
                State::Trailers(seen) => {
                    let Some(end) = memchr(b'\n', read) else {
                        if *seen + read.len() > LONGEST_HEAD {
                            return Err(Failure::new(
                                "Malformed response: the trailers are larger than 256 KiB",
                            ));
                        }
                        if is_end {
                            // Some servers close before the last empty line; everything came.
                            self.0 = State::Ended;
                            return Ok(Step::End);
                        }
                        return Ok(Step::More);
                    };
                    *seen += end + 1;
                    let is_empty = read[..end].iter().all(|byte| *byte == b'\r');
                    if *seen > LONGEST_HEAD {
                        return Err(Failure::new(
                            "Malformed response: the trailers are larger than 256 KiB",
                        ));
                    }
                    read.advance(end + 1);
                    if is_empty {
                        self.0 = State::Ended;
                    }
                }
            }
        }
    }
}

fn bad_size(line: &[u8]) -> Failure {
    Failure::malformed("this is not the size of a chunk", line)
}

/// The size of a chunk: hexadecimal, with spaces around it and extensions behind it.
fn parse_size(line: &[u8]) -> Option<u64> {
    let size = match memchr(b';', line) {
        Some(semicolon) => &line[..semicolon],
        None => line,
    };
    let digits = size.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
