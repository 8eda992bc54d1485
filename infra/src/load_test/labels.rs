//! Labels of a run: `key=value`, such as the version under test, or a word alone.

use std::collections::BTreeSet;

use super::{LoadTest, LoadTestError};

/// Most labels of a run.
const MAX_LABELS: usize = 20;
/// Longest label, in bytes.
const MAX_LABEL_BYTES: usize = 100;

/// Why a run cannot have these labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// One is not a label.
    #[error(
        "`{0}` is not a valid label; write it as key=value (such as commit=abc) or as one word, with at most {MAX_LABEL_BYTES} bytes and \
         without spaces and commas"
    )]
    Form(String),
    /// Two have the same key.
    #[error("label `{0}` is given more than once")]
    Repeated(String),
    /// There are too many.
    #[error("there are {0} labels; the maximum is {MAX_LABELS}")]
    TooMany(usize),
}

/// Checks the labels of a run.
///
/// # Errors
/// The first that is wrong.
pub fn check_labels(labels: &[String]) -> Result<(), LabelError> {
    if labels.len() > MAX_LABELS {
        return Err(LabelError::TooMany(labels.len()));
    }
    let mut keys = BTreeSet::new();
    for label in labels {
        let key = key_of(label).ok_or_else(|| {
            let shown = label.chars().filter(|c| !c.is_control());
            LabelError::Form(shown.take(60).collect())
        })?;
        if !keys.insert(key) {
            return Err(LabelError::Repeated(key.to_owned()));
        }
    }
    Ok(())
}

/// The key of a label, if it is one.
fn key_of(label: &str) -> Option<&str> {
    // Searches are split at spaces and lists of labels at commas.
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && c != ',';
    let (key, value) = label.split_once('=').unwrap_or((label, "yes"));
    let is_label = label.len() <= MAX_LABEL_BYTES
        && !key.is_empty()
        && !value.is_empty()
        && label.chars().all(is_plain);
    is_label.then_some(key)
}

pub(super) fn check_labels_of(test: &LoadTest) -> Vec<LoadTestError> {
    let error = check_labels(&test.labels).err();
    error.map(LoadTestError::from).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(labels: &[&str]) -> Result<(), LabelError> {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        check_labels(&labels)
    }

    #[test]
    fn a_label_is_a_key_with_a_value_or_a_word() {
        assert_eq!(
            check(&["commit=abc", "smoke", "url=a=b", "größe=ü"]),
            Ok(())
        );
        for wrong in ["", "=x", "commit=", "a b", "a,b", "a=b\n", &"x".repeat(101)] {
            let error = check(&["smoke", wrong]).unwrap_err();
            assert!(matches!(error, LabelError::Form(_)), "{wrong:?}");
        }
        let repeated = Err(LabelError::Repeated("a".to_owned()));
        assert_eq!(check(&["a=1", "a=2"]), repeated);
        assert_eq!(check(&["a=1", "a"]), repeated);
        let many: Vec<String> = (0..21).map(|number| number.to_string()).collect();
        assert_eq!(check_labels(&many), Err(LabelError::TooMany(21)));
    }
}
