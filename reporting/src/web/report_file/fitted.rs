//! As many of some things as a file has room for: the most important ones, in their order.

use serde::Serialize;

use super::packed::in_page;
use crate::web::error::WebError;

/// How often it is tried with fewer things before there are none.
const TRIES: usize = 6;
/// Of the things that would fit by their share, how many are tried: fewer things are compressed less well.
const TRIED_SHARE: f64 = 0.95;
/// Of so many lines of a log one is from its beginning.
const ONE_OF_LINES_FIRST: usize = 10;

/// What fits.
#[derive(Debug)]
pub(super) struct Fitted {
    /// A list as it stands in the page.
    pub(super) base64: String,
    /// Which things it has, by their place.
    pub(super) kept: Vec<usize>,
}

/// Most bytes of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// As JSON: what is compressed at all.
    pub(super) json: usize,
    /// In the page.
    pub(super) in_page: usize,
}

/// The list of the things that fit. `important`: their places, those that are kept the longest first.
///
/// # Errors
/// One of them cannot be written.
pub(super) async fn fitted<T: Serialize + Send + 'static>(
    things: Vec<T>,
    important: Vec<usize>,
    room: Room,
) -> Result<Fitted, WebError> {
    let fit = move || {
        let json: Result<Vec<_>, _> = things.iter().map(serde_json::to_vec).collect();
        let json = json.map_err(|error| WebError::internal("writing a file", &error))?;
        drop(things);
        fit(&json, &important, room)
    };
    let fitted = tokio::task::spawn_blocking(fit).await;
    fitted.map_err(|error| WebError::internal("compressing a file", &error))?
}

fn fit(json: &[Vec<u8>], important: &[usize], room: Room) -> Result<Fitted, WebError> {
    let mut bytes = 0;
    let short_enough = important.iter().take_while(|at| {
        bytes += json[**at].len();
        bytes <= room.json
    });
    let mut most = short_enough.count();
    for _ in 0..TRIES {
        let mut kept = important[..most].to_vec();
        kept.sort_unstable();
        let base64 = in_page(&list(kept.iter().map(|at| json[*at].as_slice())))?;
        if base64.len() <= room.in_page {
            return Ok(Fitted { base64, kept });
        }
        let share = room.in_page as f64 / base64.len() as f64;
        most = (most as f64 * share * TRIED_SHARE) as usize;
    }
    Ok(Fitted {
        base64: in_page(b"[]")?,
        kept: Vec::new(),
    })
}

fn list<'a>(things: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut list = vec![b'['];
    for (at, thing) in things.enumerate() {
        if at > 0 {
            list.push(b',');
        }
        list.extend_from_slice(thing);
    }
    list.push(b']');
    list
}

/// The lines of a log by importance: the last ones, and some of the first, so that what is left out is one stretch between them.
pub(super) fn ends_first(lines: usize) -> Vec<usize> {
    let (mut first, mut last) = (0, lines);
    let places = (1..=lines).map(|number| {
        if number % ONE_OF_LINES_FIRST == 0 {
            first += 1;
            first - 1
        } else {
            last -= 1;
            last
        }
    });
    places.collect()
}

/// Things by importance so that, however many are kept, they are spread evenly among those of the same rank. `ranks`: of each thing, least first.
pub(super) fn evenly(ranks: &[u8]) -> Vec<usize> {
    let mut important: Vec<usize> = (0..ranks.len()).collect();
    // The number with its bits reversed: halves, then quarters, and so on.
    important.sort_by_key(|at| (ranks[*at], (*at as u64).reverse_bits()));
    important
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use flate2::read::GzDecoder;

    use super::*;

    const PLENTY: Room = Room {
        json: 1 << 20,
        in_page: 1 << 20,
    };

    /// Numbers that cannot be compressed much.
    fn numbers(count: u64) -> Vec<u64> {
        (1..=count)
            .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .collect()
    }

    fn read(fitted: &Fitted) -> Vec<u64> {
        let bytes = STANDARD.decode(&fitted.base64).unwrap();
        serde_json::from_reader(GzDecoder::new(bytes.as_slice())).unwrap()
    }

    #[tokio::test]
    async fn what_fits_is_kept_in_its_order() {
        let all = numbers(2_000);
        let everything = fitted(all.clone(), ends_first(2_000), PLENTY)
            .await
            .unwrap();
        assert_eq!(read(&everything), all);
        for in_page in [10_000, 1_000, 100, 10] {
            let room = Room { in_page, ..PLENTY };
            let fitted = fitted(all.clone(), ends_first(2_000), room).await.unwrap();
            assert!(fitted.base64.len() <= in_page.max(40), "{in_page}");
            let kept: Vec<u64> = fitted.kept.iter().map(|at| all[*at]).collect();
            assert_eq!(read(&fitted), kept);
            assert!(fitted.kept.is_sorted());
            // Most of the room is used.
            let least = if in_page < 1_000 { 0 } else { in_page * 6 / 10 };
            assert!(
                fitted.base64.len() >= least,
                "{} of {in_page}",
                fitted.base64.len()
            );
        }
        let room = Room {
            json: 1_000,
            ..PLENTY
        };
        let short = fitted(all, ends_first(2_000), room).await.unwrap();
        assert!(
            (45..=55).contains(&short.kept.len()),
            "{}",
            short.kept.len()
        );
    }

    #[test]
    fn of_a_log_the_ends_are_kept() {
        assert_eq!(ends_first(3), [2, 1, 0]);
        let important = ends_first(1_000);
        for kept in [1, 10, 57, 999] {
            let mut places = important[..kept].to_vec();
            places.sort_unstable();
            let gaps = places.windows(2).filter(|pair| pair[1] - pair[0] > 1);
            assert!(gaps.count() <= 1, "{places:?}");
            assert_eq!(places.last(), Some(&999));
            assert_eq!(
                places.iter().filter(|at| **at < kept / 10).count(),
                kept / 10
            );
        }
    }

    #[test]
    fn few_things_are_spread_over_all() {
        let ranks: Vec<u8> = (0..1_024).map(|at| u8::from(at % 128 != 5)).collect();
        let important = evenly(&ranks);
        assert!(important[..8].iter().all(|at| at % 128 == 5));
        let mut next = important[8..72].to_vec();
        next.sort_unstable();
        let widest = next.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(widest <= 32, "{widest}");
        assert!(next[0] < 32 && next[63] >= 1_024 - 32, "{next:?}");
    }
}
