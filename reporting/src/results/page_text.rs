//! How numbers read on the pages. `assets/js/format.js` says the same in the browser, so that a value does not
//! change its looks when the first live update replaces what the server rendered.
//!
//! Arguments are [`Borrow`]s because templates hand over references and code hands over values.

use std::borrow::Borrow;
use std::time::Duration;

use greylag_infra::WallTime;

pub(crate) use super::calendar::{day_and_time, iso, time_of_day, utc};
use crate::measure::stats::{IntendedStats, ShownPercentile, TimeStats};
use crate::results::views::run_view::RunView;

/// The charts over run time that have nothing to choose but their lines, with their titles.
pub(crate) const SIMPLE_CHARTS: [(&str, &str); 5] = [
    ("statuses", "Status Codes"),
    ("errors", "Errors by Kind"),
    ("agent-requests", "Requests per Agent"),
    ("agent-users", "Users per Agent"),
    ("arrivals", "Arrivals"),
];

/// `12345` → `12,345`.
pub(crate) fn count(number: impl Borrow<u64>) -> String {
    let digits = number.borrow().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate per second: two places below 10, one below 1,000, none above.
pub(crate) fn rate(per_second: impl Borrow<f64>) -> String {
    let per_second = *per_second.borrow();
    if !per_second.is_finite() || per_second <= 0.0 {
        "0".to_owned()
    } else if per_second < 9.995 {
        format!("{per_second:.2}")
    } else if per_second < 999.95 {
        format!("{per_second:.1}")
    } else {
        count(per_second.round() as u64)
    }
}

/// Milliseconds: two places below 10, one below 100, none above.
pub(crate) fn ms(milliseconds: impl Borrow<f64>) -> String {
    let milliseconds = *milliseconds.borrow();
    if !milliseconds.is_finite() || milliseconds <= 0.0 {
        "0".to_owned()
    } else if milliseconds < 9.995 {
        format!("{milliseconds:.2}")
    } else if milliseconds < 99.95 {
        format!("{milliseconds:.1}")
    } else {
        count(milliseconds.round() as u64)
    }
}

/// A fraction 0–1 as a percentage with two places. Neither end is reached by rounding: one failure in a million
/// is not `0%`, and one success is not `100%`.
pub(crate) fn percent(fraction: impl Borrow<f64>) -> String {
    let fraction = *fraction.borrow();
    if !fraction.is_finite() || fraction <= 0.0 {
        "0%".to_owned()
    } else if fraction >= 1.0 {
        "100%".to_owned()
    } else if fraction < 0.0001 {
        "<0.01%".to_owned()
    } else if fraction > 0.9999 {
        ">99.99%".to_owned()
    } else {
        format!("{}%", rounded(fraction * 100.0, 2))
    }
}

/// A number of at least 0 with so many decimals. Browsers and Rust round what is in the middle of two differently; this way both round up.
pub(crate) fn rounded(number: f64, places: u8) -> String {
    let scale = 10_f64.powi(places.into());
    let nearest = (number * scale).round() / scale;
    format!("{nearest:.*}", usize::from(places))
}

/// Whole seconds as `1h 20m 5s`.
pub(crate) fn duration(seconds: impl Borrow<u64>) -> String {
    greylag_infra::format_duration(Duration::from_secs(*seconds.borrow()))
}

/// Seconds that have passed, as `1h 20m 5s`; parts of a second are dropped.
pub(crate) fn elapsed(seconds: impl Borrow<f64>) -> String {
    duration(seconds.borrow().max(0.0) as u64)
}

/// Seconds of run time as on an axis: `45s`, `1:30`, `1:02:03`.
pub(crate) fn clock(seconds: impl Borrow<u32>) -> String {
    let seconds = *seconds.borrow();
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match seconds {
        0..60 => format!("{rest}s"),
        60..3_600 => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// How long ago something was, in its coarsest unit: `3s ago`, `5m ago`, `2h ago`, `4d ago`.
pub(crate) fn age(now: impl Borrow<WallTime>, then: impl Borrow<WallTime>) -> String {
    let seconds = (*now.borrow() - *then.borrow()).as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "m"),
        3_600..86_400 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{number}{unit} ago")
}

/// `value` as a share of `whole` on a scale of 0 to 100, for the geometry of an SVG.
pub(crate) fn share(value: impl Borrow<f64>, whole: impl Borrow<f64>) -> String {
    let (value, whole) = (*value.borrow(), *whole.borrow());
    if whole <= 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    format!("{:.2}", (value / whole * 100.0).clamp(0.0, 100.0))
}

/// Rows of a chart's data and lines of the log that the server writes for readers without scripts.
pub(crate) const PLAIN_ROWS: usize = 100;

/// The last `most` of some rows.
pub(crate) fn last<T>(rows: &[T], most: usize) -> &[T] {
    &rows[rows.len().saturating_sub(most)..]
}

/// Rows of Endpoint Statistics that the server writes; the page's script shows the others when it is asked to.
pub(crate) const ENDPOINT_ROWS: usize = 100;

/// What the latency bars of a run are scaled to: the greatest percentile that they have, of the whole table.
pub(crate) fn latency_scale(view: &RunView) -> f64 {
    view.endpoints
        .iter()
        .chain([&view.aggregated])
        .flat_map(|row| on_bar(&row.stats.response))
        .map(|percentile| percentile.ms)
        .fold(0.0, f64::max)
}

/// What the page's script knows about percentiles.
pub(crate) fn percentiles_json() -> String {
    serde_json::to_string(&TimeStats::default().all_percentiles()).expect("plain rows are JSON")
}

/// The percentiles of a latency bar, ascending.
pub(crate) fn on_bar(times: &TimeStats) -> Vec<ShownPercentile> {
    let percentiles = times.percentiles().into_iter();
    percentiles.filter(|percentile| percentile.on_bar).collect()
}

/// The values of a latency bar for programs.
pub(crate) fn bar_values(times: &TimeStats) -> String {
    let values = on_bar(times).into_iter();
    let values: Vec<String> = values.map(|shown| shown.ms.to_string()).collect();
    values.join(" ")
}

/// The percentiles of times in words: `Median 3 ms, 95th percentile 7 ms; min 1 ms, max 9 ms`.
pub(crate) fn times_title(times: &TimeStats) -> String {
    let percentiles = times.percentiles().into_iter();
    let percentiles: Vec<String> = percentiles
        .map(|shown| format!("{} {} ms", shown.label, ms(shown.ms)))
        .collect();
    format!(
        "{}; min {} ms, max {} ms",
        percentiles.join(", "),
        ms(times.min_ms),
        ms(times.max_ms)
    )
}

/// What is shown about an endpoint's times from the intended start when one points at them.
pub(crate) fn intended_title(intended: &Option<IntendedStats>) -> String {
    intended.map_or_else(
        || "No requests have an intended start".to_owned(),
        |IntendedStats { requests, times }| {
            format!(
                "From the intended start: average {} ms, {}; of {} requests",
                ms(times.avg_ms),
                times_title(&times).to_lowercase(),
                count(requests)
            )
        },
    )
}

/// The numbers below the 95th percentile from the intended start: as many as there is room for.
pub(crate) fn intended_details(times: &TimeStats) -> String {
    let others = on_bar(times).into_iter();
    let others = others.filter(|percentile| percentile.key != "p95_ms");
    let others = others.map(|percentile| format!(" · {} {}", percentile.mark, ms(percentile.ms)));
    format!("avg {}{}", ms(times.avg_ms), others.collect::<String>())
}

/// What the mark of an endpoint means whose requests were not timed to their end.
pub(crate) fn first_byte_title(first_byte_only: &u64, requests: &u64) -> String {
    if first_byte_only >= requests {
        "Timed to the first byte of the response only".to_owned()
    } else {
        format!(
            "{} of {} requests were timed to the first byte of the response only",
            count(first_byte_only),
            count(requests)
        )
    }
}

/// The points of an SVG polyline over a box of `width` x `height`, scaled to the greatest value.
pub(crate) fn polyline(
    values: &[f64],
    width: impl Borrow<f64>,
    height: impl Borrow<f64>,
) -> String {
    let (width, height) = (*width.borrow(), *height.borrow());
    let greatest = values.iter().copied().fold(0.0_f64, f64::max);
    let steps = values.len().saturating_sub(1).max(1) as f64;
    values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let height_here = if greatest > 0.0 {
                value / greatest * height
            } else {
                0.0
            };
            format!(
                "{:.1},{:.1}",
                index as f64 / steps * width,
                height - height_here
            )
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A message as HTML: each line begins with a capital letter, and what is in backticks is code.
pub(crate) fn message(text: impl AsRef<str>) -> String {
    written(text.as_ref(), escaped, |code| {
        format!("<code>{}</code>", escaped(code))
    })
}

/// A message where there is no HTML, as in a tooltip: without the backticks.
pub(crate) fn plain_message(text: impl AsRef<str>) -> String {
    written(text.as_ref(), str::to_owned, str::to_owned)
}

fn written(message: &str, text: impl Fn(&str) -> String, code: impl Fn(&str) -> String) -> String {
    let lines = message.split('\n').map(|line| {
        let parts: Vec<&str> = line.split('`').collect();
        if parts.len().is_multiple_of(2) {
            // A backtick of someone's own: nothing here is known to be code.
            return text(&capitalised(line));
        }
        let written = parts.iter().enumerate().map(|(index, part)| match index {
            0 => text(&capitalised(part)),
            index if index.is_multiple_of(2) => text(part),
            _ => code(part),
        });
        written.collect()
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// The text with its first letter in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// As the templates escape.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&#38;"),
            '<' => html.push_str("&#60;"),
            '>' => html.push_str("&#62;"),
            '"' => html.push_str("&#34;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// JSON that may stand in a `<script type="application/json">`: in JSON `<`, `>`, `&` and the separators of lines and
/// paragraphs occur only inside strings, where they can be written as escapes.
pub(crate) fn script_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_the_browser() {
        assert_eq!(count(0_u64), "0");
        assert_eq!(count(999_u64), "999");
        assert_eq!(count(1_234_567_u64), "1,234,567");
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(1.234), "1.23");
        assert_eq!(rate(51.26), "51.3");
        assert_eq!(rate(12_345.6), "12,346");
        assert_eq!(ms(1.234), "1.23");
        assert_eq!(ms(9.999), "10.0");
        assert_eq!(ms(12.34), "12.3");
        assert_eq!(ms(1234.5), "1,235");
        assert_eq!(ms(f64::NAN), "0");
        assert_eq!(elapsed(61.9), "1m 1s");
    }

    #[test]
    fn a_percentage_is_never_rounded_to_an_end() {
        assert_eq!(percent(0.0), "0%");
        assert_eq!(percent(0.000_001), "<0.01%");
        assert_eq!(percent(0.171_9), "17.19%");
        assert_eq!(percent(0.999_999), ">99.99%");
        assert_eq!(percent(1.0), "100%");
    }

    #[test]
    fn ages_use_the_coarsest_unit() {
        let at = WallTime::from_micros;
        let ages = [0, 59, 60, 3_600, 200_000].map(|s: u64| age(at(s * 1_000_000 + 5), at(5)));
        assert_eq!(ages, ["0s ago", "59s ago", "1m ago", "1h ago", "2d ago"]);
        assert_eq!(age(at(1), at(2_000_000)), "0s ago");
    }

    #[test]
    fn a_message_begins_with_a_capital_and_has_code() {
        assert_eq!(message("no agent"), "No agent");
        assert_eq!(
            message("option `a<b` is secret\n`x` is not valid"),
            "Option <code>a&#60;b</code> is secret\n<code>x</code> is not valid"
        );
        assert_eq!(
            message("one ` alone & <b>"),
            "One ` alone &#38; &#60;b&#62;"
        );
        assert_eq!(message(""), "");
        assert_eq!(
            plain_message("option `a<b` is secret\none ` alone"),
            "Option a<b is secret\nOne ` alone"
        );
    }

    #[test]
    fn json_cannot_end_its_script() {
        let json = script_json(r#"{"name":"</script><script>alert(1)&"}"#);
        assert!(!json.contains('<') && !json.contains('&'));
        let back: serde_json::Value = serde_json::from_str(&json).expect("still JSON");
        assert_eq!(back["name"], "</script><script>alert(1)&");
    }

    #[test]
    fn shapes_stay_in_their_box() {
        assert_eq!(share(50.0, 200.0), "25.00");
        assert_eq!(share(300.0, 200.0), "100.00");
        assert_eq!(share(1.0, 0.0), "0");
        assert_eq!(
            polyline(&[0.0, 5.0, 10.0], 100.0, 20.0),
            "0.0,20.0 50.0,10.0 100.0,0.0"
        );
        assert_eq!(polyline(&[3.0], 100.0, 20.0), "0.0,0.0");
        assert_eq!(polyline(&[], 100.0, 20.0), "");
    }
}
