//! The fields that every form has, as the page shows them: those of a load test.

use greylag_infra::{FIELDS, Field, FieldKind, TestDefaults};

/// A field of text or numbers, a list, or a box to tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormField(&'static Field);

impl FormField {
    /// Its name in what the form sends.
    pub(crate) fn name(self) -> &'static str {
        self.0.key
    }

    /// What people read beside it.
    pub(crate) fn label(self) -> &'static str {
        self.0.label
    }

    /// More attributes of its `<input>` or `<textarea>`.
    pub(crate) fn attributes(self) -> String {
        let mut attributes = match self.0.kind {
            FieldKind::Whole => r#"inputmode="numeric" pattern="[0-9]+""#.to_owned(),
            FieldKind::Number => r#"inputmode="decimal""#.to_owned(),
            FieldKind::Text if self.0.max_bytes > 0 => {
                format!("maxlength=\"{}\"", self.0.max_bytes)
            }
            _ => String::new(),
        };
        // What counts beside stages and a load shape, for the script.
        for (is_so, attribute) in [
            (self.0.is_of_stages, " data-of-stages"),
            (self.0.is_of_shape, " data-of-shape"),
            (self.0.replaces_shape, " data-replaces-shape"),
        ] {
            if is_so {
                attributes.push_str(attribute);
            }
        }
        attributes
    }

    /// The words of a choice.
    pub(crate) fn choices(self) -> &'static [&'static str] {
        self.0.choices
    }

    /// Whether what is typed may have several lines.
    pub(crate) fn has_lines(self) -> bool {
        self.0.has_lines
    }

    /// Id of the text that explains it; empty for none.
    pub(super) fn help(self) -> &'static str {
        match self.0.kind {
            FieldKind::Seconds => "duration-help",
            _ => "",
        }
    }

    /// Classes of its row.
    pub(crate) fn class(self) -> &'static str {
        if self.0.is_wide {
            "field wide"
        } else {
            "field"
        }
    }
}

/// What empty fields mean, which they show in grey.
pub(crate) fn defaults() -> TestDefaults {
    TestDefaults::USUAL
}

/// The field of this name.
///
/// # Panics
/// There is none: the names are written down in templates and in this module's neighbours.
pub(crate) fn field(name: &str) -> FormField {
    known_field(name).unwrap_or_else(|| panic!("the form has no field {name}"))
}

/// The field of this name, if there is one.
pub(super) fn known_field(name: &str) -> Option<FormField> {
    greylag_infra::field(name).map(FormField)
}

/// Names of those that are folded away until they are used.
pub(super) fn advanced() -> impl Iterator<Item = &'static str> {
    let advanced = FIELDS.iter().filter(|field| field.is_advanced);
    advanced.map(|field| field.key)
}

/// Where on the page a field stands, to find the first of several.
pub(super) fn place(name: &str) -> usize {
    // Options and stages stand between the others and what is folded away.
    match FIELDS.iter().position(|field| field.key == name) {
        Some(index) if FIELDS[index].is_advanced => FIELDS.len() + 1 + index,
        Some(index) => index,
        None => FIELDS.len(),
    }
}
