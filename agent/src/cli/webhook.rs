//! `--webhook URL`: how the coordinator announces runs that are over.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use greylag_reporting::Token;
use greylag_reporting::coordinator::{Webhook, WebhookAnswer, WebhookRequest};
use greylag_reporting::web::PublicUrl;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use url::Url;

use super::failure::Failure;
use super::options::trusting;
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

/// Options about a webhook.
#[derive(Debug, Args)]
pub(crate) struct WebhookOptions {
    /// Address that gets the result of each run when it is over, as JSON: verdict, thresholds and headline numbers.
    #[arg(
        long,
        env = "GREYLAG_WEBHOOK",
        value_name = "URL",
        hide_env_values = true
    )]
    webhook: Option<WebhookUrl>,
    /// Secret with which requests to --webhook are signed (HMAC-SHA256 in the header X-Greylag-Signature).
    #[arg(
        long,
        env = "GREYLAG_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    webhook_secret: Option<Token>,
    /// Certificates (PEM) to trust in addition to the system's when the address of --webhook is https: of a private
    /// authority, or self-signed.
    #[arg(long, env = "GREYLAG_WEBHOOK_CERTIFICATE", value_name = "FILE")]
    webhook_certificate: Option<PathBuf>,
}

/// The webhook that was named, if one was.
///
/// # Errors
/// A secret or a certificate without an address, a certificate for an address without TLS, or no client can be made.
pub(crate) fn webhook_of(
    options: WebhookOptions,
    public_url: Option<&PublicUrl>,
) -> Result<Option<Webhook>, Failure> {
    let WebhookOptions {
        webhook,
        webhook_secret: secret,
        webhook_certificate: certificate,
    } = options;
    let Some(WebhookUrl(url)) = webhook else {
        let what = match (secret, certificate) {
            (Some(_), _) => "secret",
            (None, Some(_)) => "certificate",
            (None, None) => return Ok(None),
        };
        return Err(Failure::bad_input(format!(
            "the {what} of a webhook needs its address; set --webhook, too"
        )));
    };
    if certificate.is_some() && url.scheme() == "http" {
        return Err(Failure::bad_input(
            "the certificate of a webhook has no effect, because the webhook's address begins with http://; write https:// \
             there, or leave the certificate out",
        ));
    }
    let tls = certificate.map(|file| trusting("--webhook-certificate", &file));
    let tls = tls.transpose()?;
    // A receiver that moves is to be named anew: what is sent is not for others.
    let built = client_of(&url, tls.as_ref(), |builder| {
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
    use clap::Parser;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::cli::private_server::PrivateServer;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        webhook: WebhookOptions,
    }

    fn webhook(arguments: &[&str]) -> Result<Option<Webhook>, Failure> {
        let command = Command::parse_from([&["greylag"], arguments].concat());
        webhook_of(command.webhook, None)
    }

    #[test]
    fn an_address_is_one_of_http_and_is_not_shown() {
        for text in ["", "hooks.example", "ftp://hooks.example", "file:///tmp/x"] {
            assert!(text.parse::<WebhookUrl>().is_err(), "{text}");
        }
        let url: WebhookUrl = "https://hooks.example/services/T0/secret".parse().unwrap();
        assert!(!format!("{url:?}").contains("secret"));
        let named = webhook(&["--webhook", "https://hooks.example/services"]);
        assert!(named.unwrap().is_some());
        for alone in [
            ["--webhook-secret", "geheim"],
            ["--webhook-certificate", "ca.pem"],
        ] {
            let message = webhook(&alone).unwrap_err().to_string();
            assert!(message.contains("set --webhook, too"), "{message}");
        }
        let plain = webhook(&["--webhook", "http://a.b", "--webhook-certificate", "ca.pem"]);
        let message = plain.unwrap_err().to_string();
        assert!(message.contains("write https://"), "{message}");
        let no_file = webhook(&[
            "--webhook",
            "https://a.b",
            "--webhook-certificate",
            "none.pem",
        ]);
        let message = no_file.unwrap_err().to_string();
        assert!(
            message.contains("none.pem of --webhook-certificate"),
            "{message}"
        );
    }

    fn request() -> WebhookRequest {
        WebhookRequest {
            body: b"{}".to_vec(),
            headers: vec![("x-greylag-event", "run.ended".to_owned())],
        }
    }

    #[tokio::test]
    async fn a_receiver_of_a_private_authority_is_trusted_by_its_certificate() {
        let server = PrivateServer::start(b"http/1.1").await;
        let url = format!("{}/hook", server.url());
        let file = server.certificate().to_str().unwrap();
        let trusting = webhook(&["--webhook", &url, "--webhook-certificate", file]);
        let sent = tokio::spawn((trusting.unwrap().unwrap().send)(request()));
        let mut stream = server.accept().await.unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"\r\n\r\n{}") {
            assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
        }
        assert!(got.starts_with(b"POST /hook HTTP/1.1\r\n"));
        let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        assert_eq!(sent.await.unwrap(), Ok(202));

        let stranger = webhook(&["--webhook", &url]).unwrap().unwrap();
        let sent = tokio::spawn((stranger.send)(request()));
        server.accept().await.unwrap_err();
        let refused = sent.await.unwrap().unwrap_err();
        assert!(refused.contains("certificate"), "{refused}");
    }
}
