//! A form that is filled in from a draft, without its secrets.

use std::time::Duration;

use greylag_infra::{InfrastructureView, LoadTest, MAX_DURATION, TestDraft, format_duration};

use super::{Source, StartForm, option_field};
use crate::results::views::known_scenarios;
use crate::web::requests::values::names_text;

/// What a ticked box sends.
const TICKED: &str = "on";

impl StartForm {
    /// The form before anybody wrote into it: filled in from the source, or with empty fields, which show their
    /// defaults in grey.
    pub(in crate::web) fn filled(
        source: Option<&Source>,
        infrastructures: &[InfrastructureView],
    ) -> Self {
        let mut form = Self::default().with_origin(source);
        if let Some(source) = source {
            form.fill(&source.draft);
            form.fill_options(&source.draft, infrastructures);
            form.leave_to_shape(&source.draft, infrastructures);
        }
        form
    }

    fn put(&mut self, name: &str, text: String) {
        if !text.is_empty() {
            self.texts.insert(name.to_owned(), text);
        }
    }

    fn fill(&mut self, draft: &TestDraft) {
        let durations = [
            ("duration", draft.duration_s),
            ("ramp_up", draft.ramp_up_s),
            ("stop_timeout", draft.stop_timeout_s),
        ];
        let texts = [
            ("name", draft.name.clone()),
            ("users", draft.users.map(|users| users.to_string())),
            ("workers", draft.workers.map(|workers| workers.to_string())),
            ("infrastructure", draft.infrastructure.clone()),
            ("scenario", draft.scenario.clone()),
            ("spawn_rate", draft.spawn_rate.map(|rate| rate.to_string())),
            (
                "arrival_rate",
                draft.arrival_rate.map(|rate| rate.to_string()),
            ),
        ];
        let lists = [
            ("tags", &draft.tags),
            ("exclude_tags", &draft.exclude_tags),
            ("user_types", &draft.user_types),
        ];
        let boxes = [
            ("equal_weights", draft.equal_weights.unwrap_or_default()),
            ("allow_mixed_builds", draft.terms.allow_mixed_builds),
        ];
        for (name, seconds) in durations {
            self.put(name, seconds.map(duration_text).unwrap_or_default());
        }
        for (name, text) in texts {
            self.put(name, text.unwrap_or_default());
        }
        for (name, list) in lists {
            self.put(name, names_text(list.as_deref().unwrap_or_default()));
        }
        for (name, is_ticked) in boxes {
            self.put(
                name,
                if is_ticked {
                    TICKED.to_owned()
                } else {
                    String::new()
                },
            );
        }
        self.fill_host(draft.host.as_deref().unwrap_or_default());
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
            // In what is no host there may be a password, too.
            let shown = test.shown_host();
            if shown != test.host {
                self.want_again("host", &shown);
            }
            return self.put("host", shown);
        };
        // A URL that can have a password can be without.
        if url.set_password(None).is_ok() {
            self.want_again("host", url.as_str());
            self.put("host", url.into());
        }
    }

    fn fill_options(&mut self, draft: &TestDraft, infrastructures: &[InfrastructureView]) {
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

    /// A load shape says how many users there are and when the run ends: what a run has of these is not what was
    /// asked for.
    fn leave_to_shape(&mut self, draft: &TestDraft, infrastructures: &[InfrastructureView]) {
        let infrastructure = self.infrastructure();
        let scenario = self.text("scenario");
        let is_shaped = draft.stages.is_empty()
            && draft.arrival_rate.is_none()
            && known_scenarios::has_shape(infrastructures, infrastructure, scenario);
        if !is_shaped {
            return;
        }
        for name in ["users", "ramp_up", "spawn_rate"] {
            self.texts.remove(name);
        }
        if draft.duration_s == Some(MAX_DURATION.as_secs()) {
            self.texts.remove("duration");
        }
    }
}

/// A duration as people type it.
pub(super) fn duration_text(seconds: u64) -> String {
    format_duration(Duration::from_secs(seconds)).replace(' ', "")
}
