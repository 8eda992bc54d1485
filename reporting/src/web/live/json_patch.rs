//! What changed between two JSON documents, so that only that is sent.
//!
//! A patch is `[value]` where a value takes the place of the old one, and an object of patches by key or
//! index where an object or an array has changed or further members. `assets/js/json_patch.js`
//! applies it.

use serde_json::{Map, Value};

/// The patch that makes `new` of `old`; none when they are equal.
pub(in crate::web) fn patch(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let members = match (old, new) {
        (Value::Object(old), Value::Object(new)) if old.keys().all(|key| new.contains_key(key)) => {
            changed(
                new.iter()
                    .map(|(key, new)| (key.clone(), old.get(key), new)),
            )
        }
        (Value::Array(old), Value::Array(new)) if old.len() <= new.len() => changed(
            new.iter()
                .enumerate()
                .map(|(at, new)| (at.to_string(), old.get(at), new)),
        ),
        _ => return Some(whole(new.clone())),
    };
    Some(Value::Object(members))
}

/// The patch that takes the place of whatever there was.
pub(in crate::web) fn whole(new: Value) -> Value {
    Value::Array(vec![new])
}

fn changed<'a>(
    members: impl Iterator<Item = (String, Option<&'a Value>, &'a Value)>,
) -> Map<String, Value> {
    members
        .filter_map(|(key, old, new)| {
            let change = match old {
                Some(old) => patch(old, new)?,
                None => whole(new.clone()),
            };
            Some((key, change))
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// What the browser does.
    pub(in super::super) fn apply(old: Value, patch: &Value) -> Value {
        match (patch, old) {
            (Value::Array(whole), _) => whole[0].clone(),
            (Value::Object(changes), Value::Object(mut members)) => {
                for (key, change) in changes {
                    let old = members.remove(key).unwrap_or_default();
                    members.insert(key.clone(), apply(old, change));
                }
                Value::Object(members)
            }
            (Value::Object(changes), Value::Array(mut items)) => {
                let mut changes: Vec<(usize, &Value)> = changes
                    .iter()
                    .map(|(at, change)| (at.parse().unwrap(), change))
                    .collect();
                changes.sort_by_key(|(at, _)| *at);
                for (at, change) in changes {
                    if at == items.len() {
                        items.push(Value::Null);
                    }
                    items[at] = apply(items[at].take(), change);
                }
                Value::Array(items)
            }
            (patch, old) => panic!("{patch} does not fit {old}"),
        }
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..5_u8).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map("[a-d]", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_reader_ends_up_with_the_new_document(old in document(), new in document()) {
            let sent = patch(&old, &new);
            prop_assert_eq!(sent.is_none(), old == new);
            let reader = sent.map_or(old.clone(), |sent| apply(old, &sent));
            prop_assert_eq!(reader, new);
        }
    }

    #[test]
    fn only_what_changed_is_in_it() {
        let old = json!({"about": {"name": "x", "users": 1}, "rows": [{"n": 1, "p": 5}, {"n": 2, "p": 5}], "text": "t"});
        let new = json!({"about": {"name": "x", "users": 2}, "rows": [{"n": 1, "p": 5}, {"n": 3, "p": 5}, {"n": 4}], "text": "t"});
        assert_eq!(
            patch(&old, &new),
            Some(json!({"about": {"users": [2]}, "rows": {"1": {"n": [3]}, "2": [{"n": 4}]}}))
        );
        assert_eq!(
            patch(&json!([1, 2]), &json!([2])),
            Some(json!([[2]])),
            "what got shorter is sent whole"
        );
    }
}
