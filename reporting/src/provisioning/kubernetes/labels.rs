//! What Greylag's objects in a cluster are called, and the labels by which a coordinator finds its own.

use std::collections::BTreeMap;

use greylag_infra::RunId;
use rand::Rng;
use sha2::{Digest, Sha256};

use super::coordinator_id::CoordinatorId;

/// Begins the keys of Greylag's own labels and annotations.
pub(super) const OWN_PREFIX: &str = "greylag/";
/// The run that an object is for.
pub(super) const RUN: &str = "greylag/run";
const COORDINATOR: &str = "greylag/coordinator";
pub(super) const INFRASTRUCTURE: &str = "greylag/infrastructure";
/// Annotations, for people.
pub(super) const TEST: &str = "greylag/test";
pub(super) const NUMBER: &str = "greylag/number";
/// Annotation: the name of the Secret that a Job's agents read.
pub(super) const SECRET: &str = "greylag/secret";
/// As in the manifests of `infra/deploy/kubernetes/`, whose network policies name them.
const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "greylag");
const NAME: (&str, &str) = ("app.kubernetes.io/name", "greylag-agent");

/// Longest value of a label, in bytes, and longest name in its key.
const MAX_LABEL_BYTES: usize = 63;
/// Longest prefix of a label's key, in bytes.
const MAX_PREFIX_BYTES: usize = 253;
/// Bytes of a name that a label shows when it cannot show the whole.
const SHOWN_BYTES: usize = 40;
/// Bytes of the hash that tells such names apart.
const HASH_BYTES: usize = 6;

/// What tells Secrets apart.
const UNIQUE_LENGTH: usize = 10;
const UNIQUE_ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Name of a run's Job. Pods are called after it.
pub(super) fn object_name(run: &RunId) -> String {
    format!("greylag-{run}")
}

/// A name for a run's Secret that nothing else has: Secrets cannot be read, so that a foreign one could not be told from
/// one of ours.
pub(super) fn new_secret_name(run: &RunId) -> String {
    let mut random = rand::rng();
    let unique: String = (0..UNIQUE_LENGTH)
        .map(|_| char::from(UNIQUE_ALPHABET[random.random_range(0..UNIQUE_ALPHABET.len())]))
        .collect();
    format!("{}-{unique}", object_name(run))
}

/// Whose an object is.
#[derive(Debug, Clone)]
pub(super) struct Ownership {
    coordinator: String,
    infrastructure: String,
}

impl Ownership {
    pub(super) fn new(coordinator: &CoordinatorId, infrastructure: &str) -> Self {
        Self {
            coordinator: coordinator.to_string(),
            infrastructure: label_value(infrastructure),
        }
    }

    /// The labels of everything made for a run.
    pub(super) fn labels(&self, run: &RunId) -> BTreeMap<String, String> {
        [
            (COORDINATOR, self.coordinator.as_str()),
            (INFRASTRUCTURE, self.infrastructure.as_str()),
            (RUN, run.as_str()),
            PART_OF,
            NAME,
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// Whether an object with these labels was made by this coordinator for this run.
    pub(super) fn is_of(&self, labels: &BTreeMap<String, String>, run: &RunId) -> bool {
        let has = |key: &str, value: &str| labels.get(key).is_some_and(|has| has == value);
        has(COORDINATOR, &self.coordinator)
            && has(INFRASTRUCTURE, &self.infrastructure)
            && has(RUN, run.as_str())
    }

    /// Selects what this coordinator has made in this infrastructure.
    pub(super) fn selector(&self) -> String {
        let (coordinator, infrastructure) = (&self.coordinator, &self.infrastructure);
        format!("{COORDINATOR}={coordinator},{INFRASTRUCTURE}={infrastructure}")
    }

    /// Selects what it has made for a run.
    pub(super) fn selector_of(&self, run: &RunId) -> String {
        format!("{},{RUN}={run}", self.selector())
    }
}

/// A name as the value of a label: itself where that is allowed, else what can be shown of it and a hash.
fn label_value(name: &str) -> String {
    if !name.is_empty() && is_label_value(name) {
        return name.to_owned();
    }
    let shown: String = name
        .chars()
        .map(|one| {
            if one.is_ascii_alphanumeric() {
                one
            } else {
                '-'
            }
        })
        .take(SHOWN_BYTES)
        .collect();
    let hash = Sha256::digest(name);
    let hash: String = hash[..HASH_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{shown}-{hash}").trim_start_matches('-').to_owned()
}

/// Whether a text can be the value of a label
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>).
pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_name(text)
}

/// Whether a text can be the key of a label or an annotation.
pub(super) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_label_name(text),
        Some((prefix, name)) => is_subdomain(prefix) && is_label_name(name),
    }
}

fn is_label_name(text: &str) -> bool {
    let ends_well = |end: Option<char>| end.is_some_and(|end| end.is_ascii_alphanumeric());
    text.len() <= MAX_LABEL_BYTES
        && ends_well(text.chars().next())
        && ends_well(text.chars().next_back())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Whether a text can be the name of a namespace or a service account, or the prefix of a key.
pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_PREFIX_BYTES && text.split('.').all(is_domain_label)
}

fn is_domain_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_infrastructure_has_a_label_of_its_own() {
        assert_eq!(label_value("eu-west"), "eu-west");
        let long = "x".repeat(100);
        let names = ["eu west", "eu_west ", "eu west ", "ünï", "---", &long];
        let labels: Vec<String> = names.iter().map(|name| label_value(name)).collect();
        for (at, label) in labels.iter().enumerate() {
            assert!(is_label_name(label), "{label}");
            assert!(!labels[..at].contains(label), "{label}");
        }
    }

    #[test]
    fn keys_and_values_are_those_that_kubernetes_takes() {
        for good in ["a", "kueue.x-k8s.io/queue-name", "A_b.c-9", "greylag/run"] {
            assert!(is_label_key(good), "{good}");
        }
        for bad in [
            "", "/a", "a/", "a/b/c", "-a", "a-", "A.b/c", "a b", "a..b/c",
        ] {
            assert!(!is_label_key(bad), "{bad}");
        }
        assert!(is_label_value(""));
        assert!(!is_label_value("two words"));
        assert!(!is_label_value(&"x".repeat(64)));
    }
}
