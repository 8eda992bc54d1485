//! What a scenario can listen to.

use std::sync::Arc;

use crate::recorder::RequestSample;
use crate::run::UserInfo;

/// Hears every sample, and may rename it.
pub(crate) type RequestListener = Arc<dyn Fn(&mut RequestEvent<'_>) + Send + Sync>;

/// What a scenario listens to.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) request: Vec<RequestListener>,
}

/// A request that has ended, before it is recorded.
#[derive(Debug)]
pub struct RequestEvent<'a> {
    /// What is going to be recorded.
    pub sample: &'a RequestSample<'a>,
    /// Whose request it was.
    pub user: &'a UserInfo,
    name: Option<String>,
}

impl RequestEvent<'_> {
    /// Records the request under this name.
    pub fn rename(&mut self, name: impl Into<String>) {
        self.name = Some(name.into());
    }
}

impl Events {
    /// Tells the listeners of a request and hands what is to be recorded to `record`.
    #[cold]
    pub(crate) fn heard_request(
        &self,
        sample: &RequestSample<'_>,
        user: &UserInfo,
        record: impl FnOnce(&RequestSample<'_>),
    ) {
        let mut event = RequestEvent {
            sample,
            user,
            name: None,
        };
        for listener in &self.request {
            listener(&mut event);
        }
        let name = event.name;
        record(&RequestSample {
            name: name.as_deref().unwrap_or(sample.name),
            ..*sample
        });
    }
}
