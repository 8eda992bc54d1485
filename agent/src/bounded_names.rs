//! The names a run uses, each kept once, and the caps on them.
//!
//! Users may name without bounds, and memory must stay bounded: what is beyond [`MAX_ENDPOINTS`] or [`MAX_ERRORS`]
//! is counted under [`OTHER`], so nothing is lost but the name.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use greylag_infra::protocol::{
    CustomMetric, Endpoint, MAX_ENDPOINTS, MAX_ERROR_BYTES, MAX_ERRORS, MAX_NAME_BYTES,
    MetricNames, OTHER, cut,
};
use hashbrown::{DefaultHashBuilder, HashTable};

/// Method of the endpoints that carry errors of tasks; they have no requests.
pub(crate) const TASK_METHOD: &str = "TASK";
/// Error texts kept; with [`OTHER`] they are at most [`MAX_ERRORS`].
const MAX_ERROR_TEXTS: usize = MAX_ERRORS - 1;
/// Longest method kept, in bytes.
const MAX_METHOD_BYTES: usize = 64;

/// Endpoints by number, from 0 in the order they were met, and the error texts met so far.
#[derive(Debug, Default)]
pub(crate) struct BoundedNames {
    hasher: DefaultHashBuilder,
    endpoints: Vec<Arc<Endpoint>>,
    numbers: HashTable<u32>,
    /// By number: the endpoint and the text. One of them may be [`OTHER`], which is in no table.
    errors: Vec<(u32, Arc<str>)>,
    error_numbers: HashTable<u32>,
    /// Number of [`OTHER`], once an error is beyond the cap.
    other_error: Option<u32>,
    overflowed: Overflowed,
    /// Custom metrics, which have their own caps.
    pub(crate) metrics: MetricNames,
}

/// The names that a reader of [`BoundedNames`] has, by number.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    pub(crate) errors: Vec<Arc<str>>,
    pub(crate) metrics: Vec<CustomMetric>,
}

/// What went beyond its cap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflowed {
    /// More than [`MAX_ENDPOINTS`] endpoints.
    pub(crate) endpoints: bool,
    /// More than [`MAX_ERRORS`] errors.
    pub(crate) errors: bool,
}

impl BoundedNames {
    /// The number of an endpoint. Nothing is allocated for one that is known.
    pub(crate) fn endpoint(&mut self, method: &str, name: &str) -> u32 {
        if name.len() > MAX_NAME_BYTES || method.len() > MAX_METHOD_BYTES {
            let method = cut(method, MAX_METHOD_BYTES);
            return self.short_endpoint(&method, &cut(name, MAX_NAME_BYTES));
        }
        self.short_endpoint(method, name)
    }

    fn short_endpoint(&mut self, method: &str, name: &str) -> u32 {
        let hash = self.hash_endpoint(method, name);
        if let Some(number) = self.find_endpoint(hash, method, name) {
            return number;
        }
        if self.endpoints.len() < MAX_ENDPOINTS {
            return self.add_endpoint(hash, method, name);
        }
        self.overflowed.endpoints = true;
        // Errors of tasks keep their own row: they are no requests and must not appear among them.
        let method = if method == TASK_METHOD {
            TASK_METHOD
        } else {
            ""
        };
        let hash = self.hash_endpoint(method, OTHER);
        self.find_endpoint(hash, method, OTHER)
            .unwrap_or_else(|| self.add_endpoint(hash, method, OTHER))
    }

    fn find_endpoint(&self, hash: u64, method: &str, name: &str) -> Option<u32> {
        self.numbers
            .find(hash, |&number| {
                let endpoint = &self.endpoints[number as usize];
                endpoint.name == name && endpoint.method == method
            })
            .copied()
    }

    fn add_endpoint(&mut self, hash: u64, method: &str, name: &str) -> u32 {
        // Never more than the cap and the two rows for the rest.
        let number = self.endpoints.len() as u32;
        self.endpoints.push(Arc::new(Endpoint {
            method: method.to_owned(),
            name: name.to_owned(),
        }));
        let Self {
            hasher, endpoints, ..
        } = self;
        self.numbers.insert_unique(hash, number, |&number| {
            let endpoint = &endpoints[number as usize];
            hash_pair(hasher, &endpoint.method, &endpoint.name)
        });
        number
    }

    fn hash_endpoint(&self, method: &str, name: &str) -> u64 {
        hash_pair(&self.hasher, method, name)
    }

    /// Admits an error of an endpoint: its text, cut, or [`OTHER`] beyond the cap, and its number. Both are returned
    /// through `use_text`, so that nothing is allocated for one that is known.
    pub(crate) fn error<R>(
        &mut self,
        endpoint: u32,
        text: &str,
        use_text: impl FnOnce(&str, u32) -> R,
    ) -> R {
        let text = cut(text, MAX_ERROR_BYTES);
        let hash = hash_error(&self.hasher, endpoint, &text);
        let is_known = |number: &u32| {
            let (of, known) = &self.errors[*number as usize];
            *of == endpoint && **known == *text
        };
        if let Some(number) = self.error_numbers.find(hash, is_known) {
            return use_text(&text, *number);
        }
        // Never more than the cap.
        let number = self.errors.len() as u32;
        if self.error_numbers.len() >= MAX_ERROR_TEXTS {
            self.overflowed.errors = true;
            let number = *self.other_error.get_or_insert_with(|| {
                self.errors.push((endpoint, OTHER.into()));
                number
            });
            return use_text(OTHER, number);
        }
        self.errors.push((endpoint, text.as_ref().into()));
        let Self {
            hasher,
            errors,
            error_numbers,
            ..
        } = self;
        error_numbers.insert_unique(hash, number, |number| {
            let (endpoint, text) = &errors[*number as usize];
            hash_error(hasher, *endpoint, text)
        });
        use_text(&text, number)
    }

    /// Adds the names that a reader does not have. It must always be the same one's.
    pub(crate) fn add_new_to(&self, known: &mut KnownNames) {
        let new = &self.endpoints[known.endpoints.len()..];
        known.endpoints.extend_from_slice(new);
        let new = self.errors[known.errors.len()..].iter();
        known.errors.extend(new.map(|(_, text)| Arc::clone(text)));
        let new = &self.metrics.metrics()[known.metrics.len()..];
        known.metrics.extend_from_slice(new);
    }

    /// The text of an error by its number.
    pub(crate) fn error_text(&self, number: u32) -> Option<&str> {
        self.errors.get(number as usize).map(|(_, text)| &**text)
    }

    /// All endpoints by number.
    pub(crate) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// What went beyond its cap so far.
    pub(crate) fn overflowed(&self) -> Overflowed {
        self.overflowed
    }
}

impl Overflowed {
    /// Messages about what is over its cap here and was not in `before`.
    pub(crate) fn news_since(self, before: Self) -> impl Iterator<Item = String> {
        let endpoints = (self.endpoints && !before.endpoints).then(|| {
            format!("There are more than {MAX_ENDPOINTS} endpoints; requests to further ones are counted as \"{OTHER}\". Group them with a name.")
        });
        let errors = (self.errors && !before.errors).then(|| {
            format!("There are more than {MAX_ERRORS} different errors; further ones are counted as \"{OTHER}\".")
        });
        endpoints.into_iter().chain(errors)
    }
}

fn hash_pair(hasher: &DefaultHashBuilder, method: &str, name: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(name.as_bytes());
    state.write(method.as_bytes());
    state.finish()
}

fn hash_error(hasher: &DefaultHashBuilder, endpoint: u32, text: &str) -> u64 {
    let mut state = hasher.build_hasher();
    endpoint.hash(&mut state);
    state.write(text.as_bytes());
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(text: &str, number: u32) -> (String, u32) {
        (text.to_owned(), number)
    }

    fn name_of(names: &BoundedNames, number: u32) -> (String, String) {
        let endpoint = &names.endpoints()[number as usize];
        (endpoint.method.clone(), endpoint.name.clone())
    }

    #[test]
    fn the_same_endpoint_has_the_same_number() {
        let mut names = BoundedNames::default();
        let get = names.endpoint("GET", "/");
        assert_ne!(names.endpoint("POST", "/"), get);
        assert_ne!(names.endpoint("GET", "/a"), get);
        assert_eq!(names.endpoint("GET", "/"), get);
        assert_eq!(names.endpoints().len(), 3);
    }

    #[test]
    fn endpoints_beyond_the_cap_share_a_row_and_tasks_keep_theirs() {
        let mut names = BoundedNames::default();
        for number in 0..MAX_ENDPOINTS {
            names.endpoint("GET", &format!("/{number}"));
        }
        assert_eq!(names.overflowed(), Overflowed::default());
        let one = names.endpoint("GET", "/one more");
        let two = names.endpoint("POST", "/two more");
        let task = names.endpoint(TASK_METHOD, "User.task");
        assert_eq!(one, two);
        assert_eq!(name_of(&names, one), (String::new(), OTHER.to_owned()));
        assert_eq!(
            name_of(&names, task),
            (TASK_METHOD.to_owned(), OTHER.to_owned())
        );
        assert_eq!(names.endpoint("GET", "/0"), 0);
        assert!(names.overflowed().endpoints);
        assert_eq!(
            names.overflowed().news_since(Overflowed::default()).count(),
            1
        );
    }

    #[test]
    fn errors_beyond_the_cap_are_counted_together() {
        let mut names = BoundedNames::default();
        for number in 0..MAX_ERROR_TEXTS {
            let text = format!("error {number}");
            assert_eq!(names.error(0, &text, owned), (text, number as u32));
        }
        let other = MAX_ERROR_TEXTS as u32;
        let beyond = (OTHER.to_owned(), other);
        assert_eq!(names.error(0, "one more", owned), beyond);
        assert_eq!(names.error(1, "error 1", owned), beyond);
        assert_eq!(names.error(0, "error 1", owned), ("error 1".into(), 1));
        assert!(names.overflowed().errors);
        assert_eq!(names.error_text(other), Some(OTHER));
        let mut known = KnownNames::default();
        names.add_new_to(&mut known);
        names.add_new_to(&mut known);
        assert_eq!(known.errors.len(), MAX_ERRORS);
        assert_eq!(&*known.errors[1], "error 1");
    }

    #[test]
    fn long_texts_are_cut() {
        let mut names = BoundedNames::default();
        let number = names.endpoint("GET", &"ü".repeat(MAX_NAME_BYTES));
        assert_eq!(number, names.endpoint("GET", &"ü".repeat(MAX_NAME_BYTES)));
        let (_, name) = name_of(&names, number);
        assert!(name.len() <= MAX_NAME_BYTES && name.ends_with('…'));
        let length = names.error(0, &"x".repeat(10 * MAX_ERROR_BYTES), |text, _| text.len());
        assert!(length <= MAX_ERROR_BYTES);
    }
}
