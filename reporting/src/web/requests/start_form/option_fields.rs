//! Names of the fields of scenarios' options. Scenarios may have options of the same name.

const PREFIX: &str = "option:";

/// Name of the field of a scenario's option.
pub(crate) fn option_field(scenario: &str, option: &str) -> String {
    // With the length, so that no name can be taken for a part of another.
    format!("{PREFIX}{}:{scenario}:{option}", scenario.len())
}

/// Scenario and option of such a field.
pub(super) fn split_option_field(field: &str) -> Option<(&str, &str)> {
    let (length, rest) = field.strip_prefix(PREFIX)?.split_once(':')?;
    let (scenario, option) = rest.split_at_checked(length.parse().ok()?)?;
    Some((scenario, option.strip_prefix(':')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_names_its_scenario_and_option() {
        for (scenario, option) in [("shop", "rows"), ("a:1:b", ":"), ("", ""), ("ü:", "ß")] {
            let field = option_field(scenario, option);
            assert_eq!(split_option_field(&field), Some((scenario, option)));
        }
        for other in [
            "",
            "users",
            "option:",
            "option:9:a:b",
            "option:1:ü:b",
            "option:-1:a:b",
        ] {
            assert_eq!(split_option_field(other), None, "{other}");
        }
    }
}
