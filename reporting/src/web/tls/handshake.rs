//! Handshakes: bounded in time, and an answer for those who speak HTTP where TLS is spoken.
//!
//! Their number is that of the connections (see [`super::super::access::places`]): a place of its own for each handshake
//! could be held by those who never finish theirs.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::Tls;
use crate::api_types::ErrorBody;

/// Time that a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a TLS connection begins with: a handshake record.
const HANDSHAKE_RECORD: u8 = 22;
/// Most bytes of a request in plain HTTP that are read, so that its sender sees the answer.
const MAX_PLAIN_BYTES: u64 = 64 * 1024;
/// Time that this may take.
const PLAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no encrypted connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::web) enum HandshakeFailed {
    #[error("the handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    Timeout,
    #[error("plain HTTP was spoken, which was answered with the cure")]
    PlainHttp,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Makes an encrypted connection of an accepted one.
///
/// # Errors
/// See [`HandshakeFailed`].
pub(in crate::web) async fn shake_hands(
    tls: &Tls,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, HandshakeFailed> {
    let shaken = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE_RECORD {
            // Whoever sends nothing more, or takes nothing, gets no answer.
            let _ = tokio::time::timeout(PLAIN_TIMEOUT, answer_plain(stream)).await;
            return Err(HandshakeFailed::PlainHttp);
        }
        Ok(TlsAcceptor::from(tls.config()).accept(stream).await?)
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, shaken)
        .await
        .unwrap_or(Err(HandshakeFailed::Timeout))
}

/// Says what to do instead, in a form that browsers, agents and clients of the API show.
async fn answer_plain(mut stream: TcpStream) -> std::io::Result<()> {
    let body = ErrorBody {
        error: "this port speaks HTTPS only; use an address that begins with https://".to_owned(),
    };
    let body = serde_json::to_string(&body).expect("a text can be written as JSON");
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Closed with something unread, the connection would be reset before the answer is seen.
    let mut rest = stream.take(MAX_PLAIN_BYTES);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::web::tls::TlsFiles;

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_stalls_ends() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: directory.path().join("cert.pem"),
            key: directory.path().join("key.pem"),
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        let tls = Tls::load(files).unwrap();
        for sent in [&[][..], &[HANDSHAKE_RECORD], &[HANDSHAKE_RECORD, 3, 1, 2]] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(sent).await.unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            let ended = shake_hands(&tls, accepted).await;
            assert!(
                matches!(ended, Err(HandshakeFailed::Timeout)),
                "{sent:?}: {ended:?}"
            );
        }
    }
}
