//! HTTP clients of a coordinator.

use reqwest::{Client, ClientBuilder};
use rustls::ClientConfig;
use url::Url;

/// A client of the coordinator at this address, `configured` as its user needs it, which trusts what `tls` says and
/// otherwise the system's authorities.
///
/// # Errors
/// The address is https, and the system has no authorities.
pub(crate) fn client_of(
    address: &Url,
    tls: Option<&ClientConfig>,
    configured: impl Fn(ClientBuilder) -> ClientBuilder,
) -> reqwest::Result<Client> {
    let builder = || configured(Client::builder());
    if let Some(tls) = tls {
        return builder().tls_backend_preconfigured(tls.clone()).build();
    }
    match builder().build() {
        // Small images have no authorities, and http needs none.
        Err(_) if address.scheme() != "https" => builder().tls_certs_only([]).build(),
        built => built,
    }
}
