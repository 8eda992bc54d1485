//! What may have been meant by a misspelled name. The crate of the attribute macros compiles this file, too, by a
//! symbolic link: with a dependency on this crate, programs of scenarios would wait for it before the macros.

/// From which Jaro-Winkler similarity on a word is taken for a misspelt other one. With 0.6, `weight` is answered with
/// `wait_time`.
const ALIKE: f64 = 0.7;

/// The known word most like `text`, if one is.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(text, word), word))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
