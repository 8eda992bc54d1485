//! What may have been meant by a misspelled name.

/// From which Jaro-Winkler similarity on a word is taken for a misspelt other one.
const ALIKE: f64 = 0.6;

/// The known word most like `text`, if one is.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(text, word), word))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
