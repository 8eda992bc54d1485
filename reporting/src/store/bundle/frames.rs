//! The bytes of a bundle.
//!
//! ```text
//! greylag bundle 1\n | zlib stream of frames | SHA-256 of all bytes before
//! frame: length (u32, big endian) | MessagePack of Frame
//! frames: Head, for each table Table and its Rows, End
//! ```
//!
//! The hash at the end is that of the compressed bytes, so that no altered bit goes unnoticed, wherever it is. `End` lists the parts with
//! the SHA-256 of their frames: what two bundles of a run differ in can be found, whatever compressed them. The same rows
//! make the same bytes: there are no times, and rows come in the order of their keys.

use std::io::{Read, Write};
use std::marker::PhantomData;

use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::types::Value;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::error::{BundleError, BundleResult};

/// What a bundle begins with, before the number of its format.
const MAGIC: &str = "greylag bundle ";
/// The format that is written and read.
const FORMAT: u64 = 1;
/// Longest first line.
const MAX_MAGIC_BYTES: u64 = 40;
/// Bytes of the hash at the end.
const HASH_BYTES: u64 = 32;
/// Longest frame: a row may have 64 MiB, and a frame has no further ones then.
const MAX_FRAME_BYTES: u32 = 80 << 20;
/// Most bytes of all frames: a small file may not fill the disk. A run of a day with a hundred endpoints has about 10 GiB.
const MAX_UNPACKED_BYTES: u64 = 64 << 30;
/// Most rows of a frame: small ones take more memory than their bytes.
pub(super) const PIECE_ROWS: usize = 10_000;
/// Read from a file at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// One thing after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Frame {
    Head(Head),
    /// What follows is of this table.
    Table {
        name: String,
        #[serde(deserialize_with = "few")]
        columns: Vec<String>,
    },
    /// Cells in the order of the columns.
    Rows(#[serde(deserialize_with = "rows")] Vec<Vec<Cell>>),
    End {
        #[serde(deserialize_with = "few")]
        parts: Vec<Part>,
    },
}

/// Most columns of a table, and tables of a bundle.
const MAX_COLUMNS: usize = 100;

/// A list of at most so many elements: each takes more memory than it takes bytes in the file.
fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    most: usize,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(usize, PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(formatter, "a list of at most {}", self.0)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut read = Vec::new();
            while let Some(one) = list.next_element()? {
                if read.len() == self.0 {
                    return Err(serde::de::Error::invalid_length(self.0 + 1, &self));
                }
                read.push(one);
            }
            Ok(read)
        }
    }

    deserializer.deserialize_seq(List(most, PhantomData))
}

fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    at_most(deserializer, MAX_COLUMNS)
}

fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<Cell>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Row {
        #[serde(deserialize_with = "few")]
        cells: Vec<Cell>,
    }

    let rows: Vec<Row> = at_most(deserializer, PIECE_ROWS)?;
    Ok(rows.into_iter().map(|row| row.cells).collect())
}

/// What made a bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Head {
    /// Of the database.
    pub(super) schema: i64,
    /// Version of Greylag.
    pub(super) greylag: String,
}

/// What there is of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) table: String,
    pub(super) rows: u64,
    /// Of its frames, in hexadecimal digits.
    pub(super) sha256: String,
}

/// What stands in a column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell(pub(super) Value);

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Real(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Blob(bytes) => serializer.serialize_bytes(bytes),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl Visitor<'_> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("nothing, a whole number, a text or bytes")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell(Value::Null))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell(Value::Integer(number)))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Cell, E> {
        let number = i64::try_from(number).map_err(|_| E::custom("a number is too large"))?;
        Ok(Cell(Value::Integer(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell(Value::Text(text.to_owned())))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Cell, E> {
        Ok(Cell(Value::Blob(bytes.to_owned())))
    }
}

/// Writes a bundle, whose bytes are taken from it as they come.
pub(super) struct BundleWriter {
    encoder: ZlibEncoder<Vec<u8>>,
    whole: Sha256,
    parts: Vec<Part>,
    part: Sha256,
}

impl BundleWriter {
    pub(super) fn new(head: Head) -> Self {
        let magic = format!("{MAGIC}{FORMAT}\n").into_bytes();
        let mut writer = Self {
            encoder: ZlibEncoder::new(magic, Compression::default()),
            whole: Sha256::new(),
            parts: Vec::new(),
            part: Sha256::new(),
        };
        writer.put(&Frame::Head(head));
        writer
    }

    /// Begins a table.
    pub(super) fn table(&mut self, name: &str, columns: &[String]) {
        self.end_part();
        self.part = Sha256::new();
        self.parts.push(Part {
            table: name.to_owned(),
            rows: 0,
            sha256: String::new(),
        });
        self.put(&Frame::Table {
            name: name.to_owned(),
            columns: columns.to_vec(),
        });
    }

    /// Adds rows of the table that was begun last.
    pub(super) fn rows(&mut self, rows: Vec<Vec<Cell>>) {
        if let Some(part) = self.parts.last_mut() {
            part.rows += rows.len() as u64;
        }
        self.put(&Frame::Rows(rows));
    }

    /// The bytes that came since.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(self.encoder.get_mut());
        self.whole.update(&bytes);
        bytes
    }

    /// The last bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_part();
        let parts = std::mem::take(&mut self.parts);
        self.put(&Frame::End { parts });
        let Self {
            encoder, mut whole, ..
        } = self;
        let mut bytes = encoder.finish().expect("writing to memory cannot fail");
        whole.update(&bytes);
        bytes.extend(whole.finalize());
        bytes
    }

    fn end_part(&mut self) {
        let hash = std::mem::take(&mut self.part).finalize();
        if let Some(part) = self.parts.last_mut() {
            part.sha256 = hex(&hash);
        }
    }

    fn put(&mut self, frame: &Frame) {
        let bytes = rmp_serde::to_vec_named(frame).expect("texts, numbers and bytes always encode");
        // Rows are read up to a size that is far below.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        for bytes in [&length[..], &bytes] {
            self.part.update(bytes);
            self.encoder
                .write_all(bytes)
                .expect("writing to memory cannot fail");
        }
    }
}

/// Checks that a file of this length is a bundle as it was written, before anything in it is looked at.
pub(super) fn check_hash(file: &mut impl Read, length: u64) -> BundleResult<()> {
    let Some(hashed) = length.checked_sub(HASH_BYTES) else {
        return Err(BundleError::NotABundle);
    };
    let mut hash = Sha256::new();
    let mut left = hashed;
    let mut buffer = vec![0; BUFFER_BYTES];
    while left > 0 {
        let most = usize::try_from(left).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
        let read = file.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(BundleError::OtherHash);
        }
        if left == hashed && !buffer[..read].starts_with(MAGIC.as_bytes()) {
            return Err(BundleError::NotABundle);
        }
        hash.update(&buffer[..read]);
        left -= read as u64;
    }
    let mut found = Vec::new();
    file.take(HASH_BYTES + 1).read_to_end(&mut found)?;
    if *found != *hash.finalize() {
        return Err(BundleError::OtherHash);
    }
    Ok(())
}

/// Reads the frames of a bundle whose hash was checked, and checks the hashes of its parts.
pub(super) struct BundleReader<R> {
    decoder: ZlibDecoder<std::io::BufReader<std::io::Take<R>>>,
    unpacked: u64,
    parts: Vec<Part>,
    part: Sha256,
}

impl<R: Read> BundleReader<R> {
    /// Of a file of this length, which is at its beginning.
    pub(super) fn new(mut file: R, length: u64) -> BundleResult<Self> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            file.read_exact(&mut byte)?;
            line.push(byte[0]);
            if line.len() as u64 > MAX_MAGIC_BYTES {
                return Err(BundleError::NotABundle);
            }
        }
        let format = String::from_utf8(line.clone()).ok();
        let format = format.and_then(|line| line.strip_prefix(MAGIC)?.trim().parse().ok());
        match format {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => {
                return Err(BundleError::NewerFormat {
                    found,
                    known: FORMAT,
                });
            }
            _ => return Err(BundleError::NotABundle),
        }
        let packed = length.saturating_sub(HASH_BYTES + line.len() as u64);
        let file = std::io::BufReader::with_capacity(BUFFER_BYTES, file.take(packed));
        Ok(Self {
            decoder: ZlibDecoder::new(file),
            unpacked: 0,
            parts: Vec::new(),
            part: Sha256::new(),
        })
    }

    /// The next frame; after `End` there is none.
    pub(super) fn next(&mut self) -> BundleResult<Frame> {
        let place = || format!("byte {} of what is inside", self.unpacked);
        let mut length = [0; 4];
        let unreadable = |error: std::io::Error| BundleError::invalid(place(), error);
        self.decoder.read_exact(&mut length).map_err(unreadable)?;
        let bytes = u32::from_be_bytes(length);
        if bytes > MAX_FRAME_BYTES {
            return Err(BundleError::invalid(place(), "a frame is too long"));
        }
        let mut frame = Vec::new();
        (&mut self.decoder)
            .take(bytes.into())
            .read_to_end(&mut frame)
            .map_err(unreadable)?;
        if frame.len() as u64 != u64::from(bytes) {
            return Err(BundleError::invalid(place(), "a frame is cut short"));
        }
        let read: Frame =
            rmp_serde::from_slice(&frame).map_err(|error| BundleError::invalid(place(), error))?;
        self.unpacked += u64::from(bytes) + length.len() as u64;
        if self.unpacked > MAX_UNPACKED_BYTES {
            return Err(BundleError::TooLarge {
                maximum_bytes: MAX_UNPACKED_BYTES,
            });
        }
        match &read {
            Frame::Table { name, .. } => {
                self.end_part();
                self.part = Sha256::new();
                self.parts.push(Part {
                    table: name.clone(),
                    rows: 0,
                    sha256: String::new(),
                });
            }
            Frame::Rows(rows) => {
                if let Some(part) = self.parts.last_mut() {
                    part.rows += rows.len() as u64;
                }
            }
            Frame::End { parts } => {
                self.end_part();
                if let Some((_, found)) = parts
                    .iter()
                    .zip(&self.parts)
                    .find(|(one, other)| one != other)
                {
                    let place = format!("table {}", found.table);
                    return Err(BundleError::invalid(
                        place,
                        "its rows are not those that the end lists",
                    ));
                }
                if parts.len() != self.parts.len() {
                    return Err(BundleError::invalid(
                        "the end",
                        "it lists other tables than there are",
                    ));
                }
                if self.decoder.read(&mut [0])? > 0 || !self.decoder.get_ref().buffer().is_empty() {
                    return Err(BundleError::invalid("the end", "there is more behind it"));
                }
            }
            Frame::Head(_) => {}
        }
        self.part.update(length);
        self.part.update(&frame);
        Ok(read)
    }

    fn end_part(&mut self) {
        let hash = std::mem::take(&mut self.part).finalize();
        if let Some(part) = self.parts.last_mut() {
            part.sha256 = hex(&hash);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
