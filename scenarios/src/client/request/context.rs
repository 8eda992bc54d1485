//! What a scenario says about its requests to those who listen to them.

use std::borrow::Cow;

/// Texts by key, for listeners to requests: which basket, which tenant, which step. They reach
/// [`RequestEvent`](crate::RequestEvent) and never the statistics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestContext(Vec<(Cow<'static, str>, String)>);

impl RequestContext {
    /// Says something under a key, in place of what was said there before.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: impl ToString) {
        let (key, value) = (key.into(), value.to_string());
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.0.push((key, value)),
        }
    }

    /// What is said under a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == key)?;
        Some(value)
    }

    /// Says nothing more under a key.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known != key);
    }

    /// Says nothing more at all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values, in the order they were first said.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_str()))
    }

    /// This and over it `own`.
    pub(crate) fn merged(&self, own: Self) -> Self {
        if self.is_empty() {
            return own;
        }
        let mut merged = self.clone();
        for (key, value) in own.0 {
            merged.set(key, value);
        }
        merged
    }
}
