//! What both systems say they did, in the same form.

use std::collections::{BTreeMap, BTreeSet};

use greylag_tests::summary::Summary;

use super::locust::Report;

/// Method and name.
pub(super) type Key = (String, String);

/// Requests, failures and error texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Results {
    /// Requests and failures.
    pub(super) endpoints: BTreeMap<Key, (u64, u64)>,
    /// How often each endpoint had each error text.
    pub(super) errors: BTreeMap<(String, String, String), u64>,
}

impl Results {
    pub(super) fn keys(&self) -> BTreeSet<String> {
        let keys = self.endpoints.keys();
        keys.map(|(method, name)| format!("{method} {name}"))
            .collect()
    }

    /// Every error text of every endpoint: `GET /x -> 404 …`.
    pub(super) fn error_lines(&self) -> BTreeSet<String> {
        let errors = self.errors.keys();
        errors
            .map(|(method, name, error)| format!("{method} {name} -> {error}"))
            .collect()
    }

    /// Requests and failures of an endpoint; none if it does not exist.
    pub(super) fn counts(&self, method: &str, name: &str) -> (u64, u64) {
        let key = (method.to_owned(), name.to_owned());
        self.endpoints.get(&key).copied().unwrap_or_default()
    }

    /// The error texts of an endpoint.
    pub(super) fn errors_of(&self, method: &str, name: &str) -> Vec<&str> {
        let own = self
            .errors
            .keys()
            .filter(|(m, n, _)| m == method && n == name);
        own.map(|(_, _, error)| error.as_str()).collect()
    }
}

impl From<&Report> for Results {
    fn from(report: &Report) -> Self {
        let endpoints = report.endpoints.iter().map(|entry| {
            let key = (entry.method.clone(), entry.name.clone());
            (key, (entry.requests, entry.failures))
        });
        let errors = report.errors.iter().map(|error| {
            let text = without_class(&error.error);
            (
                (error.method.clone(), error.name.clone(), text),
                error.occurrences,
            )
        });
        Self {
            endpoints: endpoints.collect(),
            errors: errors.collect(),
        }
    }
}

impl From<&Summary> for Results {
    fn from(summary: &Summary) -> Self {
        let endpoints = summary.endpoints.iter().map(|entry| {
            let key = (entry.method.clone(), entry.name.clone());
            (key, (entry.requests, entry.failures))
        });
        let errors = summary.errors.iter().map(|error| {
            let key = (
                error.method.clone(),
                error.name.clone(),
                error.error.clone(),
            );
            (key, error.occurrences)
        });
        Self {
            endpoints: endpoints.collect(),
            errors: errors.collect(),
        }
    }
}

/// Locust shows an error as Python would make it again: `HTTPError('404 …')`. Greylag shows the text alone of those kinds
/// that are nothing but a text.
fn without_class(error: &str) -> String {
    for class in ["HTTPError", "CatchResponseError", "ResponseError"] {
        for quote in ['\'', '"'] {
            let text = error
                .strip_prefix(&format!("{class}({quote}"))
                .and_then(|rest| rest.strip_suffix(&format!("{quote})")));
            if let Some(text) = text {
                return text.replace("\\'", "'");
            }
        }
    }
    error.to_owned()
}
