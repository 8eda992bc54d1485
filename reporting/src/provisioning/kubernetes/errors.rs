//! What the API server refuses, and what may still become right.

use std::error::Error;

use kube::core::Status;

use crate::plain_text;
use crate::provisioning::ProvisionError;

use super::settings::SettingsError;

/// Longest message of a cluster that is repeated, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 500;

/// Why a cluster does not do what is asked of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum KubernetesError {
    /// The API server has answered.
    #[error("cannot {action}: {}", message_of(status))]
    Answered { action: String, status: Box<Status> },
    /// It could not be asked, or its answer could not be read.
    #[error("cannot {action}: {cause}")]
    NoAnswer { action: String, cause: String },
    #[error("cannot {action}: the API server did not answer within {seconds} s")]
    TimedOut { action: String, seconds: u64 },
    #[error(
        "Job {name} in namespace {namespace} already exists and was not made for this run by this coordinator"
    )]
    Foreign { name: String, namespace: String },
    #[error("Job {name} in namespace {namespace} is being deleted")]
    Ending { name: String, namespace: String },
    #[error("no way to the Kubernetes API: {0}")]
    Access(String),
    #[error("the kubeconfig's program for credentials did not answer within {0} s")]
    Plugin(u64),
    #[error("the coordinator's id: {0}")]
    Id(#[from] std::io::Error),
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl KubernetesError {
    pub(super) fn new(action: &str, error: kube::Error) -> Self {
        let action = action.to_owned();
        match error {
            kube::Error::Api(status) => Self::Answered { action, status },
            error => Self::NoAnswer {
                action,
                cause: bounded(&with_causes(&error)),
            },
        }
    }

    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Self::Answered { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Whether the server does not accept the credentials it was shown.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.status().is_some_and(|status| status.code == 401)
    }

    /// Whether asking again is in vain.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Answered { status, .. } => is_final(status),
            Self::NoAnswer { .. }
            | Self::TimedOut { .. }
            | Self::Ending { .. }
            | Self::Plugin(_)
            | Self::Id(_) => false,
            Self::Foreign { .. } | Self::Access(_) | Self::Settings(_) => true,
        }
    }
}

impl From<KubernetesError> for ProvisionError {
    fn from(error: KubernetesError) -> Self {
        if error.is_final() {
            Self::refused(error)
        } else {
            Self::unavailable(error)
        }
    }
}

/// An answer is final unless the server is busy or ending (429, 5xx), remembers too little (410), has lost a race (409), or a quota is used up, which
/// is answered like a lack of permission.
fn is_final(status: &Status) -> bool {
    match status.code {
        403 => !status.message.contains("exceeded quota"),
        409 => status.is_already_exists(),
        410 | 429 => false,
        code => (400..500).contains(&code),
    }
}

fn message_of(status: &Status) -> String {
    let said = if status.message.is_empty() {
        &status.reason
    } else {
        &status.message
    };
    bounded(said)
}

/// A text of the cluster, for people.
pub(super) fn bounded(text: &str) -> String {
    greylag_infra::protocol::cut(&plain_text(text), MAX_MESSAGE_BYTES).into_owned()
}

/// An error's message with those of its causes that it does not repeat.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let message = next.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> Box<Status> {
        Status::failure(message, reason).with_code(code).boxed()
    }

    fn error(code: u16, reason: &str, message: &str) -> KubernetesError {
        KubernetesError::new(
            "create Job j",
            kube::Error::Api(status(code, reason, message)),
        )
    }

    #[test]
    fn what_can_never_become_right_is_final() {
        let cases = [
            (
                403,
                "Forbidden",
                "jobs.batch is forbidden: User \"x\" cannot create resource",
                true,
            ),
            (
                403,
                "Forbidden",
                "jobs.batch \"j\" is forbidden: exceeded quota: q, requested: 1",
                false,
            ),
            (
                422,
                "Invalid",
                "Job.batch \"j\" is invalid: spec.template: Required value",
                true,
            ),
            (
                400,
                "BadRequest",
                "admission webhook denied the request",
                true,
            ),
            (401, "Unauthorized", "Unauthorized", true),
            (404, "NotFound", "namespaces \"x\" not found", true),
            (409, "Conflict", "the object has been modified", false),
            (
                409,
                "AlreadyExists",
                "jobs.batch \"j\" already exists",
                true,
            ),
            (429, "TooManyRequests", "slow down", false),
            (500, "InternalError", "etcdserver: leader changed", false),
            (503, "ServiceUnavailable", "", false),
        ];
        for (code, reason, message, is_final) in cases {
            assert_eq!(
                error(code, reason, message).is_final(),
                is_final,
                "{code} {message}"
            );
        }
    }

    #[test]
    fn messages_are_bounded_and_harmless() {
        let long = error(
            403,
            "Forbidden",
            &format!("\u{1b}[31m{}", "x".repeat(10_000)),
        );
        let text = long.to_string();
        assert!(text.len() <= MAX_MESSAGE_BYTES + 40, "{}", text.len());
        assert!(text.starts_with("cannot create Job j: xxx"), "{text}");
        assert_eq!(
            error(503, "ServiceUnavailable", "").to_string(),
            "cannot create Job j: ServiceUnavailable"
        );
    }
}
