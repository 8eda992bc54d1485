//! HdrHistogram's interval log of a run: the histogram of response times of each second, as HdrHistogram's own tools read it.
//!
//! The format is version 1.3 of `HistogramLogWriter` of HdrHistogram (Java): comments, a legend, then a line per interval with its
//! start, length, greatest value and histogram (V2 inside DEFLATE, base64). A line without a tag is of all requests together; the tag
//! of an endpoint's is its method and name, as in `?endpoint=` of an address. Values are µs, which the log cannot state but in a
//! comment; the greatest value of a line is in ms, so that it is values / 1,000.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greylag_infra::WallTime;
use greylag_infra::protocol::Endpoint;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::measure::interval::{Measure, SparseInterval};
use crate::measure::packed_counts::PackedCounts;
use crate::plain_text::plain_text;
use crate::results::calendar::rfc3339;
use crate::store::HistorySecond;

/// What would end a tag, and the character that begins an escape. Anything that is not ASCII is escaped, too.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b',').add(b'%').add(b'"');

/// The lines before the first interval, of a run whose time zero is `started_at`.
pub(crate) fn header(started_at: WallTime) -> Vec<u8> {
    let seconds = started_at.as_micros() as f64 / 1e6;
    format!(
        "#[Histogram log format version 1.3]\n\
         #[Response times in microseconds, Interval_Max in milliseconds; for milliseconds divide values by 1000 (HistogramLogProcessor -outputValueUnitRatio 1000)]\n\
         #[A tag is the method and name of an endpoint, percent-encoded; lines without a tag are of all requests]\n\
         #[StartTime: {seconds:.3} (seconds since epoch), {at}]\n\
         #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        at = rfc3339(started_at)
    )
    .into_bytes()
}

/// The lines of these seconds, of each the one of all requests, then those of endpoints by method and name. Seconds without requests have none.
pub(crate) fn lines(seconds: Vec<HistorySecond>) -> Vec<u8> {
    let mut text = String::new();
    for second in seconds {
        let mut all = SparseInterval::default();
        let mut of_endpoints = Vec::new();
        for (endpoint, interval) in &second.intervals {
            if interval.sums.requests() > 0 {
                all.merge(interval);
                of_endpoints.push((tag(endpoint), interval));
            }
        }
        if of_endpoints.is_empty() {
            continue;
        }
        of_endpoints.sort_by(|(one, _), (other, _)| one.cmp(other));
        text += &line("", second.second, &all);
        for (tag, interval) in of_endpoints {
            text += &line(&format!("Tag={tag},"), second.second, interval);
        }
    }
    text.into_bytes()
}

/// An endpoint in the place of a tag.
fn tag(endpoint: &Endpoint) -> String {
    let named = match endpoint.method.as_str() {
        "" => plain_text(&endpoint.name),
        method => plain_text(&format!("{method} {}", endpoint.name)),
    };
    utf8_percent_encode(&named, ESCAPED).to_string()
}

fn line(tag: &str, second: u32, interval: &SparseInterval) -> String {
    let max_ms = interval.sums.response.max_us as f64 / 1e3;
    let counts = PackedCounts::from(&interval.counts[Measure::Response]);
    let histogram = STANDARD.encode(counts.encode_compressed());
    format!("{tag}{second}.000,1.000,{max_ms:.3},{histogram}\n")
}
