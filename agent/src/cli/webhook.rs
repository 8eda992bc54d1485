//! `--webhook URL`: how the coordinator announces runs that are over.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use greylag_reporting::Token;
use greylag_reporting::coordinator::{Webhook, WebhookAnswer, WebhookRequest};
use greylag_reporting::web::PublicUrl;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use url::Url;

use super::failure::Failure;
use crate::http_client::client_of;
use crate::innermost::innermost;

/// How long an attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The text is not the address of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give an address that begins with http:// or https://")]
pub(crate) struct WebhookUrlError;

/// The address of a webhook. It may hold a secret, so nothing shows it.
#[derive(Clone)]
pub(crate) struct WebhookUrl(Url);

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        let url = Url::parse(text).map_err(|_| WebhookUrlError)?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(Self(url))
        } else {
            Err(WebhookUrlError)
        }
    }
}

impl std::fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WebhookUrl(…)")
    }
}

/// The webhook at this address.
///
/// # Errors
/// A secret without an address, or no client can be made.
pub(crate) fn webhook_at(
    url: Option<WebhookUrl>,
    secret: Option<Token>,
    public_url: Option<&PublicUrl>,
) -> Result<Option<Webhook>, Failure> {
    let Some(WebhookUrl(url)) = url else {
        return match secret {
            Some(_) => Err(Failure::bad_input(
                "the secret of a webhook needs its address; set --webhook, too",
            )),
            None => Ok(None),
        };
    };
    // A receiver that moves is to be named anew: what is sent is not for others.
    let built = client_of(&url, None, |builder| {
        builder.timeout(ATTEMPT_TIMEOUT).redirect(Policy::none())
    });
    let client = built.map_err(|error| {
        Failure::bad_input(format!("the webhook cannot be used: {}", innermost(&error)))
    })?;
    Ok(Some(Webhook {
        send: Arc::new(move |request| send(&client, &url, request)),
        secret,
        public_url: public_url.map(ToString::to_string),
    }))
}

fn send(client: &Client, url: &Url, request: WebhookRequest) -> WebhookAnswer {
    let mut builder = client
        .request(Method::POST, url.clone())
        .header(CONTENT_TYPE, "application/json")
        .body(request.body);
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    Box::pin(async move {
        match builder.send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(innermost(&error.without_url())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_http_and_is_not_shown() {
        for text in ["", "hooks.example", "ftp://hooks.example", "file:///tmp/x"] {
            assert!(text.parse::<WebhookUrl>().is_err(), "{text}");
        }
        let url: WebhookUrl = "https://hooks.example/services/T0/secret".parse().unwrap();
        assert!(!format!("{url:?}").contains("secret"));
        assert!(webhook_at(Some(url), None, None).unwrap().is_some());
        let alone = webhook_at(None, Some("geheim".parse().unwrap()), None);
        let message = alone.unwrap_err().to_string();
        assert!(message.contains("--webhook"), "{message}");
    }
}
