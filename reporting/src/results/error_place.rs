//! The place of a task's error: `greylag-scenarios` writes it at the end of the text.

/// The text of a task's error without the place at its end, and the place: `no tenants on this worker (src/main.rs:42)`.
pub(crate) fn split_place(text: &str) -> (&str, Option<&str>) {
    let is_place = |place: &str| {
        let line = place.rsplit_once(".rs:").map(|(_, line)| line);
        line.is_some_and(|line| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let split = text
        .strip_suffix(')')
        .and_then(|open| open.rsplit_once(" ("))
        .filter(|(_, place)| is_place(place));
    match split {
        Some((message, place)) => (message, Some(place)),
        None => (text, None),
    }
}
