//! The front page's form: texts by the names of its fields, as they were sent or filled in, so that it can be shown
//! again beside what is wrong with it.

mod fields;
mod option_fields;
mod prefill;
mod problems;
mod reading;
mod source;
mod stage_rows;

use std::collections::BTreeMap;

pub(crate) use fields::{defaults, field};
pub(crate) use option_fields::option_field;
pub(in crate::web) use source::{COMMAND_LINE, Source};

use greylag_infra::DEFAULT_INFRASTRUCTURE;

use crate::results::views::front_view::{OptionRow, ScenarioRow};
use option_fields::split_option_field;
use problems::Problems;
use source::Origin;

/// Before the name of a field: that it held a secret, which has to be entered again.
const SECRET_AGAIN: &str = "again:";
/// Name of the hidden field that says where the form was filled in from.
const SOURCE: &str = "source";

/// The form. An empty field takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StartForm {
    texts: BTreeMap<String, String>,
    /// Where the texts came from, if not from whoever looks at them.
    pub(crate) origin: Option<Origin>,
    problems: Problems,
}

impl StartForm {
    /// The form as it was sent.
    pub(in crate::web) fn sent(texts: BTreeMap<String, String>) -> Self {
        Self {
            texts,
            ..Self::default()
        }
    }

    /// What stands in a field.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// Whether something stands there.
    pub(crate) fn has(&self, name: &str) -> bool {
        !self.text(name).trim().is_empty()
    }

    /// Whether the form is what the page is for, so that it is not folded away.
    pub(crate) fn is_open(&self) -> bool {
        self.origin.is_some() || self.problems.are_any()
    }

    /// The infrastructure that is meant.
    pub(crate) fn infrastructure(&self) -> &str {
        match self.text("infrastructure").trim() {
            "" => DEFAULT_INFRASTRUCTURE,
            chosen => chosen,
        }
    }

    /// The source that the form names; empty for none.
    pub(in crate::web) fn source_key(&self) -> &str {
        self.text(SOURCE)
    }

    /// Whether the test lists its requests itself, so that there is no scenario to choose.
    pub(crate) fn is_declared(&self) -> bool {
        let origin = self.origin.as_ref();
        origin.is_some_and(|origin| origin.declared.is_some())
    }

    /// Whether a choice is what was chosen for an option, or its default before there was a choice.
    pub(crate) fn chose(&self, scenario: &str, option: &OptionRow, choice: &str) -> bool {
        match self.text(&option_field(scenario, &option.name)) {
            "" => option.default == choice,
            chosen => chosen == choice,
        }
    }

    /// Whether a field held a secret that was not written into the page.
    pub(crate) fn wants_again(&self, name: &str) -> bool {
        self.texts.contains_key(&format!("{SECRET_AGAIN}{name}"))
    }

    /// The hidden fields that remember which secrets have to be entered again, with what stands in place of them.
    pub(crate) fn secrets_again(&self) -> impl Iterator<Item = (&str, &str)> {
        let begins = self.texts.range(SECRET_AGAIN.to_owned()..);
        begins
            .take_while(|(name, _)| name.starts_with(SECRET_AGAIN))
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    fn want_again(&mut self, name: &str, in_its_place: &str) {
        self.texts
            .insert(format!("{SECRET_AGAIN}{name}"), in_its_place.to_owned());
    }

    /// Takes typed secrets out, so that whoever sees the form again knows which are missing. `is_public` knows
    /// options by scenario and name.
    pub(in crate::web) fn forget_secrets(&mut self, is_public: impl Fn(&str, &str) -> bool) {
        let secret: Vec<String> = self
            .texts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .filter_map(|(name, _)| {
                let (scenario, option) = split_option_field(name)?;
                (!is_public(scenario, option)).then(|| name.clone())
            })
            .collect();
        for name in secret {
            self.texts.remove(&name);
            self.want_again(&name, "");
        }
        if let Some(host) = self.texts.remove("host") {
            self.fill_host(&host);
        }
    }

    /// The chosen scenario, where the page has no field for it because no agent that is connected has it.
    pub(crate) fn absent_scenario(&self, offered: &[ScenarioRow]) -> Option<&str> {
        let chosen = self.text("scenario").trim();
        let is_offered = offered.iter().any(|scenario| scenario.name == chosen);
        (!chosen.is_empty() && !is_offered).then_some(chosen)
    }

    /// Options of the chosen scenario that no connected agent declares: name, field, and whether it is a secret.
    pub(crate) fn undeclared_options(&self, offered: &[ScenarioRow]) -> Vec<(&str, String, bool)> {
        let chosen = self.text("scenario").trim();
        let is_declared = |name: &str| {
            let rows = offered.iter().filter(|row| row.name == chosen);
            rows.flat_map(|row| &row.options).any(|o| o.name == name)
        };
        let mut names: Vec<(&str, bool)> = self
            .texts
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(field, _)| (field.as_str(), false))
            .chain(self.secrets_again().map(|(field, _)| {
                let option = field.strip_prefix(SECRET_AGAIN).unwrap_or(field);
                (option, true)
            }))
            .filter_map(|(field, is_secret)| Some((split_option_field(field)?, is_secret)))
            .filter(|((scenario, name), _)| *scenario == chosen && !is_declared(name))
            .map(|((_, name), is_secret)| (name, is_secret))
            .collect();
        names.sort_unstable();
        let fields = names.into_iter();
        fields
            .map(|(name, is_secret)| (name, option_field(chosen, name), is_secret))
            .collect()
    }

    /// Whether the part that is folded away has something in it, or something there is wrong.
    pub(crate) fn has_advanced(&self) -> bool {
        fields::advanced().any(|name| self.has(name) || self.error(name).is_some())
    }

    /// Whether there are stages, or errors about them.
    pub(crate) fn has_stages(&self) -> bool {
        self.texts
            .iter()
            .any(|(name, text)| stage_rows::is_stage_field(name) && !text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests;
