//! A form that is filled in from a draft, without its secrets.

use std::time::Duration;

use greylag_infra::{
    FIELDS, FieldKind, FieldValue, InfrastructureView, LoadTest, TestDefaults, TestDraft,
    format_duration,
};

use super::{Source, StartForm, option_field};
use crate::results::views::known_scenarios;
use crate::web::requests::values::names_text;

/// The field that may hold a password.
const HOST: &str = "host";
/// What a ticked box sends.
const TICKED: &str = "on";

impl StartForm {
    /// The form before anything was entered: filled in from the source, or with empty fields, which show their
    /// defaults in grey.
    pub(in crate::web) fn filled(
        source: Option<&Source>,
        infrastructures: &[InfrastructureView],
    ) -> Self {
        let mut form = Self::default().with_origin(source);
        if let Some(source) = source {
            // What the shape said of a run is not what was asked for.
            let draft = &source.draft;
            let has_shape = known_scenarios::has_shape(
                infrastructures,
                draft.infrastructure_or(&TestDefaults::USUAL),
                draft.scenario.as_deref().unwrap_or_default(),
            );
            form.fill(&draft.clone().without_shape(has_shape));
            form.fill_options(draft, infrastructures);
            let scenario = form.text("scenario").to_owned();
            for option in &source.secret_options {
                form.want_again(&option_field(&scenario, option), "");
            }
        }
        form
    }

    fn put(&mut self, name: &str, text: String) {
        if !text.is_empty() {
            self.texts.insert(name.to_owned(), text);
        }
    }

    fn fill(&mut self, draft: &TestDraft) {
        for field in FIELDS {
            let text = field.get(draft).map(|value| match value {
                FieldValue::Text(text) => text,
                FieldValue::Whole(seconds) if field.kind == FieldKind::Seconds => {
                    duration_text(seconds)
                }
                FieldValue::Whole(number) => number.to_string(),
                FieldValue::Number(number) => number.to_string(),
                FieldValue::Flag(is_set) => String::from(if is_set { TICKED } else { "" }),
                FieldValue::List(lines) if field.kind == FieldKind::Thresholds => lines.join("\n"),
                FieldValue::List(names) => names_text(&names),
            });
            self.put(field.key, text.unwrap_or_default());
        }
        if let Some(host) = self.texts.remove(HOST) {
            self.fill_host(&host);
        }
        self.fill_stages(&draft.stages);
    }

    /// The host without the password it may hold.
    pub(super) fn fill_host(&mut self, host: &str) {
        let test = LoadTest {
            host: host.trim().to_owned(),
            ..LoadTest::default()
        };
        let with_password = test.host_url().ok();
        let with_password = with_password.filter(|url| url.password().is_some());
        let Some(mut url) = with_password else {
            // In what is not a host there may be a password, too.
            let shown = test.shown_host();
            if shown != test.host {
                self.want_again(HOST, &shown);
            }
            return self.put(HOST, shown);
        };
        // A URL that can have a password can be without.
        if url.set_password(None).is_ok() {
            self.want_again(HOST, url.as_str());
            self.put(HOST, url.into());
        }
    }

    fn fill_options(&mut self, draft: &TestDraft, infrastructures: &[InfrastructureView]) {
        // Only its program knows them; they are carried along, but for secrets.
        if draft.build.is_some() {
            return;
        }
        let scenario = self.text("scenario").to_owned();
        let infrastructure = self.infrastructure().to_owned();
        for (option, value) in &draft.options {
            let field = option_field(&scenario, option);
            if known_scenarios::is_public(infrastructures, &infrastructure, &scenario, option) {
                self.put(&field, value.clone());
            } else if !value.is_empty() {
                self.want_again(&field, "");
            }
        }
    }
}

/// A duration as people type it.
pub(super) fn duration_text(seconds: u64) -> String {
    format_duration(Duration::from_secs(seconds)).replace(' ', "")
}
