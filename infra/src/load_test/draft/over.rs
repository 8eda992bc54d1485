//! One draft over another: flags over a test file.

use super::TestDraft;

/// What comes of two drafts.
#[derive(Debug)]
pub struct Overlaid {
    /// Both together.
    pub draft: TestDraft,
    /// Whether the stages of the one below are left out, because the one above says how the load goes.
    pub stages_left_out: bool,
}

impl TestDraft {
    /// This draft, and below it another, which counts where this one says nothing. What this one says about the load
    /// takes the place of everything there that cannot stand beside it.
    #[must_use]
    pub fn over(self, mut below: Self) -> Overlaid {
        // Beside arrival rates users are only the most that may be busy, which stages do not say.
        let says_load = (self.users.is_some() && !below.has_rate_stages())
            || self.ramp_up.is_some()
            || self.spawn_rate.is_some()
            || self.duration.is_some()
            || self.arrival_rate.is_some();
        let stages_left_out = says_load && !below.stages.is_empty();
        if stages_left_out {
            below.stages.clear();
        }
        // Both say how users start; beside an arrival rate all start immediately.
        if self.ramp_up.is_some() || self.arrival_rate.is_some() {
            below.spawn_rate = None;
        }
        if self.spawn_rate.is_some() {
            below.ramp_up = None;
        }
        let mut options = below.options.clone();
        options.extend(self.options.clone());
        let draft = Self {
            stages: if self.stages.is_empty() {
                below.stages.clone()
            } else {
                self.stages.clone()
            },
            options,
            declared: self.declared.clone().or(below.declared.clone()),
            client: if self.client == Default::default() {
                below.client.clone()
            } else {
                self.client.clone()
            },
            client_build: self.client_build.clone().or(below.client_build.clone()),
            build: self.build.clone().or(below.build.clone()),
            data: match self.build {
                Some(_) => self.data.clone(),
                None => below.data.clone(),
            },
            ..self.or_fields(below)
        };
        Overlaid {
            draft,
            stages_left_out,
        }
    }
}
