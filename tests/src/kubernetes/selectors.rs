//! Which objects a client asks for.

use serde_json::Value;

/// `labelSelector` and `fieldSelector` of a query, with `=` only.
#[derive(Debug, Clone, Default)]
pub(super) struct Selectors {
    labels: Vec<(String, String)>,
    fields: Vec<(String, String)>,
}

impl Selectors {
    pub(super) fn new(labels: Option<&String>, fields: Option<&String>) -> Self {
        Self {
            labels: pairs(labels),
            fields: pairs(fields),
        }
    }

    pub(super) fn take(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let field = |path: &str| {
            path.split('.').fold(object, |value, part| {
                value.get(part).unwrap_or(&Value::Null)
            })
        };
        self.labels.iter().all(|(key, value)| labels[key] == *value)
            && self
                .fields
                .iter()
                .all(|(path, value)| *field(path) == *value)
    }
}

fn pairs(text: Option<&String>) -> Vec<(String, String)> {
    let parts = text.into_iter().flat_map(|text| text.split(','));
    parts
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').expect("only `=` is known here");
            (key.to_owned(), value.to_owned())
        })
        .collect()
}
