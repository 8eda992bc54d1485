//! Who a request is from, and what they may do.

use std::time::Duration;

use axum::http::Method;
use greylag_infra::WallTime;

use crate::tokens::{Role, ValidToken};

/// Who a request is from; an extension of each request that was let in.
#[derive(Debug, Clone)]
pub(in crate::web) enum Identity {
    /// No token is needed.
    Anyone,
    /// They have the token the coordinator was started with.
    Owner,
    /// They have a token with a role.
    Holder(ValidToken),
}

impl Identity {
    /// What they may do. Where no token is needed, everything.
    pub(in crate::web) fn role(&self) -> Role {
        match self {
            Self::Anyone | Self::Owner => Role::Admin,
            Self::Holder(token) => token.record.grant.role,
        }
    }

    /// The token with a role that they have, if it is one.
    pub(in crate::web) fn token(&self) -> Option<&ValidToken> {
        match self {
            Self::Anyone | Self::Owner => None,
            Self::Holder(token) => Some(token),
        }
    }

    /// Waits until they are not let in any more: their token is revoked or has expired.
    pub(in crate::web) fn end(&self, now: WallTime) -> impl Future<Output = ()> + use<> {
        let token = self.token().cloned();
        async move {
            let Some(token) = token else {
                return std::future::pending().await;
            };
            let expires_at = token.record.grant.expires_at;
            let left = expires_at.map_or(Duration::MAX, |at| at - now);
            tokio::select! {
                () = token.revoked.cancelled() => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// What a page shows of them.
    pub(in crate::web) fn visitor(&self) -> Visitor {
        let who = match self {
            Self::Anyone => None,
            Self::Owner => Some(Role::Admin.to_string()),
            Self::Holder(token) => {
                let grant = &token.record.grant;
                Some(match grant.label.as_str() {
                    "" => grant.role.to_string(),
                    label => format!("{label} ({})", grant.role),
                })
            }
        };
        Visitor {
            who,
            may_change: self.role() == Role::Admin,
        }
    }
}

/// Who looks at a page, as the page shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in crate::web) struct Visitor {
    /// Their name, where tokens are needed.
    pub(in crate::web) who: Option<String>,
    /// Whether there are buttons that start, stop and change something.
    pub(in crate::web) may_change: bool,
}

/// What only admins may read: tokens, programs, the form that starts a run, and bundles, which have the whole definition of a test.
const FOR_ADMINS: [&str; 4] = [
    "/api/v1/tokens",
    BUILD,
    "/runs/{id}/again",
    "/api/v1/runs/{id}/bundle",
];
/// The programs that agents fetch. Whether it is one of their runs, its handler checks.
const BUILD: &str = "/api/v1/builds/{sha256}";

/// Whether a role may do this: the one place that decides it. `route` is the path as the router has it.
pub(in crate::web) fn may(role: Role, method: &Method, route: &str) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match role {
        Role::Admin => true,
        Role::Viewer => reads && !FOR_ADMINS.contains(&route),
        Role::Agent => reads && route == BUILD,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::tokens::{Grant, TokenRecord};

    fn holder(grant: Grant) -> Identity {
        Identity::Holder(ValidToken {
            record: Arc::new(TokenRecord {
                id: "t".into(),
                grant,
                created_at: WallTime::default(),
            }),
            revoked: CancellationToken::new(),
        })
    }

    /// What changes something is refused by its method, so a route that is added later is closed at first.
    #[test]
    fn viewers_read_and_agents_fetch_builds() {
        for (method, route, viewer, agent) in [
            (Method::GET, "/", true, false),
            (Method::GET, "/api/v1/runs/{id}/summary", true, false),
            (Method::HEAD, "/api/v1/runs", true, false),
            (Method::GET, BUILD, false, true),
            (Method::PUT, BUILD, false, false),
            (Method::DELETE, BUILD, false, false),
            (Method::GET, "/api/v1/builds", true, false),
            (Method::GET, "/api/v1/tokens", false, false),
            (Method::GET, "/runs/{id}/again", false, false),
            (Method::GET, "/api/v1/runs/{id}/bundle", false, false),
            (Method::POST, "/api/v1/runs", false, false),
            (Method::POST, "/runs", false, false),
            (Method::DELETE, "/api/v1/runs/{id}", false, false),
        ] {
            let what = format!("{method} {route}");
            assert!(may(Role::Admin, &method, route), "{what}");
            assert_eq!(may(Role::Viewer, &method, route), viewer, "{what}");
            assert_eq!(may(Role::Agent, &method, route), agent, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_ends_with_the_token() {
        let now = WallTime::from_micros(1);
        let hour = Duration::from_secs(3_600);
        let expiring = holder(Grant {
            expires_at: Some(now + hour),
            ..Grant::of_role(Role::Viewer)
        });
        let begun = tokio::time::Instant::now();
        expiring.end(now).await;
        assert!(begun.elapsed() >= hour);

        let revocable = holder(Grant::of_role(Role::Viewer));
        let mut end = std::pin::pin!(revocable.end(now));
        assert!(futures_util::poll!(end.as_mut()).is_pending());
        revocable.token().unwrap().revoked.cancel();
        end.await;
    }

    #[test]
    fn a_page_says_who_it_is_shown_to() {
        let labelled = holder(Grant {
            label: "Ada".to_owned(),
            ..Grant::of_role(Role::Viewer)
        });
        let who = labelled.visitor();
        assert_eq!(who.who.as_deref(), Some("Ada (viewer)"));
        assert!(!who.may_change);
        assert_eq!(Identity::Owner.visitor().who.as_deref(), Some("admin"));
        let anyone = Visitor {
            who: None,
            may_change: true,
        };
        assert_eq!(Identity::Anyone.visitor(), anyone);
    }
}
