//! Which trace a request belongs to: the header `traceparent` of W3C Trace Context.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

use http::HeaderValue;
use http::header::HeaderName;
use rand::Rng;

use super::headers::Headers;

/// The header's name.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Length of its value in bytes: version, trace id, id of the parent, flags.
const LENGTH: usize = 55;
/// The flag that a request is sampled.
const SAMPLED: u8 = 1;

/// A trace's id as of W3C Trace Context; as text 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// The id of these 16 bytes as a number, the first byte the highest; `None` for 0, which is not a valid id.
    pub fn new(id: u128) -> Option<Self> {
        NonZeroU128::new(id).map(Self)
    }

    /// Its bytes as a number; never 0.
    pub fn get(self) -> u128 {
        self.0.get()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

/// The trace that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTrace {
    /// Its id.
    pub id: TraceId,
    /// Whether the tracing system is asked to record it.
    pub is_sampled: bool,
}

/// How requests are traced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracing {
    /// The share of requests that are sampled, 0 to 1.
    share: f64,
}

impl Tracing {
    /// As the run's settings say; `None` where requests are not traced.
    pub(crate) fn of(share: Option<f64>) -> Option<Self> {
        share.map(|share| Self { share })
    }

    /// The trace of a request with these headers, and the header to add: none where the scenario says itself which trace it
    /// belongs to.
    #[inline(never)]
    pub(super) fn begin(
        self,
        client: &Headers,
        own: Option<&Headers>,
    ) -> (Option<RequestTrace>, Option<TraceParent>) {
        let given = own.and_then(|own| own.get(TRACEPARENT));
        if let Some(given) = given.or_else(|| client.get(TRACEPARENT)) {
            return (parse(given), None);
        }
        let made = TraceParent::random(self.share, &mut rand::rng());
        (Some(made.trace), Some(made))
    }
}

/// What the header of a request says.
#[derive(Debug, Clone, Copy)]
pub(super) struct TraceParent {
    trace: RequestTrace,
    span: NonZeroU64,
}

impl TraceParent {
    fn random(share: f64, random: &mut impl Rng) -> Self {
        Self {
            trace: RequestTrace {
                id: TraceId(random.random()),
                is_sampled: random.random::<f64>() < share,
            },
            span: random.random(),
        }
    }

    /// The header's value.
    pub(super) fn written(self) -> [u8; LENGTH] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut value[3..35], &self.trace.id.get().to_be_bytes());
        write_hex(&mut value[36..52], &self.span.get().to_be_bytes());
        write_hex(
            &mut value[53..],
            &[u8::from(self.trace.is_sampled) * SAMPLED],
        );
        value
    }

    /// The same for a map of headers.
    pub(super) fn value(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.written()).expect("digits and dashes are valid in a header")
    }
}

/// Two digits for each byte.
fn write_hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

/// The trace that a scenario's own header names; `None` if it is not valid. Of later versions what version 00 has is read
/// (section 4.3 of W3C Trace Context).
fn parse(value: &HeaderValue) -> Option<RequestTrace> {
    let text = value.to_str().ok()?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut parts = text.split('-');
    let mut digits = |length: usize| {
        let part = parts.next()?;
        (part.len() == length && part.bytes().all(is_digit)).then_some(part)
    };
    let (version, id, parent, flags) = (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
    let is_valid = version != "ff" && (version != "00" || text.len() == LENGTH);
    let id = NonZeroU128::new(u128::from_str_radix(id, 16).ok()?)?;
    NonZeroU64::new(u64::from_str_radix(parent, 16).ok()?)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    is_valid.then_some(RequestTrace {
        id: TraceId(id),
        is_sampled: flags & SAMPLED != 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::SmallRng;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(seed in any::<u64>(), share in 0.0..=1.0) {
            let made = TraceParent::random(share, &mut SmallRng::seed_from_u64(seed));
            prop_assert_eq!(parse(&made.value()), Some(made.trace));
            let text = String::from_utf8(made.written().to_vec()).unwrap();
            let expected = format!(
                "00-{}-{:016x}-0{}",
                made.trace.id,
                made.span,
                u8::from(made.trace.is_sampled)
            );
            prop_assert_eq!(text, expected);
        }
    }

    #[test]
    fn as_many_are_sampled_as_asked_for() {
        let mut random = SmallRng::seed_from_u64(7);
        let mut sampled = |share: f64| {
            let made = (0..10_000).map(|_| TraceParent::random(share, &mut random));
            made.filter(|made| made.trace.is_sampled).count()
        };
        assert_eq!([sampled(0.0), sampled(1.0)], [0, 10_000]);
        // Eight standard deviations on each side.
        assert!((4_600..5_400).contains(&sampled(0.5)));
        assert!((20..180).contains(&sampled(0.01)));
    }

    #[test]
    fn only_valid_headers_name_a_trace() {
        let of = |text: &'static str| parse(&HeaderValue::from_static(text));
        let valid = of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(valid.id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(valid.is_sampled);
        let flags = of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02").unwrap();
        assert!(!flags.is_sampled);
        assert!(of("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-what").is_some());
        for wrong in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
