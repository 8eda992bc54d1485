//! Inflating with what the thread keeps for it: a histogram is a few hundred bytes, and a snapshot has one per endpoint
//! and second.

use std::cell::Cell;

use flate2::{Decompress, FlushDecompress, Status};

/// What is there for what is inflated at first; a second's histogram has seldom more.
const FIRST_BYTES: usize = 4 * 1024;

thread_local! {
    /// Taken out while it is used, so that whoever reads may inflate something else.
    static KEPT: Cell<Option<Box<Inflater>>> = const { Cell::new(None) };
}

struct Inflater {
    state: Decompress,
    inflated: Vec<u8>,
}

/// Gives `read` what a zlib stream inflates to; none when it is damaged or has more than `most` bytes.
pub(super) fn inflate<T>(
    compressed: &[u8],
    most: usize,
    read: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    let mut inflater = KEPT.take().unwrap_or_else(|| {
        Box::new(Inflater {
            state: Decompress::new(true),
            inflated: Vec::new(),
        })
    });
    let length = inflater.inflate(compressed, most);
    let answer = length.map(|length| read(&inflater.inflated[..length]));
    KEPT.set(Some(inflater));
    answer
}

impl Inflater {
    /// How many bytes there are now in front, at most `most`.
    fn inflate(&mut self, mut compressed: &[u8], most: usize) -> Option<usize> {
        self.state.reset(true);
        let mut length = 0;
        loop {
            if length > most {
                return None;
            }
            if length == self.inflated.len() {
                // One more than there may be, to see that there are not more.
                let more = (2 * length).max(FIRST_BYTES);
                self.inflated.resize(more.min(most + 1), 0);
            }
            let end = self.inflated.len().min(most + 1);
            let room = &mut self.inflated[length..end];
            let (read_before, written_before) = (self.state.total_in(), self.state.total_out());
            let flush = FlushDecompress::None;
            let status = self.state.decompress(compressed, room, flush).ok()?;
            let read = (self.state.total_in() - read_before) as usize;
            let written = (self.state.total_out() - written_before) as usize;
            compressed = &compressed[read..];
            length += written;
            if status == Status::StreamEnd {
                return (length <= most).then_some(length);
            }
            if read == 0 && written == 0 {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflated(compressed: &[u8], most: usize) -> Option<Vec<u8>> {
        inflate(compressed, most, <[u8]>::to_vec)
    }

    #[test]
    fn each_is_inflated_for_itself_whatever_came_before() {
        let large: Vec<u8> = (0..100_000_u32)
            .map(|at| (at.wrapping_mul(at) / 7) as u8)
            .collect();
        let small = b"few bytes".to_vec();
        for bytes in [&small, &large, &small, &Vec::new(), &large] {
            let compressed = deflated(bytes);
            assert_eq!(inflated(&compressed, large.len()).as_ref(), Some(bytes));
            let cut = &compressed[..compressed.len() - 1];
            assert_eq!(inflated(cut, large.len()), None, "cut short");
            let mut damaged = compressed.clone();
            damaged[0] = 0;
            assert_eq!(inflated(&damaged, large.len()), None, "damaged");
        }
        assert_eq!(
            inflated(&deflated(&large), large.len() - 1),
            None,
            "too large"
        );
    }

    #[test]
    fn whoever_reads_may_inflate_something_else() {
        let (outer, inner) = (deflated(b"outer"), deflated(b"inner"));
        let both = inflate(&outer, 100, |outer| {
            (outer.to_vec(), inflated(&inner, 100).unwrap())
        });
        assert_eq!(both, Some((b"outer".to_vec(), b"inner".to_vec())));
    }
}
