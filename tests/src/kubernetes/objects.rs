//! The objects of a cluster, their versions and what has changed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// All objects, by resource and name.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: BTreeMap<(String, String), Value>,
    changes: Vec<Changed>,
    version: u64,
    /// Changes up to this version are forgotten.
    forgotten: u64,
    made: u64,
}

/// One change of an object.
#[derive(Debug, Clone)]
pub(super) struct Changed {
    pub(super) version: u64,
    pub(super) resource: String,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub(super) kind: &'static str,
    pub(super) object: Value,
}

/// An object of this name exists.
#[derive(Debug)]
pub(super) struct Exists;

impl Objects {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, resource: &str, name: &str) -> Option<&Value> {
        self.all.get(&(resource.to_owned(), name.to_owned()))
    }

    pub(super) fn all(&self, resource: &str) -> Vec<Value> {
        let of_it = self.all.iter().filter(|((kind, _), _)| kind == resource);
        of_it.map(|(_, object)| object.clone()).collect()
    }

    /// Adds an object and gives it as it is then.
    pub(super) fn create(&mut self, resource: &str, mut object: Value) -> Result<Value, Exists> {
        let name = text(&object["metadata"]["name"]);
        if self.get(resource, &name).is_some() {
            return Err(Exists);
        }
        self.made += 1;
        object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.made));
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        Ok(self.put(resource, name, object, "ADDED"))
    }

    /// Changes an object, if it is there.
    pub(super) fn update(&mut self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.get(resource, name).cloned() {
            let before = object.clone();
            change(&mut object);
            if object != before {
                self.put(resource, name.to_owned(), object, "MODIFIED");
            }
        }
    }

    pub(super) fn delete(&mut self, resource: &str, name: &str) -> Option<Value> {
        let key = (resource.to_owned(), name.to_owned());
        let mut object = self.all.remove(&key)?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.changes.push(Changed {
            version: self.version,
            resource: resource.to_owned(),
            kind: "DELETED",
            object: object.clone(),
        });
        Some(object)
    }

    /// What changed after a version; none if that is forgotten.
    pub(super) fn changes_after(&self, version: u64) -> Option<Vec<Changed>> {
        if version < self.forgotten {
            return None;
        }
        let later = self.changes.iter().filter(|one| one.version > version);
        Some(later.cloned().collect())
    }

    /// Everything up to now can no longer be asked for.
    pub(super) fn forget_changes(&mut self) {
        self.version += 1;
        self.forgotten = self.version;
        self.changes.clear();
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.forget_changes();
    }

    fn put(
        &mut self,
        resource: &str,
        name: String,
        mut object: Value,
        kind: &'static str,
    ) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.all.insert((resource.to_owned(), name), object.clone());
        self.changes.push(Changed {
            version: self.version,
            resource: resource.to_owned(),
            kind,
            object: object.clone(),
        });
        object
    }
}

/// A text of an object; empty if there is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
