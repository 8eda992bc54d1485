//! A part of a manifest merged into another, as kustomize does it.

use serde_json::{Map, Value};

/// By which field the elements of a list are known; other lists are replaced as a whole
/// (`patchMergeKey` of <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/>).
const LIST_KEYS: [(&str, &str); 9] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("ports", "containerPort"),
    ("hostAliases", "ip"),
];

/// Writes `over` into `base`. There is no null in TOML: to take a default away, set it to what Kubernetes would have.
pub(super) fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, over) in over {
        match (base.get_mut(key), over) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            (Some(Value::Array(base)), Value::Array(over)) => merge_list(key, base, over),
            _ => {
                base.insert(key.clone(), over.clone());
            }
        }
    }
}

fn merge_list(name: &str, base: &mut Vec<Value>, over: &[Value]) {
    let Some((_, key)) = LIST_KEYS.iter().find(|(list, _)| *list == name) else {
        *base = over.to_vec();
        return;
    };
    for element in over {
        let known = element.get(key);
        let same = base
            .iter_mut()
            .find(|one| known.is_some() && one.get(key) == known);
        match (same, element) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            _ => base.push(element.clone()),
        }
    }
}

/// The path of the first field that was lost when `given` was read as what became `understood`.
pub(super) fn lost_field(given: &Value, understood: &Value) -> Option<String> {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => {
            given.iter().find_map(|(key, value)| {
                match understood.get(key) {
                    Some(understood) => lost_field(value, understood),
                    // What says nothing may be left out.
                    None if is_empty(value) => None,
                    None => Some(String::new()),
                }
                .map(|rest| match rest.as_str() {
                    "" => key.clone(),
                    rest if rest.starts_with('[') => format!("{key}{rest}"),
                    rest => format!("{key}.{rest}"),
                })
            })
        }
        (Value::Array(given), Value::Array(understood)) => {
            let pairs = given.iter().zip(understood).enumerate();
            pairs.into_iter().find_map(|(at, (given, understood))| {
                lost_field(given, understood).map(|rest| format!("[{at}].{rest}"))
            })
        }
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            other => panic!("not an object: {other}"),
        }
    }

    #[test]
    fn containers_are_merged_by_their_names_and_other_lists_replaced() {
        let mut base = object(json!({
            "spec": {
                "containers": [{
                    "name": "agent", "image": "a", "args": ["agent"],
                    "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
                }],
                "tolerations": [{ "key": "old" }],
            },
        }));
        let over = object(json!({
            "metadata": { "labels": { "team": "shop" } },
            "spec": {
                "hostNetwork": true,
                "containers": [
                    { "name": "agent", "image": "b", "args": ["x", "y"], "env": [{ "name": "B", "value": "3" }] },
                    { "name": "sidecar", "image": "c" },
                ],
                "tolerations": [{ "key": "new" }],
            },
        }));
        merge(&mut base, &over);
        let expected = json!({
            "metadata": { "labels": { "team": "shop" } },
            "spec": {
                "hostNetwork": true,
                "containers": [
                    {
                        "name": "agent", "image": "b", "args": ["x", "y"],
                        "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "3" }],
                    },
                    { "name": "sidecar", "image": "c" },
                ],
                "tolerations": [{ "key": "new" }],
            },
        });
        assert_eq!(Value::Object(base), expected);
    }

    #[test]
    fn a_field_that_is_not_understood_is_named_with_its_path() {
        let given =
            json!({ "spec": { "containers": [{ "name": "a" }, { "name": "b", "imag": "x" }] } });
        let understood = json!({ "spec": { "containers": [{ "name": "a" }, { "name": "b" }] } });
        let lost = lost_field(&given, &understood);
        assert_eq!(lost.as_deref(), Some("spec.containers[1].imag"));
        assert_eq!(lost_field(&given, &given), None);
        assert_eq!(lost_field(&json!({ "volumes": [] }), &json!({})), None);
    }
}
