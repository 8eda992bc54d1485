//! The fields that every form has: what they are called, in the order in which the page shows them.

/// A field of text or numbers, a list, or a box to tick.
#[derive(Debug)]
pub(crate) struct FormField {
    /// Its name in what the form sends.
    pub(crate) name: &'static str,
    /// What people read beside it.
    pub(crate) label: &'static str,
    /// More attributes of its `<input>`.
    pub(crate) attributes: &'static str,
    /// Id of the text that explains it; empty for none.
    pub(crate) help: &'static str,
    is_wide: bool,
}

impl FormField {
    /// Classes of its row.
    pub(crate) fn class(&self) -> &'static str {
        if self.is_wide { "field wide" } else { "field" }
    }
}

const WHOLE: &str = r#"inputmode="numeric" pattern="[0-9]+""#;
const DECIMAL: &str = r#"inputmode="decimal""#;
const DURATION_HELP: &str = "duration-help";

const fn plain(name: &'static str, label: &'static str) -> FormField {
    FormField {
        name,
        label,
        attributes: "",
        help: "",
        is_wide: false,
    }
}

const fn with(attributes: &'static str, field: FormField) -> FormField {
    FormField {
        attributes,
        ..field
    }
}

const fn duration(name: &'static str, label: &'static str) -> FormField {
    FormField {
        help: DURATION_HELP,
        ..plain(name, label)
    }
}

const fn wide(field: FormField) -> FormField {
    FormField {
        is_wide: true,
        ..field
    }
}

const FIELDS: [FormField; 16] = [
    wide(with(
        r#"maxlength="200" list="test-names""#,
        plain("name", "Test name"),
    )),
    wide(with(r#"maxlength="2000""#, plain("host", "Host"))),
    with(WHOLE, plain("users", "Users")),
    with(WHOLE, plain("workers", "Workers")),
    duration("duration", "Duration"),
    duration("ramp_up", "Ramp-up"),
    plain("infrastructure", "Infrastructure"),
    plain("scenario", "Scenario"),
    with(DECIMAL, plain("spawn_rate", "Spawn rate (users/s)")),
    with(
        DECIMAL,
        plain("arrival_rate", "Arrival rate (iterations/s)"),
    ),
    with(r#"list="known-tags""#, plain("tags", "Tags")),
    with(
        r#"list="known-tags""#,
        plain("exclude_tags", "Excluded tags"),
    ),
    with(
        r#"list="known-user-types""#,
        plain("user_types", "User types"),
    ),
    duration("stop_timeout", "Stop timeout"),
    plain(
        "equal_weights",
        "Give all user types and tasks equal weight",
    ),
    plain("allow_mixed_builds", "Allow agents of different builds"),
];

/// Those that are folded away until they are used.
pub(super) const ADVANCED: [&str; 8] = [
    "spawn_rate",
    "arrival_rate",
    "tags",
    "exclude_tags",
    "user_types",
    "stop_timeout",
    "equal_weights",
    "allow_mixed_builds",
];

/// The field of this name.
///
/// # Panics
/// There is none: the names are written down in templates and in this module's neighbours.
pub(crate) fn field(name: &str) -> &'static FormField {
    known_field(name).unwrap_or_else(|| panic!("the form has no field {name}"))
}

/// The field of this name, if there is one.
pub(super) fn known_field(name: &str) -> Option<&'static FormField> {
    FIELDS.iter().find(|field| field.name == name)
}

/// Where on the page a field stands, to find the first of several.
pub(super) fn place(name: &str) -> usize {
    // Options and stages stand between the scenario and what is folded away.
    let advanced = FIELDS.len() - ADVANCED.len();
    let known = FIELDS.iter().position(|field| field.name == name);
    match known {
        Some(index) if index >= advanced => index + 1,
        Some(index) => index,
        None => advanced,
    }
}
